use fanfare_wire::{EventId, EventType, Retry};

use super::{InvalidKey, Key, Publication};

#[test]
fn d0_p_form_of_a_publication() {
    let mut publication = Publication::new("a/é", "x=1&y\n");
    assert_eq!(publication.form(), "topic=a%2F%C3%A9&data=x%3D1%26y%0A");
    publication.topics.push("b".to_owned());
    publication.private = true;
    publication.event.id = Some(EventId::parse("7").unwrap());
    publication.event.event_type = Some(EventType::parse("t").unwrap());
    publication.event.retry = Some(Retry::from_millis(5));
    assert_eq!(
        publication.form(),
        "topic=a%2F%C3%A9&topic=b&data=x%3D1%26y%0A&private=on&id=7&type=t&retry=5"
    );
    let key = Key::parse("k").unwrap();
    assert_eq!(
        serde_json::to_string(&publication.envelope(&key)).unwrap(),
        r#"{"topic":["a/é","b"],"data":"x=1&y\n","private":true,"id":"7","event":"t","retry":5,"idempotencyKey":"k"}"#
    );
}

#[test]
fn o2_keys() {
    assert_eq!(Key::parse("a:b~").unwrap().header(), "\"a:b~\"");
    assert!(Key::parse(&"x".repeat(255)).is_ok());
    for text in ["", " ", "a b", "é", "\"", "\\", "\n", &"x".repeat(256)] {
        assert_eq!(Key::parse(text), Err(InvalidKey), "{text:?}");
    }
}

#[test]
fn o5_made_keys_differ_and_are_valid() {
    let (one, other) = (Key::random(), Key::random());
    assert_ne!(one, other);
    assert_eq!(Key::parse(one.as_str()), Ok(one));
}
