use std::time::Duration;

use bytes::Bytes;
use fanfare_wire::EventId;

use super::{Reader, Rules, Said};
use crate::config::Oversize;
use crate::item::{Gap, GapReason, Item};

const RULES: Rules = Rules {
    event_bytes_max: 8,
    oversize: Oversize::Skip,
    comments: false,
};

fn id(text: &str) -> EventId {
    EventId::parse(text).unwrap()
}

fn head_gap() -> Option<Gap> {
    Some(Gap {
        from: "1".to_owned(),
        to: "5".to_owned(),
        reason: None,
    })
}

/// What a reader that last saw `1` finds in `body`, each with the cursor that it moves to.
fn read_by(rules: Rules, gap: Option<Gap>, body: &str) -> Vec<String> {
    let mut reader = Reader::new(id("1"), rules, gap);
    reader.feed(Bytes::copy_from_slice(body.as_bytes()));
    let mut all = Vec::new();
    while let Some(found) = reader.next() {
        let said = match found.said {
            Said::Item(Item::Event(event)) => format!(
                "{} {} of {}",
                event.event_type, event.data, event.last_event_id
            ),
            Said::Item(Item::Gap(gap)) => {
                format!("gap {} to {} {:?}", gap.from, gap.to, gap.reason)
            }
            Said::Item(Item::Live) => "live".to_owned(),
            Said::Item(Item::Comment(text)) => format!("comment {text}"),
            Said::Item(Item::Skipped { id, .. }) => format!("skipped {id:?}"),
            Said::Item(other) => panic!("{other:?}"),
            Said::Retry(millis) => format!("retry {millis}"),
            Said::Interval(interval) => format!("every {interval:?}"),
            Said::TooLong(id) => format!("too long {id:?}"),
            Said::Nothing => "nothing".to_owned(),
        };
        let cursor = found.cursor.map(|it| format!(" -> {it}"));
        all.push(said + &cursor.unwrap_or_default());
    }
    all
}

fn read(body: &str) -> Vec<String> {
    read_by(RULES, None, body)
}

#[test]
fn rc_08_cursor_moves_with_what_is_handed_out() {
    assert_eq!(
        read("id: 2\ndata: a\n\ndata: b\n\nid: 3\n\nid: 4\ndata: c"),
        ["message a of 2 -> 2", "message b of 2 -> 2", "nothing -> 3"]
    );
}

#[test]
fn rc_10_an_empty_id_is_the_one_thing_that_clears_the_cursor() {
    assert_eq!(read("id:\ndata: a\n\n"), ["message a of  -> "]);
}

#[test]
fn rc_15_what_the_hub_says_to_the_client_is_no_event() {
    let rules = Rules {
        event_bytes_max: 100,
        ..RULES
    };
    let body = "event: fanfare-heartbeat\nid: 2\ndata: {\"interval\":15000}\n\n\
                event: fanfare-heartbeat\ndata: nonsense\n\n\
                event: fanfare-live\nid: 3\ndata: {}\n\n\
                event: fanfare-gap\nid: 7\ndata: {\"from\":\"3\",\"to\":\"7\",\"reason\":\"trimmed\"}\n\n\
                event: fanfare-gap\nid: 9\ndata: nonsense\n\n";
    assert_eq!(
        read_by(rules, None, body),
        [
            "every 15s -> 2",
            "nothing",
            "live -> 3",
            "gap 3 to 7 Some(Trimmed) -> 7",
            "gap 7 to 9 None -> 9",
        ]
    );
    assert_eq!(Duration::from_millis(15_000), Duration::from_secs(15));
}

#[test]
fn rc_14_a_gap_of_the_head_comes_before_what_moves_past_it() {
    let tell = |body| read_by(RULES, head_gap(), body);
    assert_eq!(
        tell(":\nretry: 5\ndata: a\n\ndata: b\n\n"),
        [
            "nothing",
            "retry 5",
            "gap 1 to 5 None",
            "message a of 1 -> 1",
            "message b of 1 -> 1",
        ]
    );
    assert_eq!(
        tell("id: 6\n\n"),
        ["gap 1 to 5 None", "nothing -> 6"],
        "a cursor without an event too, or the gap would never be told"
    );
    let rules = Rules {
        event_bytes_max: 100,
        ..RULES
    };
    let body = concat!(
        "event: fanfare-heartbeat\ndata: {\"interval\":15000}\n\n",
        "event: fanfare-gap\nid: 5\ndata: {\"reason\":\"unknown\"}\n\n",
    );
    assert_eq!(
        read_by(rules, head_gap(), body),
        ["every 15s", "gap 1 to 5 Some(Unknown) -> 5"],
        "a heartbeat that moves nothing leaves the word to the hub"
    );
}

#[test]
fn cx_21_a_gap_told_twice_is_one() {
    let rules = Rules {
        event_bytes_max: 100,
        ..RULES
    };
    let body = "event: fanfare-gap\nid: 5\ndata: {\"reason\":\"odd\"}\n\nid: 6\ndata: a\n\n";
    let odd = GapReason::Other("odd".to_owned());
    assert_eq!(
        read_by(rules, head_gap(), body),
        [
            format!("gap 1 to 5 {:?} -> 5", Some(odd)),
            "message a of 6 -> 6".to_owned()
        ]
    );
}

#[test]
fn rc_13_a_skipped_event_commits_its_id() {
    assert_eq!(
        read("id: 2\ndata: 123456789\n\ndata: a\n\n"),
        [
            format!("skipped {:?} -> 2", Some(id("2"))),
            "nothing -> 2".to_owned(),
            "message a of 2 -> 2".to_owned()
        ]
    );
    assert_eq!(
        read("data: 123456789\nid: 2\n\n"),
        ["skipped None", "nothing -> 2"]
    );
    let strict = Rules {
        oversize: Oversize::Fail,
        ..RULES
    };
    assert_eq!(
        read_by(strict, None, "id: 2\ndata: 123456789"),
        [format!("too long {:?}", Some(id("2")))]
    );
}

#[test]
fn sse_21_comments_are_handed_out_if_asked_for() {
    assert_eq!(read(": a\n"), ["nothing"]);
    let rules = Rules {
        comments: true,
        ..RULES
    };
    assert_eq!(read_by(rules, None, ": a\n"), ["comment  a"]);
}
