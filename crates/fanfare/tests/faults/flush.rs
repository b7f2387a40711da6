//! Writes and flushes that fail (F1, F3, F4, F5, F6).

use std::path::Path;

use tempfile::tempdir;

use crate::faulty_calls::{Action, DATABASE, FaultyCalls, LOG, SYNC, WRITE};
use crate::hub::{Hub, Outcome, is_whole};
use crate::ledger::Ledger;
use crate::peer::Answer;

/// The batch whose commit fails, in one transaction.
fn batch(round: u64) -> Vec<String> {
    (0..5)
        .map(|number| format!("batch {round}.{number}"))
        .collect()
}

/// Publishes batches until one is not stored; returns that one, and the answer.
fn publish_until_refused(hub: &Hub, ledger: &mut Ledger) -> (Vec<String>, Answer) {
    for round in 0..100 {
        let batch = batch(round);
        let answer = hub.publish_all(&batch);
        for (data, line) in batch.iter().zip(answer.body.lines()) {
            let line: serde_json::Value = serde_json::from_str(line).unwrap();
            ledger.note(
                data,
                match (answer.status, line["outcome"].as_str()) {
                    (200, Some("stored")) => {
                        Outcome::Stored(line["id"].as_str().unwrap().to_owned())
                    }
                    (504, Some("unknown")) => Outcome::Unknown,
                    (status @ (503 | 507), Some("not_stored")) => Outcome::NotStored(status),
                    _ => panic!("{answer:?}"),
                },
            );
        }
        if answer.status != 200 {
            return (batch, answer);
        }
    }
    panic!("nothing failed");
}

/// The hub ends by itself, without another write; what it acknowledged is there after a start, and
/// the batch wholly or not at all. Returns whether it is there.
fn ends_and_recovers(
    hub: Hub,
    faults: &FaultyCalls,
    directory: &Path,
    ledger: &mut Ledger,
    batch: &[String],
) -> bool {
    let ended = hub.ended();
    assert_eq!(ended.code, Some(74), "{ended:?}");
    assert!(ended.stderr.contains("cannot be written"), "{ended:?}");
    assert_eq!(
        faults.calls_after(),
        (0, 0),
        "writes and flushes after the failure"
    );

    let hub = Hub::start(directory, &[]);
    let history = ledger.holds(&hub);
    let found = batch
        .iter()
        .filter(|data| history.iter().any(|event| event.data == **data));
    let found = found.count();
    assert!(found == 0 || found == batch.len(), "{found} of {batch:?}");
    // With its keys it can be sent again, whichever it was.
    let ids = hub.store_all(batch);
    for (data, id) in batch.iter().zip(ids) {
        ledger.note(data, Outcome::Stored(id));
    }
    ledger.holds(&hub);
    assert_eq!(hub.stop().code, Some(0));
    is_whole(directory);
    found > 0
}

fn started(faults: &FaultyCalls, directory: &Path, arguments: &[&str]) -> (Hub, Ledger) {
    let hub = Hub::start_faulty(faults, directory, arguments);
    let mut ledger = Ledger::default();
    for number in 0..20 {
        let data = format!("before {number}");
        ledger.note(&data, hub.publish(&data));
    }
    (hub, ledger)
}

/// SQLite reports the error and shows the old head, but the whole commit may be in the log, and
/// there after a restart. And it would go on as if nothing had happened.
#[test]
fn f4_failed_flush_of_a_commit_is_unknown_and_the_last_write() {
    let mut outcomes = Vec::new();
    for action in [Action::Io, Action::NoSpace, Action::Lose] {
        for count in [1, 2] {
            let folder = tempdir().unwrap();
            let faults = FaultyCalls::new(folder.path());
            let (hub, mut ledger) = started(&faults, folder.path(), &[]);
            let mut stream = hub.read_after("earliest");
            stream.up_to("before 19");

            faults.arm(SYNC, LOG, count, action);
            let (batch, answer) = publish_until_refused(&hub, &mut ledger);
            assert_eq!(answer.status, 504, "{action:?} {count}: {answer:?}");
            assert!(faults.has_hit());
            let there = ends_and_recovers(hub, &faults, folder.path(), &mut ledger, &batch);
            // P5: nobody saw what was not known to be stored.
            while let Some(event) = stream.next() {
                assert!(!batch.contains(&event.data), "{event:?}");
            }
            outcomes.push((action, there));
        }
    }
    // Both kinds of unknown were among them.
    assert!(outcomes.contains(&(Action::Io, true)), "{outcomes:?}");
    assert!(outcomes.contains(&(Action::Lose, false)), "{outcomes:?}");
}

#[test]
fn f4_failed_write_of_a_commit_is_unknown_and_the_last_write() {
    for count in [1, 2, 3, 4, 7, 12] {
        let folder = tempdir().unwrap();
        let faults = FaultyCalls::new(folder.path());
        let (hub, mut ledger) = started(&faults, folder.path(), &[]);
        faults.arm(WRITE, LOG, count, Action::Io);
        let (batch, answer) = publish_until_refused(&hub, &mut ledger);
        assert_eq!(answer.status, 504, "{count}: {answer:?}");
        ends_and_recovers(hub, &faults, folder.path(), &mut ledger, &batch);
    }
}

