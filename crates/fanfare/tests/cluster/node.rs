//! The nodes of a cluster: real processes that share a broker.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use fanfare_testkit::hubcheck::{HubProcess, HubProgram, free_address};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// One node, running or not; started again it has the same address.
pub(crate) struct Node {
    pub(crate) address: SocketAddr,
    program: HubProgram,
    process: Option<HubProcess>,
    folder: TempDir,
}

impl Node {
    /// Starts a node that shares `broker`, with `flags` beside.
    pub(crate) fn start(broker: &str, flags: &[&str]) -> Self {
        Self::start_with(broker, flags, &[])
    }

    /// The same with variables in its environment.
    pub(crate) fn start_with(broker: &str, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut node = Self::prepare(broker, flags, variables);
        node.start_again();
        node
    }

    fn prepare(broker: &str, flags: &[&str], variables: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let address = free_address().unwrap();
        let own = [
            env!("CARGO_BIN_EXE_fanfare"),
            "serve",
            "--listen={address}",
            "--drain=1s",
            "--subscriptions",
            "--node-lease=3s",
            "--publisher-jwt-key",
            KEY,
            "--subscriber-jwt-key",
            KEY,
            "--anonymous",
            "--admin-token",
            ADMIN,
            "--broker",
            broker,
        ];
        let command: Vec<_> = own.iter().chain(flags).map(|it| (*it).to_owned()).collect();
        let mut program = HubProgram::new(&command, address, folder.path());
        program = program.ready_by("fanfare is ready on");
        for (name, value) in variables {
            program = program.variable(name, value);
        }
        Self {
            address,
            program,
            process: None,
            folder,
        }
    }

    pub(crate) fn start_again(&mut self) {
        let process = self.program.start();
        self.process = Some(process.unwrap_or_else(|error| panic!("{error}: {}", self.log())));
    }

    /// SIGTERM, and its end.
    pub(crate) fn stop(&mut self) {
        let mut process = self.process.take().unwrap();
        self.send(&process, Signal::TERM);
        assert!(
            process.wait_for(PATIENCE),
            "it does not stop: {}",
            self.log()
        );
    }

    /// SIGKILL.
    pub(crate) fn kill(&mut self) {
        self.process.take().unwrap().kill().unwrap();
    }

    pub(crate) fn pause(&self) {
        self.send(self.process.as_ref().unwrap(), Signal::STOP);
    }

    pub(crate) fn resume(&self) {
        self.send(self.process.as_ref().unwrap(), Signal::CONT);
    }

    fn send(&self, process: &HubProcess, signal: Signal) {
        let id = i32::try_from(process.id()).unwrap();
        kill_process(Pid::from_raw(id).unwrap(), signal).unwrap();
    }

    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("hub.log")).unwrap_or_default()
    }

    /// The status and the body of a GET.
    pub(crate) fn get(&self, target: &str, fields: &str) -> (u16, String) {
        ask(self.address, &get(target, fields))
    }

    pub(crate) fn metric(&self, name: &str) -> u64 {
        let (_, body) = self.get("/metrics", "");
        let mut lines = body.lines();
        let value = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        value
            .unwrap_or_else(|| panic!("no {name} in {body}"))
            .parse()
            .unwrap()
    }
}

/// What `hubcheck` takes for a hub's key if it is not told another.
pub(crate) const KEY: &str = "!ChangeThisMercureHubJWTSecretKey!";
pub(crate) const ADMIN: &str = "an admin token that nobody can guess";

/// A request that ends its connection; `fields` are whole lines.
pub(crate) fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: hub.example\r\nConnection: close\r\n{fields}\r\n")
}

pub(crate) fn post(target: &str, fields: &str, kind: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {target} HTTP/1.1\r\nHost: hub.example\r\nConnection: close\r\n{fields}\
         Content-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}"
    )
}

/// The status and the body, in whatever chunks; status 0 when there is no answer.
pub(crate) fn ask(address: SocketAddr, request: &str) -> (u16, String) {
    let answer = || -> std::io::Result<String> {
        let mut socket = TcpStream::connect(address)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        socket.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
    };
    let answer = answer().unwrap_or_default();
    let status = answer.split(' ').nth(1).and_then(|it| it.parse().ok());
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status.unwrap_or_default(), body.to_owned())
}

/// A token that may see `topics` and publish everything.
pub(crate) fn bearer(topics: &[&str]) -> String {
    use fanfare::auth::{NewToken, mint};
    let token = NewToken {
        publish: vec!["*".to_owned()],
        subscribe: topics.iter().map(ToString::to_string).collect(),
        ..NewToken::default()
    };
    let token = mint(&KEY.parse().unwrap(), token).unwrap();
    format!("Authorization: Bearer {token}\r\n")
}

/// Waits until `condition` holds.
#[track_caller]
pub(crate) fn until(what: &str, condition: impl FnMut() -> bool) {
    assert!(
        holds_within(PATIENCE, condition),
        "not within {PATIENCE:?}: {what}"
    );
}

pub(crate) fn holds_within(patience: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + patience;
    while Instant::now() < deadline {
        if condition() {
            return true;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    condition()
}

pub(crate) const PATIENCE: Duration = Duration::from_secs(30);
