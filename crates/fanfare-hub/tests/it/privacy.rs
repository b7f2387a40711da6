//! Nobody gets what it may not see, and everybody gets all that it asked for and may see.

use bytes::Bytes;
use fanfare_broker::{Publication, Selector, Selectors, Topic, memory};
use fanfare_hub::{Config, Hub, Subscription};
use fanfare_wire::{Event, EventId};
use proptest::prelude::*;
use url::Url;

use crate::hub::{Reader, hub_with};

const TOPICS: [&str; 10] = [
    "a",
    "b",
    "/books/1",
    "https://hub.example/books/1",
    "https://u:p@hub.example/books/2",
    "https://example.com/users/7",
    "/.well-known/mercure/subscriptions/a/1",
    "/.well-known/mercure/subscriptions/exact/a/1",
    "books/{id}",
    "http://[bad",
];

/// A text of one of the three languages.
#[derive(Clone, Copy, Debug)]
enum Written {
    Raw(&'static str),
    Exact(&'static str),
    UrlPattern(&'static str),
}

use Written::{Exact, Raw, UrlPattern};

const SELECTORS: [Written; 20] = [
    Raw("*"),
    Raw("a"),
    Raw("b"),
    Raw("books/{id}"),
    Raw("/books/{id}"),
    Raw("https://hub.example/{+path}"),
    Raw("{scheme}://{+rest}"),
    Raw("/.well-known/mercure/subscriptions/{topic}/{subscriber}"),
    Exact("*"),
    Exact("a"),
    Exact("/books/1"),
    Exact("books/{id}"),
    Exact("http://[bad"),
    UrlPattern("*"),
    UrlPattern("/books/:id"),
    UrlPattern("https://hub.example/*"),
    UrlPattern("https://*.com/users/:user"),
    UrlPattern("/.well-known/mercure/subscriptions/:type/:match/:subscriber"),
    UrlPattern("a"),
    UrlPattern("*://*/*"),
];

impl Written {
    fn selector(self) -> Selector {
        let hub_url = Url::parse("https://hub.example/.well-known/mercure").unwrap();
        match self {
            Raw(text) => Selector::parse(text),
            Exact(text) => Selector::exact(text),
            UrlPattern(text) => Selector::url_pattern(text, &hub_url),
        }
        .unwrap()
    }
}

/// What a subscriber asks for, is granted, and has hidden from it.
#[derive(Clone, Debug)]
struct Interest {
    asked: Vec<Written>,
    granted: Vec<Written>,
    hidden: Vec<Written>,
}

/// An event on these topics.
#[derive(Clone, Debug)]
struct Sent {
    topics: Vec<&'static str>,
    private: bool,
}

/// The model: one subscriber, one event, one rule after the other.
fn is_due(interest: &Interest, sent: &Sent) -> bool {
    let meets = |written: &[Written]| {
        for one in written {
            for topic in &sent.topics {
                if one.selector().matches(&Topic::parse(topic).unwrap()) {
                    return true;
                }
            }
        }
        false
    };
    meets(&interest.asked)
        && (!sent.private || meets(&interest.granted) && !meets(&interest.hidden))
}

fn interest() -> impl Strategy<Value = Interest> {
    let some = |least: usize, most: usize| {
        prop::collection::vec(prop::sample::select(SELECTORS.to_vec()), least..=most)
    };
    (some(1, 3), some(0, 3), some(0, 2)).prop_map(|(asked, granted, hidden)| Interest {
        asked,
        granted,
        hidden,
    })
}

fn sent() -> impl Strategy<Value = Sent> {
    let topics = prop::sample::subsequence(TOPICS.to_vec(), 1..=3).prop_shuffle();
    (topics, prop::bool::weighted(0.7)).prop_map(|(topics, private)| Sent { topics, private })
}

fn subscription(interest: &Interest) -> Subscription {
    let set = |written: &[Written]| written.iter().map(|one| one.selector()).collect::<Vec<_>>();
    let mut asked = set(&interest.asked);
    asked.push(Selector::exact(MARKER).unwrap());
    let mut subscription = Subscription::new(Selectors::new(asked));
    subscription.grant = Selectors::new(set(&interest.granted));
    subscription.hidden = Selectors::new(set(&interest.hidden));
    subscription
}

/// Everybody asks for it, so what did not come before it does not come.
const MARKER: &str = "urn:marker";

fn publication(number: usize, sent: &Sent) -> Publication {
    let mut topics = sent.topics.iter().map(|topic| Topic::parse(topic).unwrap());
    let publication = Publication::new(topics.next().unwrap(), Event::new(number.to_string()));
    let publication = topics.fold(publication, Publication::also);
    if sent.private {
        publication.private()
    } else {
        publication
    }
}

async fn publish(hub: &Hub, publication: Publication) {
    hub.publish(vec![publication]).await.remove(0).unwrap();
}

/// The numbers of the events that come before the marker.
async fn read(reader: &mut Reader) -> Vec<usize> {
    let mut numbers = Vec::new();
    loop {
        match reader.data().await.as_str() {
            "marker" => return numbers,
            number => numbers.push(number.parse().unwrap()),
        }
    }
}

async fn check(interests: &[Interest], all_sent: &[Sent]) {
    let mut config = Config::default();
    // Whoever resumes reads the older ones from history, the newer ones from the ring.
    config.ring_records_max = 4;
    let hub = hub_with(config, memory::Config::default()).await;
    let mut live = Vec::new();
    for interest in interests {
        live.push(Reader::new(&hub, subscription(interest)).await);
    }
    for (number, sent) in all_sent.iter().enumerate() {
        let due = interests.iter().filter(|interest| is_due(interest, sent));
        let publication = publication(number, sent);
        assert_eq!(
            hub.count_matching(&publication),
            due.count() as u64,
            "{sent:?}"
        );
        publish(&hub, publication).await;
    }
    let marker = Publication::new(Topic::parse(MARKER).unwrap(), Event::new("marker"));
    publish(&hub, marker).await;
    for (interest, live) in interests.iter().zip(&mut live) {
        let numbered = all_sent.iter().enumerate();
        let due = numbered.filter(|(_, sent)| is_due(interest, sent));
        let due: Vec<usize> = due.map(|(number, _)| number).collect();
        assert_eq!(read(live).await, due, "live: {interest:?} {all_sent:?}");
        let mut subscription = subscription(interest);
        subscription.last_event_id = EventId::parse("earliest").ok();
        let admission = hub.subscribe(subscription).await.unwrap();
        let mut resumed = Reader::of(admission.into_stream(Bytes::new()));
        assert_eq!(
            read(&mut resumed).await,
            due,
            "resumed: {interest:?} {all_sent:?}"
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn d0_a10_a_private_event_never_reaches_an_unauthorised_subscriber(
        interests in prop::collection::vec(interest(), 1..6),
        all_sent in prop::collection::vec(sent(), 1..12),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(check(&interests, &all_sent));
    }
}

/// A connection of one dialect is granted all presence, and is to see only its own shape.
#[tokio::test]
async fn a_hidden_private_event_is_not_sent_though_granted() {
    let presence = |topic, private| Sent {
        topics: vec![topic],
        private,
    };
    let interest = Interest {
        asked: vec![Raw("*")],
        granted: vec![Exact("*")],
        hidden: vec![UrlPattern(
            "/.well-known/mercure/subscriptions/:type/:match/:subscriber",
        )],
    };
    let ours = "/.well-known/mercure/subscriptions/a/1";
    let theirs = "/.well-known/mercure/subscriptions/exact/a/1";
    let all_sent = [
        presence(ours, true),
        presence(theirs, true),
        presence(theirs, false),
    ];
    let due: Vec<bool> = all_sent
        .iter()
        .map(|sent| is_due(&interest, sent))
        .collect();
    assert_eq!(due, [true, false, true]);
    check(&[interest], &all_sent).await;
}
