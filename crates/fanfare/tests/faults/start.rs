//! The start itself is cut off or fails, at each of its steps (U2, U4, U7); the next one recovers.

use std::fs;
use std::path::{Path, PathBuf};

use tempfile::{TempDir, tempdir};

use crate::faulty_calls::{Action, DATABASE, FaultyCalls, LOG, NAME, OTHER, SYNC, WRITE};
use crate::hub::{Hub, begin, is_whole};
use crate::ledger::Ledger;

/// What a hub leaves that is killed: some in the database, some in the log.
fn left_behind() -> (TempDir, Ledger) {
    let folder = tempdir().unwrap();
    let mut ledger = Ledger::default();
    let hub = Hub::start(folder.path(), &[]);
    for number in 0..10 {
        let data = format!("first run {number}");
        ledger.note(&data, hub.publish(&data));
    }
    assert_eq!(hub.stop().code, Some(0));
    let hub = Hub::start(folder.path(), &[]);
    for number in 0..10 {
        let data = format!("second run {number}");
        ledger.note(&data, hub.publish(&data));
    }
    hub.crash();
    assert!(
        fs::metadata(folder.path().join("fanfare.db-wal"))
            .unwrap()
            .len()
            > 0
    );
    (folder, ledger)
}

fn copy(from: &Path, into: &Path) -> PathBuf {
    let to = into.join("data");
    _ = fs::remove_dir_all(&to);
    fs::create_dir(&to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            continue;
        }
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    to
}

/// Each step of the start meets with `action`, one at a time; returns how many steps there are.
fn at_each_step(action: Action) -> i64 {
    let (left, ledger) = left_behind();
    let all = {
        let hub = Hub::start(&copy(left.path(), left.path()), &[]);
        let all = hub.read_after("earliest").up_to("second run 9");
        ledger.holds_for(&all);
        all
    };
    let place = tempdir().unwrap();
    for step in 1.. {
        let directory = copy(left.path(), place.path());
        let faults = FaultyCalls::new(&directory);
        faults.arm(WRITE | SYNC | NAME, DATABASE | LOG | OTHER, step, action);
        let hub = Hub::ready_or_ended(begin(&directory, &faults.variables(), &[]));
        let hit = faults.has_hit();
        match hub {
            // It did without what failed.
            Ok(hub) => {
                let seen = hub.read_after("earliest").up_to("second run 9");
                assert_eq!(seen, all, "step {step}");
                hub.crash();
            }
            Err(ended) if action == Action::Kill => assert_eq!(ended.code, None, "{ended:?}"),
            Err(ended) => assert_eq!(ended.code, Some(8), "step {step}: {ended:?}"),
        }
        let hub = Hub::start(&directory, &[]);
        let seen = hub.read_after("earliest").up_to("second run 9");
        assert_eq!(seen, all, "after step {step}");
        hub.store("one more");
        assert_eq!(hub.stop().code, Some(0));
        is_whole(&directory);
        if !hit {
            return step - 1;
        }
    }
    unreachable!("a start has an end");
}

#[test]
fn u2_u4_killed_at_each_step_of_a_start() {
    let steps = at_each_step(Action::Kill);
    assert!(steps >= 10, "only {steps} steps were seen");
}

#[test]
fn u2_u4_each_step_of_a_start_fails() {
    let steps = at_each_step(Action::Io);
    assert!(steps >= 10, "only {steps} steps were seen");
}

#[test]
fn u2_u4_no_room_at_each_step_of_a_start() {
    let steps = at_each_step(Action::NoSpace);
    assert!(steps >= 10, "only {steps} steps were seen");
}
