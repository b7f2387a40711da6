//! Fanfare as a child process, started as a case needs it.

use std::path::Path;
use std::process::Stdio;

use anyhow::{Context, bail};
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
        let arguments = setup.arguments(key);
        let mut child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0"])
            .args(&arguments)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        let stdout = child.stdout.take().context("the server has no stdout")?;
        let mut stdout = BufReader::new(stdout).lines();
        while let Some(line) = timeout(PATIENCE, stdout.next_line()).await?? {
            if let Some((_, authority)) = line.split_once(" is ready on http://") {
                // Its log is of no use any more, and nobody would read it.
                drop(child.stderr.take());
                return Ok(Self {
                    authority: authority.trim_end().to_owned(),
                    setup,
                    key: key.to_owned(),
                    child,
                    _stdout: stdout,
                });
            }
        }
        let output = child.wait_with_output().await?;
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.trim_end().lines().last().unwrap_or_default();
        bail!("the server ended before it was ready: {said}");
    }

    /// The hub that it is.
    pub(crate) fn hub(&self, tag: String) -> Hub {
        let audience = match self.setup {
            Setup::Pinned => PINNED.to_owned(),
            _ => format!("http://{}{HUB}", self.authority),
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
