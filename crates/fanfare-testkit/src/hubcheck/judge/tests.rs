//! Small runs by hand, one for each verdict, and a model hub whose runs are clean until tampered with.

mod model;

use super::judge;
use crate::hubcheck::line::{EventKey, Line, Outcome, Payload};
use crate::hubcheck::selector::Selector;
use crate::hubcheck::tamper::{Objection, Tampering};
use crate::hubcheck::verdict::Verdict;

/// Each line of `script` is a line of the run, in few words; `t` is the time in milliseconds.
///
/// `sub NAME SELECTOR GRANT|-`, `send EVENT [private]`, `ok EVENT`, `no EVENT`, `connect NAME FROM
/// ANSWERED`, `get NAME EVENT`, `gap NAME FROM`, `release NAME`, `healed`, `at MS`, `end`, `keeps COUNT`, `has EVENT`.
/// An event is worker and number, `1.2`; its id is `id-1.2`, its topic `topic-1` after its worker.
fn run(script: &str) -> Vec<Line> {
    let mut lines = vec![Line::Begin {
        bound: 1_000_000,
        retains: None,
    }];
    let mut at = 0;
    for line in script.lines() {
        let mut words = line.split_whitespace();
        let Some(verb) = words.next() else { continue };
        let words: Vec<_> = words.collect();
        match (verb, words.as_slice()) {
            ("at", [millis]) => at = millis.parse::<u64>().unwrap() * 1000,
            ("keeps", [count]) => {
                lines[0] = Line::Begin {
                    bound: 1_000_000,
                    retains: Some(count.parse().unwrap()),
                };
            }
            _ => lines.push(parsed(at, verb, &words)),
        }
    }
    lines
}

fn parsed(at: u64, verb: &str, words: &[&str]) -> Line {
    match (verb, words) {
        ("sub", [s, selector, grant]) => Line::Subscriber {
            s: s.parse().unwrap(),
            name: format!("subscriber {s}"),
            selectors: selectors(selector),
            grant: selectors(grant),
        },
        ("send", [event, flags @ ..]) => Line::Invoke {
            at,
            payload: payload(event),
            topics: vec![format!("topic-{}", key(event).w)],
            private: flags.contains(&"private"),
            keyed: false,
        },
        ("ok" | "no" | "unknown", [event]) => Line::Outcome {
            at,
            event: key(event),
            outcome: match verb {
                "ok" => Outcome::Ok {
                    id: format!("id-{event}"),
                },
                "no" => Outcome::No,
                _ => Outcome::Unknown,
            },
        },
        ("connect", [s, from, answered]) => Line::Connect {
            at,
            s: s.parse().unwrap(),
            c: 1,
            from: Some((*from).to_owned()).filter(|from| from != "-"),
            answered: Some((*answered).to_owned()).filter(|answered| answered != "-"),
        },
        ("get", [s, event]) => Line::Event {
            at,
            s: s.parse().unwrap(),
            c: 1,
            id: format!("id-{event}"),
            payload: payload(event),
        },
        ("gap", [s, from]) => Line::Gap {
            at,
            s: s.parse().unwrap(),
            c: 1,
            from: (*from).to_owned(),
            reason: "unknown".to_owned(),
        },
        ("release", [s]) => Line::Released {
            at,
            s: s.parse().unwrap(),
        },
        ("healed", []) => Line::Healed { at },
        ("end", []) => Line::End { at },
        ("has", [event]) => Line::History {
            id: format!("id-{event}"),
            payload: payload(event),
        },
        _ => panic!("no line of a script: {verb} {words:?}"),
    }
}

fn selectors(text: &str) -> Vec<Selector> {
    let given = Some(text).filter(|text| *text != "-");
    given
        .map(|text| text.to_owned().into())
        .into_iter()
        .collect()
}

fn key(event: &str) -> EventKey {
    let (w, n) = event.split_once('.').unwrap();
    EventKey {
        w: w.parse().unwrap(),
        n: n.parse().unwrap(),
    }
}

