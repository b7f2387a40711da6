//! For each verdict a hub that deserves it, over real sockets; and one that deserves none.

use std::time::Duration;

use fanfare_testkit::hubcheck::{
    Check, Credentials, Hub, Plan, Verdict, Verdicts, judge, resume_in_long_history,
};

use crate::defective_hub::{HubDefect, start};

#[test]
fn h3_hub_without_a_defect_is_clean() {
    let verdicts = checked(HubDefect::None);
    assert!(verdicts.is_clean(), "{verdicts}");
    assert!(verdicts.tally.connections > 8, "{verdicts}");
}

/// A hub with each of the defects gets the verdict.
macro_rules! verdicts_can_be_given {
    ($($name:ident: $verdict:ident, $($defect:ident)*;)*) => {$(
        #[test]
        fn $name() {
            $(
                let verdicts = checked(HubDefect::$defect);
                let count = verdicts.count(Verdict::$verdict);
                assert!(count > 0, "{:?}: {verdicts}", HubDefect::$defect);
            )*
        }
    )*};
}

verdicts_can_be_given! {
    h3_lost: Lost, ForgetsAcknowledged;
    h3_phantom: Phantom, StoresRefused;
    h3_double: Double, StoresTwice RepeatsOnResume;
    h3_reorder: Reorder, SwapsLive;
    h3_gap: Gap, SkipsOnResume KeepsTopicBack;
    h3_false_gap: FalseGap, CriesGap;
    h3_leak: Leak, IgnoresGrants;
    h3_stale: Stale, GoesSilent;
}

/// A hub of those in use looked for an id among ten thousand stored events, gave up, and went on
/// as if nothing were missing.
#[test]
fn resume_in_long_history_finds_a_scan_limit() {
    let check = |defect| {
        let hub = Hub::new(&start(defect), credentials()).unwrap();
        resume_in_long_history(&hub, &plan(defect), 1_000).unwrap()
    };
    let verdicts = check(HubDefect::LooksAmongNewest(500));
    assert!(verdicts.count(Verdict::Gap) > 0, "{verdicts}");
    let verdicts = check(HubDefect::None);
    assert!(verdicts.is_clean(), "{verdicts}");
}

/// A run in which everybody is cut off once in between, and comes back to what it has missed.
fn checked(defect: HubDefect) -> Verdicts {
    let hub = Hub::new(&start(defect), credentials()).unwrap();
    let check = Check::begin(&hub, &plan(defect), None, None).unwrap();
    check.publish(200).unwrap();
    let before = check.connections();
    (0..check.subscribers()).for_each(|subscriber| check.hold(subscriber));
    check.publish(200).unwrap();
    check.release();
    _ = check.wait_for_return(&before);
    check.publish(200).unwrap();
    judge(&check.finish().unwrap().lines)
}

/// A defective hub makes a check wait for the whole bound, one without a defect never.
fn plan(defect: HubDefect) -> Plan {
    let mut plan = Plan::new();
    plan.bound = match defect {
        HubDefect::None => Duration::from_secs(30),
        _ => Duration::from_secs(1),
    };
    plan
}

fn credentials() -> Credentials {
    Credentials::Key("a key that nobody checks".to_owned())
}
