//! nginx and HAProxy in front of the nodes, as `docs/deploy/several-nodes.md` shows them.

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
        let servers: String = nodes
            .iter()
            .map(|node| format!("    server {node} max_fails=1 fail_timeout=1s;\n"))
            .collect();
        let place = folder.path().display();
        let config = NGINX
            .replace("{folder}", &place.to_string())
            .replace("{address}", &address.to_string())
            .replace("{servers}", &servers);
        fs::write(folder.path().join("nginx.conf"), config).unwrap();
        let mut command = Command::new("nginx");
        command.args(["-p", &place.to_string(), "-e", "stderr", "-c", "nginx.conf"]);
        Self::run(command, folder, address, None)
    }

    pub(crate) fn haproxy(nodes: &[SocketAddr]) -> Self {
        let (folder, address) = (tempfile::tempdir().unwrap(), free_address().unwrap());
        let status = free_address().unwrap();
        let servers: String = (1..)
            .zip(nodes)
            .map(|(n, node)| format!("    server n{n} {node} check\n"))
            .collect();
        let config = HAPROXY
            .replace("{address}", &address.to_string())
            .replace("{status}", &status.to_string())
            .replace("{servers}", &servers);
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

const NGINX: &str = "
daemon off;
worker_processes 1;
pid {folder}/pid;
error_log stderr warn;
events { worker_connections 4096; }
http {
  access_log off;
  client_body_temp_path {folder}/body;
  proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi;
  uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  upstream hub {
{servers}    keepalive 32;
  }
  server {
    listen {address};
    location / {
      proxy_pass http://hub;
      proxy_http_version 1.1;
      proxy_set_header Host $http_host;
      proxy_set_header Connection \"\";
      proxy_buffering off;
      proxy_read_timeout 1h;
      proxy_next_upstream error timeout http_503;
    }
  }
}
";

const HAPROXY: &str = "
global
  maxconn 4096
defaults
  mode http
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  timeout http-keep-alive 10s
  option redispatch
  retries 3
frontend in
  bind {address}
  default_backend hub
backend hub
  balance leastconn
  option httpchk GET /readyz
  http-check expect status 200
  default-server inter 200ms fastinter 100ms fall 1 rise 1
{servers}
frontend status
  bind {status}
  stats enable
  stats uri /
";
