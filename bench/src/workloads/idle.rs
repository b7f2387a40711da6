//! `idle`: subscribers that wait, for an event that comes to all of them in the end.

use std::time::Duration;

use fanfare::load::{Config, Crowd, Pace};

use super::{connect, drive, measure, millis, nanos_each};
use crate::figures::{Figures, Verdict};
use crate::server::{Program, Server};

const BYTES: &str = "user_bytes_per_connection";
/// The same with all that the server takes for the first time, divided by 10,000.
const BYTES_IN_ALL: &str = "user_bytes_in_all_per_connection";
const CPU: &str = "cpu_per_connection_ns";
const FIRST: usize = 1_000;
const REST: usize = 9_000;

pub(super) fn run(run: u32, figures: &mut Figures) -> anyhow::Result<()> {
    for program in [Program::Floor, Program::Fanfare, Program::Peer] {
        let name = program.name();
        let server = Server::start(program)?;
        let at_start = server.pss_bytes()?;
        // The crowd makes 512 connections at a time, and the memory that a server needs while it
        // makes them does not grow with those that wait; so the first thousand come before.
        let mut first = connect(&server, waiting(FIRST))?;
        publish_one(&server, program, &mut first)?;

        let (cpu, bytes) = (server.cpu()?, server.pss_bytes()?);
        let mut rest = connect(&server, waiting(REST))?;
        let cpu = server.cpu()? - cpu;
        let at_end = server.pss_bytes()?;
        let mut add = |figure, value| figures.add(name, run, figure, value);
        add(CPU, nanos_each(cpu, REST as u64));
        add(BYTES, (at_end - bytes) / REST as f64);
        add(BYTES_IN_ALL, (at_end - at_start) / (FIRST + REST) as f64);
        publish_one(&server, program, &mut rest)?;
    }
    hold(run, figures)
}

/// Shows that the subscribers that wait do not wait for nothing.
fn publish_one(server: &Server, program: Program, crowd: &mut Crowd) -> anyhow::Result<()> {
    measure(server, program, || {
        drive(crowd, Pace::Rate(100.0), Duration::from_millis(1))
    })?;
    Ok(())
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
