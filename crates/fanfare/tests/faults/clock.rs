//! A wall clock that jumps under a running hub (T5).

use tempfile::tempdir;

use crate::faulty_calls::FaultyCalls;
use crate::hub::{Hub, Outcome, Publisher, is_whole, token};

const HOUR: i64 = 3600;
const YEAR: i64 = 365 * 24 * HOUR;

#[test]
fn t5_jumps_of_the_clock_neither_reorder_nor_empty_the_history() {
    let folder = tempdir().unwrap();
    let faults = FaultyCalls::new(folder.path());
    let arguments = ["--history-age-max=30m"];
    let hub = Hub::start_faulty(&faults, folder.path(), &arguments);
    let mut sent = Vec::new();
    for shift in [0, HOUR, -HOUR, YEAR, 0, -YEAR] {
        faults.shift_clock(shift);
        for number in 0..10 {
            let data = format!("shift {shift} number {number} of {}", sent.len());
            hub.store(&data);
            sent.push(data);
        }
        let seen = hub.read_after("earliest").up_to(sent.last().unwrap());
        let seen: Vec<_> = seen.into_iter().map(|event| event.data).collect();
        assert_eq!(seen, sent, "after a shift of {shift} s");
    }
    assert_eq!(hub.stop().code, Some(0));
    is_whole(folder.path());
}

/// A wrong clock at the start, too, must not delete everything.
#[test]
fn t5_start_with_a_clock_far_ahead_keeps_the_history() {
    let folder = tempdir().unwrap();
    let faults = FaultyCalls::new(folder.path());
    let arguments = ["--history-age-max=30m"];
    let hub = Hub::start_faulty(&faults, folder.path(), &arguments);
    hub.store("one");
    assert_eq!(hub.stop().code, Some(0));
    faults.shift_clock(YEAR);
    let hub = Hub::start_faulty(&faults, folder.path(), &arguments);
    hub.store("two");
    hub.store("three");
    assert_eq!(hub.read_after("earliest").up_to("three").len(), 3);
}

#[test]
fn s6_tokens_end_by_the_wall_clock() {
    let folder = tempdir().unwrap();
    let faults = FaultyCalls::new(folder.path());
    let hub = Hub::start_faulty(&faults, folder.path(), &[]);
    let token = token(&["--ttl=10m"]);
    let publish = || {
        Publisher::connect(hub.address())
            .unwrap()
            .publish_as(&token, "x")
    };
    for (shift, valid) in [(0, true), (HOUR, false), (0, true), (YEAR, false)] {
        faults.shift_clock(shift);
        let outcome = publish();
        match valid {
            true => assert!(
                matches!(outcome, Outcome::Stored(_)),
                "{shift}: {outcome:?}"
            ),
            false => assert_eq!(outcome, Outcome::NotStored(401), "{shift}"),
        }
    }
}
