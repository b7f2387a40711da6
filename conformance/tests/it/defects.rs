//! Hubs with one defect each, and the case that must catch it.

use std::process::{Command, Output};

use crate::defective_hub::{Defect, KEY, start};

/// Runs the suite against a hub with `defect`: the cases whose names contain `case`.
fn suite(defect: Defect, case: &str) -> (Output, String) {
    let url = start(defect);
    let output = Command::new(env!("CARGO_BIN_EXE_fanfare-conformance"))
        .args([
            "--url",
            &url,
            "--key",
            KEY,
            "--dialect",
            "d0",
            "--strict",
            case,
        ])
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout.clone()).unwrap();
    (output, printed)
}

/// The case must pass on a sound hub, and object to `defect` with what came instead.
fn catches(defect: Defect, rule: &str, case: &str, got: &str) {
    let (sound, printed) = suite(Defect::None, case);
    assert_eq!(sound.status.code(), Some(0), "{printed}");
    assert!(
        printed.contains("1 passed, 0 failed, 0 skipped"),
        "{printed}"
    );

    let (defective, printed) = suite(defect, case);
    assert_eq!(defective.status.code(), Some(1), "{printed}");
    assert!(
        printed.contains("0 passed, 1 failed, 0 skipped"),
        "{printed}"
    );
    let row = printed.lines().find(|line| line.contains(case)).unwrap();
    let result = row.contains(" FAILED ") || row.contains(" differs ");
    assert!(row.contains(rule) && result, "{printed}");
    let objection = printed.lines().find(|line| line.contains("got: ")).unwrap();
    assert!(objection.contains(got), "{printed}");
}

#[test]
fn d0_a10_private_events_for_everybody() {
    let case = "public events reach every subscriber, private ones only those with a grant";
    catches(Defect::TellsPrivate, "D0-A10", case, ":private");
}

#[test]
fn d0_w1_id_before_the_other_fields() {
    let case = "the order of the fields, and no field that was not given";
    catches(Defect::IdFirst, "D0-W1", case, "id: ");
}

#[test]
fn d0_w2_data_written_raw() {
    let case = "one data field for each line, whatever the line's end";
    catches(Defect::RawData, "D0-W2", case, "");
}

#[test]
fn d0_a4_bad_tokens_taken() {
    let case = "another key, another algorithm, none, no token at all: 401";
    catches(Defect::TakesAnyToken, "D0-A4", case, "status 200");
}

#[test]
fn d0_a7_dispatched_though_refused() {
    let case = "one topic of several not granted: refused, and nothing is dispatched";
    catches(Defect::DispatchesRefused, "D0-A7", case, "urn:");
}

#[test]
fn d0_p8_id_with_a_line_feed() {
    let case = "a publication is answered 200 with the bare id as text/plain";
    catches(Defect::LineFeedAfterId, "D0-P8", case, "\\n");
}

#[test]
fn d0_h3_the_cursor_itself_sent_again() {
    let case = "everything after the cursor, in order, then live";
    catches(Defect::RepeatsCursor, "D0-H3", case, ":2");
}

#[test]
fn d0_h7_a_private_id_disclosed() {
    let case = "no answer discloses the id of a private event";
    catches(Defect::DisclosesNewestId, "D0-H7", case, "private");
}

#[test]
fn d0_m2_topics_compared_without_case() {
    let case = "equal byte for byte";
    catches(Defect::FoldsCase, "D0-M2", case, "match");
}

#[test]
fn a_wrong_key_is_told_and_passes_nothing() {
    let url = start(Defect::None);
    for more in [
        &["--key", "not the key of this hub, but long"][..],
        &["--key", KEY, "--dialect", "d1"],
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_fanfare-conformance"))
            .args(["--url", &url, "D0-W1", "D1-S8"])
            .args(more)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(2), "{output:?}");
    }
}

#[test]
fn the_other_dialect_is_skipped() {
    let url = start(Defect::None);
    let output = Command::new(env!("CARGO_BIN_EXE_fanfare-conformance"))
        .args(["--url", &url, "--key", KEY, "D1-T2"])
        .output()
        .unwrap();
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        printed.contains("conformance d1: 0 passed, 0 failed, 1 skipped"),
        "{printed}"
    );
}

#[test]
fn no_hub_at_all_is_told() {
    let output = Command::new(env!("CARGO_BIN_EXE_fanfare-conformance"))
        .args(["--url", "http://127.0.0.1:9", "--key", KEY])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
}
