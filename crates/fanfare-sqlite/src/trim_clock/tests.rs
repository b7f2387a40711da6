use super::*;

const START_MS: u64 = 1_750_000_000_000;
const HOUR: u64 = 3600;
const DAY: u64 = 24 * HOUR;

/// A clock, and both times as a test turns them.
struct Bench {
    clock: TrimClock,
    now: Now,
}

impl Bench {
    /// Starts at `START_MS`; the newest record was stored `age_s` before.
    fn new(age_s: Option<u64>) -> Self {
        let now = Now {
            unix_ms: START_MS,
            instant: Now::read().instant,
        };
        let newest = age_s.map(|age| START_MS - age * 1000);
        Self {
            clock: TrimClock::new(now, newest),
            now,
        }
    }

    /// Lets both clocks go on by `seconds`, and asks.
    fn after(&mut self, seconds: u64) -> u64 {
        self.now.instant += Duration::from_secs(seconds);
        self.now.unix_ms += seconds * 1000;
        self.clock.read(self.now)
    }

    fn jump(&mut self, seconds: i64) {
        self.now.unix_ms = self.now.unix_ms.saturating_add_signed(seconds * 1000);
    }
}

#[test]
fn t5_a_clock_that_runs_right_is_believed() {
    let mut bench = Bench::new(Some(60));
    for seconds in [0, 1, HOUR, 400 * DAY] {
        assert_eq!(bench.after(seconds), bench.now.unix_ms);
    }
}

#[test]
fn t5_a_jump_within_a_minute_is_believed() {
    let mut bench = Bench::new(None);
    bench.jump(60);
    assert_eq!(bench.after(0), START_MS + 60_000);
    bench.jump(1);
    assert_eq!(bench.after(0), START_MS + 60_000);
}

#[test]
fn t5_a_jump_ahead_waits_for_an_hour_of_agreement() {
    for jump in [HOUR, 365 * DAY] {
        let mut bench = Bench::new(Some(0));
        bench.after(10);
        bench.jump(jump.cast_signed());
        // The first look notices, and the hour begins.
        assert_eq!(bench.after(0), START_MS + 70_000);
        assert_eq!(bench.after(HOUR - 1), START_MS + 70_000 + (HOUR - 1) * 1000);
        assert_eq!(bench.after(1), bench.now.unix_ms);
        // From then on it is the right one.
        assert_eq!(bench.after(DAY), bench.now.unix_ms);
    }
}

#[test]
fn t5_a_jump_that_is_taken_back_begins_the_hour_anew() {
    let mut bench = Bench::new(None);
    bench.jump(365 * DAY.cast_signed());
    bench.after(HOUR / 2);
    bench.jump(-365 * DAY.cast_signed());
    assert_eq!(bench.after(0), bench.now.unix_ms);
    bench.jump(365 * DAY.cast_signed());
    assert!(bench.after(HOUR / 2 + 1) < START_MS + DAY * 1000);
    assert!(bench.after(HOUR / 2 + 1) < START_MS + DAY * 1000);
    assert_eq!(bench.after(HOUR), bench.now.unix_ms);
}

#[test]
fn t5_a_clock_that_goes_back_deletes_nothing_and_is_followed() {
    let mut bench = Bench::new(Some(0));
    bench.jump(-HOUR.cast_signed());
    assert_eq!(bench.after(0), START_MS - HOUR * 1000);
    bench.jump(HOUR.cast_signed());
    assert_eq!(bench.after(5), START_MS + 5000);
}

#[test]
fn t5_a_start_in_1970_waits_for_an_hour_once_the_time_is_known() {
    let instant = Now::read().instant;
    let now = Now {
        unix_ms: 3000,
        instant,
    };
    let clock = TrimClock::new(now, Some(START_MS));
    let mut bench = Bench { clock, now };
    assert_eq!(bench.after(1), 4000);
    bench.jump(START_MS.cast_signed() / 1000);
    assert!(bench.after(1) < 100_000);
    assert!(bench.after(HOUR - 1) < 10_000_000);
    assert_eq!(bench.after(1), bench.now.unix_ms);
}

#[test]
fn t5_a_start_long_after_the_newest_record_is_doubted_for_an_hour() {
    let mut bench = Bench::new(Some(31 * DAY));
    let newest = START_MS - 31 * DAY * 1000;
    assert_eq!(bench.after(1), newest + 61_000);
    assert_eq!(bench.after(HOUR - 1), newest + 60_000 + HOUR * 1000);
    assert_eq!(bench.after(1), bench.now.unix_ms);
    let mut bench = Bench::new(Some(30 * DAY));
    assert_eq!(bench.after(0), START_MS);
}
