//! Publishers and subscribers by the thousand: who gets what, in which order, and how often.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails shows where"
)]

#[path = "../it/program.rs"]
#[expect(
    dead_code,
    reason = "its other half serves the tests of the command line"
)]
mod program;

use std::net::SocketAddr;
use std::sync::Arc;

use fanfare::auth::{NewToken, mint};
use fanfare_testkit::raw_http::RawPeer;
use fanfare_wire::{Decoder, EventId, Item};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

use program::Program;

const SUBSCRIBERS: usize = 2000;
const PUBLISHERS: usize = 8;
const EVENTS_EACH: usize = 100;

/// Every subscriber must see the same order: the one that those see who see everything, less what
/// its selectors leave out. One comparison thus finds what is lost, doubled or out of place.
#[tokio::test(flavor = "multi_thread")]
async fn eight_publishers_and_two_thousand_subscribers_agree_on_one_order() {
    raise_descriptor_limit();
    let (hub, url) = Program::serve(&["--publisher-jwt-key", KEY, "--anonymous"]);
    let address: SocketAddr = url.trim_start_matches("http://").parse().unwrap();

    let connected = Arc::new(Barrier::new(SUBSCRIBERS + 1));
    let mut subscribers = JoinSet::new();
    for number in 0..SUBSCRIBERS {
        let interest = Interest::of(number);
        let connected = Arc::clone(&connected);
        subscribers.spawn(async move {
            let seen = subscribe(address, &interest, &connected).await;
            (interest, seen)
        });
    }
    connected.wait().await;

    let mut publishers = JoinSet::new();
    let token = token();
    for number in 0..PUBLISHERS {
        publishers.spawn(publish(address, token.clone(), number));
    }
    while let Some(published) = publishers.join_next().await {
        published.unwrap();
    }
    let mut peer = RawPeer::connect(address).await;
    post(
        &mut peer,
        &token,
        &format!("topic=room/0&topic=hall/7&data={END}"),
    )
    .await;

    let seen = subscribers.join_all().await;
    let (_, everything) = seen
        .iter()
        .find(|(interest, _)| matches!(interest, Interest::Everything))
        .unwrap();
    check_publishers(everything);
    for (interest, seen) in &seen {
        let wanted = |it: &&Seen| interest.wants(&it.topic);
        let expected: Vec<&Seen> = everything.iter().filter(wanted).collect();
        assert_eq!(seen.iter().collect::<Vec<_>>(), expected, "{interest:?}");
    }
    drop(hub);
}

/// What a subscriber asks for. The rules are written here again, by hand.
#[derive(Debug)]
enum Interest {
    OneRoom(usize),
    RoomOrHall(usize),
    AnyRoom,
    AnySeven,
    Everything,
}

impl Interest {
    fn of(subscriber: usize) -> Self {
        let topic = subscriber / 5 % TOPICS_EACH;
        match subscriber % 5 {
            0 => Self::OneRoom(topic),
            1 => Self::RoomOrHall(topic),
            2 => Self::AnyRoom,
            3 => Self::AnySeven,
            _ => Self::Everything,
        }
    }

    /// Its selectors as a query. All of them match a topic of the last event.
    fn query(&self) -> String {
        match self {
            Self::OneRoom(number) => format!("topic=room/{number}&topic=hall/7"),
            Self::RoomOrHall(number) => {
                format!("topic=hall/7&topic=hall/{number}&topic=room/{number}")
            }
            Self::AnyRoom => "topic=room/%7Bnumber%7D".to_owned(),
            Self::AnySeven => "topic=%7Bkind%7D/7".to_owned(),
            Self::Everything => "topic=*".to_owned(),
        }
    }

    fn wants(&self, topic: &str) -> bool {
        let (kind, number) = topic.split_once('/').unwrap();
        match self {
            Self::OneRoom(it) => topic == "hall/7" || topic == format!("room/{it}"),
            Self::RoomOrHall(it) => topic == "hall/7" || number == it.to_string(),
            Self::AnyRoom => kind == "room",
            Self::AnySeven => number == "7",
            Self::Everything => true,
        }
    }
}

const TOPICS_EACH: usize = 20;

/// An event as a subscriber saw it.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Seen {
    topic: String,
    publisher: usize,
    number: usize,
    id: String,
}

impl Seen {
    /// `data` is `room/3 2 49`: topic, publisher, and the publisher's count.
    fn parse(data: &str, id: &str) -> Self {
        let parts: Vec<&str> = data.split(' ').collect();
        Self {
            topic: parts[0].to_owned(),
            publisher: parts[1].parse().unwrap(),
            number: parts[2].parse().unwrap(),
            id: id.to_owned(),
        }
    }
}

const END: &str = "end";

/// Reads until the last event and returns all that came before it.
async fn subscribe(address: SocketAddr, interest: &Interest, connected: &Barrier) -> Vec<Seen> {
    let mut peer = RawPeer::connect(address).await;
    let query = interest.query();
    peer.send(format!("GET /events?{query} HTTP/1.1\r\nHost: h\r\n\r\n"))
        .await;
    let answer = peer.read_head().await;
    assert_eq!(answer.status, 200, "{}", answer.head);
    connected.wait().await;

    let mut decoder = Decoder::new(&EventId::parse("").unwrap());
    let mut seen = Vec::new();
    loop {
        let chunk = peer.read_chunk().await;
        let mut items = decoder.feed(chunk.as_bytes());
        while let Some(item) = items.next() {
            let Item::Event {
                data,
                last_event_id,
                ..
            } = item
            else {
                continue;
            };
            if data == END {
                return seen;
            }
            seen.push(Seen::parse(data, last_event_id));
        }
    }
}

/// Publishes one event after the other on one connection, to every topic in turn.
async fn publish(address: SocketAddr, token: String, publisher: usize) {
    let mut peer = RawPeer::connect(address).await;
    for number in 0..EVENTS_EACH {
        let place = publisher + number;
        let kind = ["room", "hall"][place % 2];
        let topic = format!("{kind}/{}", place / 2 % TOPICS_EACH);
        let form = format!("topic={topic}&data={topic}+{publisher}+{number}");
        post(&mut peer, &token, &form).await;
    }
}

async fn post(peer: &mut RawPeer, token: &str, form: &str) {
    let length = form.len();
    let request = format!(
        "POST /.well-known/mercure HTTP/1.1\r\nHost: h\r\nContent-Length: {length}\r\n\
         Authorization: Bearer {token}\r\n\
         Content-Type: application/x-www-form-urlencoded\r\n\r\n{form}"
    );
    peer.send(request).await;
    let answer = peer.read_answer().await;
    assert_eq!(answer.status, 200, "{}{}", answer.head, answer.body);
}

fn token() -> String {
    let token = NewToken {
        publish: vec!["*".to_owned()],
        ..NewToken::default()
    };
    mint(&KEY.parse().unwrap(), token).unwrap()
}

const KEY: &str = "a key for tests, with enough bytes for HMAC";

/// Everything was seen once, and each publisher's events in the order it published them.
fn check_publishers(everything: &[Seen]) {
    for publisher in 0..PUBLISHERS {
        let own = everything.iter().filter(|it| it.publisher == publisher);
        let numbers: Vec<usize> = own.map(|it| it.number).collect();
        assert_eq!(
            numbers,
            (0..EVENTS_EACH).collect::<Vec<_>>(),
            "publisher {publisher}"
        );
    }
}

/// Every subscriber is a descriptor.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}
