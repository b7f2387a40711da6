//! A hub on a data directory: the real program, what it is asked, and how it ends.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::LazyLock;

use rustix::process::Signal;

use crate::faulty_calls::FaultyCalls;
use crate::peer::{Answer, Peer, Stream};
use crate::program::{Ended, Program, READY, fanfare};

/// A hub that is ready; killed when dropped.
pub(crate) struct Hub {
    program: Program,
    address: SocketAddr,
}

/// How a publish ended, as the publisher knows it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Outcome {
    /// Under this id.
    Stored(String),
    /// With this status.
    NotStored(u16),
    /// 504, or no answer.
    Unknown,
}

impl Hub {
    /// Starts one that keeps its history in `directory`, and waits until it is ready.
    pub(crate) fn start(directory: &Path, arguments: &[&str]) -> Self {
        Self::ready(begin(directory, &[], arguments))
    }

    /// Starts one whose calls may fail.
    pub(crate) fn start_faulty(faults: &FaultyCalls, directory: &Path, arguments: &[&str]) -> Self {
        Self::ready(begin(directory, &faults.variables(), arguments))
    }

    /// Waits until `program` is ready.
    pub(crate) fn ready(program: Program) -> Self {
        let line = program.line_that(|line| line.starts_with(READY));
        let address = line.trim_start_matches(READY);
        let address = address.trim_start_matches("http://").parse().unwrap();
        Self { program, address }
    }

