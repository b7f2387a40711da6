//! One run on one hub: publishers, subscribers, and what happens to them, step by step.

use std::fs::File;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rand::rngs::SmallRng;
use rand::{RngExt, SeedableRng};

use super::error::CheckError;
use super::gate::Gate;
use super::hub::Hub;
use super::line::{Line, Outcome};
use super::plan::Plan;
use super::publisher::Publisher;
use super::reader::{EARLIEST, FinalHistory};
use super::recorder::{Recorder, State, now};
use super::subscriber::Subscriber;
use super::valve::Valve;

/// A run under way. The caller decides what happens, and when; [`Check::finish`] makes it a
/// [`Run`]. Dropped before, it ends without one.
///
/// Whoever calls may kill the hub and start it again in between; publishers and subscribers live
/// through it.
#[derive(Debug)]
pub struct Check {
    hub: Arc<Hub>,
    plan: Arc<Plan>,
    recorder: Arc<Recorder>,
    gate: Arc<Gate>,
    valves: Vec<Arc<Valve>>,
    threads: Vec<JoinHandle<()>>,
    /// Publishes what everybody is to see.
    marker: Publisher,
    markers: u32,
    /// The id behind which this run's history begins.
    from: String,
}

/// A run that is over.
#[derive(Debug)]
#[non_exhaustive]
pub struct Run {
    /// All that was written down, with the final history.
    pub lines: Vec<Line>,
    /// The id of its last event, behind which another run may begin.
    pub last_id: String,
}

impl Check {
    /// Lets all subscribers in, and sees that each gets a first event.
    ///
    /// `from` is the id behind which the run begins: the last id of an earlier run on the same
    /// history. Without it subscribers join live, and the reader of record reads everything.
    /// The run is also written to `recording`, line by line.
    ///
    /// # Errors
    ///
    /// [`CheckError::Late`] when the hub does not let them in, or does not deliver that event.
    pub fn begin(
        hub: &Hub,
        plan: &Plan,
        from: Option<&str>,
        recording: Option<File>,
    ) -> Result<Self, CheckError> {
        let seats = plan.seats(hub.can_grant_parts());
        let (hub, plan) = (Arc::new(hub.clone()), Arc::new(plan.clone()));
        let recorder = Arc::new(Recorder::begin(&plan, &seats, recording));
        let gate = Arc::new(Gate::default());
        let publisher = |keyed| Publisher {
            hub: hub.clone(),
            plan: plan.clone(),
            recorder: recorder.clone(),
            gate: gate.clone(),
            keyed,
            connection: None,
        };
        let mut check = Self {
            marker: publisher(plan.keyed > 0),
            markers: 0,
            valves: Vec::new(),
            threads: Vec::new(),
            from: from.unwrap_or(EARLIEST).to_owned(),
            hub: hub.clone(),
            plan: plan.clone(),
            recorder: recorder.clone(),
            gate: gate.clone(),
        };
        for (s, seat) in (0..).zip(seats) {
            let valve = Arc::new(Valve::default());
            check.valves.push(valve.clone());
            let subscriber = Subscriber {
                hub: hub.clone(),
                plan: plan.clone(),
                recorder: recorder.clone(),
                valve,
                s,
                seat,
            };
            let from = from.map(str::to_owned);
            check.spawn(format!("subscriber-{s}"), move || {
                subscriber.run(from.as_deref());
            })?;
        }
        let is_in = |state: &State| state.connections.iter().all(|&count| count > 0);
        check.expect("every subscriber let in", is_in)?;
        check.publish_marker()?;
        check.expect("the first event delivered to every subscriber", |state| {
            state.owed.is_paid()
        })?;
        for (worker, number) in (1..).zip(0..plan.publishers) {
            let publisher = publisher(number < plan.keyed);
            check.spawn(format!("publisher-{worker}"), move || publisher.run(worker))?;
        }
        Ok(check)
    }

    fn spawn(
        &mut self,
        name: String,
        work: impl FnOnce() + Send + 'static,
    ) -> Result<(), CheckError> {
        let thread = thread::Builder::new().name(name).spawn(work);
        self.threads
            .push(thread.map_err(CheckError::io("start a thread"))?);
        Ok(())
    }

    fn expect(&self, what: &'static str, holds: impl Fn(&State) -> bool) -> Result<(), CheckError> {
        let patience = ENDS_PATIENCE;
        if self.recorder.wait(patience, holds) {
            return Ok(());
        }
        Err(CheckError::Late {
            what,
            patience,
            refusal: self.recorder.look(|state| state.refusal.clone()),
        })
    }

    /// Publishes what everybody is to see, and returns its id.
    fn publish_marker(&mut self) -> Result<String, CheckError> {
        let deadline = now() + ENDS_PATIENCE;
        loop {
            self.markers += 1;
            let marker = self.plan.marker(self.markers);
            if let Outcome::Ok { id } = self.marker.publish(&marker) {
                return Ok(id);
            }
            if now() > deadline {
                return Err(CheckError::Late {
                    what: "an event stored",
                    patience: ENDS_PATIENCE,
                    refusal: self.recorder.look(|state| state.refusal.clone()),
                });
            }
            self.gate.rest(MARKER_PAUSE);
        }
    }

