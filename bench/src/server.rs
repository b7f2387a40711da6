//! A server under test: a process on a core of its own, and what the operating system says of it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use fanfare::load::Target;
use tempfile::TempDir;

/// A program that takes the load.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Program {
    /// The hub, as released.
    Fanfare,
    /// A bare loop of `write(2)`.
    Floor,
    /// A plain axum `Sse` over a broadcast channel.
    Peer,
}

impl Program {
    /// The program's name, in figures and on the disk.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Fanfare => "fanfare",
            Self::Floor => "floor",
            Self::Peer => "peer",
        }
    }

    fn args(self) -> &'static [&'static str] {
        match self {
            Self::Fanfare => &[
                "serve",
                "--dev",
                "--subscriptions=false",
                "--listen",
                "127.0.0.1:0",
            ],
            Self::Floor | Self::Peer => &[],
        }
    }
}

/// A running server; dropping it ends the process.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    /// Where it runs, and keeps its history; on the disk that the program is on.
    folder: TempDir,
    /// Kept open: a server that cannot write to it would notice.
    stdout: BufReader<ChildStdout>,
    /// `127.0.0.1:PORT`
    pub(crate) authority: String,
}

impl Server {
    /// Starts `program`, which lies beside this one, on core 0, and waits until it is ready.
    pub(crate) fn start(program: Program) -> anyhow::Result<Self> {
        Self::start_with(program, program.args())
    }

    /// The same with other arguments than usual.
    pub(crate) fn start_with(program: Program, args: &[&str]) -> anyhow::Result<Self> {
        let here = std::env::current_exe()?;
        let path = here.with_file_name(program.name());
        let folder = folder()?;
        let mut child = Command::new("taskset")
            .args(["-c", "0"])
            .arg(&path)
            .args(args)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("cannot run taskset")?;
        let stdout = child.stdout.take().context("the server has no stdout")?;
        let mut server = Self {
            child,
            folder,
            stdout: BufReader::new(stdout),
            authority: String::new(),
        };
        let mut line = String::new();
        while server.stdout.read_line(&mut line)? > 0 {
            if let Some((_, url)) = line.trim_end().split_once(" is ready on ") {
                let (_, authority) = url.split_once("://").context("it is ready on a URL")?;
                authority.clone_into(&mut server.authority);
                return Ok(server);
            }
            line.clear();
        }
        bail!("{} ended before it was ready", path.display());
    }

    /// Where it runs.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the load goes.
    pub(crate) fn target(&self) -> anyhow::Result<Target> {
        Ok(Target::resolve(
            &format!("http://{}", self.authority),
            None,
        )?)
    }

    /// The time that the server's threads have run, to the nanosecond.
    ///
    /// Threads that have ended are not in it; the servers keep theirs.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        cpu_of(self.child.id())
    }

    /// The memory that the server allocated: the anonymous part of its PSS.
    ///
    /// The other part is code, which is the same for any number of connections, and changes with
    /// whoever runs the same libraries.
    pub(crate) fn pss_bytes(&self) -> anyhow::Result<f64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id()))?;
        let kilobytes = rollup
            .lines()
            .find_map(|line| line.strip_prefix("Pss_Anon:")?.trim().strip_suffix(" kB"));
        let kilobytes: f64 = kilobytes
            .context("smaps_rollup has a line Pss_Anon")?
            .parse()?;
        Ok(kilobytes * 1024.0)
    }

    /// The sum of all samples of `name` in the server's metrics.
    pub(crate) fn metric(&self, name: &str) -> anyhow::Result<f64> {
        let mut connection = TcpStream::connect(&self.authority)?;
        write!(
            connection,
            "GET /metrics HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
            self.authority,
        )?;
        let mut answer = String::new();
        connection.read_to_string(&mut answer)?;
        let samples = answer.lines().filter_map(|line| {
            let (sample, value) = line.rsplit_once(' ')?;
            let (metric, _) = sample.split_once('{').unwrap_or((sample, ""));
            (metric == name).then(|| value.trim().parse::<f64>().ok())?
        });
        Ok(samples.sum())
    }
}

/// The time that the threads of a process have run, to the nanosecond.
pub(crate) fn cpu_of(process: u32) -> anyhow::Result<Duration> {
    let mut nanos = 0;
    for task in fs::read_dir(format!("/proc/{process}/task"))? {
        let stat = fs::read_to_string(task?.path().join("schedstat"))?;
        let ran = stat.split(' ').next().unwrap_or_default();
        nanos += ran.parse::<u64>().context("schedstat begins with a time")?;
    }
    Ok(Duration::from_nanos(nanos))
}

/// A folder on the disk that the programs are on, gone with the value.
pub(crate) fn folder() -> anyhow::Result<TempDir> {
    let here = std::env::current_exe()?;
    let parent = here.parent().context("a program is in a folder")?;
    Ok(tempfile::tempdir_in(parent)?)
}

/// Runs the program `name`, which lies beside this one, on core 0 to its end; returns the line of
/// JSON that it prints.
pub(crate) fn run_pinned(name: &str, args: &[&str]) -> anyhow::Result<serde_json::Value> {
    let path = std::env::current_exe()?.with_file_name(name);
    let output = Command::new("taskset")
        .args(["-c", "0"])
        .arg(&path)
        .args(args)
        .stderr(Stdio::inherit())
        .output()
        .context("cannot run taskset")?;
    anyhow::ensure!(
        output.status.success(),
        "{name} ended with {}",
        output.status
    );
    Ok(serde_json::from_slice(&output.stdout)?)
}

impl Drop for Server {
    fn drop(&mut self) {
        // It has nothing to save, and an error means that it has ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
