//! Whatever a stranger sends: the server lives on, and the others get their events and no more.

mod sent;
mod told;

use std::cell::RefCell;
use std::time::Duration;

use fanfare_testkit::raw_http::{DEADLINE, RawPeer};
use fanfare_wire::{Decoder, EventId, Item};
use proptest::prelude::*;
use proptest::test_runner::{RngSeed, TestCaseResult, TestRunner};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::runtime::{self, Runtime};
use tokio::time::timeout;

use self::sent::{Sent, question, secrets, sent};
use self::told::Told;
use crate::fixture::{Server, bearer, serve_both, token};

/// Somebody who subscribed before the strangers came.
struct Watcher {
    peer: RawPeer,
    decoder: Decoder,
    wants: fn(&Told) -> bool,
}

impl Watcher {
    async fn new(server: &Server, query: &str, fields: &str, wants: fn(&Told) -> bool) -> Self {
        Self {
            peer: server.subscribe(query, fields).await,
            decoder: Decoder::new(&EventId::default()),
            wants,
        }
    }

    /// The id and data of each event before the one with the id `marker`. Presence is left out,
    /// whose type only the hub can use.
    async fn read_until(&mut self, marker: &str) -> Vec<(String, String)> {
        let mut events = Vec::new();
        loop {
            let chunk = self.peer.read_chunk().await;
            let mut items = self.decoder.feed(chunk.as_bytes());
            let mut ended = false;
            while let Some(item) = items.next() {
                let Item::Event {
                    event_type,
                    data,
                    last_event_id,
                } = item
                else {
                    continue;
                };
                assert!(!ended, "nothing follows the marker");
                ended = last_event_id == marker;
                if !ended && event_type != "mercure" {
                    events.push((last_event_id.to_owned(), data.to_owned()));
                }
            }
            if ended {
                return events;
            }
        }
    }
}

/// A server, and what must stay true of it.
struct World {
    server: Server,
    watchers: Vec<Watcher>,
    markers: usize,
    accepted: usize,
}

impl World {
    async fn new() -> Self {
        let server = serve_both(|config| {
            config.subscriptions = true;
            config.admin_token = Some("an administrator's token, for these tests".parse().unwrap());
            config.cors_origins = "https://app.example"
                .parse()
                .map(|it| vec![it])
                .map(fanfare::origins::Origins::new)
                .unwrap();
            // What announces more than it sends is waited for.
            config.head_timeout = Duration::from_millis(500);
            config.body_timeout = Duration::from_millis(500);
        })
        .await;
        let all = bearer(&token(&[], &["*"]));
        let watchers = vec![
            Watcher::new(&server, "topic=*", "", |told| !told.private).await,
            Watcher::new(&server, "match=*", &all, |_| true).await,
            Watcher::new(&server, "topic=a&topic=marker", "", |told| {
                !told.private && told.topics.iter().any(|topic| topic == "a")
            })
            .await,
        ];
        Self {
            server,
            watchers,
            markers: 0,
            accepted: 0,
        }
    }

    /// Sends it, and looks at everything that must hold.
    async fn meets(&mut self, sent: &Sent) -> TestCaseResult {
        let answers = self.answers(sent).await;
        prop_assert_eq!(self.server.get("/healthz").await.status, 200);
        self.markers += 1;
        let marker = format!("marker-{}", self.markers);
        let form = format!("topic=marker&id={marker}");
        prop_assert_eq!(self.server.publish(&form).await.status, 200);
        // All are read before one is judged, so that the next request begins afresh.
        let mut events = Vec::new();
        for watcher in &mut self.watchers {
            events.push(watcher.read_until(&marker).await);
        }

        for answer in answers.split("HTTP/1.").skip(1) {
            let status = answer.get(2..5).unwrap_or_default();
            let documented = ["501", "503", "505", "507"].contains(&status);
            prop_assert!(!status.starts_with('5') || documented, "{}", answer);
        }
        for secret in secrets() {
            prop_assert!(!answers.contains(&secret), "a token is told: {}", answers);
        }
        let told = Told::all(sent, &answers);
        self.accepted += told.len();
        for (watcher, events) in self.watchers.iter().zip(events) {
            let due: Vec<_> = told.iter().filter(|told| (watcher.wants)(told)).collect();
            let ids: Vec<_> = due.iter().map(|told| &told.id).collect();
            let got: Vec<_> = events.iter().map(|(id, _)| id).collect();
            prop_assert_eq!(got, ids, "{}", answers);
            for ((_, data), told) in events.iter().zip(due) {
                prop_assert_eq!(data, told.data.as_ref().unwrap_or(data));
            }
        }
        Ok(())
    }

