//! `cargo xtask demo`: two hubs on one Redis, nginx in front of them, and lines to paste.

mod process;

use std::env;
use std::fs::{self, File};
use std::io::Read;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command as Program;

use anyhow::Context;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::signal::unix::{SignalKind, signal};

use crate::command::{Command, root, say};
use crate::tools;
use process::Process;

/// Starts everything on free ports, says what to try, and ends all at Ctrl-C.
///
/// # Errors
///
/// Redis is missing, something does not build, or does not start.
pub(crate) fn run() -> anyhow::Result<()> {
    tools::need(&tools::DEMO)?;
    let hub = program()?;
    let runtime = Builder::new_current_thread().enable_io().build()?;
    // From here on a signal waits until all parts stand, so that all of them are ended.
    let ending = ending(&runtime)?;

    let folder = tempfile::tempdir()?;
    let broker = Broker::start(folder.path())?;
    let key = random_key()?;
    let hubs = [
        Node::start("hub-a", &hub, &broker, &key, folder.path())?,
        Node::start("hub-b", &hub, &broker, &key, folder.path())?,
    ];
    let proxy = Proxy::start(&hubs, folder.path())?;
    guide(&hubs, proxy.as_ref(), &folder);

    runtime.block_on(ending);
    say("\nending all of it");
    Ok(())
}

/// The hub: what the environment names, or else built from here.
fn program() -> anyhow::Result<PathBuf> {
    if let Some(program) = env::var_os(PROGRAM) {
        return Ok(program.into());
    }
    Command::cargo(["build", "--package", "fanfare"]).run()?;
    Ok(root().join("target/debug/fanfare"))
}

/// Names a hub that is already built.
pub(crate) const PROGRAM: &str = "DEMO_HUB";

/// Resolves at SIGINT or SIGTERM, whichever has come since this was called.
fn ending(runtime: &Runtime) -> anyhow::Result<impl Future<Output = ()>> {
    let _guard = runtime.enter();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// A Redis for these two alone.
struct Broker {
    address: String,
    _process: Process,
}

impl Broker {
    fn start(folder: &Path) -> anyhow::Result<Self> {
        let port = free_port()?.to_string();
        let mut redis = Program::new("redis-server");
        redis
            .args(["--port", &port, "--bind", "127.0.0.1"])
            .args(["--appendonly", "yes", "--save", ""])
            .args(["--maxmemory-policy", "noeviction"]);
        let is_ready = |line: &str| line.contains("Ready to accept connections");
        let (process, _) = Process::start("redis", redis, folder, is_ready)?;
        Ok(Self {
            address: format!("redis://127.0.0.1:{port}?hub=demo"),
            _process: process,
        })
    }
}

/// A hub, and what it has said of itself.
struct Node {
    url: String,
    token: String,
    process: Process,
}

impl Node {
    fn start(
        name: &str,
        hub: &Path,
        broker: &Broker,
        key: &str,
        folder: &Path,
    ) -> anyhow::Result<Self> {
        let mut hub = Program::new(hub);
        hub.args(["serve", "--dev", "--listen", "127.0.0.1:0", "--drain", "1s"])
            .args(["--broker", &broker.address])
            // Both, so that a token of one is good at the other.
            .env("FANFARE_PUBLISHER_JWT_KEY", key)
            .env("FANFARE_SUBSCRIBER_JWT_KEY", key);
        let is_ready = |line: &str| line.starts_with(READY);
        let (process, said) = Process::start(name, hub, folder, is_ready)?;
        let url = said.last().and_then(|line| line.strip_prefix(READY));
        let mut lines = said.iter();
        let token = lines
            .find(|line| *line == "publisher token:")
            .and(lines.next());
        Ok(Self {
            url: url.context("a hub says where it is")?.to_owned(),
            token: token.context("a hub prints a token")?.trim().to_owned(),
            process,
        })
    }

    fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }
}

const READY: &str = "fanfare is ready on ";

/// nginx in front of both, with the configuration that `deploy/` has for it.
struct Proxy {
    url: String,
    _process: Process,
}

impl Proxy {
    /// `None` where nginx is not installed.
    fn start([a, b]: &[Node; 2], folder: &Path) -> anyhow::Result<Option<Self>> {
        if !tools::is_found("nginx") {
            return Ok(None);
        }
        let address = format!("127.0.0.1:{}", free_port()?);
        let deployed = fs::read_to_string(root().join("deploy/nginx.conf"))?;
        let configuration = deployed
            .replace("/tmp/", &format!("{}/", folder.display()))
            .replace("0.0.0.0:8080", &address)
            .replace("hub-a:3000", a.address())
            .replace("hub-b:3000", b.address());
        let file = folder.join("nginx.conf");
        fs::write(&file, configuration)?;
        let mut nginx = Program::new("nginx");
        nginx.arg("-c").arg(&file).args([
            "-e",
            "stderr",
            "-g",
            "daemon off; error_log stderr notice;",
        ]);
        let is_ready = |line: &str| line.contains("start worker process");
        let (process, _) = Process::start("nginx", nginx, folder, is_ready)?;
        Ok(Some(Self {
            url: format!("http://{address}"),
            _process: process,
        }))
    }
}

/// What to try, in this order.
fn guide([a, b]: &[Node; 2], proxy: Option<&Proxy>, folder: &TempDir) {
    let (at_a, at_b, token, pid) = (&a.url, &b.url, &a.token, a.process.id());
    let both = proxy.map_or_else(
        || "\n(nginx is not installed; with it, both would have one address)".to_owned(),
        |proxy| format!("\nboth, behind nginx:\n  {}/", proxy.url),
    );
    let publish = "curl -s -H \"Authorization: Bearer $TOKEN\" -d topic=demo";
    say(&format!(
        "
Two hubs, one history: A and B keep their events on the same Redis.

pages:
  {at_a}/
  {at_b}/{both}
read at B, in a terminal of its own:
  curl -N '{at_b}/events?topic=demo'
publish at A:
  TOKEN={token}
  ID=$({publish} -d data=hello {at_a}/.well-known/mercure); echo $ID
kill A:
  kill -9 {pid}
publish at B:
  {publish} -d data='A is gone' {at_b}/.well-known/mercure
go on at B after what A had answered; nothing is missing:
  curl -N -H \"Last-Event-ID: $ID\" '{at_b}/events?topic=demo'

What they all log is in {}. Ctrl-C ends all of it.",
        folder.path().display()
    ));
}

/// A port that nobody has at this moment.
fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    Ok(listener.local_addr()?.port())
}

/// 32 bytes in hexadecimal digits.
fn random_key() -> anyhow::Result<String> {
    let mut bytes = [0; 32];
    File::open("/dev/urandom")?.read_exact(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}
