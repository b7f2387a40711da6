use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use self::catcher::{Catcher, Say, Seen, standard_signature};
use super::{Courier, InvalidWebHook, Occupancy, Pace, Patience, WebHook};
use crate::auth::Secret;

mod catcher;

const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// A courier that runs, impatiently, and stops when dropped.
struct Hook {
    occupancy: Arc<Occupancy>,
    stop: CancellationToken,
    task: JoinSet<()>,
}

impl Hook {
    fn start(url: &str, key: Option<&str>) -> Self {
        Self::with_patience(url, key, Duration::from_secs(60))
    }

    fn with_patience(url: &str, key: Option<&str>, answer: Duration) -> Self {
        let patience = Patience {
            answer,
            pace: Pace {
                first: Duration::from_millis(10),
                longest: Duration::from_millis(100),
            },
        };
        let key = key.map(|key| key.parse().unwrap());
        let url = url.parse().unwrap();
        let hook = WebHook::with_patience(url, key.as_ref(), patience).unwrap();
        let courier = Courier::new(hook);
        let occupancy = courier.occupancy();
        let stop = CancellationToken::new();
        let mut task = JoinSet::new();
        task.spawn(courier.run(stop.clone()));
        Self {
            occupancy,
            stop,
            task,
        }
    }

    /// Waits until `holds` of the tally, for up to a minute.
    async fn until(&self, what: &str, holds: impl Fn(super::occupancy::Tally) -> bool) {
        let waited = timeout(Duration::from_secs(60), async {
            while !holds(self.occupancy.tally()) {
                tokio::task::yield_now().await;
            }
        });
        let waited = waited.await;
        assert!(waited.is_ok(), "{what}: {:?}", self.occupancy.tally());
    }
}

fn kind_and_topic(seen: &Seen) -> (String, String) {
    let body: Value = serde_json::from_str(&seen.body).unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    (text(&body["type"]), text(&body["data"]["topic"]))
}

fn told(kind: &str, topic: &str) -> (String, String) {
    (format!("topic.{kind}"), topic.to_owned())
}

