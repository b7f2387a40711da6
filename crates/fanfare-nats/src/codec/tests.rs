use fanfare_broker::{Expiry, Publication, Topic};
use fanfare_wire::{Event, EventId, EventType, Retry};

use super::{Nonce, Now, decode, encode, is_same};

fn topic(text: &str) -> Topic {
    Topic::parse(text).unwrap()
}

fn full(now: Now) -> Publication {
    let mut event = Event::new("two\nlines");
    event.id = Some(EventId::parse("urn:uuid:1").unwrap());
    event.event_type = Some(EventType::parse("greeting").unwrap());
    event.retry = Some(Retry::from_millis(2_000));
    let publication = Publication::new(topic("https://example.com/a"), event);
    let mut publication = publication.also(topic("b")).private();
    publication.expires = Some(Expiry::at(now.unix_ms + 5_000, now.unix_ms, now.instant));
    publication
}

#[test]
fn what_is_encoded_can_be_decoded() {
    let now = Now::read();
    for publication in [full(now), Publication::new(topic("b"), Event::new(""))] {
        let bytes = encode(&publication, Nonce(3));
        assert_eq!(decode(&bytes, now), Some((Nonce(3), publication)));
    }
}

/// Bytes that were cut or that go on are another's, or damaged; none of them is a panic.
#[test]
fn other_bytes_are_refused() {
    let now = Now::read();
    let bytes = encode(&full(now), Nonce(3));
    for length in 0..bytes.len() {
        assert_eq!(decode(&bytes[..length], now), None, "{length}");
    }
    let longer = [&bytes[..], &[0]].concat();
    assert_eq!(decode(&longer, now), None);
}

#[test]
fn o_03_the_fingerprint_covers_all_but_the_expiry() {
    let now = Now::read();
    let first = full(now);
    let mut later = first.clone();
    later.expires = None;
    assert!(is_same(&first, &later));
    let mut other = first.clone();
    other.event.retry = None;
    assert!(!is_same(&first, &other));
    assert!(!is_same(&first, &first.clone().also(topic("c"))));
}
