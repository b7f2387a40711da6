use super::*;

/// 2026-03-04T05:06:07.089Z.
const NOW_MS: u64 = 1_772_600_767_089;

#[expect(clippy::disallowed_methods, reason = "any instant will do")]
fn now() -> Now {
    Now {
        wall: UNIX_EPOCH + Duration::from_millis(NOW_MS),
        monotonic: Instant::now(),
    }
}

fn check(text: &str, expected: Result<u64, InvalidExpires>) {
    let read = parse(text, now()).map(Expiry::unix_ms);
    assert_eq!(read, expected, "{text:?}");
}

#[test]
fn seconds_count_from_now() {
    check("1", Ok(NOW_MS + 1000));
    check("0060", Ok(NOW_MS + 60_000));
    check("31536000", Ok(NOW_MS + 31_536_000_000));
    let now = now();
    let expiry = parse("60", now).unwrap();
    let minute = Duration::from_secs(60);
    assert!(!expiry.is_past(now.monotonic + minute - Duration::from_millis(1)));
    assert!(expiry.is_past(now.monotonic + minute));
}

#[test]
fn dates_are_those_of_http_and_of_rfc_3339() {
    for text in [
        "Mon, 09 Mar 2026 08:49:37 GMT",
        "Monday, 09-Mar-26 08:49:37 GMT",
        "Mon Mar  9 08:49:37 2026",
        "2026-03-09T08:49:37Z",
        "2026-03-09t08:49:37z",
        "2026-03-09 08:49:37Z",
        "2026-03-09T08:49:37.000Z",
        "2026-03-09T09:19:37+00:30",
        "2026-03-08T22:49:37-10:00",
    ] {
        check(text, Ok(1_773_046_177_000));
    }
    check("2026-03-09T08:49:37.1239999999Z", Ok(1_773_046_177_123));
    // The last day of February, and a leap second.
    check("2028-02-29T00:00:00Z", Ok(1_835_395_200_000));
    check("2026-12-31T23:59:60Z", Ok(1_798_761_600_000));
    check("9999-12-31T23:59:59Z", Ok(253_402_300_799_000));
}

#[test]
fn what_is_no_time_is_told_what_would_be_one() {
    for text in [
        "",
        "soon",
        "-1",
        "+1",
        "1.5",
        "60s",
        "1e3",
        " 60",
        "60 ",
        "٣",
        "2026-03-09",
        "2026-03-09T08:49:37",
        "2026-03-09T08:49Z",
        "2026-3-9T08:49:37Z",
        "2026-02-29T00:00:00Z",
        "2026-13-01T00:00:00Z",
        "2026-00-01T00:00:00Z",
        "2026-03-00T00:00:00Z",
        "2026-03-09T24:00:00Z",
        "2026-03-09T08:60:00Z",
        "2026-03-09T08:49:61Z",
        "2026-03-09T08:49:37.Z",
        "2026-03-09T08:49:37+1:00",
        "2026-03-09T08:49:37+24:00",
        "2026-03-09T08:49:37Z+",
        "2026-03-09T08:49:37.1.2Z",
        "+026-03-09T08:49:37Z",
        "2026-03-09T08:49:37é",
        "T",
        "Mon, 09 Mar 2026 08:49:37 CET",
    ] {
        check(text, Err(InvalidExpires::NoTime));
    }
}

#[test]
fn what_is_over_or_never_comes_is_refused() {
    for text in [
        "0",
        "2026-03-04T05:06:07.089Z",
        "2026-03-04T05:06:07Z",
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "0000-01-01T00:00:00Z",
        "1969-12-31T23:59:59Z",
    ] {
        check(text, Err(InvalidExpires::Past));
    }
    for text in [
        "253402300800",
        "18446744073709551616",
        "99999999999999999999999",
    ] {
        check(text, Err(InvalidExpires::TooFar));
    }
}
