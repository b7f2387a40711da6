use std::time::Duration;

use super::Retry;

const LONG: Duration = Duration::from_secs(60);

#[test]
fn rc_20_after_a_good_connection_the_hint_and_a_little() {
    let mut retry = Retry::default();
    retry.hint(1000);
    retry.ended(true, LONG);
    assert_eq!(retry.wait(0.0), Duration::from_millis(1000));
    assert_eq!(retry.wait(1.0), Duration::from_millis(1100));
    retry.hint(60_000);
    assert_eq!(retry.wait(1.0), Duration::from_millis(60_200));
}

#[test]
fn rc_21_failures_double_the_spread_above_the_hint() {
    let mut retry = Retry::default();
    retry.hint(1000);
    for spread in [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000] {
        retry.ended(false, LONG);
        assert_eq!(retry.wait(0.0), Duration::from_millis(1000));
        assert_eq!(retry.wait(1.0), Duration::from_millis(1000 + spread));
    }
    for _ in 0..100 {
        retry.ended(false, LONG);
    }
    assert_eq!(retry.wait(1.0), Duration::from_millis(31_000));
}

#[test]
fn rc_22_retry_zero_makes_no_storm() {
    let mut retry = Retry::default();
    retry.hint(0);
    retry.ended(true, Duration::from_millis(10));
    assert_eq!(retry.wait(1.0), Duration::from_millis(500));
    retry.ended(true, Duration::from_millis(10));
    assert_eq!(retry.wait(1.0), Duration::from_millis(1000));
}

#[test]
fn rc_25_only_an_event_resets_the_count() {
    let mut retry = Retry::default();
    retry.hint(1000);
    retry.ended(false, LONG);
    retry.ended(false, LONG);
    assert_eq!(retry.wait(1.0), Duration::from_millis(3000));
    retry.ended(true, LONG);
    assert_eq!(retry.wait(1.0), Duration::from_millis(1100));
}