fn payload(event: &str) -> Payload {
    let EventKey { w, n } = key(event);
    let h = format!("hash of {event}");
    Payload { w, n, h }
}

/// Exactly these verdicts are given on `script`, each so often.
#[track_caller]
fn check(script: &str, expected: &[(Verdict, u64)]) {
    let verdicts = judge(&run(script));
    let found: Vec<_> = verdicts
        .findings
        .iter()
        .map(|(it, found)| (*it, found.count))
        .collect();
    assert_eq!(found, expected, "{verdicts}");
}

/// Three events of one worker, acknowledged.
const THREE: &str = "
    send 1.1\n ok 1.1\n send 1.2\n ok 1.2\n send 1.3\n ok 1.3\n
";
const KEPT: &str = "has 1.1\n has 1.2\n has 1.3\n";

#[test]
fn h3_nothing_wrong_is_clean() {
    check(
        &format!(
            "sub 0 * -\n connect 0 - -\n {THREE} get 0 1.1\n get 0 1.2\n get 0 1.3\n end\n {KEPT}"
        ),
        &[],
    );
    // Before its own first event a subscriber was not there.
    check(
        &format!("sub 0 * -\n connect 0 - -\n {THREE} get 0 1.2\n get 0 1.3\n end\n {KEPT}"),
        &[],
    );
    // What is unknown may be there or not; so may what was never answered.
    check(
        "send 1.1\n unknown 1.1\n send 1.2\n unknown 1.2\n send 1.3\n has 1.2\n",
        &[],
    );
}

#[test]
fn h3_lost() {
    check(
        &format!("{THREE} has 1.1\n has 1.3\n"),
        &[(Verdict::Lost, 1)],
    );
    check(THREE, &[(Verdict::Lost, 3)]);
    check(
        "sub 0 * -\n connect 0 - -\n send 1.1\n get 0 1.1\n unknown 1.1\n",
        &[(Verdict::Lost, 1)],
    );
}

#[test]
fn h3_trimmed_is_not_lost() {
    check(&format!("keeps 2\n {THREE} has 1.2\n has 1.3\n"), &[]);
    assert_eq!(
        judge(&run(&format!("keeps 2\n {THREE} has 1.2\n has 1.3\n")))
            .tally
            .trimmed,
        1
    );
    // Less is kept than was promised.
    check(
        &format!("keeps 3\n {THREE} has 1.2\n has 1.3\n"),
        &[(Verdict::Lost, 1)],
    );
    // Trimming takes from the front only.
    check(
        &format!("keeps 2\n {THREE} has 1.1\n has 1.3\n"),
        &[(Verdict::Lost, 1)],
    );
}

#[test]
fn h3_phantom() {
    check("send 1.1\n no 1.1\n has 1.1\n", &[(Verdict::Phantom, 1)]);
    check("has 1.1\n", &[(Verdict::Phantom, 1)]);
    check(
        "sub 0 * -\n connect 0 - -\n send 1.1\n no 1.1\n get 0 1.1\n",
        &[(Verdict::Phantom, 1)],
    );
}

#[test]
fn h3_double() {
    check(
        &format!("{THREE} {KEPT} has 1.2\n"),
        &[(Verdict::Double, 1)],
    );
    check(
        &format!("sub 0 * -\n connect 0 - -\n {THREE} get 0 1.1\n get 0 1.1\n get 0 1.2\n {KEPT}"),
        &[(Verdict::Double, 1)],
    );
}

#[test]
fn h3_double_under_two_ids() {
    let twice = |line: &str| {
        let mut run = run(&format!("sub 0 * -\n connect 0 - -\n send 1.1\n {line}\n"));
        let payload = payload("1.1");
        let id = "elsewhere".to_owned();
        run.push(Line::History { id, payload });
        judge(&run).count(Verdict::Double)
    };
    assert_eq!(twice("ok 1.1"), 1);
    assert_eq!(twice("get 0 1.1"), 1);
    assert_eq!(twice("unknown 1.1"), 0);
}

