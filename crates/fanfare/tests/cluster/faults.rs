//! A broker that is slow, gone, replaced or has forgotten; a node that hangs, is cut off, or has
//! another clock.

use std::fs::{self, OpenOptions};
use std::net::SocketAddr;
use std::thread;
use std::time::Duration;

use fanfare_testkit::nats_server::NatsCluster;
use fanfare_testkit::redis_server::RedisServer;

use crate::broker::Broker;
use crate::faulty_calls::FaultyCalls;
use crate::load::Load;
use crate::node::{Node, bearer, post, until};
use crate::proxy::Proxy;
use crate::relay::Relay;

fn address_of(redis: &RedisServer) -> SocketAddr {
    format!("127.0.0.1:{}", redis.port()).parse().unwrap()
}

/// Two nodes that reach `broker`, and a proxy.
fn two(broker: &str) -> ([Node; 2], Proxy) {
    let nodes = [Node::start(broker, &[]), Node::start(broker, &[])];
    let proxy = Proxy::nginx(&[nodes[0].address, nodes[1].address]);
    (nodes, proxy)
}

/// The status of a publish.
fn publish(node: &Node) -> u16 {
    let kind = "application/x-www-form-urlencoded";
    let request = post(
        "/.well-known/mercure",
        &bearer(&[]),
        kind,
        "topic=probe&data=x",
    );
    crate::node::ask(node.address, &request).0
}

fn is_ready(node: &Node) -> bool {
    node.get("/readyz", "").0 == 200
}

#[test]
fn slow_broker_delays_and_loses_nothing() {
    let redis = RedisServer::start(&[]);
    let (nodes, proxy) = two(&redis.url());
    let load = Load::begin(&proxy.url(), |plan| plan.keyed = 2);
    for pause in ["1500", "7000"] {
        load.go_on(Duration::from_secs(1));
        redis.command(&["CLIENT", "PAUSE", pause, "ALL"]);
    }
    // That is longer than the broker may take to answer: whatever is told, it is the truth.
    until("it takes publications again", || publish(&nodes[0]) == 200);
    load.go_on(Duration::from_secs(1));
    load.end_clean();
}

#[test]
fn broker_that_is_gone_for_a_while_is_waited_for() {
    let mut redis = RedisServer::start(&["appendonly yes", "appendfsync always"]);
    let (nodes, proxy) = two(&format!("{}?ack=server", redis.url()));
    let load = Load::begin(&proxy.url(), |plan| plan.keyed = 2);
    load.go_on(Duration::from_secs(1));
    let subscribers = || {
        nodes
            .iter()
            .map(|it| it.metric("fanfare_subscribers"))
            .sum::<u64>()
    };
    let before = subscribers();
    redis.kill();
    until("nothing is stored any more", || publish(&nodes[1]) == 503);
    until("it says that it is not ready", || {
        !is_ready(&nodes[0]) && !is_ready(&nodes[1])
    });
    assert!(subscribers() >= before, "subscribers stay");
    redis.start_again();
    until("both are ready", || {
        is_ready(&nodes[0]) && is_ready(&nodes[1])
    });
    load.go_on(Duration::from_secs(1));
    load.end_clean();
}

#[test]
fn node_that_is_cut_off_catches_up() {
    cut_off(&Broker::redis());
}

#[test]
fn node_that_is_cut_off_from_nats_catches_up() {
    cut_off(&Broker::nats());
}

fn cut_off(broker: &Broker) {
    let url = broker.url();
    let relay = Relay::open(broker.address());
    let there = broker.address().to_string();
    let cut = Node::start(&url.replace(&there, &relay.address.to_string()), &[]);
    let whole = Node::start(&url, &[]);
    // Half of the subscribers are at the one, half at the other; publishers are sent on.
    let proxy = Proxy::haproxy(&[cut.address, whole.address]);
    let load = Load::begin(&proxy.url(), |plan| plan.bound = Duration::from_secs(40));
    load.go_on(Duration::from_secs(1));
    relay.black_hole(true);
    until("it says that it is not ready", || !is_ready(&cut));
    assert!(is_ready(&whole));
    assert!(matches!(publish(&cut), 503 | 504));
    assert_eq!(publish(&whole), 200);
    relay.black_hole(false);
    until("it is ready again", || is_ready(&cut));
    load.go_on(Duration::from_secs(1));
    load.end_clean();
}

#[test]
fn replica_that_takes_over_has_all_that_was_acknowledged() {
    let mut primary = RedisServer::start(&["appendonly yes"]);
    let replica = RedisServer::replica(&primary, &["appendonly yes"]);
    let relay = Relay::open(address_of(&primary));
    let broker = format!("redis://{}?ack=replicated", relay.address);
    let (nodes, proxy) = two(&broker);
    let load = Load::begin(&proxy.url(), |_| {});
    load.go_on(Duration::from_secs(2));
    primary.kill();
    replica.command(&["REPLICAOF", "NO", "ONE"]);
    // One that acknowledges needs a replica itself.
    let second = RedisServer::replica(&replica, &["appendonly yes"]);
    relay.lead_to(address_of(&replica));
    until("the new primary is used", || {
        publish(&nodes[0]) == 200 && publish(&nodes[1]) == 200
    });
    load.go_on(Duration::from_secs(2));
    load.end_clean();
    drop(second);
}