    /// All that comes until the server ends the connection, or a stream begins.
    async fn answers(&self, sent: &Sent) -> String {
        let mut socket = TcpStream::connect(self.server.address).await.unwrap();
        // The server may have seen enough before everything is sent.
        _ = socket.write_all(&sent.bytes()).await;
        if sent.is_unfinished() {
            _ = socket.shutdown().await;
        }
        let mut answers = Vec::new();
        let read = async {
            while let Ok(1..) = socket.read_buf(&mut answers).await {
                let text = String::from_utf8_lossy(&answers);
                if text.contains("content-type: text/event-stream") && text.contains("\r\n\r\n") {
                    break;
                }
            }
        };
        assert!(
            timeout(DEADLINE, read).await.is_ok(),
            "neither answered nor closed"
        );
        String::from_utf8_lossy(&answers).into_owned()
    }
}

fn runtime() -> Runtime {
    let mut builder = runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().unwrap()
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig {
        cases,
        failure_persistence: None,
        // Each of the requests that are tried waits for answers.
        max_shrink_iters: 500,
        rng_seed: RngSeed::Fixed(8_121),
        ..ProptestConfig::default()
    }
}

#[test]
fn whatever_is_sent_the_others_get_what_was_accepted_and_no_more() {
    let runtime = runtime();
    let world = RefCell::new(runtime.block_on(World::new()));
    let mut runner = TestRunner::new(config(2_000));
    let outcome = runner.run(&sent(), |sent| {
        let mut world = world.borrow_mut();
        runtime.block_on(world.meets(&sent))
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
    let accepted = world.borrow().accepted;
    assert!(
        accepted > 200,
        "only {accepted} events: the generator has gone astray"
    );
}

/// Who reads a request first must not matter: a difference is a way past one of the two.
#[test]
fn s23_both_lanes_judge_whatever_is_asked_alike() {
    let runtime = runtime();
    let server = runtime.block_on(World::new()).server;
    let mut runner = TestRunner::new(config(1_000));
    let outcome = runner.run(&question(), |question| {
        let before = b"GET /healthz HTTP/1.1\r\nHost: hub.example\r\n\r\n";
        let statuses = async {
            let fast = statuses(&server, &question, 1).await;
            let slow = statuses(&server, &[before, question.as_slice()].concat(), 2).await;
            (fast, slow)
        };
        let (fast, slow) = runtime.block_on(statuses);
        prop_assert_eq!(slow.first().map(String::as_str), Some("200"));
        prop_assert_eq!(fast.as_slice(), &slow[1..]);
        Ok(())
    });
    outcome.unwrap_or_else(|error| panic!("{error}"));
}

/// The statuses of the first `count` answers, or of as many as come.
async fn statuses(server: &Server, request: &[u8], count: usize) -> Vec<String> {
    let mut socket = TcpStream::connect(server.address).await.unwrap();
    _ = socket.write_all(request).await;
    let mut answers = Vec::new();
    let of = |answers: &[u8]| {
        let text = String::from_utf8_lossy(answers).into_owned();
        let statuses = text.split("HTTP/1.").skip(1).filter_map(|it| it.get(2..5));
        statuses
            .filter(|status| *status != "100")
            .map(str::to_owned)
            .collect::<Vec<_>>()
    };
    let read = async {
        while of(&answers).len() < count && matches!(socket.read_buf(&mut answers).await, Ok(1..)) {
        }
    };
    assert!(
        timeout(DEADLINE, read).await.is_ok(),
        "neither answered nor closed"
    );
    of(&answers)
}