#[test]
fn h3_reorder_of_a_workers_numbers() {
    check(
        &format!("{THREE} has 1.2\n has 1.1\n has 1.3\n"),
        &[(Verdict::Reorder, 1)],
    );
    // The first was still under way when the second was sent.
    check(
        "send 1.1\n unknown 1.1\n send 1.2\n ok 1.2\n has 1.2\n has 1.1\n",
        &[],
    );
}

#[test]
fn h3_reorder_to_a_subscriber() {
    check(
        &format!("sub 0 * -\n connect 0 - -\n {THREE} get 0 1.1\n get 0 1.3\n get 0 1.2\n {KEPT}"),
        &[(Verdict::Reorder, 1)],
    );
}

#[test]
fn h3_reorder_between_two_subscribers_where_history_is_silent() {
    let two = "sub 0 * -\n sub 1 * -\n connect 0 - -\n connect 1 - -\n send 1.1\n send 2.1\n";
    check(
        &format!("{two} get 0 1.1\n get 0 2.1\n get 1 2.1\n get 1 1.1\n"),
        &[(Verdict::Lost, 2), (Verdict::Reorder, 1)],
    );
    check(
        &format!("{two} get 0 1.1\n get 0 2.1\n get 1 1.1\n get 1 2.1\n"),
        &[(Verdict::Lost, 2)],
    );
}

#[test]
fn h3_gap_that_nobody_told() {
    let missed = |between: &str| {
        format!("sub 0 * -\n connect 0 - -\n {THREE} get 0 1.1\n {between} get 0 1.3\n {KEPT}")
    };
    check(&missed(""), &[(Verdict::Gap, 1)]);
    check(&missed("connect 0 id-1.1 id-1.1\n"), &[(Verdict::Gap, 1)]);
    // Told by the header, by the event, or by both; that history covers it is another fault.
    for told in ["connect 0 id-1.1 earliest\n", "gap 0 id-1.1\n"] {
        check(&missed(told), &[(Verdict::FalseGap, 1)]);
    }
    let both = "connect 0 id-1.1 earliest\n gap 0 id-1.1\n";
    check(&missed(both), &[(Verdict::FalseGap, 1)]);
    assert_eq!(judge(&run(&missed(both))).tally.signals, 1);
}

#[test]
fn h3_gap_that_was_told_excuses_nothing_behind_it() {
    let four = "send 1.4\n ok 1.4\n send 1.5\n ok 1.5\n";
    check(
        &format!(
            "sub 0 * -\n connect 0 - -\n {THREE} {four} get 0 1.1\n connect 0 id-1.1 earliest\n
             get 0 1.3\n get 0 1.5\n has 1.3\n has 1.4\n has 1.5\n keeps 3\n"
        ),
        &[(Verdict::Gap, 1)],
    );
}

#[test]
fn h3_gap_is_judged_by_what_a_subscriber_may_see() {
    let others = "send 2.1\n ok 2.1\n send 1.2 private\n ok 1.2\n";
    let script = |grant| {
        format!(
            "sub 0 topic-1 {grant}\n connect 0 - -\n send 1.1\n ok 1.1\n {others} send 1.3\n ok 1.3\n
             get 0 1.1\n get 0 1.3\n has 1.1\n has 2.1\n has 1.2\n has 1.3\n"
        )
    };
    check(&script("-"), &[]);
    check(&script("topic-2"), &[]);
    check(&script("topic-{n}"), &[(Verdict::Gap, 1)]);
}

#[test]
fn h3_false_gap_needs_a_place_that_history_covers() {
    let lost = "sub 0 * -\n connect 0 - -\n send 1.1\n get 0 1.1\n unknown 1.1\n";
    check(
        &format!("{lost} connect 0 id-1.1 earliest\n send 1.2\n ok 1.2\n get 0 1.2\n has 1.2\n"),
        &[(Verdict::Lost, 1)],
    );
}

