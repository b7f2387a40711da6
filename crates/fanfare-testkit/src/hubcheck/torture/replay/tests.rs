//! What counts as replayed.

use std::time::Duration;

use super::times;
use crate::hubcheck::line::{Line, Payload};

#[test]
fn only_a_first_event_between_restart_and_publish_counts() {
    let event = |at, s| Line::Event {
        at,
        s,
        c: 1,
        id: "id".to_owned(),
        payload: Payload {
            w: 1,
            n: 1,
            h: String::new(),
        },
    };
    let run = [
        event(1, 0),
        Line::Killed { at: 5 },
        // What was on its way when the hub died.
        event(6, 1),
        Line::Restarted { at: 10 },
        event(17, 0),
        event(18, 0),
        event(19, 2),
        Line::Reopened { at: 20 },
        event(21, 1),
    ];
    assert_eq!(times(&run), [7, 9].map(Duration::from_micros));
}
