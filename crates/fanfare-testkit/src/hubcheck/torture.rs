//! Kills a hub under load, again and again: nothing may be lost, doubled, or skipped in silence.

use std::collections::HashSet;
use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::check::{Check, Run};
use super::error::CheckError;
use super::hub::Hub;
use super::judge::judge;
use super::line::{EventKey, Line, Outcome};
use super::plan::Plan;
use super::process::{HubProcess, HubProgram};
use super::reader::{EARLIEST, FinalHistory};
use super::recording;
use super::verdict::{Verdict, Verdicts};

mod replay;
mod whole;

/// Rounds of load, SIGKILL, restart and resume on one hub and one data directory.
#[derive(Debug)]
#[non_exhaustive]
pub struct Torture {
    /// The hub's program.
    pub program: HubProgram,
    /// The same hub, as it is asked.
    pub hub: Hub,
    /// What is published, and who listens.
    pub plan: Plan,
    /// How often the hub is killed. Default 20.
    pub rounds: u32,
    /// Chooses the moments. Default 0.
    pub seed: u64,
    /// The hub is killed after a random time between these. Default 50 ms to 2 s.
    pub load: [Duration; 2],
    /// Folder for the recordings of rounds that were objected to. Default `None`: they are dropped.
    pub recordings: Option<PathBuf>,
}

/// What came of all rounds.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Report {
    /// Rounds that were made.
    pub rounds: u32,
    /// Those of them that were objected to.
    pub objected: Vec<u32>,
    /// The verdicts of all rounds, and of the last reading of everything.
    pub verdicts: Verdicts,
    /// From the hub's start to the first event of each subscriber that had missed one, sorted.
    pub replays: Vec<Duration>,
}

impl Torture {
    /// Tortures `hub`, started by `program`.
    #[must_use]
    pub fn new(program: HubProgram, hub: Hub, plan: Plan) -> Self {
        Self {
            program,
            hub,
            plan,
            rounds: 20,
            seed: 0,
            load: [Duration::from_millis(50), Duration::from_secs(2)],
            recordings: None,
        }
    }

    /// Makes all rounds; `told` hears of each.
    ///
    /// # Errors
    ///
    /// The hub does not come back, or does not even let anybody in.
    pub fn run(&self, mut told: impl FnMut(u32, &Verdicts)) -> Result<Report, CheckError> {
        let mut random = SmallRng::seed_from_u64(self.seed);
        let mut process = self.program.start()?;
        let mut plan = self.plan.clone();
        let mut report = Report::default();
        let (mut expected, mut late) = (Vec::new(), HashSet::new());
        let mut from: Option<String> = None;
        for round in 1..=self.rounds {
            let run;
            (run, process) = self.round(&plan, from.as_deref(), process, &mut random)?;
            let verdicts = judge(&run.lines);
            told(round, &verdicts);
            if !verdicts.is_clean() {
                report.objected.push(round);
                self.keep_recording(round, &run.lines)?;
            }
            report.rounds = round;
            report.replays.extend(replay::times(&run.lines));
            report.verdicts.add(verdicts);
            expected.extend(history_of(&run.lines));
            late.extend(unknown_of(&run.lines));
            from = Some(run.last_id);
            plan = plan.next();
        }
        report.replays.sort_unstable();
        let found = self.read_all(&expected)?;
        let whole = whole::Whole {
            expected: &expected,
            late: &late,
            found: &found,
            retains: self.plan.retains,
        };
        whole.judge(&mut report.verdicts);
        drop(process);
        Ok(report)
    }

    /// One round; gives the hub that runs after it.
    fn round(
        &self,
        plan: &Plan,
        from: Option<&str>,
        process: HubProcess,
        random: &mut SmallRng,
    ) -> Result<(Run, HubProcess), CheckError> {
        let check = Check::begin(&self.hub, plan, from, None)?;
        let [least, most] = self.load;
        let load = random.random_range(least..=most);
        let alone = load.mul_f64(random.random_range(0.0..1.0));
        check.open();
        check.pause(alone);
        // Who is away when the hub dies has something to catch up with.
        for subscriber in 0..check.subscribers() {
            if random.random_bool(AWAY) {
                check.hold(subscriber);
            }
        }
        check.pause(load - alone);
        let before = check.connections();
        process.kill()?;
        check.note_killed();
        check.close();
        check.note_restarted();
        let process = self.program.start()?;
        check.release();
        // Whether all is well then, the judge says.
        _ = check.wait_for_return(&before);
        check.open();
        check.pause(random.random_range(least..=most) / 4);
        Ok((check.finish()?, process))
    }

    fn keep_recording(&self, round: u32, run: &[Line]) -> Result<(), CheckError> {
        let Some(folder) = &self.recordings else {
            return Ok(());
        };
        let path = folder.join(format!("round-{round}.ndjson"));
        let written = File::create(&path).and_then(|file| recording::write_all(file, run));
        written.map_err(CheckError::io(format!("write {}", path.display())))
    }

    /// What the hub has kept of all rounds.
    fn read_all(&self, expected: &[EventKey]) -> Result<Vec<EventKey>, CheckError> {
        let Some(last) = expected.last() else {
            return Ok(Vec::new());
        };
        let plan = self.plan.with_next(self.rounds);
        let history = FinalHistory::read(&self.hub, &plan, EARLIEST, *last);
        let history = history.map_err(CheckError::io("read the whole history"))?;
        let keys = history.events.iter().map(|(_, payload)| payload.key());
        Ok(keys.collect())
    }
}

/// How many of the subscribers are away when the hub dies.
const AWAY: f64 = 0.4;

fn history_of(run: &[Line]) -> impl Iterator<Item = EventKey> {
    run.iter().filter_map(|line| match line {
        Line::History { payload, .. } => Some(payload.key()),
        _ => None,
    })
}

fn unknown_of(run: &[Line]) -> impl Iterator<Item = EventKey> {
    run.iter().filter_map(|line| match line {
        Line::Outcome {
            event,
            outcome: Outcome::Unknown,
            ..
        } => Some(*event),
        _ => None,
    })
}

impl Report {
    /// The time within which `share` of the replays had begun; `None` without any.
    #[must_use]
    pub fn replay_within(&self, share: f64) -> Option<Duration> {
        let last = self.replays.len().checked_sub(1)?;
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_precision_loss,
            clippy::cast_sign_loss,
            reason = "a share of an index is an index"
        )]
        let place = (last as f64 * share).round() as usize;
        self.replays.get(place.min(last)).copied()
    }
}

impl fmt::Display for Report {
    /// The summary, a line for each figure.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = |share| match self.replay_within(share) {
            None => "-".to_owned(),
            Some(time) => format!("{:.1} ms", time.as_secs_f64() * 1000.0),
        };
        let count = |verdict| self.verdicts.count(verdict);
        let tally = &self.verdicts.tally;
        writeln!(f, "rounds        {}", self.rounds)?;
        writeln!(f, "objected to   {}", self.objected.len())?;
        writeln!(f, "acknowledged  {}", tally.acknowledged)?;
        writeln!(f, "unknown       {}", tally.unknown)?;
        writeln!(f, "lost          {}", count(Verdict::Lost))?;
        writeln!(f, "doubled       {}", count(Verdict::Double))?;
        writeln!(f, "silent gaps   {}", count(Verdict::Gap))?;
        writeln!(
            f,
            "restart to first replayed event: p50 {}, p99 {}, of {}",
            millis(0.5),
            millis(0.99),
            self.replays.len()
        )
    }
}
