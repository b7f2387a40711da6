use super::*;

fn topic(text: &str) -> Topic {
    Topic::parse(text).unwrap()
}

#[test]
fn the_first_topic_is_canonical() {
    let publication = Publication::new(topic("b"), Event::new("")).also(topic("a"));
    assert_eq!(publication.topics(), [topic("b"), topic("a")]);
}

#[test]
fn a_publication_is_public_until_it_is_private() {
    let publication = Publication::new(topic("a"), Event::new(""));
    assert_eq!(publication.audience, Audience::Public);
    assert_eq!(publication.private().audience, Audience::Private);
}

#[test]
fn o2_a_key_is_1_to_255_visible_ascii_characters() {
    for text in ["k", "!~", &"k".repeat(255)] {
        assert_eq!(IdempotencyKey::parse(text).unwrap().as_str(), text);
    }
    for text in ["", "a b", "\t", "a\n", "\u{e9}", "\u{7f}", &"k".repeat(256)] {
        assert_eq!(IdempotencyKey::parse(text), Err(InvalidKey), "{text:?}");
    }
}
