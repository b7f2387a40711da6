//! Hubs behind a proxy.

use rustix::process::Signal;

use crate::program::{Ended, Program, fanfare};

/// `fanfare serve`, killed when dropped.
pub(crate) struct Hub {
    pub(crate) url: String,
    program: Program,
    /// It reads revocations as a subscriber, when other nodes may write them.
    own_subscribers: usize,
}

impl Hub {
    /// Starts one with a history of its own.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        Self::on("memory", arguments)
    }

    /// Starts one whose history is `broker`'s.
    pub(crate) fn on(broker: &str, arguments: &[&str]) -> Self {
        let (broker, key) = (
            format!("--broker={broker}"),
            format!("--publisher-jwt-key={KEY}"),
        );
        // The heartbeat is as short as a hub allows. A flag that is given twice is an error.
        let usual = ["--heartbeat=1s", "--drain=1s"]
            .into_iter()
            .filter(|usual| {
                let (name, _) = usual.split_once('=').unwrap();
                !arguments.iter().any(|it| it.starts_with(name))
            });
        let usual: Vec<_> = usual.collect();
        let own = ["--anonymous", &key, &broker];
        let (program, url) = Program::serve(&[&own, &*usual, arguments].concat());
        Self {
            url,
            program,
            own_subscribers: usize::from(broker.contains("://")),
        }
    }

    /// `127.0.0.1:3000`.
    pub(crate) fn address(&self) -> &str {
        self.url.trim_start_matches("http://")
    }

    /// Publishes to the topic `t`, with no proxy between.
    pub(crate) fn publish(&self, data: &str) -> String {
        publish(&self.url, &[], data)
    }

    /// Subscribes to the topic `t`, with no proxy between.
    pub(crate) fn subscribe(&self) -> Program {
        let stream = Program::paste(&format!("exec curl -sN '{}/events?topic=t'", self.url));
        stream.line_that(|line| line == ": connection established");
        stream
    }

    /// How many subscribers it says it has, but for its own.
    pub(crate) fn subscribers(&self) -> usize {
        let metrics = Program::paste(&format!("exec curl -s {}/metrics", self.url)).wait();
        let mut lines = metrics.stdout.lines();
        let count = lines.find_map(|line| line.strip_prefix("fanfare_subscribers "));
        let count: usize = count.expect("a count of subscribers").parse().unwrap();
        count.checked_sub(self.own_subscribers).unwrap()
    }

    /// Asks it to drain.
    pub(crate) fn drain(&self) {
        self.program.signal(Signal::TERM);
    }

    /// Kills it: SIGKILL.
    pub(crate) fn kill(&self) {
        self.program.signal(Signal::KILL);
    }

    /// Waits for its end.
    pub(crate) fn ended(self) -> Ended {
        self.program.wait()
    }
}

/// Publishes to the topic `t` through `url`, as people do; returns the event's id.
pub(crate) fn publish(url: &str, variables: &[(&str, &str)], data: &str) -> String {
    let token = token();
    let arguments = ["publish", "t", data, "--url", url, "--token", &token];
    let ended = crate::program::fanfare_with(variables, &arguments);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    ended.stdout.trim().to_owned()
}

/// A token that may publish everything.
pub(crate) fn token() -> String {
    let ended = fanfare(&["token", "--publish=*", "--key", KEY]);
    ended.stdout.trim().to_owned()
}

const KEY: &str = "Nk2wS1vMvsNBTYFrUGTj6mGPcdKV0iHB";

/// Two hubs, as stand behind a balancer.
pub(crate) struct TwoHubs {
    pub(crate) hubs: [Hub; 2],
    /// Whether what is published on one is on the other.
    pub(crate) share_history: bool,
}

impl TwoHubs {
    /// Starts two; with the address of a `broker` that several hubs can use they share its history.
    pub(crate) fn start(broker: Option<&str>) -> Self {
        let start = || Hub::on(broker.unwrap_or("memory"), &[]);
        Self {
            hubs: [start(), start()],
            share_history: broker.is_some(),
        }
    }

    pub(crate) fn addresses(&self) -> [&str; 2] {
        let [one, two] = &self.hubs;
        [one.address(), two.address()]
    }

    /// Both, the one first that has the only subscriber.
    pub(crate) fn home_and_away(self) -> (Hub, Hub) {
        let [one, two] = self.hubs;
        match (one.subscribers(), two.subscribers()) {
            (1, 0) => (one, two),
            (0, 1) => (two, one),
            counts => panic!("one subscriber, not {counts:?}"),
        }
    }
}
