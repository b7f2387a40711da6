use std::time::{Duration, UNIX_EPOCH};

use super::rfc3339;

#[test]
fn rfc_3339_5_6_dates_are_right_around_leap_days_and_centuries() {
    let check = |seconds, expected: &str| {
        let time = UNIX_EPOCH + Duration::from_secs(seconds);
        assert_eq!(rfc3339(time), expected);
    };
    check(0, "1970-01-01T00:00:00.000000Z");
    check(951_782_399, "2000-02-28T23:59:59.000000Z");
    check(951_782_400, "2000-02-29T00:00:00.000000Z");
    check(951_868_800, "2000-03-01T00:00:00.000000Z");
    check(1_667_507_170, "2022-11-03T20:26:10.000000Z");
    check(1_709_251_199, "2024-02-29T23:59:59.000000Z");
    check(4_107_542_399, "2100-02-28T23:59:59.000000Z");
    check(4_107_542_400, "2100-03-01T00:00:00.000000Z");
}

#[test]
fn rfc_3339_5_6_microseconds_have_six_digits() {
    let time = UNIX_EPOCH + Duration::new(1_667_507_170, 44_522_999);
    assert_eq!(rfc3339(time), "2022-11-03T20:26:10.044522Z");
    let before = UNIX_EPOCH - Duration::from_secs(1);
    assert_eq!(rfc3339(before), "1970-01-01T00:00:00.000000Z");
}

#[test]
fn every_day_of_400_years_follows_the_one_before() {
    let date = |day: u64| rfc3339(UNIX_EPOCH + Duration::from_secs(day * 86_400));
    let mut before = date(0);
    for day in 1..146_097 {
        let date = date(day);
        let (year_month, day_of_month) = (&date[..7], &date[8..10]);
        if year_month == &before[..7] {
            let expected = before[8..10].parse::<u32>().unwrap() + 1;
            assert_eq!(day_of_month.parse::<u32>().unwrap(), expected, "{date}");
        } else {
            assert_eq!(day_of_month, "01", "{before}, {date}");
        }
        before = date;
    }
    assert_eq!(before, "2369-12-31T00:00:00.000000Z");
}
