use fanfare_broker::{Audience, Publication, Selector, Selectors};

use super::{Draft, DraftError, Rules};

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
    draft.check(&RULES)
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
    assert!(mercure.check(&rules).is_ok());
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
fn d0_a7_every_topic_must_be_granted() {
    let granted = Selectors::new(vec![Selector::parse("a").unwrap()]);
    let rules = Rules {
        granted: Some(&granted),
        ..RULES
    };
    assert!(draft().check(&rules).is_ok());
    let mut partly = draft();
    partly.topics.push("b".to_owned());
    let topic = "b".to_owned();
    assert_eq!(partly.check(&rules), Err(DraftError::NotGranted { topic }));
    let nothing = Selectors::default();
    let rules = Rules {
        granted: Some(&nothing),
        ..RULES
    };
    assert!(matches!(
        draft().check(&rules),
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
    assert_eq!(all_wrong.clone().check(&rules), Err(DraftError::Retry));
    all_wrong.retry = None;
    let refused = all_wrong.clone().check(&rules);
    assert!(matches!(refused, Err(DraftError::NotGranted { .. })));
    let refused = all_wrong.check(&RULES);
    assert!(matches!(refused, Err(DraftError::Reserved { .. })));
}
