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
        crowd.publish(MISSED)?;
        let measured = measure(&server, program, || crowd.resume(&mut |_| {}))?;
        let mut add = |figure, value| figures.add(program.name(), run, figure, value);
        add(WALL, millis(measured.report.elapsed));
        add(CPU, millis(measured.cpu));
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
    vec![
        Verdict {
            budget: "reconnect_storm: time, in times of the bytes alone",
            value: figures.ratio(("fanfare", WALL), ("floor", BYTES_WALL)),
            max: 2.0,
        },
        Verdict {
            budget: "reconnect_storm: time, in floors that reconnect too",
            value: figures.ratio(("fanfare", WALL), ("floor", WALL)),
            max: 2.0,
        },
    ]
}
