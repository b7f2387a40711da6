//! Why a check could not be made; a hub that breaks a promise is a verdict, not an error.

use std::io;
use std::time::Duration;

/// Why there is no verdict.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CheckError {
    /// The caller's: the hub's URL.
    #[error("`{url}` is no hub's URL: it needs the form http://HOST:PORT[/PATH]")]
    Url {
        /// As it was given.
        url: String,
    },
    /// The caller's: a recording that is none.
    #[error("line {number} of the recording is none of a run")]
    Recording {
        /// Counted from 1.
        number: usize,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// A file, a thread or a process of ours.
    #[error("cannot {what}")]
    Io {
        /// What was tried.
        what: String,
        /// Why it failed.
        source: io::Error,
    },
    /// The hub did not do in time what every check begins and ends with.
    #[error("not within {patience:?}: {what}{}", refusal.as_deref().map(|it| format!(" ({it})")).unwrap_or_default())]
    Late {
        /// What did not happen.
        what: &'static str,
        /// How long it was waited for.
        patience: Duration,
        /// The hub's last refusal, if there was one.
        refusal: Option<String>,
    },
    /// The hub's program ended, or was silent, before it was ready.
    #[error("`{program}` did not become ready; its output is in {log}")]
    NotReady {
        /// The program.
        program: String,
        /// Where it wrote to.
        log: String,
    },
}

impl CheckError {
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> Self {
        let what = what.into();
        |source| Self::Io { what, source }
    }
}
