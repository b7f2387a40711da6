//! `idle`: subscribers that wait, for an event that comes to all of them in the end.

use std::time::Duration;

use fanfare::load::{Config, Pace};

use super::{connect, drive, measure, millis, nanos_each};
use crate::figures::{Figures, Verdict};
use crate::server::{Program, Server};

const BYTES: &str = "user_bytes_per_connection";
const CPU: &str = "cpu_per_connection_ns";

pub(super) fn run(run: u32, figures: &mut Figures) -> anyhow::Result<()> {
    for program in [Program::Floor, Program::Fanfare, Program::Peer] {
        let name = program.name();
        let server = Server::start(program)?;
        // The first connections bring the program's own pages and its first heaps into memory.
        let mut first = connect(&server, waiting(100))?;
        measure(&server, program, || {
            drive(&mut first, Pace::Rounds, Duration::from_millis(100))
        })?;

        let (cpu, bytes) = (server.cpu()?, server.pss_bytes()?);
        let mut crowd = connect(&server, waiting(10_000))?;
        let cpu = server.cpu()? - cpu;
        let bytes = server.pss_bytes()? - bytes;
        figures.add(name, run, CPU, nanos_each(cpu, 10_000));
        figures.add(name, run, BYTES, bytes / 10_000.0);
        measure(&server, program, || {
            drive(&mut crowd, Pace::Rounds, Duration::ZERO)
        })?;
    }
    hold(run, figures)
}

/// Fifteen thousand subscribers, over more than one heartbeat.
fn hold(run: u32, figures: &mut Figures) -> anyhow::Result<()> {
    let server = Server::start(Program::Fanfare)?;
    let mut crowd = connect(&server, waiting(15_000))?;
    let measured = measure(&server, Program::Fanfare, || {
        drive(&mut crowd, Pace::Rate(0.5), Duration::from_secs(20))
    })?;
    let report = &measured.report;
    let mut add = |figure, value| figures.add("fanfare", run, figure, value);
    add("held_connections", 15_000.0);
    add("held_latency_max_ms", millis(report.latency.longest()));
    add("held_user_bytes_total", server.pss_bytes()?);
    Ok(())
}

fn waiting(subscribers: usize) -> Config {
    let mut config = Config::default();
    config.subscribers = subscribers;
    config.publishers = 1;
    config
}

pub(super) fn verdicts(figures: &Figures) -> Vec<Verdict> {
    vec![Verdict {
        budget: "idle: user-space bytes of an HTTP/1.1 subscriber",
        value: figures.median("fanfare", BYTES),
        max: 256.0,
    }]
}