    /// How many subscribers there are.
    #[must_use]
    pub fn subscribers(&self) -> usize {
        self.valves.len()
    }

    /// Lets publishers publish, until [`Check::close`].
    pub fn open(&self) {
        self.recorder.note(|at| Line::Reopened { at });
        self.gate.open();
    }

    /// Lets nothing new be published; what is under way goes on.
    pub fn close(&self) {
        self.gate.close();
    }

    /// Waits, while all goes on.
    pub fn pause(&self, time: Duration) {
        self.gate.pause(time);
    }

    /// Lets publishers publish `count` events, and waits until each has its outcome.
    ///
    /// # Errors
    ///
    /// [`CheckError::Late`] when that takes longer than five minutes.
    pub fn publish(&self, count: u64) -> Result<(), CheckError> {
        self.gate.open_for(count);
        let is_over = |state: &State| self.gate.is_passed() && state.under_way.is_empty();
        if self.recorder.wait(PUBLISH_PATIENCE, is_over) {
            return Ok(());
        }
        Err(CheckError::Late {
            what: "all events answered",
            patience: PUBLISH_PATIENCE,
            refusal: None,
        })
    }

    /// Lets publishers publish for `time`, while subscribers are cut off, and some kept away for a
    /// while, as `seed` has it.
    pub fn publish_for(&self, time: Duration, seed: u64) {
        let mut random = SmallRng::seed_from_u64(seed);
        let end = now() + time;
        self.open();
        while let left = end.saturating_duration_since(now())
            && !left.is_zero()
        {
            self.pause(left.min(Duration::from_millis(random.random_range(5..100))));
            let subscriber = random.random_range(0..self.valves.len().max(1));
            match random.random_range(0..4) {
                0 => self.hold(subscriber),
                1 => self.release(),
                _ => self.cut(subscriber),
            }
        }
        self.close();
        self.release();
    }

    /// Cuts a subscriber's connection; it comes back at once.
    pub fn cut(&self, subscriber: usize) {
        self.valves
            .get(subscriber)
            .into_iter()
            .for_each(|valve| valve.cut());
    }

    /// Cuts a subscriber's connection and keeps it away, until [`Check::release`].
    pub fn hold(&self, subscriber: usize) {
        self.valves
            .get(subscriber)
            .into_iter()
            .for_each(|valve| valve.hold());
    }

    /// Lets all subscribers come back that were kept away.
    pub fn release(&self) {
        for (s, valve) in (0..).zip(&self.valves) {
            if valve.is_held() {
                self.recorder.note(|at| Line::Released { at, s });
                valve.release();
            }
        }
    }

    /// Tells how often each subscriber has connected, for [`Check::wait_for_return`].
    #[must_use]
    pub fn connections(&self) -> Vec<u32> {
        self.recorder.look(|state| state.connections.clone())
    }

    /// Notes that the hub was killed.
    pub fn note_killed(&self) {
        self.recorder.note(|at| Line::Killed { at });
    }

    /// Notes that the hub's program is being started again.
    pub fn note_restarted(&self) {
        self.recorder.note(|at| Line::Restarted { at });
    }

    /// Waits until every subscriber has connected more often than `before`, and has got all that
    /// is acknowledged and that no gap has excused. False if it took longer than the plan's bound.
    #[must_use]
    pub fn wait_for_return(&self, before: &[u32]) -> bool {
        self.recorder.wait(self.plan.bound, |state| {
            let mut counts = state.connections.iter().zip(before);
            counts.all(|(now, before)| now > before) && state.owed.is_paid()
        })
    }

    /// Ends the run: publishes a last event, waits for its delivery, and reads the final history.
    ///
    /// # Errors
    ///
    /// [`CheckError::Late`] when the last event is not stored; [`CheckError::Io`] when the history
    /// cannot be read, or the recording not be written.
    pub fn finish(mut self) -> Result<Run, CheckError> {
        self.release();
        self.gate.end();
        let is_over = |state: &State| state.under_way.is_empty();
        self.recorder.wait(PUBLISH_PATIENCE, is_over);
        let last_id = self.publish_marker()?;
        self.recorder
            .wait(self.plan.bound, |state| state.owed.is_paid());
        self.recorder.note(|at| Line::End { at });
        self.end();
        let last = self.plan.marker(self.markers).payload.key();
        let history = FinalHistory::read(&self.hub, &self.plan, &self.from, last);
        let history = history.map_err(CheckError::io("read the final history"))?;
        for line in history.into_lines() {
            self.recorder.note(|_| line);
        }
        let lines = self.recorder.finish();
        let lines = lines.map_err(CheckError::io("write the recording"))?;
        Ok(Run { lines, last_id })
    }

    /// Ends all threads.
    fn end(&mut self) {
        self.gate.end();
        self.valves.iter().for_each(|valve| valve.end());
        for thread in self.threads.drain(..) {
            // A thread that has panicked has said so.
            _ = thread.join();
        }
    }
}

impl Drop for Check {
    fn drop(&mut self) {
        self.end();
    }
}

/// How long publishers may take for what they were told to publish.
const PUBLISH_PATIENCE: Duration = Duration::from_secs(300);
/// How long a hub may take for what every run begins and ends with.
const ENDS_PATIENCE: Duration = Duration::from_secs(30);
const MARKER_PAUSE: Duration = Duration::from_millis(50);