#[test]
fn a_stream_may_begin_again_behind_a_gap() {
    let lost = format!("sub 0 * -\n connect 0 - -\n {THREE} get 0 1.1\n get 0 1.2\n");
    check(
        &format!("{lost} gap 0 id-9.9\n get 0 1.1\n get 0 1.2\n get 0 1.3\n {KEPT}"),
        &[],
    );
}

#[test]
fn h3_leak() {
    check(
        "sub 0 topic-2 *\n connect 0 - -\n send 1.1\n ok 1.1\n get 0 1.1\n has 1.1\n",
        &[(Verdict::Leak, 1)],
    );
    let private = "connect 0 - -\n send 1.1 private\n ok 1.1\n get 0 1.1\n has 1.1\n";
    check(
        &format!("sub 0 * topic-2\n {private}"),
        &[(Verdict::Leak, 1)],
    );
    check(&format!("sub 0 * topic-1\n {private}"), &[]);
}

#[test]
fn h3_stale() {
    let published = "sub 0 * -\n connect 0 - -\n send 1.1\n ok 1.1\n";
    check(
        &format!("{published} at 1001\n get 0 1.1\n has 1.1\n"),
        &[(Verdict::Stale, 1)],
    );
    check(&format!("{published} at 1000\n get 0 1.1\n has 1.1\n"), &[]);
    // The bound begins anew when the hub comes back.
    check(
        &format!("{published} at 900\n healed\n at 1900\n get 0 1.1\n has 1.1\n"),
        &[],
    );
    // So it does when a check lets the subscriber back that it has kept away, for that one.
    let kept = |who| {
        format!("sub 1 * -\n {published} at 900\n release {who}\n at 1900\n get 0 1.1\n has 1.1\n")
    };
    check(&kept(0), &[]);
    check(&kept(1), &[(Verdict::Stale, 1)]);
    // Never counts as late once it is late.
    check(&format!("{published} at 1000\n end\n has 1.1\n"), &[]);
    check(
        &format!("{published} at 1001\n end\n has 1.1\n"),
        &[(Verdict::Stale, 1)],
    );
}

#[test]
fn witness_is_the_smallest_case() {
    let verdicts = judge(&run(
        "sub 0 * -\n connect 0 - -\n send 1.1\n send 1.2\n send 1.3\n send 1.4\n send 1.5\n send 1.6\n
         get 0 1.1\n get 0 1.4\n get 0 1.6\n
         has 1.1\n has 1.2\n has 1.3\n has 1.4\n has 1.5\n has 1.6\n",
    ));
    let finding = &verdicts.findings[&Verdict::Gap];
    assert_eq!(finding.count, 2);
    assert_eq!(finding.witness.events, [key("1.5")]);
    assert_eq!(finding.witness.subscriber.as_deref(), Some("subscriber 0"));
}

/// A property over seeds: whatever an honest hub does, with cuts, refusals, silence and trimming,
/// nothing is objected to.
#[test]
fn h3_runs_of_an_honest_hub_are_clean() {
    for seed in 0..300 {
        let verdicts = judge(&model::run(seed));
        assert!(verdicts.is_clean(), "seed {seed}: {verdicts}");
    }
}

/// A property over seeds: break one line of an honest run, and the right verdict is given.
#[test]
fn h4_a_broken_line_is_objected_to_by_its_verdict() {
    for tampering in Tampering::ALL {
        let mut raised = 0;
        for seed in 0..100 {
            match tampering.hold(&model::run(seed), seed) {
                Objection::Raised => raised += 1,
                Objection::Inapplicable => {}
                Objection::Missing => panic!("seed {seed}: nobody objected to {tampering:?}"),
            }
        }
        assert!(
            raised > 50,
            "{tampering:?} was possible {raised} times only"
        );
    }
}
