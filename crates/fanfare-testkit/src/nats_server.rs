//! Real NATS servers, alone or three as a cluster, that a test can kill, restart and rob.
//!
//! The program is `nats-server`, or what the environment's `NATS_SERVER` names.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A server with JetStream in a folder of its own; killed when dropped.
#[derive(Debug)]
pub struct NatsServer {
    child: Option<Child>,
    port: u16,
    folder: TempDir,
}

impl NatsServer {
    /// Starts one on a free port, without login and without TLS.
    #[must_use]
    pub fn start() -> Self {
        Self::start_with("")
    }

    /// Starts one whose configuration ends with `more`.
    #[must_use]
    pub fn start_with(more: &str) -> Self {
        let mut server = Self::prepare(free_port(), "alone", more);
        server.restart();
        server
    }

    fn prepare(port: u16, name: &str, more: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let storage = folder.path().join("storage");
        let text = format!(
            "server_name: {name}\nlisten: \"127.0.0.1:{port}\"\n\
             jetstream {{ store_dir: \"{}\", max_mem: 64MB, max_file: 16GB }}\n{more}\n",
            storage.display()
        );
        fs::write(folder.path().join("server.conf"), text).unwrap();
        Self {
            child: None,
            port,
            folder,
        }
    }

    /// Starts it again where it was, with what is in its storage by now, and waits until it answers.
    ///
    /// # Panics
    ///
    /// When it does not within half a minute.
    pub fn restart(&mut self) {
        self.spawn();
        wait_for("a NATS server answers", || self.answers());
    }

    fn spawn(&mut self) {
        self.kill();
        let log = File::options()
            .create(true)
            .append(true)
            .open(self.folder.path().join("server.log"))
            .unwrap();
        let child = Command::new(program())
            .arg("-c")
            .arg(self.folder.path().join("server.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn();
        self.child = Some(child.expect("nats-server is installed"));
    }

    /// Whether it greets; a server that ended never will.
    fn answers(&mut self) -> bool {
        let child = self.child.as_mut().unwrap();
        if let Some(status) = child.try_wait().unwrap() {
            panic!("a NATS server ended ({status}): {}", self.log());
        }
        let Ok(socket) = TcpStream::connect(("127.0.0.1", self.port)) else {
            return false;
        };
        socket
            .set_read_timeout(Some(Duration::from_secs(1)))
            .unwrap();
        let mut line = String::new();
        _ = BufReader::new(socket).read_line(&mut line);
        line.starts_with("INFO ")
    }

    /// Kills it, as a loss of power to the process alone would.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            _ = child.kill();
            _ = child.wait();
        }
    }

    /// `HOST:PORT`.
    #[must_use]
    pub fn host(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Where it keeps its streams.
    #[must_use]
    pub fn storage(&self) -> PathBuf {
        self.folder.path().join("storage")
    }

    /// What it wrote to its log.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("server.log")).unwrap_or_default()
    }

    /// Throws its storage away; it must not run.
    pub fn lose_storage(&self) {
        fs::remove_dir_all(self.storage()).unwrap();
    }

    /// Copies its storage to `to`; it must not run.
    pub fn save_storage(&self, to: &Path) {
        copy_folder(&self.storage(), to);
    }

    /// Puts the copy at `from` in the place of its storage; it must not run.
    pub fn restore_storage(&self, from: &Path) {
        self.lose_storage();
        copy_folder(from, &self.storage());
    }
}

impl Drop for NatsServer {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Three servers that replicate.
#[derive(Debug)]
pub struct NatsCluster {
    /// The servers, `a`, `b` and `c`.
    pub servers: Vec<NatsServer>,
}

impl NatsCluster {
    /// Starts three on free ports of the loopback interface, and waits until each answers.
    ///
    /// They may still be electing a leader.
    #[must_use]
    pub fn start() -> Self {
        let ports: Vec<_> = (0..6).map(|_| free_port()).collect();
        let (clients, routes) = ports.split_at(3);
        let all: Vec<_> = routes
            .iter()
            .map(|port| format!("nats://127.0.0.1:{port}"))
            .collect();
        let mut servers = Vec::new();
        for (at, name) in ["a", "b", "c"].into_iter().enumerate() {
            let more = format!(
                "cluster {{ name: loopback, listen: \"127.0.0.1:{}\", routes: [{}] }}",
                routes[at],
                all.join(", ")
            );
            servers.push(NatsServer::prepare(clients[at], name, &more));
        }
        servers.iter_mut().for_each(NatsServer::spawn);
        for server in &mut servers {
            wait_for("a server of a cluster answers", || server.answers());
        }
        Self { servers }
    }

    /// `HOST:PORT,HOST:PORT,HOST:PORT`.
    #[must_use]
    pub fn hosts(&self) -> String {
        let hosts: Vec<_> = self.servers.iter().map(NatsServer::host).collect();
        hosts.join(",")
    }
}

fn program() -> OsString {
    std::env::var_os("NATS_SERVER").unwrap_or_else(|| "nats-server".into())
}

fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    listener.local_addr().unwrap().port()
}

#[expect(
    clippy::disallowed_methods,
    reason = "a process has no wakeup to wait for: it is looked at until the deadline"
)]
fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while !holds() {
        assert!(Instant::now() < deadline, "not in time: {what}");
        thread::sleep(Duration::from_millis(10));
    }
}

fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        match entry.file_type().unwrap().is_dir() {
            true => copy_folder(&entry.path(), &target),
            false => _ = fs::copy(entry.path(), target).unwrap(),
        }
    }
}
