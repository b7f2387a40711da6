//! The real program held to its promise by `hubcheck`, from outside: under load, with connections
//! cut, and killed.
//!
//! Each test takes the broker's flags. What a broker that survives must do, and what one that
//! forgets must at least say, differ in [`Survives`] alone.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use fanfare_testkit::hubcheck::{
    Check, Credentials, Hub, HubProgram, Objection, Plan, Tampering, Torture, Verdict, Verdicts,
    free_address, judge, restart_then_resume, resume_in_long_history,
};

use crate::program::{DEADLINE, READY};

/// Whether a broker's events are still there after its process was killed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Survives {
    Nothing,
    Kills,
}

const MEMORY: (&[&str], Survives) = (&["--broker", "memory"], Survives::Nothing);
const SQLITE: (&[&str], Survives) = (
    &[
        "--broker",
        "sqlite:{data}/history",
        "--durability",
        "always",
    ],
    Survives::Kills,
);

#[test]
fn h2_run_with_cut_connections_is_clean_and_h4_its_judge_is_awake() {
    let place = Place::new("cuts", SQLITE.0);
    let _process = place.program.start().unwrap();
    let check = Check::begin(&place.hub, &plan(), None, None).unwrap();
    check.publish_for(Duration::from_millis(700), 1);
    let run = check.finish().unwrap().lines;
    let verdicts = judge(&run);
    assert!(verdicts.is_clean(), "{verdicts}");
    assert!(
        verdicts.tally.deliveries > verdicts.tally.acknowledged,
        "{verdicts}"
    );
    for tampering in Tampering::ALL {
        assert_eq!(tampering.hold(&run, 1), Objection::Raised, "{tampering:?}");
    }
}

#[test]
fn p3_killed_under_load_twenty_times_a_history_on_disk_loses_nothing() {
    kill_under_load("kills", SQLITE, 20);
}

#[test]
fn p3_a_hub_that_forgets_is_caught() {
    kill_under_load("forgets", MEMORY, 3);
}

fn kill_under_load(name: &str, (broker, survives): (&[&str], Survives), rounds: u32) {
    let place = Place::new(name, broker);
    let mut torture = Torture::new(place.program.clone(), place.hub.clone(), plan());
    torture.rounds = rounds;
    torture.load = [Duration::from_millis(50), Duration::from_millis(300)];
    let report = torture.run(|_, _| {}).unwrap();
    assert_eq!(report.rounds, rounds);
    judge_after_kill(&report.verdicts, survives);
}

#[test]
fn p2_restart_then_resume_before_the_first_publish() {
    for (name, (broker, survives)) in [("restart", SQLITE), ("restart-memory", MEMORY)] {
        let place = Place::new(name, broker);
        let verdicts = restart_then_resume(&place.program, &place.hub, &plan()).unwrap();
        judge_after_kill(&verdicts, survives);
    }
}

#[test]
fn p2_resume_near_the_head_of_a_history_longer_than_any_scan() {
    let place = Place::new("long", SQLITE.0);
    let _process = place.program.start().unwrap();
    let verdicts = resume_in_long_history(&place.hub, &plan(), 30_000).unwrap();
    assert!(verdicts.is_clean(), "{verdicts}");
    assert!(verdicts.tally.history > 30_000, "{verdicts}");
}

/// A hub that survives has nothing to be objected to; one that forgets is caught, and has at least
/// told every subscriber.
fn judge_after_kill(verdicts: &Verdicts, survives: Survives) {
    match survives {
        Survives::Kills => assert!(verdicts.is_clean(), "{verdicts}"),
        Survives::Nothing => {
            assert!(verdicts.count(Verdict::Lost) > 0, "{verdicts}");
            assert!(verdicts.tally.signals >= 8, "{verdicts}");
            let others = Verdict::ALL.into_iter().filter(|it| *it != Verdict::Lost);
            for other in others {
                assert_eq!(verdicts.count(other), 0, "{verdicts}");
            }
        }
    }
}

fn plan() -> Plan {
    let mut plan = Plan::new();
    plan.bound = DEADLINE;
    plan
}

/// A hub's place: a port and a directory of its own, which goes with it.
struct Place {
    program: HubProgram,
    hub: Hub,
    data: PathBuf,
}

impl Place {
    fn new(name: &str, broker: &[&str]) -> Self {
        let own = format!("hubcheck-{name}-{}", std::process::id());
        let data = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(own);
        fs::create_dir_all(&data).unwrap();
        let serve = [
            env!("CARGO_BIN_EXE_fanfare"),
            "serve",
            "--listen",
            "{address}",
            "--publisher-jwt-key",
            KEY,
            "--subscriber-jwt-key",
            KEY,
        ];
        let command: Vec<_> = serve
            .iter()
            .chain(broker)
            .map(ToString::to_string)
            .collect();
        let program = HubProgram::new(&command, free_address().unwrap(), &data).ready_by(READY);
        let key = Credentials::Key(KEY.to_owned());
        let hub = Hub::new(&program.url(), key).unwrap();
        Self { program, hub, data }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        _ = fs::remove_dir_all(&self.data);
    }
}

const KEY: &str = "a key for tests, with enough bytes for HMAC";
