use super::*;

/// Books of two subscribers of one topic with two publishers.
fn ledger(published: usize) -> Ledger {
    let mut ledger = Ledger::new(2, 1, 2);
    (0..published).for_each(|_| ledger.published(0));
    ledger
}

fn receive(ledger: &mut Ledger, subscriber: usize, events: &[(u32, u32)]) {
    for &(publisher, sequence) in events {
        let payload = Payload {
            publisher,
            sequence,
            sent_nanos: 0,
        };
        ledger.received(subscriber, payload);
    }
}

fn check(ledger: &Ledger, received: u64, lost: u64, doubled: u64, reordered: u64) {
    assert_eq!(
        (
            ledger.received,
            ledger.outstanding,
            ledger.doubled,
            ledger.reordered
        ),
        (received, lost, doubled, reordered),
    );
}

#[test]
fn one_order_at_everybody_is_clean() {
    let mut ledger = ledger(3);
    receive(&mut ledger, 0, &[(0, 1), (1, 1)]);
    receive(&mut ledger, 1, &[(0, 1), (1, 1), (0, 2)]);
    receive(&mut ledger, 0, &[(0, 2)]);
    check(&ledger, 6, 0, 0, 0);
}

#[test]
fn a_skipped_event_is_lost() {
    let mut ledger = ledger(3);
    receive(&mut ledger, 0, &[(0, 1), (0, 2), (0, 3)]);
    receive(&mut ledger, 1, &[(0, 1), (0, 3)]);
    check(&ledger, 5, 1, 0, 0);
}

#[test]
fn an_event_that_comes_twice_is_doubled_once_and_received_once() {
    let mut ledger = ledger(2);
    receive(&mut ledger, 0, &[(0, 1), (0, 2), (0, 1)]);
    receive(&mut ledger, 1, &[(0, 1), (0, 1), (0, 2)]);
    check(&ledger, 4, 0, 2, 0);
}

#[test]
fn a_double_in_place_of_the_next_does_not_hide_its_loss() {
    let mut ledger = ledger(2);
    receive(&mut ledger, 0, &[(0, 1), (0, 2)]);
    receive(&mut ledger, 1, &[(0, 1), (0, 1)]);
    check(&ledger, 3, 1, 1, 0);
}

#[test]
fn two_orders_of_two_publishers_are_disorder() {
    let mut ledger = ledger(2);
    receive(&mut ledger, 0, &[(0, 1), (1, 1)]);
    receive(&mut ledger, 1, &[(1, 1), (0, 1)]);
    check(&ledger, 4, 0, 0, 1);
}

#[test]
fn a_publisher_out_of_its_own_order_is_disorder_though_all_agree() {
    let mut ledger = ledger(2);
    receive(&mut ledger, 0, &[(0, 2), (0, 1)]);
    receive(&mut ledger, 1, &[(0, 2), (0, 1)]);
    check(&ledger, 4, 0, 0, 1);
}

#[test]
fn topics_are_apart() {
    let mut ledger = Ledger::new(3, 2, 1);
    ledger.published(1);
    assert_eq!(ledger.outstanding, 1, "subscriber 1 alone has topic 1");
    ledger.published(0);
    assert_eq!(ledger.outstanding, 3);
}
