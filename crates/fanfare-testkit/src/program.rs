//! A program under test that serves HTTP: started, listened to, ended with its test.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;

use rustix::process::{Pid, Signal, kill_process};

use crate::raw_http::{Answer, DEADLINE, RawPeer, ask};

/// A child process on a port of its own; killed when dropped.
#[derive(Debug)]
pub struct Program {
    child: Child,
    lines: Receiver<String>,
    address: SocketAddr,
}

impl Program {
    /// Starts the program at `path` with `PORT=0`, and waits until it prints a line that ends in
    /// its URL, `http://ADDRESS/`.
    ///
    /// # Panics
    ///
    /// When it cannot be started, or prints no such line within [`DEADLINE`].
    #[must_use]
    pub fn start(path: &str, arguments: &[&str]) -> Self {
        let mut command = Command::new(path);
        command.args(arguments).env_clear().env("PORT", "0");
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let (line, lines) = sync_channel(10_000);
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let read = move || {
            for text in stdout.lines().map_while(Result::ok) {
                // Whoever has ended the test wants no more of them.
                let _ = line.send(text);
            }
        };
        let reader = thread::Builder::new().name("stdout".into());
        reader.spawn(read).unwrap();
        let mut program = Self {
            child,
            lines,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
        };
        let line = program.line_with("http://");
        let (_, address) = line.split_once("http://").unwrap();
        program.address = address.trim_end_matches('/').parse().unwrap();
        program
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Takes lines of its output up to the one with `part` in it, and returns that one.
    ///
    /// # Panics
    ///
    /// When there is none within [`DEADLINE`] of the line before, or the program ends.
    pub fn line_with(&mut self, part: &str) -> String {
        loop {
            let line = self.lines.recv_timeout(DEADLINE);
            let line = line.unwrap_or_else(|error| panic!("no line with {part:?}: {error}"));
            if line.contains(part) {
                return line;
            }
        }
    }

    /// Asks for `path` on a connection of its own.
    pub async fn fetch(&self, path: &str) -> Answer {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\n\r\n", self.address);
        ask(self.address, request).await
    }

    /// Posts `json` to `path` on a connection of its own.
    pub async fn post(&self, path: &str, json: &str) -> Answer {
        let (address, length) = (self.address, json.len());
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{json}"
        );
        ask(address, request).await
    }

    /// Asks for the stream at `path`, with more `fields` in the request's head, each ended by CRLF.
    /// What is left to read of the peer is the body.
    pub async fn stream(&self, path: &str, fields: &str) -> (Answer, RawPeer) {
        let mut peer = RawPeer::connect(self.address).await;
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: {}\r\nAccept: text/event-stream\r\n{fields}\r\n",
            self.address
        );
        peer.send(request).await;
        (peer.read_head().await, peer)
    }

    /// Does to it what Ctrl-C does, unless it has ended.
    pub fn press_ctrl_c(&self) {
        let _ = kill_process(Pid::from_child(&self.child), Signal::INT);
    }

    /// Whether it has ended.
    ///
    /// # Panics
    ///
    /// When the system cannot tell.
    pub fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// Ends it by Ctrl-C, and waits until it has ended.
    ///
    /// # Panics
    ///
    /// When it does not end within [`DEADLINE`] of its last line.
    pub fn interrupt(mut self) -> ExitStatus {
        self.press_ctrl_c();
        loop {
            match self.lines.recv_timeout(DEADLINE) {
                Ok(_) => {}
                Err(RecvTimeoutError::Timeout) => panic!("it does not end"),
                // Its output has ended.
                Err(RecvTimeoutError::Disconnected) => return self.child.wait().unwrap(),
            }
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