#[test]
fn f1_no_room_at_a_commit_is_not_stored_and_passes() {
    let folder = tempdir().unwrap();
    let faults = FaultyCalls::new(folder.path());
    let (hub, mut ledger) = started(&faults, folder.path(), &[]);
    let mut stream = hub.read_after("earliest");
    for count in [1, 2, 3, 4, 7, 12] {
        faults.arm(WRITE, LOG, count, Action::NoSpace);
        let (batch, answer) = publish_until_refused(&hub, &mut ledger);
        assert_eq!(answer.status, 507, "{count}: {answer:?}");
        stored_in_the_end(&hub, &batch, &mut ledger);
    }
    let history = ledger.holds(&hub);
    // The subscriber was there all the time.
    let seen = stream.up_to(&history.last().unwrap().data);
    assert_eq!(seen, history);
    assert_eq!(hub.stop().code, Some(0));
    is_whole(folder.path());
}

/// Sends `batch` until it is stored.
fn stored_in_the_end(hub: &Hub, batch: &[String], ledger: &mut Ledger) {
    for _ in 0..100_000 {
        let answer = hub.publish_all(batch);
        if answer.status == 200 {
            for (data, line) in batch.iter().zip(answer.body.lines()) {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                let id = line["id"].as_str().unwrap().to_owned();
                ledger.note(data, Outcome::Stored(id));
            }
            return;
        }
        assert_eq!(answer.status, 507, "{answer:?}");
    }
    panic!("the disk has room, and it is not noticed");
}

/// More than the thousand pages of log at which it is moved into the database.
fn large(round: u64) -> Vec<String> {
    let event = |number| format!("large {round}.{number} {}", "x".repeat(9000));
    (0..100).map(event).collect()
}

#[test]
fn f5_f6_failed_checkpoint_loses_nothing() {
    for (calls, files, action) in [
        (SYNC, LOG, Action::Io),
        (WRITE, DATABASE, Action::Io),
        (SYNC, DATABASE, Action::Io),
        (WRITE, DATABASE, Action::NoSpace),
    ] {
        let folder = tempdir().unwrap();
        let faults = FaultyCalls::new(folder.path());
        // No commit flushes the log, so a checkpoint's flush of it is the first.
        let (hub, mut ledger) = started(&faults, folder.path(), &["--durability=never"]);
        let mut rounds = 0;
        faults.arm(calls, files, 1, action);
        while !faults.has_hit() {
            assert!(rounds < 20, "no checkpoint");
            let batch = large(rounds);
            rounds += 1;
            let answer = hub.publish_all(&batch);
            for (data, line) in batch.iter().zip(answer.body.lines()) {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                ledger.note(
                    data,
                    match answer.status {
                        200 => Outcome::Stored(line["id"].as_str().unwrap().to_owned()),
                        504 => Outcome::Unknown,
                        status => Outcome::NotStored(status),
                    },
                );
            }
        }
        let hub = if action == Action::NoSpace {
            stored_in_the_end(&hub, &batch(0), &mut ledger);
            hub
        } else {
            let ended = hub.ended();
            assert_eq!(ended.code, Some(74), "{ended:?}");
            assert_eq!(faults.calls_after(), (0, 0));
            Hub::start(folder.path(), &[])
        };
        ledger.holds(&hub);
        assert_eq!(hub.stop().code, Some(0));
        is_whole(folder.path());
    }
}

/// The flush that `interval` owes comes by itself, with no publish that could be told.
#[test]
fn f4_failed_flush_that_nobody_waits_for_is_the_last_write() {
    let folder = tempdir().unwrap();
    let faults = FaultyCalls::new(folder.path());
    let (hub, mut ledger) = started(&faults, folder.path(), &["--durability=interval:1h"]);
    assert_eq!(hub.stop().code, Some(0));
    let hub = Hub::start_faulty(&faults, folder.path(), &["--durability=interval:50ms"]);
    faults.arm(SYNC, LOG, 1, Action::Io);
    let last = hub.publish("last");
    assert!(matches!(last, Outcome::Stored(_)));
    ledger.note("last", last);
    ends_and_recovers(hub, &faults, folder.path(), &mut ledger, &batch(0));
}

#[test]
fn f8_hub_that_stays_serves_what_is_stored() {
    let folder = tempdir().unwrap();
    let faults = FaultyCalls::new(folder.path());
    let arguments = ["--on-history-failure=stay"];
    let (hub, mut ledger) = started(&faults, folder.path(), &arguments);
    let mut live = hub.read_after("earliest");
    live.up_to("before 19");
    faults.arm(SYNC, LOG, 1, Action::Io);
    assert_eq!(hub.publish("lost?"), Outcome::Unknown);
    ledger.note("lost?", Outcome::Unknown);
    for number in 0..3 {
        let data = format!("refused {number}");
        let outcome = hub.publish(&data);
        assert_eq!(outcome, Outcome::NotStored(503));
        ledger.note(&data, outcome);
    }
    let (status, why) = hub.get("/readyz");
    assert_eq!(status, 503, "{why}");
    assert_eq!(hub.get("/healthz").0, 200);
    let history = hub.read_after("earliest").up_to("before 19");
    assert_eq!(history.len(), 20);
    assert_eq!(hub.stop().code, Some(0));
    assert_eq!(faults.calls_after(), (0, 0), "nor at its end");
    ledger.holds(&Hub::start(folder.path(), &[]));
}
