//! Fanfare as a child process, started as a case needs it.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, bail};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use crate::http::PATIENCE;
use crate::hub::{Dialect, HUB, Hub};
use crate::setup::{ISSUER, PINNED, Setup};

/// A running server; dropping it ends the process.
#[derive(Debug)]
pub(crate) struct Server {
    authority: String,
    setup: Setup,
    key: String,
    child: Child,
    /// Where it runs, and keeps its history.
    _folder: TempDir,
    /// Kept open: a server that cannot write to it would notice.
    _stdout: Lines<BufReader<ChildStdout>>,
}

impl Server {
    /// Starts `program` on a free port and waits until it is ready.
    ///
    /// # Errors
    ///
    /// It cannot be started, or ends or stays silent instead of being ready.
    pub(crate) async fn start(program: &Path, setup: Setup, key: &str) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        // A relative path would be looked for in that folder.
        let program = &std::path::absolute(program)?;
        let mut child = command(program, setup, key)
            .current_dir(&folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let stdout = child.stdout.take().context("the server has no stdout")?;
        let mut stdout = BufReader::new(stdout).lines();
        while let Some(line) = timeout(PATIENCE, stdout.next_line()).await?? {
            if let Some((_, authority)) = line.split_once(" is ready on http://") {
                return Ok(Self {
                    authority: authority.trim_end().to_owned(),
                    setup,
                    key: key.to_owned(),
                    child,
                    _folder: folder,
                    _stdout: stdout,
                });
            }
        }
        bail!(
            "the server ended before it was ready: {}",
            last_words(program, setup, key, folder).await?
        );
    }

    /// The hub that it is.
    pub(crate) fn hub(&self, tag: String) -> Hub {
        let audience = match self.setup == Setup::Pinned {
            true => PINNED.to_owned(),
            false => format!("http://{}{HUB}", self.authority),
        };
        Hub {
            address: self.authority.clone(),
            authority: self.authority.clone(),
            process: self.child.id(),
            key: self.key.clone(),
            issuer: ISSUER.to_owned(),
            audience,
            offer: self.setup.offer(),
            dialect: Dialect::Both,
            tag,
        }
    }
}

fn command(program: &Path, setup: Setup, key: &str) -> Command {
    let mut command = Command::new(program);
    command
        .args(["serve", "--listen", "127.0.0.1:0"])
        .args(setup.arguments(key))
        .env_clear()
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// What the server says when it cannot start: it is started again, to be listened to.
async fn last_words(
    program: &Path,
    setup: Setup,
    key: &str,
    folder: TempDir,
) -> anyhow::Result<String> {
    let mut command = command(program, setup, key);
    let output = timeout(PATIENCE, command.current_dir(&folder).output()).await??;
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.trim_end().lines().last();
    Ok(last.unwrap_or_default().to_owned())
}