#[tokio::test]
async fn standard_webhooks_a_notice_has_its_headers_its_body_and_a_signature() {
    let mut catcher = Catcher::start().await;
    let hook = Hook::start(&catcher.url, Some(KEY));
    let topic = "https://example.com/{id}?\"\u{e4}";
    hook.occupancy.enter(topic);
    let seen = catcher.seen().await;
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.header("content-type"), Some("application/json"));
    let body: Value = serde_json::from_str(&seen.body).unwrap();
    let timestamp = &body["timestamp"];
    let expected =
        json!({ "type": "topic.occupied", "timestamp": timestamp, "data": { "topic": topic } });
    assert_eq!(body, expected);
    assert!(seen.body.starts_with(r#"{"type":"topic.occupied","#));
    let timestamp = timestamp.as_str().unwrap();
    assert_eq!(timestamp.len(), "2022-11-03T20:26:10.344522Z".len());

    let id = seen.header("webhook-id").unwrap();
    assert!(!id.contains('.'), "{id}");
    let attempted_at = seen.header("webhook-timestamp").unwrap();
    let text = format!("{id}.{attempted_at}.{}", seen.body);
    let signature = seen.header("webhook-signature").unwrap();
    assert_eq!(signature, standard_signature(KEY, &text));

    hook.occupancy.leave(topic);
    let vacated = catcher.seen().await;
    assert_eq!(kind_and_topic(&vacated), told("vacated", topic));
    // One run of a hub has one first part, and numbers its changes behind it.
    let (run, change) = id.split_once('-').unwrap();
    assert_eq!((run.len(), change), (32, "1"));
    let next = format!("{run}-2");
    assert_eq!(vacated.header("webhook-id"), Some(&*next));
    hook.until("both are counted", |tally| tally.delivered == 2)
        .await;
}

#[tokio::test]
async fn without_a_key_there_is_no_signature() {
    let mut catcher = Catcher::start().await;
    let hook = Hook::start(&catcher.url, None);
    hook.occupancy.enter("t");
    let seen = catcher.seen().await;
    assert_eq!(seen.header("webhook-signature"), None);
    assert!(seen.header("webhook-id").is_some());
    assert!(seen.header("webhook-timestamp").is_some());
}

#[tokio::test]
async fn a_receiver_that_fails_first_is_told_again_under_the_same_id() {
    let mut catcher = Catcher::start().await;
    for status in [500, 503, 429, 408, 502] {
        catcher.say(Say::Status(status));
    }
    let hook = Hook::start(&catcher.url, Some(KEY));
    hook.occupancy.enter("t");
    let first = catcher.seen().await;
    for _ in 0..5 {
        let again = catcher.seen().await;
        assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
        assert_eq!(again.body, first.body);
    }
    hook.until("it is told", |tally| tally.delivered == 1).await;
    let tally = hook.occupancy.tally();
    assert_eq!((tally.failures, tally.refused, tally.untold), (5, 0, 0));
}

#[tokio::test]
async fn a_slow_receiver_is_given_up_waiting_for_and_told_again() {
    let mut catcher = Catcher::start().await;
    catcher.say(Say::Nothing);
    let hook = Hook::with_patience(&catcher.url, None, Duration::from_millis(300));
    hook.occupancy.enter("t");
    let first = catcher.seen().await;
    let again = catcher.seen().await;
    assert_eq!(again.header("webhook-id"), first.header("webhook-id"));
    hook.until("it is told", |tally| tally.delivered == 1).await;
}

#[tokio::test]
async fn a_redirect_is_not_followed_and_not_repeated() {
    let mut elsewhere = Catcher::start().await;
    let mut catcher = Catcher::start().await;
    catcher.say(Say::Redirect(elsewhere.url.clone()));
    let hook = Hook::start(&catcher.url, Some(KEY));
    hook.occupancy.enter("t");
    catcher.seen().await;
    hook.until("it is refused", |tally| tally.refused == 1)
        .await;
    hook.occupancy.leave("t");
    let next = catcher.seen().await;
    assert_eq!(kind_and_topic(&next), told("vacated", "t"));
    let marker = Hook::start(&elsewhere.url, None);
    marker.occupancy.enter("marker");
    let first = elsewhere.seen().await;
    assert_eq!(kind_and_topic(&first), told("occupied", "marker"));
}

#[tokio::test]
async fn a_refused_notice_is_not_repeated_and_the_next_change_is_told() {
    let mut catcher = Catcher::start().await;
    catcher.say(Say::Status(410));
    let hook = Hook::start(&catcher.url, None);
    hook.occupancy.enter("t");
    catcher.seen().await;
    hook.until("it is refused", |tally| tally.refused == 1)
        .await;
    hook.occupancy.leave("t");
    assert_eq!(kind_and_topic(&catcher.seen().await), told("vacated", "t"));
    hook.until("that is told", |tally| tally.delivered == 1)
        .await;
}

#[tokio::test]
async fn a_receiver_that_was_dead_is_told_what_is_so_when_it_is_back() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let hook = Hook::start(&format!("http://{address}/"), None);
    hook.occupancy.enter("stays");
    hook.occupancy.enter("goes");
    hook.until("it is dead", |tally| tally.failures >= 3).await;
    hook.occupancy.leave("goes");
    hook.until("the receiver cannot know", |tally| tally.untold == 1)
        .await;
    let listener = TcpListener::bind(address).await.unwrap();
    let mut catcher = Catcher::on(listener);
    let first = catcher.seen().await;
    assert_eq!(kind_and_topic(&first), told("occupied", "stays"));
    hook.until("nothing else is told", |tally| {
        tally.untold == 0 && tally.delivered == 1
    })
    .await;
}

