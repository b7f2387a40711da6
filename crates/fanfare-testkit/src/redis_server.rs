//! A Redis server of a test's own: free port, own folder, killed when dropped.
//!
//! ```
//! use fanfare_testkit::redis_server::RedisServer;
//!
//! let mut server = RedisServer::start(&["appendonly yes"]);
//! server.command(&["SET", "fruit", "apple"]);
//! server.kill();
//! server.start_again();
//! assert_eq!(server.command(&["GET", "fruit"]), "apple");
//! ```
//!
//! `FANFARE_REDIS_SERVER` names another program than `redis-server`, such as a newer Redis or a
//! Valkey.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A running, or stopped, server. Started again it is the same: same port, folder and settings.
#[derive(Debug)]
pub struct RedisServer {
    folder: TempDir,
    port: u16,
    settings: Vec<String>,
    role: Role,
    child: Option<Child>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Role {
    Server,
    Sentinel,
}

impl RedisServer {
    /// Starts a server with `settings`, each a line of its configuration file.
    ///
    /// Without any it listens on loopback, keeps nothing on the disk and evicts nothing.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn start(settings: &[&str]) -> Self {
        Self::start_as(Role::Server, settings)
    }

    /// Starts a sentinel that calls `primary` by `name`; two of all sentinels must agree that it is
    /// gone, which each finds out after half a second.
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    #[must_use]
    pub fn sentinel(primary: &Self, name: &str, settings: &[&str]) -> Self {
        let own = [
            format!("sentinel monitor {name} 127.0.0.1 {} 2", primary.port),
            format!("sentinel down-after-milliseconds {name} 500"),
            format!("sentinel failover-timeout {name} 2000"),
        ];
        let lines: Vec<_> = own.iter().map(String::as_str).collect();
        Self::start_as(Role::Sentinel, &[&lines, settings].concat())
    }

    fn start_as(role: Role, settings: &[&str]) -> Self {
        let mut server = Self {
            folder: tempfile::tempdir().unwrap(),
            port: free_port(),
            settings: settings.iter().map(|line| (*line).to_owned()).collect(),
            role,
            child: None,
        };
        // Somebody else may have taken the port meanwhile.
        for _ in 0..PORTS_TRIED {
            if server.try_start() {
                return server;
            }
            server.port = free_port();
        }
        panic!("redis-server does not start: {}", server.log());
    }

    /// Starts a replica of `primary`, and waits until it has all of it.
    ///
    /// # Panics
    ///
    /// When it cannot be started, or does not catch up in time.
    #[must_use]
    pub fn replica(primary: &Self, settings: &[&str]) -> Self {
        let of = format!("replicaof 127.0.0.1 {}", primary.port);
        let mut lines = vec![of.as_str()];
        lines.extend(settings);
        let replica = Self::start(&lines);
        wait_until("a replica is in step", || {
            replica
                .command(&["INFO", "replication"])
                .contains("master_link_status:up")
        });
        replica
    }

    /// Starts it again after [`kill`](Self::kill) or [`stop`](Self::stop).
    ///
    /// # Panics
    ///
    /// When it cannot be started.
    pub fn start_again(&mut self) {
        assert!(self.child.is_none(), "it runs");
        wait_until("redis-server starts again", || self.try_start());
    }

    /// Changes the settings of the next start: replaces the lines of the same name, or adds one.
    pub fn set(&mut self, line: &str) {
        let name = line.split(' ').next();
        self.settings
            .retain(|other| other.split(' ').next() != name);
        self.settings.push(line.to_owned());
    }

