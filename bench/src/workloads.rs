//! The workloads: situations that a hub is in, and the budgets that hold there.

mod crowd;
mod durable;
mod h2;
mod history;
mod idle;
mod many_topics;
mod nodes;
mod reconnect_storm;
mod selectors;
mod ticker;
mod transports;

use std::fmt;
use std::time::Duration;

use anyhow::{Context, ensure};
use fanfare::load::{Config, Crowd, Pace, Report};

use crate::figures::{Figures, Verdict};
use crate::server::{Program, Server};

/// A situation.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Workload {
    Ticker,
    Burst,
    ManyTopics,
    Idle,
    Crowd,
    ReconnectStorm,
    H2,
    Selectors,
    Durable,
    History,
    Transports,
    Nodes,
}

impl Workload {
    pub(crate) const ALL: [Self; 12] = [
        Self::Ticker,
        Self::Burst,
        Self::ManyTopics,
        Self::Idle,
        Self::Crowd,
        Self::ReconnectStorm,
        Self::H2,
        Self::Selectors,
        Self::Durable,
        Self::History,
        Self::Transports,
        Self::Nodes,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Ticker => "ticker",
            Self::Burst => "burst",
            Self::ManyTopics => "many_topics",
            Self::Idle => "idle",
            Self::Crowd => "crowd",
            Self::ReconnectStorm => "reconnect_storm",
            Self::H2 => "h2",
            Self::Selectors => "selectors",
            Self::Durable => "durable",
            Self::History => "history",
            Self::Transports => "transports",
            Self::Nodes => "nodes",
        }
    }

    pub(crate) fn situation(self) -> &'static str {
        match self {
            Self::Ticker => "1,000 subscribers of one topic, 200-byte events, one in flight",
            Self::Burst => "1,000 subscribers of one topic, 200-byte events, 32 in flight",
            Self::ManyTopics => "10, 100 and 10,000 topics with one subscriber each",
            Self::Idle => "10,000 and 15,000 subscribers that wait",
            Self::Crowd => "10,000 subscribers of one topic, 10 events a second",
            Self::ReconnectStorm => "5,000 subscribers come back, 100 events behind",
            Self::H2 => "5,000 subscribers over 50 connections of HTTP/2",
            Self::Selectors => "1,000 distinct selectors, private events, presence on",
            Self::Durable => "1 to 1,000 publishers that wait until their events are stored",
            Self::Nodes => "one, two and three hubs on one Redis, and on one NATS",
            Self::History => "a million stored events: start, memory, replay, a storm of resumes",
            Self::Transports => "1,000 subscribers over HTTP/1.1 and HTTP/2, plain and over TLS",
        }
    }

    /// Measures every server `runs` times, in turns.
    pub(crate) fn run(self, runs: u32, figures: &mut Figures) -> anyhow::Result<()> {
        for run in 1..=runs {
            match self {
                Self::Ticker => ticker::run(1, run, figures)?,
                Self::Burst => ticker::run(32, run, figures)?,
                Self::ManyTopics => many_topics::run(run, figures)?,
                Self::Idle => idle::run(run, figures)?,
                Self::Crowd => crowd::run(run, figures)?,
                Self::ReconnectStorm => reconnect_storm::run(run, figures)?,
                Self::H2 => h2::run(run, figures)?,
                Self::Selectors => selectors::run(run, figures)?,
                Self::Durable => durable::run(run, figures)?,
                Self::History => history::run(run, figures)?,
                Self::Transports => transports::run(run, figures)?,
                Self::Nodes => nodes::run(run, figures)?,
            }
        }
        Ok(())
    }

    /// The design's budgets for this situation.
    pub(crate) fn verdicts(self, figures: &Figures) -> Vec<Verdict> {
        match self {
            Self::Ticker => ticker::verdicts_alone(figures),
            Self::Burst => ticker::verdicts_in_flight(figures),
            Self::ManyTopics => many_topics::verdicts(figures),
            Self::Idle => idle::verdicts(figures),
            Self::Crowd => crowd::verdicts(figures),
            Self::ReconnectStorm => reconnect_storm::verdicts(figures),
            Self::H2 | Self::Nodes | Self::Transports => Vec::new(),
            Self::Selectors => selectors::verdicts(figures),
            Self::Durable => durable::verdicts(figures),
            Self::History => history::verdicts(figures),
        }
    }
}

impl fmt::Display for Workload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Connects a crowd to `server`.
fn connect(server: &Server, config: Config) -> anyhow::Result<Crowd> {
    let crowd = Crowd::connect(server.target()?, config, &mut |_| {});
    crowd.context("the crowd cannot connect")
}

/// A run, and the server's CPU time over it.
struct Measured {
    report: Report,
    cpu: Duration,
}

/// Runs the crowd, and refuses a report that is not clean: a fast wrong answer is no figure.
fn measure(
    server: &Server,
    program: Program,
    load: impl FnOnce() -> Result<Report, fanfare::load::LoadError>,
) -> anyhow::Result<Measured> {
    let before = server.cpu()?;
    let report = load().with_context(|| format!("the load on {}", program.name()))?;
    let cpu = server.cpu()? - before;
    ensure!(
        report.is_clean(),
        "{} delivered wrongly:\n{report}",
        program.name()
    );
    Ok(Measured { report, cpu })
}

/// [`Crowd::run`] without a progress bar.
fn drive(
    crowd: &mut Crowd,
    pace: Pace,
    duration: Duration,
) -> Result<Report, fanfare::load::LoadError> {
    crowd.run(pace, duration, &mut |_| {})
}

/// Time per one of `count`, in nanoseconds.
#[expect(
    clippy::cast_precision_loss,
    reason = "figures are read by people; 2^53 ns are a hundred days"
)]
fn nanos_each(time: Duration, count: u64) -> f64 {
    time.as_nanos() as f64 / count as f64
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
