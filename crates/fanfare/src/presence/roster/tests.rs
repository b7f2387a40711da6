use std::net::IpAddr;
use std::sync::Arc;

use uuid::Uuid;

use super::{Holder, Limits, Listed, Roster, Visitor, network};
use crate::error::Refusal;
use crate::interest::Wanted;

const UNLIMITED: Limits = Limits {
    per_address: 0,
    per_subject: 0,
};

fn visitor(address: &str, subject: Option<(&str, &str)>) -> Visitor {
    Visitor {
        subscriber: Uuid::new_v4(),
        subscriptions: Arc::default(),
        holder: subject.map(|(issuer, subject)| {
            Arc::new(Holder {
                issuer: Some(issuer.to_owned()),
                subject: Some(subject.to_owned()),
                token_id: None,
                issued_at: None,
            })
        }),
        address: Some(Box::new(address.parse().unwrap())),
    }
}

#[test]
fn only_those_whose_arrival_was_told_are_present_and_leave() {
    let mut roster = Roster::default();
    let id = roster.enter(visitor("192.0.2.1", None), UNLIMITED).unwrap();
    assert_eq!(roster.present().count(), 0);
    assert!(roster.leave(id).is_none());

    let id = roster.enter(visitor("192.0.2.1", None), UNLIMITED).unwrap();
    let arrived = roster.arrived(id).unwrap();
    assert_eq!(roster.present().count(), 1);
    assert_eq!(roster.leave(id).unwrap().subscriber, arrived.subscriber);
    assert!(roster.leave(id).is_none(), "once");
}

#[test]
fn id_of_a_seat_that_was_given_away_means_nobody() {
    let mut roster = Roster::default();
    let first = roster.enter(visitor("192.0.2.1", None), UNLIMITED).unwrap();
    roster.leave(first);
    let second = roster.enter(visitor("192.0.2.1", None), UNLIMITED).unwrap();
    assert_ne!(first, second);
    assert!(roster.arrived(first).is_none());
    assert!(roster.arrived(second).is_some());
    roster.leave(first);
    assert_eq!(roster.present().count(), 1);
}

#[test]
fn d1_s7_addresses_and_subjects_have_limits_of_their_own() {
    let limits = Limits {
        per_address: 2,
        per_subject: 1,
    };
    let mut roster = Roster::default();
    let alice = Some(("https://a", "alice"));
    let first = roster.enter(visitor("192.0.2.1", alice), limits).unwrap();
    let refused = roster.enter(visitor("192.0.2.2", alice), limits);
    assert_eq!(refused, Err(Refusal::TooManyOfOne));
    // Another issuer's alice is somebody else.
    roster
        .enter(visitor("192.0.2.1", Some(("https://b", "alice"))), limits)
        .unwrap();
    let refused = roster.enter(visitor("192.0.2.1", None), limits);
    assert_eq!(refused, Err(Refusal::TooManyOfOne));
    roster.leave(first);
    roster.enter(visitor("192.0.2.1", alice), limits).unwrap();
}

#[test]
fn s15_ipv6_counts_by_its_network() {
    let network = |text: &str| network(text.parse().unwrap());
    let address = |text: &str| -> IpAddr { text.parse().unwrap() };
    assert_eq!(network("2001:db8:1:2:3:4:5:6"), address("2001:db8:1:2::"));
    assert_eq!(network("192.0.2.1"), address("192.0.2.1"));
    assert_eq!(network("::ffff:192.0.2.1"), address("192.0.2.1"));
}

#[test]
fn equal_lists_are_one_for_as_long_as_somebody_has_it() {
    let with = |topic: &str| Visitor {
        subscriptions: Arc::new(vec![Listed {
            wanted: Wanted::template(topic).unwrap(),
            payload: None,
        }]),
        ..visitor("192.0.2.1", None)
    };
    let mut roster = Roster::default();
    let ids = ["a", "a", "b"].map(|topic| roster.enter(with(topic), UNLIMITED).unwrap());
    assert_eq!(roster.lists.len(), 2);
    roster.leave(ids[0]);
    assert_eq!(roster.lists.len(), 2);
    roster.leave(ids[1]);
    assert_eq!(roster.lists.len(), 1);
    roster.leave(ids[2]);
    assert!(roster.lists.is_empty());
}

fn seated(roster: &mut Roster) -> (u64, Uuid) {
    let id = roster.enter(visitor("192.0.2.1", None), UNLIMITED).unwrap();
    let visitor = roster.arrived(id).unwrap();
    (id, visitor.subscriber)
}

#[test]
fn pr1_changes_say_who_is_here_and_not_what_happened() {
    let mut roster = Roster::default();
    let (_, before) = seated(&mut roster);
    assert!(!roster.has_changes(), "nobody asked for them yet");
    roster.enlist();
    let (id, after) = seated(&mut roster);
    let taken = roster.take_changes(10);
    assert!(taken[&before].is_some() && taken[&after].is_some());
    assert!(!roster.has_changes());

    // It leaves while the change that it came is under way, and then fails.
    roster.leave(id);
    roster.told(after);
    roster.give_back(taken);
    let taken = roster.take_changes(10);
    assert!(taken[&before].is_some() && taken[&after].is_none());
}

#[test]
fn pr1_changes_are_taken_in_parts() {
    let mut roster = Roster::default();
    roster.enlist();
    for _ in 0..5 {
        seated(&mut roster);
    }
    let sizes = [2, 2, 2].map(|count_max| roster.take_changes(count_max).len());
    assert_eq!(sizes, [2, 2, 1]);
}

#[test]
fn pr3_new_names_are_for_those_whose_arrival_was_told() {
    let mut roster = Roster::default();
    let arriving = roster.enter(visitor("192.0.2.1", None), UNLIMITED).unwrap();
    let unnamed = roster.subscriber(arriving);
    let (id, old) = seated(&mut roster);
    let renamed = roster.rename();
    let names = renamed
        .iter()
        .map(|(old, new)| (old.subscriber, new.subscriber));
    assert_eq!(
        names.collect::<Vec<_>>(),
        [(old, roster.subscriber(id).unwrap())]
    );
    assert_ne!(roster.subscriber(id), Some(old));
    assert_eq!(roster.subscriber(arriving), unnamed);
}
