//! Who was connected to a node that is killed: told once, by another.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};

use fanfare_testkit::redis_server::RedisServer;

use crate::broker::Broker;
use crate::node::{ADMIN, Node, PATIENCE, ask, bearer, get, post, until};

const ROOT: &str = "/.well-known/mercure/subscriptions";

/// A stream, and what has been read of it.
struct Stream {
    socket: TcpStream,
    read: String,
}

impl Stream {
    fn open(address: SocketAddr, query: &str, fields: &str) -> Self {
        let mut socket = TcpStream::connect(address).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = get(&format!("/.well-known/mercure?{query}"), fields);
        let request = request.replace("Connection: close\r\n", "");
        socket.write_all(request.as_bytes()).unwrap();
        let mut stream = Self {
            socket,
            read: String::new(),
        };
        stream.read_until("\n:\n");
        stream
    }

    /// All that has come, once `end` is in it.
    fn read_until(&mut self, end: &str) -> &str {
        let mut bytes = [0; 4096];
        while !self.read.contains(end) {
            let count = self.socket.read(&mut bytes).unwrap();
            assert!(count > 0, "the stream ended before {end:?}: {}", self.read);
            self.read
                .push_str(&String::from_utf8_lossy(&bytes[..count]));
        }
        &self.read
    }
}

fn guests(node: &Node) -> usize {
    let (status, body) = node.get(ROOT, &bearer(&["*"]));
    assert_eq!(status, 200, "{body}");
    body.matches("\"topic\": \"guest\",\n      \"active\": true")
        .count()
}

fn publish(node: &Node, topic: &str, data: &str) {
    let form = format!("topic={topic}&data={data}");
    let kind = "application/x-www-form-urlencoded";
    let (status, body) = ask(
        node.address,
        &post("/.well-known/mercure", &bearer(&[]), kind, &form),
    );
    assert_eq!(status, 200, "{body}");
}

#[test]
fn pr2_departures_from_a_node_killed_with_9_are_told_exactly_once() {
    departures_are_told_once(&Broker::redis());
}

#[test]
fn pr2_pr4_departures_from_a_node_killed_with_9_are_told_exactly_once_on_nats() {
    departures_are_told_once(&Broker::nats());
}

fn departures_are_told_once(broker: &Broker) {
    let broker = broker.url();
    let mut dying = Node::start(&broker, &[]);
    let (second, third) = (Node::start(&broker, &[]), Node::start(&broker, &[]));
    let query = format!("topic={ROOT}/{{topic}}/{{subscriber}}&topic=end");
    let mut watcher = Stream::open(second.address, &query, &bearer(&["*"]));
    let query = "topic=guest";
    let _guests: Vec<_> = (0..10)
        .map(|_| Stream::open(dying.address, query, ""))
        .collect();
    until("the others list all guests", || {
        guests(&second) == 10 && guests(&third) == 10
    });
    dying.kill();
    until("they are gone from the list", || {
        guests(&second) == 0 && guests(&third) == 0
    });
    publish(&third, "end", "the-end");
    let told = watcher.read_until("the-end");
    let departures = told.matches("\"active\": false").count();
    assert_eq!(departures, 10, "{told}");

    dying.start_again();
    let _guest = Stream::open(dying.address, query, "");
    until("it is back, as another", || guests(&third) == 1);
}

#[test]
fn s6_revocation_reaches_all_nodes_and_outlives_their_restart() {
    use fanfare::auth::{NewToken, mint};
    let token = NewToken {
        subscribe: vec!["*".to_owned()],
        subject: Some("mallory".to_owned()),
        ..NewToken::default()
    };
    let token = mint(&crate::node::KEY.parse().unwrap(), token).unwrap();
    let held = format!("Authorization: Bearer {token}\r\n");
    let redis = RedisServer::start(&[]);
    let broker = redis.url();
    let (first, mut second) = (Node::start(&broker, &[]), Node::start(&broker, &[]));
    let mut stream = Stream::open(second.address, "topic=a", &held);
    let admin = format!("Authorization: Bearer {ADMIN}\r\n");
    let order = post(
        "/admin/revoke",
        &admin,
        "application/json",
        "{\"sub\":\"mallory\"}",
    );
    let (status, body) = ask(first.address, &order);
    assert_eq!(status, 200, "{body}");
    let mut rest = Vec::new();
    stream.socket.read_to_end(&mut rest).unwrap();
    second.stop();
    drop(first);
    second.start_again();
    let (status, body) = second.get("/.well-known/mercure?topic=a", &held);
    assert_eq!(status, 401, "{body}");
}