#[tokio::test]
async fn a_flapping_topic_is_told_once() {
    let mut catcher = Catcher::start().await;
    let answer = catcher.say_later(200);
    let hook = Hook::start(&catcher.url, None);
    hook.occupancy.enter("t");
    let first = catcher.seen().await;
    assert_eq!(kind_and_topic(&first), told("occupied", "t"));
    for _ in 0..1000 {
        hook.occupancy.leave("t");
        hook.occupancy.enter("t");
    }
    answer.send(()).unwrap();
    hook.until("it is told", |tally| tally.delivered == 1).await;
    hook.occupancy.enter("marker");
    let next = catcher.seen().await;
    assert_eq!(kind_and_topic(&next), told("occupied", "marker"));
}

/// With subscribers coming and going on many threads and a receiver that fails now and then, each
/// topic's notices alternate, and the last one is what is so.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn each_topics_notices_are_in_order_and_one_at_a_time() {
    const TOPICS: usize = 20;
    let mut catcher = Catcher::start().await;
    let hook = Hook::start(&catcher.url, None);
    let mut crowd = JoinSet::new();
    for topic in 0..TOPICS {
        let occupancy = Arc::clone(&hook.occupancy);
        crowd.spawn(async move {
            let topic = format!("t{topic}");
            for _ in 0..50 {
                occupancy.enter(&topic);
                tokio::task::yield_now().await;
                occupancy.leave(&topic);
                tokio::task::yield_now().await;
            }
            occupancy.enter(&topic);
        });
    }
    crowd.join_all().await;
    hook.until("all is told", |tally| tally.untold == 0).await;
    assert_eq!(hook.occupancy.tally().failures, 0);
    assert!(catcher.most_at_once() <= 8);
    let all = catcher.all_seen();
    for topic in 0..TOPICS {
        let topic = format!("t{topic}");
        let told: Vec<_> = all
            .iter()
            .filter(|seen| kind_and_topic(seen).1 == topic)
            .collect();
        for (index, seen) in told.iter().enumerate() {
            let expected = ["topic.occupied", "topic.vacated"][index % 2];
            assert_eq!(kind_and_topic(seen).0, expected, "{topic}: {index}");
        }
        assert_eq!(told.len() % 2, 1, "{topic} is occupied in the end");
        let overlaps = told.windows(2).any(|pair| pair[1].began < pair[0].ended());
        assert!(!overlaps, "{topic} has one at a time");
    }
}

#[tokio::test]
async fn more_topics_than_attempts_at_once_are_all_told() {
    let mut catcher = Catcher::start().await;
    let answers: Vec<_> = (0..8).map(|_| catcher.say_later(200)).collect();
    let hook = Hook::start(&catcher.url, None);
    for number in 0..100 {
        hook.occupancy.enter(&format!("t{number}"));
    }
    for _ in 0..8 {
        catcher.seen().await;
    }
    assert_eq!(hook.occupancy.tally().untold, 100);
    for answer in answers {
        answer.send(()).unwrap();
    }
    hook.until("all are told", |tally| tally.delivered == 100)
        .await;
    assert_eq!(catcher.most_at_once(), 8);
}

#[tokio::test]
async fn it_stops_at_once_whatever_is_under_way() {
    let mut catcher = Catcher::start().await;
    catcher.say(Say::Nothing);
    let mut hook = Hook::start(&catcher.url, None);
    hook.occupancy.enter("t");
    catcher.seen().await;
    hook.stop.cancel();
    let ended = timeout(Duration::from_secs(10), hook.task.join_next()).await;
    ended.unwrap().unwrap().unwrap();
    // Who still counts is not in the way of the end.
    hook.occupancy.leave("t");
}

#[test]
fn a_hook_that_cannot_work_is_refused() {
    let refused = |url: &str, key: Option<&str>| {
        let key = key.map(|key| key.parse().unwrap());
        WebHook::open(url.parse().unwrap(), key.as_ref()).unwrap_err()
    };
    let scheme = refused("ftp://example.com/", None);
    assert!(matches!(scheme, InvalidWebHook::Scheme));
    let key = refused("http://example.com/", Some("whsec_?"));
    assert!(matches!(key, InvalidWebHook::Key));
    let key: Secret = KEY.parse().unwrap();
    let hook = WebHook::open("http://example.com/".parse().unwrap(), Some(&key)).unwrap();
    assert!(!format!("{hook:?}").contains("MfKQ"));
}
