//! `kill -9` under load, again and again, over a history longer than any limit of a search.

use std::collections::HashSet;

use rustix::process::{Pid, Signal, kill_process};
use tempfile::tempdir;

use crate::hub::{Hub, Outcome, is_whole};
use crate::ledger::Ledger;

/// Mercure's resume found nothing after a restart and before the next publish, and gave up a search
/// past 10,000 stored events.
#[test]
fn p2_p3_kill_9_under_load_loses_and_doubles_nothing() {
    let folder = tempdir().unwrap();
    let mut ledger = Ledger::default();
    let hub = Hub::start(folder.path(), LIMITS);
    let mut last = String::new();
    for thousand in 0..11 {
        let batch: Vec<_> = (0..1000)
            .map(|number| format!("base {thousand}.{number}"))
            .collect();
        for (data, id) in batch.iter().zip(hub.store_all(&batch)) {
            last.clone_from(&id);
            ledger.note(data, Outcome::Stored(id));
        }
    }
    drop(hub);
    for durability in ["always", "interval:50ms", "never", "always", "always"] {
        let durability = format!("--durability={durability}");
        let hub = Hub::start(folder.path(), &[LIMITS, &[&durability]].concat());
        // Before anything new is published: near the head, and from far back.
        let mut near = hub.read_after(&last);
        let mut all = Vec::new();
        let mut far = hub.read_after("earliest");
        while all.len() < 11_000 {
            all.push(far.next().unwrap());
        }

        let pid = Pid::from_raw(hub.id().cast_signed()).unwrap();
        let kill = || kill_process(pid, Signal::KILL).unwrap();
        let stored = ledger.publish(hub.address(), 300, kill);
        assert!(stored >= 300);
        drop(hub);
        let mut seen = Vec::new();
        while let Some(event) = near.next() {
            assert!(!event.is_gap(), "{event:?}");
            seen.push(event);
        }
        while let Some(event) = far.next() {
            all.push(event);
        }
        assert!(all.iter().all(|event| !event.is_gap()));
        let ids: HashSet<_> = all.iter().map(|event| &event.id).collect();
        assert_eq!(ids.len(), all.len(), "an event came twice");
        // What a subscriber saw was stored (P5), so it is there in the next round.
        if let Some(newest) = seen.last() {
            last.clone_from(&newest.id);
        }
    }
    let hub = Hub::start(folder.path(), LIMITS);
    let history = ledger.holds(&hub);
    let after = history.iter().position(|event| event.id == last).unwrap() + 1;
    let resumed = hub.read_after(&last).up_to(&history.last().unwrap().data);
    assert_eq!(resumed, history[after..]);
    assert_eq!(hub.stop().code, Some(0));
    is_whole(folder.path());
}

const LIMITS: &[&str] = &["--batch-max=1000"];
