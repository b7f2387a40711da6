//! A proxy: the real program with a configuration of its own, in a folder of its own.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::certificate::Certificate;
use crate::kind::Kind;
use crate::program::{DEADLINE, Program};

/// A proxy that takes connections; killed when dropped.
pub(crate) struct Proxy {
    pub(crate) url: String,
    child: Child,
    folder: TempDir,
}

impl Proxy {
    /// Starts one as people have it, with `lines` where it is told about the hub.
    pub(crate) fn by_default(kind: Kind, hub: &str, lines: &str) -> Self {
        Self::with(kind, |listen| {
            kind.default_configuration(listen, hub, lines)
        })
    }

    /// Starts one as `docs/deploy` advises.
    pub(crate) fn recommended(kind: Kind, hubs: [&str; 2]) -> Self {
        Self::recommended_but(kind, hubs, |text| text)
    }

    /// The same with a `change` to the file.
    pub(crate) fn recommended_but(
        kind: Kind,
        hubs: [&str; 2],
        change: impl Fn(String) -> String,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let certificate = Certificate::make(folder.path());
        let write = |listen| change(kind.recommended(listen, hubs, &certificate));
        Self::start(kind, folder, "https://localhost", write)
    }

    /// Starts one with the configuration that `write` makes for a port.
    pub(crate) fn with(kind: Kind, write: impl Fn(u16) -> String) -> Self {
        Self::start(
            kind,
            tempfile::tempdir().unwrap(),
            "http://127.0.0.1",
            write,
        )
    }

    fn start(kind: Kind, folder: TempDir, base: &str, write: impl Fn(u16) -> String) -> Self {
        // Whoever else takes the port meanwhile has it; then with the next one.
        for _ in 0..5 {
            let listen = free_port();
            let mut child = spawn(kind, &folder, &write(listen));
            if answers(&mut child, listen) {
                let url = format!("{base}:{listen}");
                return Self { url, child, folder };
            }
        }
        let log = fs::read_to_string(folder.path().join("log")).unwrap();
        panic!("{kind:?} does not start: {log}");
    }

    /// The variables by which the hub's own commands trust its certificate.
    pub(crate) fn trust(&self) -> Vec<(&str, String)> {
        let chain = self.folder.path().join("chain.pem");
        match chain.exists() {
            true => vec![("SSL_CERT_FILE", chain.display().to_string())],
            false => Vec::new(),
        }
    }

    /// Starts curl, which trusts the proxy, on `path`. Heartbeats would have who waits for a line
    /// that never comes wait for ever, so it ends by itself, with [`OUT_OF_TIME`].
    pub(crate) fn curl(&self, flags: &str, path: &str) -> Program {
        let trust = self.trust();
        let trust = trust.first().map(|(_, path)| format!("--cacert '{path}'"));
        Program::paste(&format!(
            "exec curl -sN --max-time 60 {} {flags} '{}{path}'",
            trust.unwrap_or_default(),
            self.url
        ))
    }

    /// Subscribes to the topic `t`, and waits until the stream has begun.
    pub(crate) fn subscribe(&self, flags: &str) -> Program {
        let stream = self.curl(flags, "/events?topic=t");
        stream.line_that(|line| line == ": connection established");
        stream
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

/// How curl ends after its `--max-time`.
pub(crate) const OUT_OF_TIME: i32 = 28;

fn spawn(kind: Kind, folder: &TempDir, configuration: &str) -> Child {
    let place = folder.path().display();
    let file = folder.path().join("configuration");
    let (configuration, mut command) = match kind {
        // One process, so that it is gone when it is killed, and no path outside of the folder.
        Kind::Nginx => {
            let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
                .map(|name| format!("{name}_temp_path {place}/{name};\n"))
                .concat();
            let text = format!(
                "daemon off; master_process off; pid {place}/pid; error_log stderr;
                 events {{}}
                 http {{
                     access_log off;
                     {temporary}
                     proxy_cache_path {place}/cache keys_zone=cache:1m;
                     {configuration}
                 }}"
            );
            let mut command = Command::new("nginx");
            command.args(["-e", "stderr", "-c"]).arg(&file);
            (text, command)
        }
        Kind::Haproxy => {
            let mut command = Command::new("haproxy");
            command.args(["-db", "-f"]).arg(&file);
            (configuration.to_owned(), command)
        }
        Kind::Caddy => {
            let options = "{\nadmin off\nauto_https disable_redirects\n}\n";
            let mut command = Command::new("caddy");
            command
                .args(["run", "--adapter", "caddyfile", "--config"])
                .arg(&file)
                .envs(["HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME"].map(|it| (it, folder.path())));
            let own = configuration.trim_start().starts_with("{\n");
            let options = if own { "" } else { options };
            (format!("{options}{configuration}"), command)
        }
    };
    fs::write(&file, configuration).unwrap();
    let log = fs::File::create(folder.path().join("log")).unwrap();
    command
        .current_dir(folder.path())
        .stdin(Stdio::null())
        .stdout(log.try_clone().unwrap())
        .stderr(log);
    let started = command.spawn();
    started.unwrap_or_else(|error| panic!("{kind:?}, of Debian's package of that name: {error}"))
}

/// Waits until `child` takes connections; false if it has ended.
#[expect(clippy::disallowed_methods, reason = "nothing tells when it listens")]
fn answers(child: &mut Child, port: u16) -> bool {
    let began = Instant::now();
    while began.elapsed() < DEADLINE {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return true;
        }
        thread::sleep(Duration::from_millis(20));
    }
    false
}

/// A port below those that the system gives to connections, so that none of these takes it.
fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let process = u16::try_from(std::process::id() % 97).unwrap() * 100;
    loop {
        let port = 20_000 + (process + NEXT.fetch_add(1, Ordering::Relaxed)) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}
