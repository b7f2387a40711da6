use fanfare_broker::{Audience, Publication, Selector, Selectors};
use fanfare_wire::{Decoder, EventId, Item};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use super::{Draft, DraftError, Rules};
use crate::expires::{InvalidExpires, Now};
use crate::protocol_string;

const RULES: Rules<'_> = Rules {
    topics_max: 3,
    hub_path: "/.well-known/mercure",
    granted: None,
    lifecycle_types: false,
};

fn draft() -> Draft {
    Draft {
        topics: vec!["a".to_owned()],
        data: "x".to_owned(),
        ..Draft::default()
    }
}

fn check(change: impl FnOnce(&mut Draft)) -> Result<Publication, DraftError> {
    let mut draft = draft();
    change(&mut draft);
    draft.check(&RULES, Now::read())
}

fn with_id(id: &str) -> Result<Publication, DraftError> {
    check(|draft| draft.id = Some(id.to_owned()))
}

fn with_type(event_type: &str) -> Result<Publication, DraftError> {
    check(|draft| draft.event_type = Some(event_type.to_owned()))
}

fn with_topic(topic: &str) -> Result<Publication, DraftError> {
    check(|draft| draft.topics = vec![topic.to_owned()])
}

#[test]
fn d0_p1_op_10_topics_keep_their_order() {
    let publication = check(|draft| {
        draft.topics = vec!["z".into(), "a".into(), "m".into()];
        draft.private = true;
    });
    let publication = publication.unwrap();
    let topics: Vec<_> = publication.topics().iter().map(|t| t.as_str()).collect();
    assert_eq!(topics, ["z", "a", "m"]);
    assert_eq!(publication.audience, Audience::Private);
}

#[test]
fn d0_p1_no_topic_and_too_many() {
    assert_eq!(
        check(|draft| draft.topics.clear()),
        Err(DraftError::NoTopic)
    );
    let too_many = check(|draft| draft.topics = vec!["a".to_owned(); 4]);
    assert_eq!(too_many, Err(DraftError::TooManyTopics { count_max: 3 }));
}

#[test]
fn d0_p6_retry_is_digits_within_64_bits() {
    let retry = |text: &str| check(|draft| draft.retry = Some(text.to_owned()));
    for text in ["", "0"] {
        assert_eq!(retry(text).unwrap().event.retry, None, "{text:?}");
    }
    let sent = |text| retry(text).unwrap().event.retry.unwrap().as_millis();
    assert_eq!(sent("5000"), 5000);
    assert_eq!(sent("18446744073709551615"), 2_147_483_647);
    for text in [
        "-1",
        "+1",
        "1.5",
        "soon",
        " 1",
        "1e3",
        "18446744073709551616",
        "١",
    ] {
        assert_eq!(retry(text), Err(DraftError::Retry), "{text:?}");
    }
}

#[test]
fn srv_14_ids_of_publishers() {
    for id in [
        "1",
        "urn:uuid:x",
        "a \"quoted\" [id]: /x",
        "é",
        &"x".repeat(512),
    ] {
        assert_eq!(with_id(id).unwrap().event.id.unwrap().as_str(), id);
    }
    assert_eq!(with_id("").unwrap().event.id, None);
    for id in ["earliest", "#x", "urn:ff:1-1", "urn:ff:anything"] {
        assert_eq!(with_id(id), Err(DraftError::IdReserved), "{id:?}");
    }
    for id in [" a", "a "] {
        assert_eq!(with_id(id), Err(DraftError::IdSpace), "{id:?}");
    }
    for id in ["a\nb", "a\rb", "a\0b", "a\u{200b}b"] {
        let error = with_id(id).unwrap_err();
        assert!(matches!(error, DraftError::Forbidden { field: "id", .. }));
        assert!(error.to_string().contains("at byte 1"), "{error}");
    }
    let error = with_id(&"x".repeat(513)).unwrap_err();
    assert!(matches!(error, DraftError::TooLong { bytes: 513, .. }));
}

