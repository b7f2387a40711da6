//! Nodes are replaced one after the other, under load, behind real proxies.

use std::net::SocketAddr;
use std::time::Duration;

use crate::broker::Broker;
use crate::client::{Clients, Outage};
use crate::load::Load;
use crate::node::Node;
use crate::proxy::Proxy;

/// Restarts that CI makes of each kind; `FANFARE_CLUSTER_ROUNDS` says otherwise.
const ROUNDS: usize = 6;

fn rounds() -> usize {
    let rounds = std::env::var("FANFARE_CLUSTER_ROUNDS").ok();
    rounds.map_or(ROUNDS, |text| text.parse().unwrap())
}

/// What becomes of a node.
#[derive(Clone, Copy, Debug)]
enum End {
    Stopped,
    Killed,
}

impl End {
    /// How long everything is well before the next.
    fn rest(self) -> Duration {
        match self {
            Self::Stopped => Duration::from_millis(300),
            Self::Killed => Duration::from_millis(1500),
        }
    }
}

fn roll(broker: &Broker, count: usize, proxy: fn(&[SocketAddr]) -> Proxy, end: End) {
    let broker = broker.url();
    let mut nodes: Vec<_> = (0..count).map(|_| Node::start(&broker, &[])).collect();
    let addresses: Vec<_> = nodes.iter().map(|node| node.address).collect();
    let proxy = proxy(&addresses);
    let load = Load::begin(&proxy.url(), |_| {});
    let clients = Clients::start(12, proxy.address);
    for round in 0..rounds() {
        let n = round % count;
        match end {
            End::Stopped => nodes[n].stop(),
            End::Killed => nodes[n].kill(),
        }
        proxy.wait_for(n + 1, "DOWN");
        nodes[n].start_again();
        proxy.wait_for(n + 1, "UP");
        load.go_on(end.rest());
    }
    // Those that were sent away last come back.
    load.go_on(Duration::from_secs(4));
    let outages = clients.stop();
    let verdicts = load.end_clean();
    print_verdict(
        &format!("{count} nodes, {end:?}"),
        &outages,
        &verdicts.to_string(),
    );
    for outage in &outages {
        let late = outage.lasted.saturating_sub(outage.told);
        assert!(late < BOUND, "{outage:?}; proxy: {}", proxy.log());
    }
    assert!(!outages.is_empty(), "nobody noticed anything");
}

#[expect(clippy::print_stdout, reason = "the sweep's figures")]
fn print_verdict(what: &str, outages: &[Outage], verdicts: &str) {
    let mut late: Vec<_> = outages
        .iter()
        .map(|it| it.lasted.saturating_sub(it.told).as_millis())
        .collect();
    late.sort_unstable();
    let at = |share: usize| late.get(late.len() * share / 100).or(late.last());
    println!(
        "{what}: {} outages, beyond the time told p50 {:?} ms, p99 {:?} ms, max {:?} ms\n{verdicts}",
        late.len(),
        at(50),
        at(99),
        late.last()
    );
}

/// What service may take beyond the time that a client was told to wait: the connection, and once
/// perhaps being sent on by a node that drains.
const BOUND: Duration = Duration::from_secs(5);

#[test]
fn two_nodes_behind_haproxy_are_replaced_and_nobody_loses_anything() {
    roll(&Broker::redis(), 2, Proxy::haproxy, End::Stopped);
}

#[test]
fn three_nodes_behind_nginx_are_replaced_and_nobody_loses_anything() {
    roll(&Broker::nats(), 3, Proxy::nginx, End::Stopped);
}

#[test]
fn two_nodes_behind_nginx_are_killed_and_nobody_loses_anything() {
    roll(&Broker::redis(), 2, Proxy::nginx, End::Killed);
}

#[test]
fn three_nodes_behind_haproxy_are_killed_and_nobody_loses_anything() {
    roll(&Broker::nats(), 3, Proxy::haproxy, End::Killed);
}
