use std::num::NonZeroU32;

use fanfare_wire::{Event, EventId, EventType, Retry};

use super::*;
use crate::cursor::{Cursor, Epoch};
use crate::topic::Topic;

const WINDOW: Duration = Duration::from_secs(600);

#[expect(clippy::disallowed_methods, reason = "a time to start from")]
fn start() -> Instant {
    Instant::now()
}

fn key(text: &str) -> IdempotencyKey {
    IdempotencyKey::parse(text).unwrap()
}

fn publication(data: &str) -> Publication {
    Publication::new(Topic::parse("a").unwrap(), Event::new(data))
}

fn receipt(offset: u64) -> Receipt {
    let epoch = Epoch::new(NonZeroU32::MIN);
    let cursor = Cursor { epoch, offset };
    Receipt {
        cursor,
        id: cursor.id(),
        duplicate: false,
    }
}

#[test]
fn o2_a_key_is_known_for_one_window() {
    let mut keys = Keys::new(WINDOW, 9);
    let now = start();
    let print = keys.fingerprint(&publication("x"));
    keys.remember(key("k"), print, &receipt(1), now);
    let known = Receipt {
        duplicate: true,
        ..receipt(1)
    };
    // A repeat does not begin the window anew.
    for age in [Duration::ZERO, WINDOW / 2, WINDOW - Duration::from_nanos(1)] {
        keys.expire(now + age);
        assert_eq!(
            keys.recall(&key("k"), print, now + age),
            Ok(Some(known.clone()))
        );
    }
    keys.expire(now + WINDOW);
    assert_eq!(keys.recall(&key("k"), print, now + WINDOW), Ok(None));
    assert!(keys.stored.is_empty() && keys.by_age.is_empty());
}

#[test]
fn o2_only_what_is_too_old_is_forgotten() {
    let mut keys = Keys::new(WINDOW, 9);
    let now = start();
    let print = keys.fingerprint(&publication("x"));
    keys.remember(key("old"), print, &receipt(1), now);
    keys.remember(key("new"), print, &receipt(2), now + WINDOW / 2);
    keys.expire(now + WINDOW);
    assert_eq!(keys.recall(&key("old"), print, now + WINDOW), Ok(None));
    assert!(
        keys.recall(&key("new"), print, now + WINDOW)
            .unwrap()
            .is_some()
    );
}

#[test]
fn o3_the_fingerprint_covers_what_is_published_and_not_the_key() {
    let keys = Keys::new(WINDOW, 9);
    let first = publication("x");
    let changes: [fn(&mut Publication); 7] = [
        |p| p.event.data = "y".into(),
        |p| p.event.id = EventId::parse("1").ok(),
        |p| p.event.event_type = EventType::parse("t").ok(),
        |p| p.event.retry = Some(Retry::from_millis(1)),
        |p| p.audience = crate::Audience::Private,
        |p| *p = p.clone().also(Topic::parse("b").unwrap()),
        |p| *p = Publication::new(Topic::parse("b").unwrap(), p.event.clone()),
    ];
    for change in changes {
        let mut other = first.clone();
        change(&mut other);
        assert_ne!(
            keys.fingerprint(&first),
            keys.fingerprint(&other),
            "{other:?}"
        );
    }
    let mut other = first.clone();
    other.idempotency_key = Some(key("k"));
    assert_eq!(keys.fingerprint(&first), keys.fingerprint(&other));
}

#[test]
fn law_05_a_key_with_another_publication_is_refused() {
    let mut keys = Keys::new(WINDOW, 9);
    let now = start();
    let print = keys.fingerprint(&publication("x"));
    keys.remember(key("k"), print, &receipt(1), now);
    let other = keys.fingerprint(&publication("y"));
    assert_eq!(
        keys.recall(&key("k"), other, now),
        Err(PublishError::KeyReused)
    );
}

#[test]
fn at_the_limit_a_new_key_waits_for_the_oldest_to_go() {
    let mut keys = Keys::new(WINDOW, 2);
    let now = start();
    let print = keys.fingerprint(&publication("x"));
    keys.remember(key("1"), print, &receipt(1), now);
    keys.remember(key("2"), print, &receipt(2), now + WINDOW / 2);
    let later = now + WINDOW / 4;
    let retry_after = WINDOW - WINDOW / 4;
    let refused = keys.recall(&key("3"), print, later);
    assert_eq!(refused, Err(PublishError::Overloaded { retry_after }));
    // Those that are known are answered all the same.
    assert!(keys.recall(&key("1"), print, later).unwrap().is_some());
    keys.expire(later + retry_after);
    assert_eq!(keys.recall(&key("3"), print, later + retry_after), Ok(None));
}
