//! A broker under test that is a program of its own: Redis or NATS, on the hubs' core.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context, bail};
use serde_json::Value;
use tempfile::TempDir;

use crate::server::{cpu_of, folder};

/// What keeps the events of several nodes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Kind {
    /// Redis with an append-only file, flushed every second.
    Redis,
    /// One NATS server, which flushes every two minutes.
    Nats,
}

impl Kind {
    pub(crate) const ALL: [Self; 2] = [Self::Redis, Self::Nats];

    /// Its name in figures.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Redis => "redis",
            Self::Nats => "nats",
        }
    }

    /// What it says once clients can come.
    fn ready_line(self) -> &'static str {
        match self {
            Self::Redis => "Ready to accept connections",
            Self::Nats => "Server is ready",
        }
    }
}

/// A running broker; dropping it ends the process.
#[derive(Debug)]
pub(crate) struct Broker {
    kind: Kind,
    child: Child,
    /// Kept open: a server that cannot write to it would notice.
    _log: Box<dyn std::fmt::Debug>,
    _folder: TempDir,
    port: u16,
    /// Of NATS, where it tells what it has sent.
    monitor_port: u16,
}

impl Broker {
    /// Starts one on core 0, on the disk that the programs are on, and waits until it is ready.
    pub(crate) fn start(kind: Kind) -> anyhow::Result<Self> {
        let folder = folder()?;
        let (port, monitor_port) = (free_port()?, free_port()?);
        let mut command = Command::new("taskset");
        command.args(["-c", "0"]).current_dir(&folder);
        match kind {
            Kind::Redis => {
                command
                    .args(["redis-server", "--bind", "127.0.0.1"])
                    .args(["--port", &port.to_string(), "--save", ""])
                    .args(["--appendonly", "yes", "--appendfsync", "everysec"])
                    .args(["--maxmemory-policy", "noeviction"]);
            }
            Kind::Nats => {
                let configuration = format!(
                    "listen: \"127.0.0.1:{port}\"\nhttp: \"127.0.0.1:{monitor_port}\"\n\
                     jetstream {{ store_dir: \"data\" }}\n"
                );
                fs::write(folder.path().join("nats.conf"), configuration)?;
                command.args(["nats-server", "--config", "nats.conf"]);
            }
        }
        let (reader, writer) = std::io::pipe()?;
        let child = command
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            .spawn()
            .context("cannot run taskset")?;
        // It holds the other ends of the pipe, which is to end with the process.
        drop(command);
        let mut log = BufReader::new(reader);
        let mut line = String::new();
        while log.read_line(&mut line)? > 0 {
            if line.contains(kind.ready_line()) {
                return Ok(Self {
                    kind,
                    child,
                    _log: Box::new(log),
                    _folder: folder,
                    port,
                    monitor_port,
                });
            }
        }
        bail!("{} ended before it was ready:\n{line}", kind.name());
    }

    /// What a hub is told with `--broker`.
    pub(crate) fn address(&self) -> String {
        let port = self.port;
        match self.kind {
            Kind::Redis => format!("redis://127.0.0.1:{port}?hub=bench"),
            // The hub is told that not every event is flushed: Debian's server cannot do that yet.
            Kind::Nats => format!("nats://127.0.0.1:{port}?hub=bench&ack=relaxed"),
        }
    }

    /// The time that its threads have run.
    pub(crate) fn cpu(&self) -> anyhow::Result<Duration> {
        cpu_of(self.child.id())
    }

    /// All bytes that it ever sent to its clients.
    pub(crate) fn sent_bytes(&self) -> anyhow::Result<f64> {
        match self.kind {
            Kind::Redis => {
                let answer = ask(self.port, "INFO stats\r\nQUIT\r\n")?;
                let mut lines = answer.lines();
                let bytes = lines.find_map(|line| line.strip_prefix("total_net_output_bytes:"));
                Ok(bytes.context("INFO has a line of it")?.parse()?)
            }
            Kind::Nats => {
                let answer = ask(self.monitor_port, "GET /varz HTTP/1.0\r\n\r\n")?;
                let (_, body) = answer.split_once("\r\n\r\n").context("an answer of HTTP")?;
                let told: Value = serde_json::from_str(body)?;
                let bytes = told.get("out_bytes").and_then(Value::as_f64);
                bytes.context("/varz has a member of it")
            }
        }
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // It has nothing to save, and an error means that it has ended by itself.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// A port that nobody has at this moment.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.port())
}

/// What comes back for `request` until the connection ends.
fn ask(port: u16, request: &str) -> anyhow::Result<String> {
    let mut connection = TcpStream::connect(("127.0.0.1", port))?;
    connection.write_all(request.as_bytes())?;
    let mut answer = String::new();
    connection.read_to_string(&mut answer)?;
    Ok(answer)
}
