//! `reconnect_storm`: the network was away, and everybody comes back at once for what was missed.

use std::time::Duration;

use fanfare::load::{Config, Pace};
use fanfare_broker::{Cursor, Epoch, Form, Frame};
use fanfare_wire::Event;

use super::{connect, drive, measure, millis};
use crate::figures::{Figures, Verdict};
use crate::server::{Program, Server};

const SUBSCRIBERS: usize = 5000;
const MISSED: u64 = 100;
const WALL: &str = "wall_ms";
const CPU: &str = "cpu_ms";
/// The same with nothing missed.
const CAUGHT_UP_WALL: &str = "nothing_missed_wall_ms";
const CAUGHT_UP_CPU: &str = "nothing_missed_cpu_ms";
/// What the missed events add.
const REPLAY_WALL: &str = "replay_wall_ms";
const REPLAY_CPU: &str = "replay_cpu_ms";
/// The floor's time for the same bytes on connections that stand.
const BYTES_WALL: &str = "bytes_alone_wall_ms";
const BYTES_CPU: &str = "bytes_alone_cpu_ms";

pub(super) fn run(run: u32, figures: &mut Figures) -> anyhow::Result<()> {
    bytes_alone(run, figures)?;
    for program in [Program::Floor, Program::Fanfare] {
        let server = Server::start(program)?;
        let mut crowd = connect(&server, config(EVENT_BYTES))?;
        // One event, for an id to come back with.
        measure(&server, program, || {
            drive(&mut crowd, Pace::Rate(100.0), Duration::from_millis(1))
        })?;
        crowd.cut();
        let caught_up = measure(&server, program, || crowd.resume(&mut |_| {}))?;
        crowd.cut();
        crowd.publish(MISSED)?;
        let behind = measure(&server, program, || crowd.resume(&mut |_| {}))?;

        let mut add = |figure, value| figures.add(program.name(), run, figure, value);
        let walls = [&behind, &caught_up].map(|measured| millis(measured.report.elapsed));
        let cpus = [&behind, &caught_up].map(|measured| millis(measured.cpu));
        add(WALL, walls[0]);
        add(CAUGHT_UP_WALL, walls[1]);
        add(REPLAY_WALL, walls[0] - walls[1]);
        add(CPU, cpus[0]);
        add(CAUGHT_UP_CPU, cpus[1]);
        add(REPLAY_CPU, cpus[0] - cpus[1]);
    }
    Ok(())
}

const EVENT_BYTES: usize = 200;

fn config(event_bytes: usize) -> Config {
    let mut config = Config::default();
    config.subscribers = SUBSCRIBERS;
    config.publishers = 1;
    config.event_bytes = event_bytes;
    config
}

/// Has the floor write what a subscriber has missed as one event of that many bytes: the time is
/// that of the bytes, without connections and requests.
fn bytes_alone(run: u32, figures: &mut Figures) -> anyhow::Result<()> {
    let mut event = Event::new("x".repeat(EVENT_BYTES));
    event.id = Some(
        Cursor {
            epoch: Epoch::random(),
            offset: MISSED,
        }
        .id(),
    );
    let frame_bytes = Frame::new(&event).bytes(Form::Chunked).len();
    let missed_bytes = frame_bytes * usize::try_from(MISSED)?;

    let server = Server::start(Program::Floor)?;
    let mut crowd = connect(&server, config(missed_bytes))?;
    let measured = measure(&server, Program::Floor, || {
        drive(&mut crowd, Pace::Rate(100.0), Duration::from_millis(1))
    })?;
    let name = Program::Floor.name();
    figures.add(name, run, BYTES_WALL, millis(measured.report.elapsed));
    figures.add(name, run, BYTES_CPU, millis(measured.cpu));
    Ok(())
}

pub(super) fn verdicts(figures: &Figures) -> Vec<Verdict> {
    let verdict = |budget, fanfare, floor| Verdict {
        budget,
        value: figures.ratio(("fanfare", fanfare), ("floor", floor)),
        max: 2.0,
    };
    vec![
        // Making 5,000 connections alone takes longer than writing the bytes, for the floor too;
        // so connections stand on both sides of a ratio, or on none.
        verdict(
            "reconnect_storm: time of the replay, in times of the bytes alone",
            REPLAY_WALL,
            BYTES_WALL,
        ),
        verdict(
            "reconnect_storm: CPU of the replay, in times of the bytes alone",
            REPLAY_CPU,
            BYTES_CPU,
        ),
        verdict(
            "reconnect_storm: time with connections, in floors that reconnect too",
            WALL,
            WALL,
        ),
        // The load is slower than either server here, so the CPU tells more than the clock.
        verdict(
            "reconnect_storm: CPU with connections, in floors that reconnect too",
            CPU,
            CPU,
        ),
    ]
}
