//! `ticker` and `burst`: one topic that many watch, with one event in flight or with many.

use std::time::Duration;

use fanfare::load::{Config, Crowd, Pace};

use super::{connect, drive, measure, millis, nanos_each};
use crate::figures::{Figures, Verdict};
use crate::server::{Program, Server};

const CPU: &str = "cpu_per_delivery_ns";
const DELIVERIES_PER_WRITE: &str = "deliveries_per_write";

/// All three servers stand at once and take turns of half a second, so that what slows the machine
/// for a while slows each of them.
pub(super) fn run(in_flight: usize, run: u32, figures: &mut Figures) -> anyhow::Result<()> {
    let mut contestants = Vec::new();
    for program in [Program::Floor, Program::Fanfare, Program::Peer] {
        let mut contestant = Contestant::start(program, in_flight)?;
        contestant.turn()?;
        contestants.push(contestant);
    }
    for turn in 1..=TURNS {
        for contestant in &mut contestants {
            let before = contestant.batching()?;
            let measured = contestant.turn()?;
            let name = contestant.program.name();
            let mut add =
                |figure, value| figures.add(name, (run - 1) * TURNS + turn, figure, value);
            let report = &measured.report;
            add(CPU, nanos_each(measured.cpu, report.received));
            add("deliveries_per_second", report.deliveries_per_second());
            add("latency_p50_ms", millis(report.latency.quantile(0.5)));
            add("latency_p99_ms", millis(report.latency.quantile(0.99)));
            if let (Some(before), Some(after)) = (before, contestant.batching()?) {
                let writes = after.writes - before.writes;
                let deliveries = after.deliveries - before.deliveries;
                add(DELIVERIES_PER_WRITE, deliveries / writes);
            }
        }
    }
    Ok(())
}

const TURNS: u32 = 6;
const TURN: Duration = Duration::from_millis(500);

/// A server and its crowd.
struct Contestant {
    program: Program,
    server: Server,
    crowd: Crowd,
}

/// What Fanfare counts of its writes.
struct Batching {
    deliveries: f64,
    writes: f64,
}

impl Contestant {
    fn start(program: Program, in_flight: usize) -> anyhow::Result<Self> {
        let server = Server::start(program)?;
        let mut config = Config::default();
        config.subscribers = 1000;
        config.publishers = in_flight;
        Ok(Self {
            crowd: connect(&server, config)?,
            program,
            server,
        })
    }

    fn turn(&mut self) -> anyhow::Result<super::Measured> {
        measure(&self.server, self.program, || {
            drive(&mut self.crowd, Pace::Rounds, TURN)
        })
    }

    fn batching(&self) -> anyhow::Result<Option<Batching>> {
        if self.program != Program::Fanfare {
            return Ok(None);
        }
        Ok(Some(Batching {
            deliveries: self.server.metric("fanfare_deliveries_total")?,
            writes: self.server.metric("fanfare_writes_total")?,
        }))
    }
}

pub(super) fn verdicts_alone(figures: &Figures) -> Vec<Verdict> {
    vec![Verdict {
        budget: "ticker: CPU per delivery, in floors",
        value: figures.ratio(("fanfare", CPU), ("floor", CPU)),
        max: 1.15,
    }]
}

pub(super) fn verdicts_in_flight(figures: &Figures) -> Vec<Verdict> {
    let batching = figures.median("fanfare", DELIVERIES_PER_WRITE);
    vec![
        Verdict {
            budget: "burst: CPU per delivery, in peers",
            value: figures.ratio(("fanfare", CPU), ("peer", CPU)),
            max: 0.25,
        },
        Verdict {
            // Thirty-two publishers are not quite at once: their requests take two wake-ups.
            budget: "burst: writes per delivery, with 32 events in flight",
            value: batching.map(f64::recip),
            max: 2.0 / 32.0,
        },
    ]
}