    /// Kills it: SIGKILL.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            _ = child.kill();
            _ = child.wait();
        }
    }

    /// Ends it in order; it saves what its settings say.
    ///
    /// # Panics
    ///
    /// When it does not end.
    pub fn stop(&mut self) {
        let Some(mut child) = self.child.take() else {
            return;
        };
        // Answers only when it cannot.
        _ = self.send(&["SHUTDOWN"]);
        _ = child.wait();
    }

    /// The port on loopback.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Its process; `None` while it is stopped.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Where clients reach it: `redis://127.0.0.1:PORT`.
    #[must_use]
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Where it keeps its files: `dump.rdb`, `appendonlydir`.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// What it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.log_file()).unwrap_or_default()
    }

    /// Runs one command on a connection of its own; an array comes with a line for each element,
    /// nothing as the empty text.
    ///
    /// # Panics
    ///
    /// When it is not answered, or with an error.
    pub fn command(&self, words: &[&str]) -> String {
        match self.send(words) {
            Ok(answer) => answer,
            Err(error) => panic!("{words:?}: {error}"),
        }
    }

    fn send(&self, words: &[&str]) -> Result<String, String> {
        let mut text = Vec::new();
        if let Some(password) = self.setting("requirepass") {
            append_command(&mut text, &["AUTH", password]);
        }
        let answers = if text.is_empty() { 1 } else { 2 };
        append_command(&mut text, words);
        let ask = || {
            let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port))?;
            stream.set_read_timeout(Some(PATIENCE))?;
            stream.write_all(&text)?;
            let mut reader = BufReader::new(stream);
            let mut answer = Ok(String::new());
            for _ in 0..answers {
                answer = read_answer(&mut reader)?;
            }
            Ok(answer)
        };
        ask().map_err(|error: std::io::Error| error.to_string())?
    }

    fn setting(&self, name: &str) -> Option<&str> {
        let value = |line: &'_ String| line.starts_with(name);
        let line = self.settings.iter().find(|line| value(line))?;
        Some(line.strip_prefix(name)?.trim())
    }

    fn log_file(&self) -> PathBuf {
        self.folder().join("redis.log")
    }

    /// False when it ended instead of listening.
    fn try_start(&mut self) -> bool {
        let folder = self.folder().display().to_string();
        let mut lines = vec![
            format!("port {}", self.port),
            "bind 127.0.0.1".to_owned(),
            format!("dir {folder}"),
            "save \"\"".to_owned(),
            "appendonly no".to_owned(),
            // A killed primary must be seen by its replica at once, not in a minute.
            "repl-ping-replica-period 1".to_owned(),
            // A replica need not wait for others that come at the same time.
            "repl-diskless-sync-delay 0".to_owned(),
        ];
        lines.extend(self.settings.iter().cloned());
        let file = self.folder().join("redis.conf");
        fs::write(&file, lines.join("\n") + "\n").unwrap();
        let program = std::env::var_os("FANFARE_REDIS_SERVER");
        let mut command = Command::new(program.unwrap_or_else(|| "redis-server".into()));
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.log_file());
        let log = log.unwrap();
        command.arg(file);
        if self.role == Role::Sentinel {
            command.arg("--sentinel");
        }
        command
            .current_dir(self.folder())
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let mut child = match command.spawn() {
            Ok(child) => child,
            Err(error) => panic!("redis-server (package redis-server) cannot be run: {error}"),
        };
        let deadline = now() + PATIENCE;
        while now() < deadline && matches!(child.try_wait(), Ok(None)) {
            // While it loads its data it listens, and answers with an error. What answers must be
            // this process, and not another one that has the port.
            let pid = format!("process_id:{}\r\n", child.id());
            let is_ready = match self.role {
                Role::Server => "\nloading:0",
                // Valkey has `server_mode`.
                Role::Sentinel => "_mode:sentinel",
            };
            let loaded = |info: &String| info.contains(&pid) && info.contains(is_ready);
            if self.send(&["INFO"]).as_ref().is_ok_and(loaded) {
                self.child = Some(child);
                return true;
            }
            pause();
        }
        _ = child.kill();
        _ = child.wait();
        false
    }
}

impl Drop for RedisServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A port of loopback that nobody has now.
///
/// # Panics
///
/// When there is none.
#[must_use]
pub fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// Waits until `condition` holds; blocks the thread.
///
/// # Panics
///
/// When it does not in ten seconds; `what` must happen by then.
pub fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = now() + PATIENCE;
    while !condition() {
        assert!(now() < deadline, "not within {PATIENCE:?}: {what}");
        pause();
    }
}

const PATIENCE: Duration = Duration::from_secs(10);
const PORTS_TRIED: usize = 5;

/// The time between two looks at a condition.
fn pause() {
    let (_keep, never) = sync_channel::<()>(0);
    _ = never.recv_timeout(Duration::from_millis(5));
}

#[expect(clippy::disallowed_methods, reason = "waits end at a deadline")]
fn now() -> Instant {
    Instant::now()
}

/// A command as the server reads it: an array of texts, each with its length.
fn append_command(text: &mut Vec<u8>, words: &[&str]) {
    text.extend(format!("*{}\r\n", words.len()).into_bytes());
    for word in words {
        text.extend(format!("${}\r\n{word}\r\n", word.len()).into_bytes());
    }
}

/// Reads one answer of the server's second protocol; the inner error is the server's.
fn read_answer(reader: &mut impl BufRead) -> std::io::Result<Result<String, String>> {
    let mut line = String::new();
    reader.read_line(&mut line)?;
    let line = line.trim_end();
    let Some((kind, rest)) = line.split_at_checked(1) else {
        return Err(std::io::ErrorKind::UnexpectedEof.into());
    };
    Ok(match kind {
        "-" => Err(rest.to_owned()),
        "$" | "*" if rest == "-1" => Ok(String::new()),
        "$" => {
            let mut bytes = vec![0; rest.parse::<usize>().unwrap() + 2];
            reader.read_exact(&mut bytes)?;
            bytes.truncate(bytes.len() - 2);
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        }
        "*" => {
            let mut elements = Vec::new();
            for _ in 0..rest.parse::<usize>().unwrap() {
                elements.push(read_answer(reader)?);
            }
            let elements: Result<Vec<_>, _> = elements.into_iter().collect();
            elements.map(|elements| elements.join("\n"))
        }
        _ => Ok(rest.to_owned()),
    })
}