    /// The same on a program that may end before it is ready: then, how it ended.
    pub(crate) fn ready_or_ended(program: Program) -> Result<Self, Ended> {
        match program.line_or_end() {
            Some(line) if line.starts_with(READY) => {
                let address = line.trim_start_matches(READY);
                let address = address.trim_start_matches("http://").parse().unwrap();
                Ok(Self { program, address })
            }
            _ => Err(program.wait()),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Its process.
    pub(crate) fn id(&self) -> u32 {
        self.program.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.program.signal(signal);
    }

    /// Waits for a line of its log that holds `part`.
    pub(crate) fn log_line_with(&self, part: &str) -> String {
        self.program.log_line_that(|line| line.contains(part))
    }

    /// Kills it, and sees to it that it is gone.
    pub(crate) fn crash(self) {
        drop(self.program);
    }

    /// Asks it to end, and waits for that.
    pub(crate) fn stop(self) -> Ended {
        self.signal(Signal::TERM);
        self.program.wait()
    }

    /// Waits for an end that comes by itself.
    pub(crate) fn ended(self) -> Ended {
        self.program.wait()
    }

    /// Publishes one event to the topic `t`.
    pub(crate) fn publish(&self, data: &str) -> Outcome {
        Publisher::connect(self.address).map_or(Outcome::Unknown, |mut it| it.publish(data))
    }

    /// Publishes one event, which must be stored; returns its id.
    #[track_caller]
    pub(crate) fn store(&self, data: &str) -> String {
        match self.publish(data) {
            Outcome::Stored(id) => id,
            other @ (Outcome::NotStored(_) | Outcome::Unknown) => panic!("{data} is {other:?}"),
        }
    }

    /// Publishes all of `data` in one request, each with itself as its key; returns the ids.
    #[track_caller]
    pub(crate) fn store_all(&self, data: &[String]) -> Vec<String> {
        let answer = self.publish_all(data);
        assert_eq!(answer.status, 200, "{answer:?}");
        let ids = answer.body.lines().map(|line| {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            line["id"].as_str().unwrap().to_owned()
        });
        ids.collect()
    }

    /// Publishes all of `data` in one request, each with itself as its key.
    pub(crate) fn publish_all(&self, data: &[String]) -> Answer {
        let lines = data.iter().map(|data| {
            let key: String = data
                .chars()
                .take(200)
                .map(|c| if c == ' ' { '-' } else { c })
                .collect();
            format!(
                "{}\n",
                serde_json::json!({"topic": "t", "data": data, "idempotencyKey": key})
            )
        });
        let body: String = lines.collect();
        let request = post("/publish", "application/x-ndjson", &body);
        let mut peer = Peer::connect(self.address).unwrap();
        peer.ask(&request).unwrap()
    }

    /// Asks for `target`; the status and the body.
    pub(crate) fn get(&self, target: &str) -> (u16, String) {
        let request = format!("GET {target} HTTP/1.1\r\nHost: h\r\n\r\n");
        let mut peer = Peer::connect(self.address).unwrap();
        let answer = peer.ask(&request).unwrap();
        (answer.status, answer.body)
    }

    /// Subscribes to everything after the event `last`.
    pub(crate) fn read_after(&self, last: &str) -> Stream {
        Stream::open(self.address, last).unwrap()
    }
}

/// A publisher with a connection of its own.
pub(crate) struct Publisher(Peer);

impl Publisher {
    pub(crate) fn connect(address: SocketAddr) -> Option<Self> {
        Peer::connect(address).ok().map(Self)
    }

    /// Publishes to the topic `t`.
    pub(crate) fn publish(&mut self, data: &str) -> Outcome {
        self.publish_as(&TOKEN, data)
    }

    /// Publishes with `token`.
    pub(crate) fn publish_as(&mut self, token: &str, data: &str) -> Outcome {
        let body: String = form_urlencoded::Serializer::new(String::new())
            .append_pair("topic", "t")
            .append_pair("data", data)
            .finish();
        let kind = "application/x-www-form-urlencoded";
        match self
            .0
            .ask(&post_as(token, "/.well-known/mercure", kind, &body))
        {
            Ok(answer) => match answer.status {
                200 => Outcome::Stored(answer.body),
                504 => Outcome::Unknown,
                status => Outcome::NotStored(status),
            },
            Err(_) => Outcome::Unknown,
        }
    }
}

fn post(target: &str, kind: &str, body: &str) -> String {
    post_as(&TOKEN, target, kind, body)
}

fn post_as(token: &str, target: &str, kind: &str, body: &str) -> String {
    format!(
        "POST {target} HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: {kind}\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// The hub's process, with whatever it will come to.
pub(crate) fn begin(directory: &Path, variables: &[(&str, &str)], arguments: &[&str]) -> Program {
    let broker = broker(directory);
    let key = format!("--publisher-jwt-key={KEY}");
    // What people wait for at the end of a hub, most tests need not.
    let drains = arguments
        .iter()
        .any(|argument| argument.starts_with("--drain="));
    let drain: &[&str] = if drains { &[] } else { &["--drain=100ms"] };
    let own = [
        "serve",
        "--listen=127.0.0.1:0",
        "--anonymous",
        &key,
        &broker,
    ];
    Program::start_with(variables, &[&own, drain, arguments].concat())
}

/// The flag that names `directory` as the place of the history.
pub(crate) fn broker(directory: &Path) -> String {
    format!("--broker=sqlite:{}", directory.display())
}

/// Runs `fanfare history …` on `directory`.
pub(crate) fn history(directory: &Path, arguments: &[&str]) -> Ended {
    let broker = broker(directory);
    fanfare(&[&["history"], arguments, &[broker.as_str()]].concat())
}

/// `fanfare history verify` finds nothing wrong.
#[track_caller]
pub(crate) fn is_whole(directory: &Path) {
    let ended = history(directory, &["verify"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

/// What `fanfare history stats` says of `directory`.
pub(crate) fn stats(directory: &Path) -> serde_json::Value {
    let ended = history(directory, &["stats", "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    serde_json::from_str(&ended.stdout).unwrap()
}

pub(crate) const KEY: &str = "Nk2wS1vMvsNBTYFrUGTj6mGPcdKV0iHB";

static TOKEN: LazyLock<String> = LazyLock::new(|| token(&[]));

/// A token to publish everything.
pub(crate) fn token(arguments: &[&str]) -> String {
    let own = ["token", "--publish=*", "--key", KEY];
    let ended = fanfare(&[&own, arguments].concat());
    ended.stdout.trim().to_owned()
}
