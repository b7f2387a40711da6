//! A peer that is gone without a word: no FIN, no RST, nothing.

use std::process::{Command, id};

use crate::dev_hub::{DevHub, until};
use crate::program::Program;

/// A link that carries nothing any more looks like silence from inside. The hub's heartbeats stay
/// unacknowledged, and the kernel's user time-out turns that into an end (N4).
#[tokio::test]
async fn peer_that_vanishes_in_its_own_network_is_gone_in_time() {
    let network = Network::make();
    let hub = DevHub::start_with(&["--listen", HUB_ADDRESS, "--heartbeat", "1s"]);
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
    until("one is gone", async || hub.subscribers() == 1).await;
    // The other noticed nothing.
    hub.publish("t", "after");
    near.line_that(|line| line == "data: after");
}

/// A network namespace, joined to this one by a pair of links.
struct Network {
    name: String,
}

/// Out of the block for tests between two networks (RFC 2544), and a free port.
const HUB_ADDRESS: &str = "198.18.73.1:0";

impl Network {
    fn make() -> Self {
        let network = Self {
            name: format!("fanfare-{}", id()),
        };
        let name = &network.name;
        ip(&format!("netns add {name}"));
        ip(&format!(
            "link add ff-near type veth peer name ff-far netns {name}"
        ));
        ip("address add 198.18.73.1/30 dev ff-near");
        ip("link set ff-near up");
        ip(&format!("-n {name} address add 198.18.73.2/30 dev ff-far"));
        ip(&format!("-n {name} link set ff-far up"));
        network
    }

    /// The shell line that runs `line` inside.
    fn inside(&self, line: &str) -> String {
        format!("exec ip netns exec {} {line}", self.name)
    }

    fn cut(&self) {
        ip(&format!("-n {} link set ff-far down", self.name));
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        // With the last process inside, the links go too.
        for arguments in [
            &["link", "delete", "ff-near"][..],
            &["netns", "delete", &self.name],
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
