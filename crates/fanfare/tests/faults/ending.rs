//! SIGTERM in the middle of a burst (N8, U10).

use rustix::process::{Pid, Signal, kill_process};
use tempfile::tempdir;

use crate::hub::{Hub, is_whole, stats};
use crate::ledger::Ledger;

#[test]
fn u10_sigterm_in_a_burst_keeps_all_that_was_acknowledged() {
    let folder = tempdir().unwrap();
    let mut ledger = Ledger::default();
    for _ in 0..3 {
        let hub = Hub::start(folder.path(), &[]);
        assert_eq!(stats(folder.path())["clean"], false, "while it runs");
        let pid = Pid::from_raw(hub.id().cast_signed()).unwrap();
        ledger.publish(hub.address(), 200, || {
            kill_process(pid, Signal::TERM).unwrap();
        });
        let ended = hub.ended();
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert_eq!(stats(folder.path())["clean"], true);
        is_whole(folder.path());
    }
    ledger.holds(&Hub::start(folder.path(), &[]));
}

#[test]
fn n8_second_sigterm_ends_at_once_and_the_next_start_recovers() {
    let folder = tempdir().unwrap();
    let mut ledger = Ledger::default();
    let hub = Hub::start(folder.path(), &["--drain=1h"]);
    let streams: Vec<_> = (0..4).map(|_| hub.read_after("earliest")).collect();
    let pid = Pid::from_raw(hub.id().cast_signed()).unwrap();
    ledger.publish(hub.address(), 200, || {
        kill_process(pid, Signal::TERM).unwrap();
    });
    hub.log_line_with("draining");
    hub.signal(Signal::TERM);
    let ended = hub.ended();
    assert_eq!(ended.code, Some(7), "{ended:?}");
    drop(streams);
    ledger.holds(&Hub::start(folder.path(), &[]));
    is_whole(folder.path());
}
