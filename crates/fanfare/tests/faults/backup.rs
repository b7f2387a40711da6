//! A copy of a history, put back in its place (U11, C4).

use std::fs;
use std::path::Path;

use tempfile::tempdir;

use crate::hub::{Hub, is_whole};

fn copy(from: &Path, to: &Path) {
    _ = fs::remove_dir_all(to);
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}

fn events(name: &str, count: u32) -> Vec<String> {
    (1..=count)
        .map(|number| format!("{name} {number}"))
        .collect()
}

/// A test of equal epochs and a higher head would find nothing wrong once the offsets are refilled.
#[test]
fn c4_restored_backup_tells_everybody_who_is_ahead_of_it() {
    let folder = tempdir().unwrap();
    let (data, kept) = (folder.path().join("data"), folder.path().join("kept"));
    let hub = Hub::start(&data, &[]);
    let shared = hub.store_all(&events("shared", 100));
    assert_eq!(hub.stop().code, Some(0));
    copy(&data, &kept);
    let mut lost = Vec::new();
    for run in 0..2 {
        // Two more runs, so that their epochs are lost as well as their events.
        let hub = Hub::start(&data, &[]);
        lost.extend(hub.store_all(&events(&format!("lost {run}"), 25)));
        assert_eq!(hub.stop().code, Some(0));
    }
    copy(&kept, &data);

    let hub = Hub::start(&data, &[]);
    let told = |hub: &Hub, when: &str| {
        for id in &lost {
            let first = hub.read_after(id).next().unwrap();
            assert!(first.is_gap(), "{when}, after {id}: {first:?}");
            let known = ["diverged", "unknown"]
                .iter()
                .any(|why| first.data.contains(why));
            assert!(known, "{when}, after {id}: {first:?}");
        }
    };
    told(&hub, "before anything new");
    for round in 0..4 {
        // Up to the old head, at it, and past it.
        hub.store_all(&events(&format!("new {round}"), 20));
        told(&hub, &format!("{} new events", 20 * (round + 1)));
    }
    // Nobody else is told anything.
    let seen = hub.read_after(&shared[89]).up_to("new 3 20");
    assert_eq!(seen.len(), 90);
    assert!(seen.iter().all(|event| !event.is_gap()));
    assert_eq!(hub.stop().code, Some(0));
    is_whole(&data);
}
