use std::time::Duration;

use super::{ByteCount, InvalidQuantity, TimeSpan};

#[test]
fn time_spans_are_read_and_written() {
    let check = |text: &str, millis: u64, written: &str| {
        let span: TimeSpan = text.parse().expect(text);
        assert_eq!(span, TimeSpan(Duration::from_millis(millis)), "{text}");
        assert_eq!(span.to_string(), written, "{text}");
    };
    check("0", 0, "0");
    check("0s", 0, "0");
    check("250ms", 250, "250ms");
    check("1500ms", 1500, "1500ms");
    check("15s", 15_000, "15s");
    check("60s", 60_000, "1m");
    check("90s", 90_000, "90s");
    check("2h", 7_200_000, "2h");
    check("1d", 86_400_000, "1d");
    // As Go writes them (CF-9).
    check("1h30m", 5_400_000, "90m");
    check("1m0s", 60_000, "1m");
    check("0s", 0, "0");
    check("1m30s500ms", 90_500, "90500ms");
    for bad in [
        "",
        "15",
        "s",
        "-1s",
        "1.5s",
        "15sec",
        "15 s",
        "15S",
        " 15s",
        "15s ",
        "1h30",
        "1hm",
        "h1",
        "1h-30m",
        "1h 30m",
        "0h0",
        "200000000000d200000000000d",
        "99999999999999999999s",
        "9999999999999999999d",
    ] {
        assert_eq!(
            bad.parse::<TimeSpan>(),
            Err(InvalidQuantity::TimeSpan),
            "{bad:?}"
        );
    }
}

#[test]
fn byte_counts_are_read_and_written() {
    let check = |text: &str, bytes: usize, written: &str| {
        let count: ByteCount = text.parse().expect(text);
        assert_eq!(count, ByteCount(bytes), "{text}");
        assert_eq!(count.to_string(), written, "{text}");
    };
    check("0", 0, "0");
    check("1000", 1000, "1000");
    check("1024", 1024, "1KiB");
    check("64MiB", 64 << 20, "64MiB");
    check("1GiB", 1 << 30, "1GiB");
    for bad in [
        "",
        "MiB",
        "-1",
        "1.5MiB",
        "1MB",
        "1mib",
        "1 ",
        "99999999999999999999",
        "99999999999GiB",
    ] {
        assert_eq!(
            bad.parse::<ByteCount>(),
            Err(InvalidQuantity::ByteCount),
            "{bad:?}"
        );
    }
}
