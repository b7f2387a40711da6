//! A hub as a process that can be killed, and started again in the same place.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use super::error::CheckError;
use super::recorder::now;

/// How a hub is started. Started again it is the same hub: same port, same data directory.
#[derive(Clone, Debug)]
pub struct HubProgram {
    /// Program and arguments.
    command: Vec<String>,
    /// Variables of its environment, which is empty but for them and `PATH`.
    variables: Vec<(String, String)>,
    /// Where it is to listen.
    address: SocketAddr,
    /// What the line on its stdout contains that says it is ready; `None`: it is once it takes
    /// connections.
    ready: Option<String>,
    /// Where its stdout and stderr go.
    log: PathBuf,
}

/// A running hub; killed when dropped.
#[derive(Debug)]
pub struct HubProcess {
    child: Child,
}

impl HubProgram {
    /// Takes a command line; `{address}` in it becomes `address`, `{data}` becomes `data`.
    ///
    /// `data` is a directory that exists; the hub's output is kept in it, in `hub.log`.
    #[must_use]
    pub fn new(command: &[String], address: SocketAddr, data: &Path) -> Self {
        let folder = data.display().to_string();
        let fill = |word: &String| {
            word.replace("{address}", &address.to_string())
                .replace("{data}", &folder)
        };
        Self {
            command: command.iter().map(fill).collect(),
            variables: Vec::new(),
            address,
            ready: None,
            log: data.join("hub.log"),
        }
    }

    /// Waits for a line on stdout that contains `text`, instead of for a connection.
    #[must_use]
    pub fn ready_by(mut self, text: &str) -> Self {
        self.ready = Some(text.to_owned());
        self
    }

    /// Sets a variable of the hub's environment.
    #[must_use]
    pub fn variable(mut self, name: &str, value: &str) -> Self {
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The hub's URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Starts the hub and waits until it is ready.
    ///
    /// # Errors
    ///
    /// [`CheckError::Io`] when it cannot be started, [`CheckError::NotReady`] when it ends, or is
    /// not ready within a minute.
    pub fn start(&self) -> Result<HubProcess, CheckError> {
        let (program, arguments) = self.command.split_first().ok_or_else(|| self.not_ready())?;
        let mut log = File::options();
        let log = log.create(true).append(true).open(&self.log);
        let log = log.map_err(CheckError::io(format!("write {}", self.log.display())))?;
        let mut command = Command::new(program);
        command
            .args(arguments)
            .env_clear()
            .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
            .envs(self.variables.iter().cloned())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(log);
        let child = command.spawn();
        let child = child.map_err(CheckError::io(format!("start {program}")))?;
        // From here on it is killed whatever happens.
        let mut process = HubProcess { child };
        let lines = process.lines()?;
        let is_ready = match &self.ready {
            Some(ready) => waits_for_line(&lines, ready),
            None => self.waits_for_connection(&mut process),
        };
        if is_ready {
            Ok(process)
        } else {
            Err(self.not_ready())
        }
    }

    fn waits_for_connection(&self, process: &mut HubProcess) -> bool {
        let deadline = now() + READY_PATIENCE;
        let (_keep, never) = sync_channel::<()>(0);
        while now() < deadline && matches!(process.child.try_wait(), Ok(None)) {
            if TcpStream::connect_timeout(&self.address, READY_PATIENCE).is_ok() {
                return true;
            }
            _ = never.recv_timeout(Duration::from_millis(2));
        }
        false
    }

    fn not_ready(&self) -> CheckError {
        CheckError::NotReady {
            program: self.command.first().cloned().unwrap_or_default(),
            log: self.log.display().to_string(),
        }
    }
}

/// A free address on this machine, for a hub that has to come back at the same one.
///
/// # Errors
///
/// [`CheckError::Io`] when there is none.
pub fn free_address() -> Result<SocketAddr, CheckError> {
    let listener = TcpListener::bind("127.0.0.1:0");
    let address = listener.and_then(|listener| listener.local_addr());
    address.map_err(CheckError::io("find a free port"))
}

fn waits_for_line(lines: &Receiver<String>, ready: &str) -> bool {
    let deadline = now() + READY_PATIENCE;
    loop {
        match lines.recv_timeout(deadline.saturating_duration_since(now())) {
            Ok(line) if line.contains(ready) => return true,
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => return false,
        }
    }
}

/// How long a hub may take to be ready.
const READY_PATIENCE: Duration = Duration::from_secs(60);

impl HubProcess {
    /// Its number in the operating system.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Kills it with SIGKILL, and waits until it is gone.
    ///
    /// # Errors
    ///
    /// [`CheckError::Io`] when that is not possible.
    pub fn kill(mut self) -> Result<(), CheckError> {
        let killed = self.child.kill().and_then(|()| self.child.wait());
        killed.map(|_| ()).map_err(CheckError::io("kill the hub"))
    }

    /// Waits for an end that somebody else brings about; false if it did not come within
    /// `patience`, and then it is killed when the value is dropped.
    pub fn wait_for(&mut self, patience: Duration) -> bool {
        let deadline = now() + patience;
        let (_keep, never) = sync_channel::<()>(0);
        while matches!(self.child.try_wait(), Ok(None)) {
            if now() > deadline {
                return false;
            }
            _ = never.recv_timeout(Duration::from_millis(2));
        }
        true
    }

    /// The first lines of its stdout; what comes later is read and dropped.
    fn lines(&mut self) -> Result<Receiver<String>, CheckError> {
        let (sender, receiver) = sync_channel(LINES_MAX);
        let stdout = self.child.stdout.take();
        let read = move || {
            let lines = stdout
                .into_iter()
                .flat_map(|pipe| BufReader::new(pipe).lines());
            for line in lines.map_while(Result::ok) {
                // When nobody waits any more, or the line is one too many.
                _ = sender.try_send(line);
            }
        };
        let thread = thread::Builder::new().name("hub-stdout".to_owned());
        let spawned = thread.spawn(read);
        spawned.map_err(CheckError::io("start a thread"))?;
        Ok(receiver)
    }
}

/// More lines than any hub says before it is ready.
const LINES_MAX: usize = 1000;

impl Drop for HubProcess {
    fn drop(&mut self) {
        // It may have ended.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}
