//! A peer that is gone without a word: no FIN, no RST, nothing.

use std::process::{Command, id};
use std::time::Duration;

use fanfare::auth::{NewToken, mint};
use tokio::time::timeout;

use crate::dev_hub::{DevHub, until};
use crate::program::Program;

/// A link that carries nothing any more looks like silence from inside. The hub's heartbeats stay
/// unacknowledged, and the kernel's user time-out turns that into an end (N4).
#[tokio::test]
async fn peer_that_vanishes_in_its_own_network_is_gone_in_time() {
    let network = Network::make();
    let keys = ["--publisher-jwt-key", KEY, "--subscriber-jwt-key", KEY];
    let address = network.hub_address();
    let listen = ["--listen", &address, "--heartbeat", "1s"];
    let hub = DevHub::start_with(&[&listen[..], &keys[..]].concat());
    let stream = format!("{}/events?topic=t", hub.url);
    let near = Program::paste(&format!("exec curl -sN '{stream}'"));
    let far = Program::paste(&network.inside(&format!("curl -sN '{stream}'")));
    for subscriber in [&near, &far] {
        subscriber.line_that(|line| line == ": connection established");
    }
    hub.publish("t", "before");
    far.line_that(|line| line == "data: before");
    assert_eq!(hub.subscribers(), 2);
    let watcher = Program::paste(&format!(
        "exec curl -sN -H 'Authorization: Bearer {}' \
         '{}/.well-known/mercure?topic=%2F.well-known%2Fmercure%2Fsubscriptions%2Ft%2F%7Bid%7D'",
        all_seeing(),
        hub.url
    ));
    watcher.line_that(|line| line == ":");

    network.cut();
    // Who watches presence hears of it, too.
    watcher.line_that(|line| line == "data:   \"active\": false");
    let gone = until("one is gone", async || hub.subscribers() == 2);
    assert!(timeout(BOUND, gone).await.is_ok(), "not within {BOUND:?}");
    // The other noticed nothing.
    hub.publish("t", "after");
    near.line_that(|line| line == "data: after");
}

const KEY: &str = "a key for tests, with enough bytes for HMAC";

fn all_seeing() -> String {
    let token = NewToken {
        subscribe: vec!["*".to_owned()],
        ..NewToken::default()
    };
    mint(&KEY.parse().expect("a key"), token).expect("a token")
}

/// The next heartbeat, at most 1.2 s away, and two seconds to acknowledge it; the rest is for the
/// kernel's coarse timers and a busy machine.
const BOUND: Duration = Duration::from_secs(10);

/// A network namespace, joined to this one by a pair of links.
struct Network {
    name: String,
    /// This side's end of the link; the other's is `far`.
    near: String,
    /// Beginning of a network of four addresses, out of the block for tests between two networks
    /// (RFC 2544).
    prefix: String,
}

impl Network {
    /// Makes one with names and addresses that no other process takes.
    fn make() -> Self {
        let network = Self {
            name: format!("fanfare-{}", id()),
            near: format!("ff{}", id()),
            prefix: format!("198.18.{}", id() % 256),
        };
        let Self { name, near, prefix } = &network;
        ip(&format!("netns add {name}"));
        ip(&format!(
            "link add {near} type veth peer name far netns {name}"
        ));
        ip(&format!("address add {prefix}.1/30 dev {near}"));
        ip(&format!("link set {near} up"));
        ip(&format!("-n {name} address add {prefix}.2/30 dev far"));
        ip(&format!("-n {name} link set far up"));
        network
    }

    /// Where a hub is reached from both sides.
    fn hub_address(&self) -> String {
        format!("{}.1:0", self.prefix)
    }

    /// The shell line that runs `line` inside.
    fn inside(&self, line: &str) -> String {
        format!("exec ip netns exec {} {line}", self.name)
    }

    fn cut(&self) {
        ip(&format!("-n {} link set far down", self.name));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // A process inside would hold the namespace, and so the link, after its name is gone.
        for arguments in [
            ["link", "delete", &self.near],
            ["netns", "delete", &self.name],
        ] {
            _ = Command::new("ip").args(arguments).status();
        }
    }
}

fn ip(arguments: &str) {
    let status = Command::new("ip").args(arguments.split(' ')).status();
    let status = status.expect("`ip`, of Debian's package iproute2");
    assert!(
        status.success(),
        "`ip {arguments}` takes root, and a container that allows it"
    );
}
