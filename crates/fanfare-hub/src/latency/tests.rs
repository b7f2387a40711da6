use super::*;

#[test]
fn each_duration_is_in_the_first_bucket_whose_bound_is_above_it() {
    let bounds: Vec<Duration> = (0..BUCKETS).map(bound).collect();
    assert!(bounds.is_sorted_by(|one, next| one < next));
    for micros in (0..5_000).chain([1 << 20, (1 << 25) - 1]) {
        let duration = Duration::from_micros(micros);
        let expected = bounds.iter().position(|bound| duration < *bound);
        assert_eq!(Some(bucket_of(duration)), expected, "{duration:?}");
    }
}

#[test]
fn bounds_rise_by_a_quarter_at_most() {
    for (one, next) in (4..BUCKETS - 1).map(|at| (bound(at), bound(at + 1))) {
        assert!(next <= one.mul_f64(1.25), "{one:?} {next:?}");
    }
}

#[test]
fn what_is_longer_than_all_bounds_is_in_the_last_bucket() {
    let histogram = Histogram::default();
    histogram.add(Duration::MAX);
    histogram.add(Duration::from_micros(3));
    let mut sums = [0; BUCKETS];
    histogram.add_to(&mut sums);
    histogram.add_to(&mut sums);
    let (low, high) = (Duration::from_micros(4), bound(BUCKETS - 1));
    assert_eq!(filled(&sums), [(low, 2), (high, 2)]);
}
