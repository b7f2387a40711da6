//! The real program as a child process, and a hub that says what it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// However slow the machine is, what takes longer than this does not happen.
pub(crate) const DEADLINE: Duration = Duration::from_secs(30);

/// A process that is killed when dropped.
pub(crate) struct Program {
    child: Child,
    /// Where it runs, and keeps what it keeps.
    _folder: TempDir,
    stdout: Receiver<String>,
    stderr: Receiver<String>,
}

/// How a process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs `fanfare` with nothing in its environment but `variables`, until it ends.
pub(crate) fn fanfare_with(variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    Program::start_with(variables, arguments).wait()
}

/// The value of the setting `key` and its source, as `check-config` has printed them.
pub(crate) fn setting(ended: &Ended, key: &str) -> (String, String) {
    let lines = || ended.stdout.lines();
    let line = lines().find(|line| line.split_whitespace().next() == Some(key));
    let line = line.unwrap_or_else(|| panic!("no {key} in {ended:?}"));
    let (value, source) = line[key.len()..].trim_start().split_once(' ').unwrap();
    (value.to_owned(), source.trim_start().to_owned())
}

/// `fanfare` has ended with `code`, and stderr holds each of `parts`.
#[track_caller]
pub(crate) fn refused(ended: &Ended, code: i32, parts: &[&str]) {
    assert_eq!(ended.code, Some(code), "{ended:?}");
    for part in parts {
        assert!(
            ended.stderr.contains(part),
            "no {part:?} in {}",
            ended.stderr
        );
    }
}

/// Runs `fanfare` with nothing in its environment, until it ends.
pub(crate) fn fanfare(arguments: &[&str]) -> Ended {
    fanfare_with(&[], arguments)
}

/// Runs `fanfare` with `input` at its stdin, until it ends.
pub(crate) fn fanfare_reading(input: &str, arguments: &[&str]) -> Ended {
    Program::spawn(command(arguments), input).wait()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_fanfare"));
    command.args(arguments).env_clear();
    command
}

impl Program {
    /// Starts `fanfare` with nothing in its environment.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::start_with(&[], arguments)
    }

    /// Starts `fanfare` with nothing in its environment but `variables`.
    pub(crate) fn start_with(variables: &[(&str, &str)], arguments: &[&str]) -> Self {
        let mut command = command(arguments);
        command.envs(variables.iter().copied());
        Self::spawn(command, "")
    }

    /// Starts what a person would paste into a shell.
    pub(crate) fn paste(line: &str) -> Self {
        let mut shell = Command::new("sh");
        shell.args(["-c", line]);
        Self::spawn(shell, "")
    }

    /// Starts a hub on a free port, waits until it is ready, and returns its URL.
    pub(crate) fn serve(arguments: &[&str]) -> (Self, String) {
        let program = Self::start(&[&["serve", "--listen", "127.0.0.1:0"], arguments].concat());
        let line = program.line_that(|line| line.starts_with(READY));
        let url = line.trim_start_matches(READY).to_owned();
        (program, url)
    }

    /// Spawns it in a folder of its own: whatever it keeps by default, no other test has.
    fn spawn(mut command: Command, input: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        command
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        // Dropped at once, so that stdin has an end. A program that does not read it is no error.
        _ = child.stdin.take().unwrap().write_all(input.as_bytes());
        let stdout = lines(child.stdout.take().unwrap());
        let stderr = lines(child.stderr.take().unwrap());
        Self {
            child,
            _folder: folder,
            stdout,
            stderr,
        }
    }

    /// Closes the pipe that its log goes into.
    pub(crate) fn deaf_to_stderr(&mut self) {
        let (_, nothing) = sync_channel(0);
        self.stderr = nothing;
    }

    /// The next line of stdout.
    pub(crate) fn line(&self) -> String {
        self.line_or_end().expect("another line on stdout")
    }

    /// The next line of stdout; `None` when it has ended.
    pub(crate) fn line_or_end(&self) -> Option<String> {
        next(&self.stdout)
    }

    /// The next line of stdout that fits; those before it are skipped.
    pub(crate) fn line_that(&self, fits: impl Fn(&str) -> bool) -> String {
        while let Some(line) = next(&self.stdout) {
            if fits(&line) {
                return line;
            }
        }
        panic!("no such line; stderr: {:?}", rest(&self.stderr));
    }

    /// The next line of stderr that fits; those before it are skipped.
    pub(crate) fn log_line_that(&self, fits: impl Fn(&str) -> bool) -> String {
        while let Some(line) = next(&self.stderr) {
            if fits(&line) {
                return line;
            }
        }
        panic!("no such line on stderr");
    }

    /// Its number in the operating system.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end.
    pub(crate) fn wait(mut self) -> Ended {
        let (stdout, stderr) = (rest(&self.stdout), rest(&self.stderr));
        let code = self.child.wait().unwrap().code();
        Ended {
            code,
            stdout,
            stderr,
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// What the ready line begins with.
pub(crate) const READY: &str = "fanfare is ready on ";

fn lines(pipe: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = sync_channel(1000);
    let read = move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                return;
            }
        }
    };
    thread::Builder::new().spawn(read).unwrap();
    receiver
}

/// The next line; `None` at the end of the pipe.
fn next(lines: &Receiver<String>) -> Option<String> {
    match lines.recv_timeout(DEADLINE) {
        Ok(line) => Some(line),
        Err(RecvTimeoutError::Disconnected) => None,
        Err(RecvTimeoutError::Timeout) => panic!("nothing more came in time"),
    }
}

fn rest(lines: &Receiver<String>) -> String {
    let mut text = String::new();
    while let Some(line) = next(lines) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// A hub that gives one prepared answer to each connection, whatever it is asked.
pub(crate) struct FakeHub {
    pub(crate) url: String,
    requests: Receiver<String>,
}

impl FakeHub {
    pub(crate) fn answering(answers: &[&str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let answers: Vec<String> = answers.iter().copied().map(str::to_owned).collect();
        let (sender, requests) = sync_channel(answers.len());
        let serve = move || {
            for answer in answers {
                let (mut stream, _) = listener.accept().unwrap();
                stream.set_read_timeout(Some(DEADLINE)).unwrap();
                let mut request = Vec::new();
                while !is_whole(&request) {
                    let mut bytes = [0; 1024];
                    let count = stream.read(&mut bytes).unwrap();
                    assert!(count > 0, "a request that was cut");
                    request.extend_from_slice(&bytes[..count]);
                }
                sender.send(String::from_utf8(request).unwrap()).unwrap();
                stream.write_all(answer.as_bytes()).unwrap();
            }
        };
        thread::Builder::new().spawn(serve).unwrap();
        Self { url, requests }
    }

    /// The next request, head and body.
    pub(crate) fn request(&self) -> String {
        self.requests.recv_timeout(DEADLINE).expect("a request")
    }
}

fn is_whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else {
        return false;
    };
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        let length = name.eq_ignore_ascii_case("content-length");
        length.then(|| value.trim().parse::<usize>().unwrap())
    });
    body.len() == length.unwrap_or(0)
}

/// An address at which nothing listens.
pub(crate) fn dead_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap()
}
