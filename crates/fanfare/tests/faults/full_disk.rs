//! A full disk (F1, F7): 507, and no help from outside but room.

use std::path::Path;

use crate::hub::{Hub, Outcome, Publisher, is_whole};
use crate::ledger::Ledger;
use crate::mount::Mount;

/// Publishes until that ends with `wanted`.
fn publish_until(hub: &Hub, ledger: &mut Ledger, name: &str, wanted: fn(&Outcome) -> bool) {
    let mut publisher = Publisher::connect(hub.address()).unwrap();
    for number in 0_u32.. {
        let data = format!("{name} {number} {}", "x".repeat(3000));
        let outcome = publisher.publish(&data);
        let stored = matches!(outcome, Outcome::Stored(_));
        let full = outcome == Outcome::NotStored(507);
        assert!(stored || full, "{name} {number}: {outcome:?}");
        let done = wanted(&outcome);
        ledger.note(&data, outcome);
        if done {
            return;
        }
    }
}

fn is_stored(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Stored(_))
}

fn is_full(outcome: &Outcome) -> bool {
    *outcome == Outcome::NotStored(507)
}

/// Fills the disk, twice, under a hub; subscribers stay, and see all that is stored.
fn survives(disk: &Mount, directory: &Path, arguments: &[&str], left: u64) {
    let mut ledger = Ledger::default();
    let hub = Hub::start(directory, arguments);
    publish_until(&hub, &mut ledger, "first", is_stored);
    let mut stream = hub.read_after("earliest");
    for round in 0..2 {
        let filler = disk.fill_up_to(left);
        publish_until(&hub, &mut ledger, &format!("full {round}"), is_full);
        assert_eq!(hub.get("/readyz").0, 503);
        assert_eq!(hub.get("/healthz").0, 200);
        // What is stored can be read all the same.
        assert!(
            hub.read_after("earliest")
                .next()
                .unwrap()
                .data
                .starts_with("first 0")
        );
        drop(filler);
        publish_until(&hub, &mut ledger, &format!("room {round}"), is_stored);
        assert_eq!(hub.get("/readyz").0, 200);
    }
    let history = ledger.holds(&hub);
    let seen = stream.up_to(&history.last().unwrap().data);
    assert_eq!(seen, history);
    is_whole(directory);
    hub.crash();
    let hub = Hub::start(directory, arguments);
    ledger.holds(&hub);
    assert_eq!(hub.stop().code, Some(0));
    is_whole(directory);
}

#[test]
fn f7_some_room_is_kept_free_as_root() {
    let disk = Mount::new("64m");
    survives(
        &disk,
        &disk.path().join("data"),
        &["--disk-free-min=16MiB"],
        15 << 20,
    );
}

#[test]
fn f1_disk_is_used_up_as_root() {
    let disk = Mount::new("24m");
    survives(
        &disk,
        &disk.path().join("data"),
        &["--disk-free-min=0"],
        200 << 10,
    );
}

/// A supervisor starts a killed hub again, and the disk is still full.
#[test]
fn f7_start_on_a_full_disk_serves_and_comes_back_as_root() {
    let disk = Mount::new("24m");
    let directory = disk.path().join("data");
    let mut ledger = Ledger::default();
    let hub = Hub::start(&directory, &["--disk-free-min=0"]);
    publish_until(&hub, &mut ledger, "first", is_stored);
    let filler = disk.fill_up_to(100 << 10);
    publish_until(&hub, &mut ledger, "full", is_full);
    hub.crash();
    let rest = disk.fill_up_to(0);

    let hub = Hub::start(&directory, &["--disk-free-min=0"]);
    assert!(is_full(&hub.publish("nothing")));
    ledger.note("nothing", Outcome::NotStored(507));
    assert!(
        hub.read_after("earliest")
            .next()
            .unwrap()
            .data
            .starts_with("first 0")
    );
    drop((filler, rest));
    publish_until(&hub, &mut ledger, "room", is_stored);
    ledger.holds(&hub);
    assert_eq!(hub.stop().code, Some(0));
    is_whole(&directory);
}
