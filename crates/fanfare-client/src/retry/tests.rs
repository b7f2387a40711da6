use std::time::Duration;

use super::{Backoff, Pace};

const PACE: Pace = Pace {
    retry: secs(1),
    retry_max: secs(60),
    retry_server_max: secs(3600),
    stable_after: secs(10),
};

const fn secs(count: u64) -> Duration {
    Duration::from_secs(count)
}

const fn millis(count: u64) -> Duration {
    Duration::from_millis(count)
}

fn after_failures(hint: Option<u64>, failures: u32) -> Backoff {
    let mut backoff = Backoff::new(PACE);
    if let Some(hint) = hint {
        backoff.hint(hint);
    }
    for _ in 0..failures {
        backoff.attempt_failed();
    }
    backoff
}

#[track_caller]
fn check(backoff: &Backoff, shortest: Duration, longest: Duration) {
    assert_eq!(backoff.wait(None, 0.0), shortest);
    assert_eq!(backoff.wait(None, 1.0), longest);
    let middle = backoff.wait(None, 0.5);
    assert_eq!(middle, shortest + (longest - shortest) / 2);
}

#[test]
fn rc_20_after_a_good_connection_the_hint_and_a_little() {
    check(&after_failures(None, 0), secs(1), millis(1_100));
    check(&after_failures(Some(500), 0), millis(500), millis(550));
    check(&after_failures(Some(45_000), 0), secs(45), millis(45_200));
    check(&after_failures(Some(0), 0), secs(0), secs(0));
}

#[test]
fn rc_21_full_jitter_above_the_hint() {
    check(&after_failures(None, 1), secs(1), secs(2));
    check(&after_failures(None, 2), secs(1), secs(3));
    check(&after_failures(None, 3), secs(1), secs(5));
    check(&after_failures(None, 7), secs(1), secs(61));
    check(&after_failures(None, 10_000), secs(1), secs(61));
    check(&after_failures(Some(0), 1), secs(0), millis(500));
    check(&after_failures(Some(0), 3), secs(0), secs(2));
    check(&after_failures(Some(45_000), 1), secs(45), secs(90));
    check(&after_failures(Some(45_000), 2), secs(45), secs(105));
}

#[test]
fn rc_22_a_rushed_connection_is_not_good_whatever_it_brought() {
    let ended = |hint, brought_event, lasted| {
        let mut backoff = after_failures(Some(hint), 3);
        backoff.stream_ended(brought_event, lasted);
        backoff.failures()
    };
    assert_eq!(ended(0, true, millis(999)), 4);
    assert_eq!(ended(499, true, millis(999)), 4);
    assert_eq!(ended(0, true, secs(1)), 0);
    assert_eq!(ended(500, true, secs(0)), 0);
}

#[test]
fn rc_25_only_a_good_connection_starts_the_count_anew() {
    let ended = |brought_event, lasted| {
        let mut backoff = after_failures(None, 3);
        backoff.stream_ended(brought_event, lasted);
        backoff.failures()
    };
    assert_eq!(ended(true, secs(0)), 0);
    assert_eq!(ended(false, secs(10)), 0);
    assert_eq!(ended(false, millis(9_999)), 4);
}

#[test]
fn rc_23_retry_after_is_a_lower_bound() {
    let wait = |asked_for, chance| after_failures(None, 1).wait(Some(asked_for), chance);
    assert_eq!(wait(secs(30), 0.0), secs(30));
    assert_eq!(wait(secs(30), 1.0), secs(33));
    assert_eq!(wait(secs(7200), 0.0), secs(3600));
    // Shorter than the back-off: that holds.
    assert_eq!(wait(secs(1), 1.0), secs(2));
}

#[test]
fn rc_24_a_hint_counts_at_once_and_until_the_next() {
    let mut backoff = after_failures(Some(5_000), 0);
    assert_eq!(backoff.wait(None, 0.0), secs(5));
    backoff.stream_ended(true, secs(20));
    assert_eq!(backoff.wait(None, 0.0), secs(5));
    backoff.hint(u64::MAX);
    assert_eq!(backoff.wait(None, 0.0), secs(3600));
}

#[test]
fn cx_07_good_streams_keep_every_wait_near_the_hint() {
    let mut backoff = after_failures(Some(500), 0);
    for round in 0..20_u32 {
        backoff.stream_ended(true, millis(10));
        let wait = backoff.wait(None, f64::from(round) / 20.0);
        assert!((millis(500)..=millis(550)).contains(&wait), "{wait:?}");
    }
}

#[test]
fn cx_08_waits_of_a_refused_client_over_many_seeds() {
    for failures in 1..=10 {
        let backoff = after_failures(None, failures);
        let span = secs(60).min(secs(1 << (failures - 1)));
        let waits = (0..10_000).map(|_| backoff.wait(None, rand::random()));
        let waits: Vec<_> = waits.collect();
        for wait in &waits {
            assert!((secs(1)..=secs(1) + span).contains(wait), "{wait:?}");
        }
        let mean = waits.iter().sum::<Duration>() / 10_000;
        let middle = secs(1) + span / 2;
        assert!(mean.abs_diff(middle) < span / 50, "{mean:?} of {middle:?}");
        assert!(waits.windows(2).any(|pair| pair[0] != pair[1]));
    }
}

#[test]
fn cx_09_retry_0_and_an_end_at_once_make_no_storm() {
    let mut backoff = after_failures(Some(0), 0);
    for failures in 1..=10 {
        backoff.stream_ended(true, millis(1));
        assert_eq!(backoff.failures(), failures);
        let longest = secs(60).min(millis(500 << (failures - 1)));
        assert_eq!(backoff.wait(None, 1.0), longest);
    }
}

#[test]
fn cx_10_a_passing_refusal_and_then_good_streams() {
    let mut backoff = after_failures(Some(45_000), 0);
    backoff.stream_ended(false, millis(5));
    assert!(backoff.wait(None, 0.0) >= secs(45));
    backoff.hint(2_000);
    backoff.stream_ended(true, secs(60));
    check(&backoff, secs(2), millis(2_200));
}
