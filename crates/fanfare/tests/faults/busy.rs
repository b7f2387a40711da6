//! The commands that work beside a hub, beside one that is busy.

use rustix::process::{Pid, Signal, kill_process};
use tempfile::tempdir;

use crate::hub::{Hub, history, is_whole, stats};
use crate::ledger::Ledger;

/// Publishing and trimming at full speed, so that nothing stays where it was looked at.
#[test]
fn looks_beside_a_busy_hub_find_it_whole() {
    let folder = tempdir().unwrap();
    let hub = Hub::start(folder.path(), &["--history-count-max=500"]);
    let pid = Pid::from_raw(hub.id().cast_signed()).unwrap();
    Ledger::default().publish(hub.address(), 1000, || {
        let mut heads = Vec::new();
        for round in 0..5 {
            is_whole(folder.path());
            let exported = history(folder.path(), &["export"]);
            assert_eq!(exported.code, Some(0), "{exported:?}");
            let offsets = exported.stdout.lines().map(|line| {
                let line: serde_json::Value = serde_json::from_str(line).unwrap();
                line["offset"].as_u64().unwrap()
            });
            let offsets: Vec<_> = offsets.collect();
            assert!(offsets.is_sorted_by(|one, next| one < next), "{offsets:?}");

            let copy = folder.path().join(format!("copy {round}"));
            std::fs::create_dir(&copy).unwrap();
            let file = copy.join("fanfare.db");
            let copied = history(folder.path(), &["backup", file.to_str().unwrap()]);
            assert_eq!(copied.code, Some(0), "{copied:?}");
            is_whole(&copy);
            let stats = stats(&copy);
            assert!(stats["records"].as_u64().unwrap() <= 500, "{stats}");
            heads.push(stats["head"].as_u64().unwrap());
        }
        assert!(
            heads.is_sorted_by(|one, next| one < next),
            "it was not busy: {heads:?}"
        );
        kill_process(pid, Signal::TERM).unwrap();
    });
    assert_eq!(hub.ended().code, Some(0));
    is_whole(folder.path());
}
