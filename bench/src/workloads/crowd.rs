//! `crowd`: a stadium that watches one score.

use std::time::Duration;

use fanfare::load::{Config, Pace};

use super::{connect, drive, measure, millis, nanos_each};
use crate::figures::{Figures, Verdict};
use crate::server::{Program, Server};

const P99: &str = "latency_p99_ms";

pub(super) fn run(run: u32, figures: &mut Figures) -> anyhow::Result<()> {
    for program in [Program::Floor, Program::Fanfare] {
        let server = Server::start(program)?;
        let mut config = Config::default();
        config.subscribers = 10_000;
        config.publishers = 4;
        let mut crowd = connect(&server, config)?;
        measure(&server, program, || {
            drive(&mut crowd, PACE, Duration::from_secs(1))
        })?;
        let measured = measure(&server, program, || {
            drive(&mut crowd, PACE, Duration::from_secs(10))
        })?;
        let report = &measured.report;
        let mut add = |figure, value| figures.add(program.name(), run, figure, value);
        add("latency_p50_ms", millis(report.latency.quantile(0.5)));
        add(P99, millis(report.latency.quantile(0.99)));
        add("latency_max_ms", millis(report.latency.longest()));
        add(
            "cpu_per_delivery_ns",
            nanos_each(measured.cpu, report.received),
        );
    }
    Ok(())
}

const PACE: Pace = Pace::Rate(10.0);

pub(super) fn verdicts(figures: &Figures) -> Vec<Verdict> {
    vec![Verdict {
        budget: "crowd: p99 from publish to receive, in floors",
        value: figures.ratio(("fanfare", P99), ("floor", P99)),
        max: 1.5,
    }]
}