#[test]
fn broker_that_forgets_its_last_second_is_found_out() {
    let mut redis = RedisServer::start(&[
        "appendonly yes",
        "appendfsync no",
        "aof-use-rdb-preamble no",
    ]);
    let (nodes, proxy) = two(&redis.url());
    let load = Load::begin(&proxy.url(), |_| {});
    load.go_on(Duration::from_secs(2));
    redis.kill();
    let cut = cut_tail(redis.folder());
    assert!(cut > 0, "the log holds nothing");
    redis.start_again();
    until("both store again", || {
        publish(&nodes[0]) == 200 && publish(&nodes[1]) == 200
    });
    load.go_on(Duration::from_secs(2));
    let verdicts = load.verdicts();
    // What the broker forgot is lost, and everybody who had more of it is told of a gap.
    let text = verdicts.to_string();
    let count = |line: &str| {
        line.split_whitespace()
            .find_map(|it| it.parse::<u64>().ok())
    };
    let table = text
        .lines()
        .skip_while(|line| !line.starts_with("VERDICT"))
        .skip(1);
    let objections: Vec<_> = table
        .filter(|line| count(line).is_some_and(|it| it > 0))
        .collect();
    assert!(
        objections.len() == 1 && objections[0].starts_with("lost"),
        "{text}"
    );
    assert!(verdicts.tally.signals > 0, "{text}");
}

/// Takes the last tenth off the append-only file.
fn cut_tail(folder: &std::path::Path) -> u64 {
    let files = fs::read_dir(folder.join("appendonlydir"))
        .unwrap()
        .flatten();
    let incremental = files.filter(|it| it.file_name().to_string_lossy().ends_with(".incr.aof"));
    let path = incremental.map(|it| it.path()).max().unwrap();
    let file = OpenOptions::new().write(true).open(path).unwrap();
    let length = file.metadata().unwrap().len();
    file.set_len(length - length / 10).unwrap();
    length / 10
}

#[test]
fn node_that_hangs_and_wakes_doubles_nothing() {
    hang(&Broker::redis());
}

#[test]
fn node_that_hangs_and_wakes_doubles_nothing_on_nats() {
    hang(&Broker::nats());
}

fn hang(broker: &Broker) {
    let (nodes, proxy) = two(&broker.url());
    let load = Load::begin(&proxy.url(), |plan| {
        plan.bound = Duration::from_secs(30);
        plan.answer_timeout = Duration::from_secs(2);
    });
    load.go_on(Duration::from_secs(1));
    nodes[0].pause();
    // Past its lease, so that the other tells of its subscribers that they left.
    thread::sleep(Duration::from_secs(6));
    nodes[0].resume();
    until("it stores again", || publish(&nodes[0]) == 200);
    load.go_on(Duration::from_secs(1));
    load.end_clean();
    until("it has another lease", || {
        nodes[0].log().contains("the lease was lost")
    });
}

#[test]
fn nats_that_loses_its_leader_loses_no_event() {
    let mut cluster = NatsCluster::start();
    let broker = format!("nats://{}?replicas=3&ack=relaxed", cluster.hosts());
    let (nodes, proxy) = two(&broker);
    let load = Load::begin(&proxy.url(), |plan| plan.bound = Duration::from_secs(30));
    // One of them is the leader.
    for n in 0..cluster.servers.len() {
        load.go_on(Duration::from_secs(1));
        cluster.servers[n].kill();
        until("two are enough", || {
            publish(&nodes[0]) == 200 && publish(&nodes[1]) == 200
        });
        cluster.servers[n].restart();
        until("all three are", || {
            publish(&nodes[0]) == 200 && publish(&nodes[1]) == 200
        });
    }
    load.go_on(Duration::from_secs(1));
    load.end_clean();
}

#[test]
fn nodes_whose_clocks_differ_by_two_hours_agree() {
    differ(&Broker::redis());
}

#[test]
fn nodes_whose_clocks_differ_by_two_hours_agree_on_nats() {
    differ(&Broker::nats());
}

fn differ(broker: &Broker) {
    let folder = tempfile::tempdir().unwrap();
    let clocks = [
        FaultyCalls::new(folder.path()),
        FaultyCalls::new(folder.path()),
    ];
    clocks[0].shift_clock(3600);
    clocks[1].shift_clock(-3600);
    let nodes = clocks
        .each_ref()
        .map(|it| Node::start_with(&broker.url(), &[], &it.variables()));
    let proxy = Proxy::nginx(&[nodes[0].address, nodes[1].address]);
    let load = Load::begin(&proxy.url(), |_| {});
    load.go_on(Duration::from_secs(3));
    for node in &nodes {
        assert!(!node.log().contains("lease was lost"), "{}", node.log());
    }
    load.end_clean();
}
