//! nginx and HAProxy in front of the nodes.

use std::fs;
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};

use fanfare_testkit::hubcheck::free_address;
use tempfile::TempDir;

use crate::node::{ask, get, until};

/// A running proxy; killed when dropped.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    /// Where it says what it thinks of each node; only HAProxy has it.
    status: Option<SocketAddr>,
    child: Child,
    folder: TempDir,
}

impl Proxy {
    pub(crate) fn nginx(nodes: &[SocketAddr]) -> Self {
        let (folder, address) = (tempfile::tempdir().unwrap(), free_address().unwrap());
        let place = folder.path().display().to_string();
        let servers = nodes.iter().map(|node| node.to_string());
        let config = with_servers(NGINX, "hub-", servers)
            .replace("listen 80;", &format!("listen {address};"))
            .replace("http {", &NGINX_PLACES.replace("{folder}", &place));
        fs::write(folder.path().join("nginx.conf"), config).unwrap();
        let mut command = Command::new("nginx");
        let own = format!("daemon off; pid {place}/pid;");
        command.args(["-p", &place, "-e", "stderr", "-c", "nginx.conf", "-g", &own]);
        Self::run(command, folder, address, None)
    }

    pub(crate) fn haproxy(nodes: &[SocketAddr]) -> Self {
        let (folder, address) = (tempfile::tempdir().unwrap(), free_address().unwrap());
        let status = free_address().unwrap();
        let servers = (1..).zip(nodes).map(|(n, node)| format!("n{n} {node}"));
        let config = with_servers(HAPROXY, "n", servers)
            .replace("bind :80", &format!("bind {address}"))
            .replace("maxconn 40000", "maxconn 2000");
        let config = format!(
            "{config}{}",
            HAPROXY_STATUS.replace("{status}", &status.to_string())
        );
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, config).unwrap();
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(file);
        let proxy = Self::run(command, folder, address, Some(status));
        for n in 1..=nodes.len() {
            proxy.wait_for(n, "UP");
        }
        proxy
    }

    fn run(
        mut command: Command,
        folder: TempDir,
        address: SocketAddr,
        status: Option<SocketAddr>,
    ) -> Self {
        let log = fs::File::create(folder.path().join("log")).unwrap();
        let child = command
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap());
        let child = child.stderr(log).spawn().unwrap();
        let proxy = Self {
            address,
            status,
            child,
            folder,
        };
        until("the proxy takes connections", || {
            TcpStream::connect(address).is_ok()
        });
        proxy
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Waits until the proxy thinks so of node `n`, from 1; one without checks has no opinion.
    pub(crate) fn wait_for(&self, n: usize, state: &str) {
        let Some(status) = self.status else {
            return;
        };
        let server = format!("hub,n{n},");
        until(&format!("node {n} is {state}"), || {
            let (_, csv) = ask(status, &get("/;csv", ""));
            csv.lines()
                .any(|line| line.starts_with(&server) && line.contains(&format!(",{state},")))
        });
    }

    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        // nginx's workers end with their master only if it ends in order.
        let id = i32::try_from(self.child.id())
            .ok()
            .and_then(rustix::process::Pid::from_raw);
        if let Some(id) = id {
            _ = rustix::process::kill_process(id, rustix::process::Signal::TERM);
        }
        _ = self.child.wait();
    }
}

const NGINX: &str = include_str!("nginx.conf");
const HAPROXY: &str = include_str!("haproxy.cfg");

/// A configuration with these servers instead of its own, which begin with `name`.
fn with_servers(config: &str, name: &str, servers: impl Iterator<Item = String>) -> String {
    let begin = format!("server {name}");
    let is_server = |line: &&str| line.trim_start().starts_with(&begin);
    let model = config.lines().find(is_server).unwrap();
    // What comes after the server's name and address is kept.
    let (_, options) = model.split_once(":3000").unwrap();
    let lines: Vec<_> = servers.map(|it| format!("server {it}{options}")).collect();
    let servers = lines.join("\n");
    let mut lines: Vec<_> = config.lines().collect();
    let place = lines.iter().position(is_server).unwrap();
    lines.retain(|line| !is_server(line));
    lines.insert(place, &servers);
    lines.join("\n") + "\n"
}

/// What the system's nginx writes elsewhere.
const NGINX_PLACES: &str = "http {
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
";

const HAPROXY_STATUS: &str = "
frontend status
  bind {status}
  stats enable
  stats uri /
";
