use std::time::Duration;

use tokio::time::Instant;

use super::{Backlog, Heard};

fn heard(backlog: &Backlog) -> Vec<(String, String)> {
    let text = |it: &Heard| String::from_utf8(it.said.clone()).unwrap();
    let first = backlog.first(100);
    let pairs = first
        .iter()
        .map(|it| (text(it), it.key(None).as_str().to_owned()));
    pairs.collect()
}

/// What two nodes hear alike.
enum Said {
    Marker(&'static str),
    Event(&'static str),
}
use Said::{Event, Marker};

fn hear(backlog: &mut Backlog, said: &[Said]) {
    for said in said {
        match said {
            Marker(marker) => backlog.mark(marker),
            Event(event) => {
                backlog.hear(event.as_bytes(), Instant::now());
            }
        }
    }
}

#[test]
fn nodes_name_an_event_alike_and_two_equal_ones_apart() {
    let said = [
        Event("old"),
        Marker("m1"),
        Event("a"),
        Event("a"),
        Marker("m2"),
        Event("a"),
    ];
    let (mut early, mut late) = (Backlog::new(10, 100), Backlog::new(10, 100));
    hear(&mut early, &said);
    hear(&mut late, &said[4..]);
    let (early, late) = (heard(&early), heard(&late));
    assert_eq!(early.len(), 3, "before the first marker there are no names");
    assert_eq!(early[2..], late);
    assert_ne!(early[0].1, early[1].1);
    assert_ne!(early[0].1, early[2].1);
}

#[test]
fn after_a_break_events_have_no_name_until_the_next_marker() {
    let mut backlog = Backlog::new(10, 100);
    hear(&mut backlog, &[Marker("m1"), Event("a")]);
    backlog.lose_count();
    hear(&mut backlog, &[Event("b"), Marker("m2"), Event("c")]);
    let all = heard(&backlog);
    assert_eq!(all.iter().map(|it| it.0.as_str()).collect::<String>(), "ac");
}

#[test]
fn past_its_limits_the_oldest_go() {
    let mut backlog = Backlog::new(3, 10);
    backlog.mark("m1");
    let mut hear = |said: &str| backlog.hear(said.as_bytes(), Instant::now());
    assert_eq!([hear("1"), hear("2"), hear("3"), hear("4")], [0, 0, 0, 1]);
    assert_eq!(hear("123456789"), 2, "by count one, by bytes one more");
    let all = heard(&backlog);
    assert_eq!(
        all.iter().map(|it| it.0.as_str()).collect::<Vec<_>>(),
        ["4", "123456789"]
    );
}

#[test]
fn what_is_done_goes_and_the_rest_stays_in_order() {
    let mut backlog = Backlog::new(10, 100);
    hear(
        &mut backlog,
        &[Marker("m1"), Event("a"), Event("b"), Event("c")],
    );
    let batch = backlog.first(2);
    backlog.done(&batch, 1);
    assert_eq!(
        heard(&backlog)
            .iter()
            .map(|it| it.0.as_str())
            .collect::<String>(),
        "bc"
    );
    // Stored, but forgotten meanwhile.
    let batch = backlog.first(2);
    backlog.forget_before(Instant::now() + Duration::from_secs(1));
    backlog.done(&batch, 2);
    assert!(heard(&backlog).is_empty());
}
