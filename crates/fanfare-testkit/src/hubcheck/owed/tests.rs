//! Debts arise and go in either order.

use super::Owed;
use crate::hubcheck::line::EventKey;

#[test]
fn an_event_is_owed_from_its_acknowledgement_until_it_is_seen() {
    let (first, second) = (EventKey { w: 1, n: 1 }, EventKey { w: 1, n: 2 });
    let mut owed = Owed::new(2);
    owed.acknowledge(first, |seat| seat == 1);
    assert!(!owed.is_paid());
    owed.pay(0, first);
    assert!(!owed.is_paid(), "another got it");
    owed.pay(1, first);
    assert!(owed.is_paid());
    owed.pay(0, second);
    owed.acknowledge(second, |seat| seat == 0);
    assert!(owed.is_paid(), "it was seen before");
}

#[test]
fn a_gap_forgives_what_is_owed_to_one() {
    let event = EventKey { w: 1, n: 1 };
    let mut owed = Owed::new(2);
    owed.acknowledge(event, |_| true);
    owed.forgive(0);
    assert!(!owed.is_paid());
    owed.forgive(1);
    assert!(owed.is_paid());
}
