//! A peer that is gone without a word: no FIN, no RST, nothing.

use std::process::{Command, id};
use std::time::Duration;

use tokio::time::timeout;

use crate::dev_hub::{DevHub, until};
use crate::program::Program;

/// A link that carries nothing any more looks like silence from inside. The hub's heartbeats stay
/// unacknowledged, and the kernel's user time-out turns that into an end (N4).
#[tokio::test]
async fn peer_that_vanishes_in_its_own_network_is_gone_in_time() {
    let network = Network::make();
    let hub = DevHub::start_with(&["--listen", &network.hub_address(), "--heartbeat", "1s"]);
    let stream = format!("{}/events?topic=t", hub.url);
    let near = Program::paste(&format!("exec curl -sN '{stream}'"));
    let far = Program::paste(&network.inside(&format!("curl -sN '{stream}'")));
    for subscriber in [&near, &far] {
        subscriber.line_that(|line| line == ": connection established");
    }
    hub.publish("t", "before");
    far.line_that(|line| line == "data: before");
    assert_eq!(hub.subscribers(), 2);

    network.cut();
    let gone = until("one is gone", async || hub.subscribers() == 1);
    assert!(timeout(BOUND, gone).await.is_ok(), "not within {BOUND:?}");
    // The other noticed nothing.
    hub.publish("t", "after");
    near.line_that(|line| line == "data: after");
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
