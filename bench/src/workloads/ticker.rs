//! `ticker` and `burst`: one topic that many watch, with one event in flight or with many.

use std::time::Duration;

use fanfare::load::{Config, Pace};

use super::{connect, drive, measure, millis, nanos_each};
use crate::figures::{Figures, Verdict};
use crate::server::{Program, Server};

const CPU: &str = "cpu_per_delivery_ns";
const DELIVERIES_PER_WRITE: &str = "deliveries_per_write";

pub(super) fn run(in_flight: usize, run: u32, figures: &mut Figures) -> anyhow::Result<()> {
    for program in [Program::Floor, Program::Fanfare, Program::Peer] {
        let server = Server::start(program)?;
        let mut config = Config::default();
        config.subscribers = 1000;
        config.publishers = in_flight;
        let mut crowd = connect(&server, config)?;
        measure(&server, program, || {
            drive(&mut crowd, Pace::Rounds, WARM_UP)
        })?;

        let batching = Batching::of(&server, program)?;
        let measured = measure(&server, program, || {
            drive(&mut crowd, Pace::Rounds, MEASURE)
        })?;
        if let (Some(before), Some(after)) = (batching, Batching::of(&server, program)?) {
            let deliveries = after.deliveries - before.deliveries;
            let value = deliveries / (after.writes - before.writes);
            figures.add(program.name(), run, DELIVERIES_PER_WRITE, value);
        }

        let report = &measured.report;
        let mut add = |figure, value| figures.add(program.name(), run, figure, value);
        add(CPU, nanos_each(measured.cpu, report.received));
        add("deliveries_per_second", report.deliveries_per_second());
        add("latency_p50_ms", millis(report.latency.quantile(0.5)));
        add("latency_p99_ms", millis(report.latency.quantile(0.99)));
    }
    Ok(())
}

const WARM_UP: Duration = Duration::from_millis(500);
const MEASURE: Duration = Duration::from_secs(3);

/// What Fanfare counts of its writes.
struct Batching {
    deliveries: f64,
    writes: f64,
}

impl Batching {
    fn of(server: &Server, program: Program) -> anyhow::Result<Option<Self>> {
        if program != Program::Fanfare {
            return Ok(None);
        }
        Ok(Some(Self {
            deliveries: server.metric("fanfare_deliveries_total")?,
            writes: server.metric("fanfare_writes_total")?,
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
    vec![
        Verdict {
            budget: "burst: CPU per delivery, in peers",
            value: figures.ratio(("fanfare", CPU), ("peer", CPU)),
            max: 0.25,
        },
        Verdict {
            budget: "burst: writes per delivery, while 32 events are in flight",
            value: figures
                .median("fanfare", DELIVERIES_PER_WRITE)
                .map(f64::recip),
            max: 0.25,
        },
    ]
}