#[test]
fn enc_12_reserved_types() {
    for event_type in ["mercure", "error", "open", "fanfare-gap", "fanfare-"] {
        let error = with_type(event_type).unwrap_err();
        assert!(matches!(error, DraftError::TypeReserved { .. }));
    }
    for event_type in ["message", "price", "Error", "fanfare"] {
        let event = with_type(event_type).unwrap().event;
        assert_eq!(event.event_type.unwrap().as_str(), event_type);
    }
    let mut mercure = draft();
    mercure.event_type = Some("open".to_owned());
    let rules = Rules {
        lifecycle_types: true,
        ..RULES
    };
    assert!(mercure.check(&rules, Now::read()).is_ok());
}

#[test]
fn d0_p5_no_line_ends_in_types() {
    for event_type in ["a\n", "a\rdata:x", "a\0"] {
        let error = with_type(event_type).unwrap_err();
        assert!(matches!(error, DraftError::Forbidden { field: "type", .. }));
    }
}

#[test]
fn dx_12_topics_by_the_stricter_rules() {
    assert_eq!(with_topic("*"), Err(DraftError::TopicAny));
    for topic in ["", "mercure/x", "/.well-known/mercure"] {
        let error = with_topic(topic).unwrap_err();
        assert!(matches!(error, DraftError::Reserved { .. }), "{topic:?}");
    }
    for topic in ["a\nb", "a\u{202e}b"] {
        let error = with_topic(topic).unwrap_err();
        assert!(matches!(
            error,
            DraftError::Forbidden { field: "topic", .. }
        ));
    }
    assert!(matches!(
        with_topic(&"x".repeat(2049)),
        Err(DraftError::TooLong { field: "topic", .. })
    ));
}

#[test]
fn a_bad_time_to_expire_is_refused_and_none_is_none() {
    let expires = |text: &str| check(|draft| draft.expires = Some(text.to_owned()));
    assert_eq!(expires("").unwrap().expires, None);
    assert!(expires("60").unwrap().expires.is_some());
    assert_eq!(
        expires("soon"),
        Err(DraftError::Expires(InvalidExpires::NoTime))
    );
    assert_eq!(expires("0"), Err(DraftError::Expires(InvalidExpires::Past)));
}

#[test]
fn d0_a7_every_topic_must_be_granted() {
    let granted = Selectors::new(vec![Selector::parse("a").unwrap()]);
    let rules = Rules {
        granted: Some(&granted),
        ..RULES
    };
    assert!(draft().check(&rules, Now::read()).is_ok());
    let mut partly = draft();
    partly.topics.push("b".to_owned());
    let topic = "b".to_owned();
    assert_eq!(
        partly.check(&rules, Now::read()),
        Err(DraftError::NotGranted { topic })
    );
    let nothing = Selectors::default();
    let rules = Rules {
        granted: Some(&nothing),
        ..RULES
    };
    assert!(matches!(
        draft().check(&rules, Now::read()),
        Err(DraftError::NotGranted { .. })
    ));
}

#[test]
fn d0_p11_retry_then_grant_then_namespace_then_characters() {
    let none = Selectors::default();
    let rules = Rules {
        granted: Some(&none),
        ..RULES
    };
    let mut all_wrong = draft();
    all_wrong.topics = vec!["mercure/x".to_owned()];
    all_wrong.retry = Some("x".to_owned());
    all_wrong.id = Some("\n".to_owned());
    assert_eq!(
        all_wrong.clone().check(&rules, Now::read()),
        Err(DraftError::Retry)
    );
    all_wrong.retry = None;
    let refused = all_wrong.clone().check(&rules, Now::read());
    assert!(matches!(refused, Err(DraftError::NotGranted { .. })));
    let refused = all_wrong.check(&RULES, Now::read());
    assert!(matches!(refused, Err(DraftError::Reserved { .. })));
}

