use super::*;

#[test]
fn a_bucket_ends_where_the_next_begins() {
    assert_eq!(bucket(0), 0);
    for at in 0..BUCKETS - 1 {
        let last = last_of_bucket(at);
        assert_eq!((bucket(last), bucket(last + 1)), (at, at + 1));
    }
    assert_eq!(bucket(u64::MAX), BUCKETS - 1);
    assert_eq!(last_of_bucket(BUCKETS - 1), u64::MAX);
}

#[test]
fn quantiles_are_at_most_a_64th_too_long() {
    let mut latency = Latency::new();
    for micros in 1..=1000 {
        latency.record(micros * 1000);
    }
    for (quantile, exact) in [(0.5, 500), (0.9, 900), (0.99, 990), (0.999, 999)] {
        let exact = Duration::from_micros(exact);
        let found = latency.quantile(quantile);
        assert!(found >= exact, "{quantile}: {found:?}");
        assert!(found <= exact + exact / 64, "{quantile}: {found:?}");
    }
    assert_eq!(latency.quantile(1.0), Duration::from_micros(1000));
    assert_eq!(latency.longest(), Duration::from_micros(1000));
}

#[test]
fn nothing_recorded_is_zero() {
    assert_eq!(Latency::new().quantile(0.99), Duration::ZERO);
}
