//! How the program ends, as the number that a script sees.

use std::fmt::Write;
use std::io;
use std::process::ExitCode;

use super::output;
use crate::config::Unfit;

/// The exit codes. They are documented and keep their meaning.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub(super) enum Exit {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Incomplete = 3,
    Address = 4,
    Unreachable = 5,
    Refused = 6,
    Cut = 7,
    Data = 8,
    History = 74,
}

impl Exit {
    const ALL: [(Self, &str); 10] = [
        (Self::Done, "done, or drained to the end"),
        (
            Self::Failed,
            "failed; `doctor`: streams do not arrive as they should; `healthcheck`: not ready; `token inspect`: not valid; `history verify`, `history export`: damage was found",
        ),
        (Self::Usage, "wrong flag, variable or configuration file"),
        (
            Self::Incomplete,
            "`serve`, `check-config`: keys are missing, nobody would be let in",
        ),
        (Self::Address, "`serve`: the address cannot be listened on"),
        (
            Self::Unreachable,
            "`publish`, `subscribe`, `doctor`, `token inspect`: the hub cannot be reached; `serve`: the broker's server cannot",
        ),
        (
            Self::Refused,
            "`publish`, `subscribe`: the hub refused; `serve`: its broker refused the login",
        ),
        (
            Self::Cut,
            "`serve`: a second signal came before the drain had ended",
        ),
        (
            Self::Data,
            "`serve`, `history`: the data directory is in use or cannot be used, the broker's server does not fit, or the history is damaged",
        ),
        (
            Self::History,
            "`serve`: the history could not be written any more; a new start recovers it",
        ),
    ];
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The table for `--help`.
pub(super) fn table() -> String {
    let mut table = "Exit codes:\n".to_owned();
    for (exit, meaning) in Exit::ALL {
        _ = writeln!(table, "  {:2} {}", exit as u8, meaning.replace('`', ""));
    }
    table
}

/// `docs/reference/exit-codes.md`.
pub(super) fn page() -> String {
    let mut page = "# Exit codes\n\n| code | meaning |\n| --- | --- |\n".to_owned();
    for (exit, meaning) in Exit::ALL {
        _ = writeln!(page, "| {} | {meaning} |", exit as u8);
    }
    page.push_str("\nWhatever it is that went wrong, stderr says it in one line.\n");
    page
}

/// Why a command did not end well.
#[derive(Debug)]
pub(super) struct Failure {
    exit: Exit,
    error: anyhow::Error,
}

impl Failure {
    pub(super) fn new(exit: Exit, error: impl Into<anyhow::Error>) -> Self {
        let error = error.into();
        Self { exit, error }
    }

    /// No hub can be made of the settings.
    pub(super) fn unfit(error: Unfit) -> Self {
        let exit = match error {
            Unfit::Incomplete { .. } => Exit::Incomplete,
            Unfit::OutOfRange { .. }
            | Unfit::HookKeyAlone
            | Unfit::Tls(_)
            | Unfit::Trust(_)
            | Unfit::WebHook(_)
            | Unfit::Key(_)
            | Unfit::KeySet(_) => Exit::Usage,
        };
        Self::new(exit, error)
    }

    /// Whether it is only that nobody reads our output any more.
    pub(super) fn is_broken_pipe(&self) -> bool {
        let error = self.error.downcast_ref::<io::Error>();
        error.is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
    }

    /// Tells a person the whole chain of causes, and a script the code.
    pub(super) fn tell(self) -> ExitCode {
        output::complain(&format!("{:#}", self.error));
        self.exit.into()
    }
}

/// What has no code of its own has failed.
impl<E: Into<anyhow::Error>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(Exit::Failed, error)
    }
}
