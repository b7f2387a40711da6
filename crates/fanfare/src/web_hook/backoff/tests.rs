use std::time::Duration;

use super::{Backoff, Pace};

const PACE: Pace = Pace {
    first: Duration::from_secs(1),
    longest: Duration::from_secs(60),
};

#[test]
fn waits_double_up_to_the_longest() {
    let mut backoff = Backoff::default();
    for seconds in [1, 2, 4, 8, 16, 32, 60, 60] {
        assert_eq!(
            backoff.failed(PACE, None, 1.0),
            Duration::from_secs(seconds)
        );
    }
    for _ in 0..100 {
        backoff.failed(PACE, None, 1.0);
    }
    assert_eq!(backoff.failed(PACE, None, 1.0), PACE.longest);
    assert!(backoff.failing());
    backoff.reset();
    assert!(!backoff.failing());
    assert_eq!(backoff.failed(PACE, None, 1.0), PACE.first);
}

#[test]
fn jitter_is_full() {
    for (chance, seconds) in [(0.0, 0), (0.25, 2), (0.5, 4), (1.0, 8)] {
        let mut backoff = Backoff { failures: 3 };
        let wait = backoff.failed(PACE, None, chance);
        assert_eq!(wait, Duration::from_secs(seconds));
    }
}

#[test]
fn retry_after_is_the_least_but_no_more_than_an_hour() {
    let wait = |seconds, chance| {
        let asked_for = Some(Duration::from_secs(seconds));
        Backoff { failures: 5 }.failed(PACE, asked_for, chance)
    };
    assert_eq!(wait(120, 1.0), Duration::from_secs(120));
    assert_eq!(wait(10, 0.0), Duration::from_secs(10));
    assert_eq!(wait(10, 1.0), Duration::from_secs(32));
    assert_eq!(wait(u64::MAX, 0.5), Duration::from_secs(3600));
}