/// Texts that would be fields, ends of lines, or hard to see.
fn text() -> impl Strategy<Value = String> {
    let fragments = vec![
        "\n",
        "\r",
        "\r\n",
        "\0",
        " ",
        ":",
        "data: ",
        "id: 7",
        "event: x",
        "retry: 1",
        "\u{feff}",
        "\u{85}",
        "\u{2028}",
        "\u{200b}",
        "\u{202e}",
        "*",
        "#",
        "earliest",
        "urn:ff:1-1",
        "mercure",
        "/.well-known/mercure",
        "fanfare-",
        "é",
        "x",
    ];
    let fragment = prop_oneof![
        4 => select(fragments).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    vec(fragment, 0..8).prop_map(|fragments| fragments.concat())
}

/// Half of them without what is refused everywhere, so that enough is accepted.
fn line() -> impl Strategy<Value = String> {
    let plain = text()
        .prop_map(|text| text.replace(|c| protocol_string::check(&String::from(c)).is_err(), ""));
    prop_oneof![text(), plain]
}

fn any_draft() -> impl Strategy<Value = Draft> {
    let retry = prop_oneof![
        any::<u64>().prop_map(|millis| millis.to_string()),
        "[0-9+ -]{0,3}"
    ];
    let topics = vec(line(), 0..4);
    (
        topics,
        text(),
        option::of(line()),
        option::of(line()),
        option::of(retry),
        any::<bool>(),
    )
        .prop_map(|(topics, data, id, event_type, retry, private)| Draft {
            topics,
            data,
            id,
            event_type,
            retry,
            expires: None,
            private,
            idempotency_key: None,
        })
}

/// A draft as it reads when it has come out at the other end.
#[derive(Debug, Default, Eq, PartialEq)]
struct Heard {
    event_type: String,
    data: String,
    id: String,
    retry: Option<u64>,
}

/// All that a reader hears of `bytes`, which are one event and nothing else.
#[expect(clippy::wildcard_enum_match_arm, reason = "all others are too much")]
fn heard(bytes: &[u8]) -> Heard {
    let mut decoder = Decoder::new(&EventId::default());
    let mut items = decoder.feed(bytes);
    let mut heard = Heard::default();
    let mut events = 0;
    while let Some(item) = items.next() {
        match item {
            Item::Retry(millis) if events == 0 && heard.retry.is_none() => {
                heard.retry = Some(millis)
            }
            Item::Event {
                event_type,
                data,
                last_event_id,
            } => {
                events += 1;
                heard.event_type = event_type.to_owned();
                heard.data = data.to_owned();
                heard.id = last_event_id.to_owned();
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(events, 1);
    heard
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn enc_11_a_draft_is_refused_or_read_as_it_was_sent(draft in any_draft()) {
        let sent = draft.clone();
        let Ok(publication) = draft.check(&RULES, Now::read()) else {
            return Ok(());
        };
        let topics: Vec<_> = publication.topics().iter().map(|it| it.as_str()).collect();
        prop_assert_eq!(&topics, &sent.topics);
        prop_assert_eq!(publication.audience == Audience::Private, sent.private);
        let mut bytes = Vec::new();
        publication.event.encode(&mut bytes);
        let given = |text: Option<String>| text.filter(|text| !text.is_empty());
        let retry = given(sent.retry).map(|text| text.parse::<u64>().unwrap().min(i32::MAX as u64));
        prop_assert_eq!(heard(&bytes), Heard {
            event_type: given(sent.event_type).unwrap_or("message".to_owned()),
            data: sent.data.replace("\r\n", "\n").replace('\r', "\n"),
            id: given(sent.id).unwrap_or_default(),
            retry: retry.filter(|&millis| millis > 0),
        });
    }

    /// A name that is not what it seems never gets through (D1-T1), wherever it stands in the text.
    #[test]
    fn d1_t1_a_control_or_invisible_character_is_refused(
        before in "[a-z]{0,4}", after in "[a-z]{0,4}",
        bad in prop_oneof![
            any::<char>().prop_filter("is a control", |c| c.is_control()),
            select(vec!['\u{ad}', '\u{61c}', '\u{200b}', '\u{200f}', '\u{202e}', '\u{2066}']),
            select(vec!['\u{feff}', '\u{e0041}']),
        ],
    ) {
        let text = format!("{before}{bad}{after}");
        // A browser takes line ends and tabs out of a URL, so it may also be found reserved.
        let topic = with_topic(&text).unwrap_err();
        let forbidden = matches!(topic, DraftError::Forbidden { field: "topic", .. });
        prop_assert!(forbidden || matches!(topic, DraftError::Reserved { .. }), "{}", topic);
        let id = with_id(&text).unwrap_err();
        let forbidden = matches!(id, DraftError::Forbidden { field: "id", .. });
        prop_assert!(forbidden, "{}", id);
        let event_type = with_type(&text).unwrap_err();
        let forbidden = matches!(event_type, DraftError::Forbidden { field: "type", .. });
        prop_assert!(forbidden, "{}", event_type);
    }
}
