//! `history`: a million stored events: starting on them, reading them, and everybody at once.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use fanfare::load::{Config, Latency, Pace};
use serde_json::Value;

use super::{connect, drive, measure, millis};
use crate::figures::{Figures, Verdict};
use crate::server::{Program, Server, folder, run_pinned};

const FANFARE: &str = "fanfare";
const EVENTS: u64 = 1_000_000;
const MISSED: u64 = 100;
/// Everybody returns: time with connections, from the ring and from the disk alone.
const STORM: &str = "storm_wall_ms";
const LIVE: &str = "live_p99_ms";

pub(super) fn run(run: u32, figures: &mut Figures) -> anyhow::Result<()> {
    let folder = folder()?;
    let directory = folder.path().to_string_lossy().into_owned();
    let line = run_pinned("durable", &["fill", &directory, &EVENTS.to_string()])?;
    let bytes = line.get("bytes_per_event").and_then(Value::as_f64);
    figures.add(
        FANFARE,
        run,
        "disk_bytes_per_event",
        bytes.context("no size")?,
    );

    let broker = format!("sqlite:{directory}");
    let began = now();
    let server = serve(&["--broker", &broker])?;
    figures.add(FANFARE, run, "start_ms", millis(began.elapsed()));
    figures.add(
        FANFARE,
        run,
        "memory_mib",
        server.pss_bytes()? / f64::from(1 << 20),
    );
    let one = replay(&server, "https://example.com/books/77", MISSED)?;
    figures.add(FANFARE, run, "one_topic_of_10000_ms", millis(one));
    let (all, bytes) = replay_all(&server)?;
    #[expect(clippy::cast_precision_loss, reason = "figures are read by people")]
    let (events, bytes) = (EVENTS as f64, bytes as f64);
    figures.add(
        FANFARE,
        run,
        "replay_events_per_second",
        events / all.as_secs_f64(),
    );
    figures.add(
        FANFARE,
        run,
        "replay_mb_per_second",
        bytes / 1e6 / all.as_secs_f64(),
    );
    drop(server);

    for (name, ring) in [("from the ring", "65536"), ("from the disk", "1")] {
        storm(name, ring, run, figures)?;
    }
    Ok(())
}

fn serve(more: &[&str]) -> anyhow::Result<Server> {
    let usual = [
        "serve",
        "--dev",
        "--subscriptions=false",
        "--listen=127.0.0.1:0",
        "--history-count-max=1000000",
        "--history-bytes-max=4GiB",
    ];
    Server::start_with(Program::Fanfare, &[&usual, more].concat())
}

/// The time in which a subscriber of `topic`, from the very beginning, has `events`.
fn replay(server: &Server, topic: &str, events: u64) -> anyhow::Result<Duration> {
    Ok(replay_until(server, topic, events)?.0)
}

fn replay_all(server: &Server) -> anyhow::Result<(Duration, u64)> {
    replay_until(server, "*", EVENTS)
}

fn replay_until(server: &Server, topic: &str, events: u64) -> anyhow::Result<(Duration, u64)> {
    let mut connection = TcpStream::connect(&server.authority)?;
    connection.set_read_timeout(Some(Duration::from_secs(30)))?;
    let began = now();
    write!(
        connection,
        "GET /.well-known/mercure?topic={topic} HTTP/1.1\r\nHost: {}\r\nLast-Event-ID: earliest\r\n\r\n",
        server.authority,
    )?;
    let mut buffer = vec![0; 256 << 10];
    let (mut seen, mut bytes, mut matched) = (0, 0, 0);
    while seen < events {
        let read = connection.read(&mut buffer).context("a replay stopped")?;
        ensure!(read > 0, "the stream ended after {seen} of {events} events");
        bytes += read as u64;
        for byte in buffer.iter().take(read) {
            // A field begins a line, and nothing in the data looks like this one.
            matched = match FIELD.get(matched) {
                Some(expected) if expected == byte => matched + 1,
                _ => usize::from(FIELD.first() == Some(byte)),
            };
            if matched == FIELD.len() {
                seen += 1;
                matched = 0;
            }
        }
    }
    Ok((began.elapsed(), bytes))
}

const FIELD: &[u8] = b"\ndata: ";

/// 5,000 subscribers return for 100 events while 500 others are live.
fn storm(name: &str, ring: &str, run: u32, figures: &mut Figures) -> anyhow::Result<()> {
    let server = serve(&["--ring-records-max", ring])?;
    let mut crowd = connect(&server, config(5000))?;
    measure(&server, Program::Fanfare, || {
        drive(&mut crowd, Pace::Rate(100.0), Duration::from_millis(1))
    })?;
    let quiet = live(&server, LIVE_TIME, || Ok(()))?;
    crowd.cut();
    crowd.publish(MISSED)?;
    let began = now();
    let report = crowd.resume(&mut |_| {})?;
    figures.add(name, run, STORM, millis(began.elapsed()));
    ensure!(report.is_clean(), "the storm was not clean:\n{report}");

    crowd.cut();
    crowd.publish(MISSED)?;
    let busy = live(&server, LIVE_TIME, move || {
        let report = crowd.resume(&mut |_| {})?;
        ensure!(report.is_clean(), "the storm was not clean:\n{report}");
        Ok(())
    })?;
    figures.add(name, run, LIVE, millis(quiet.quantile(0.99)));
    figures.add(
        name,
        run,
        "live_p99_in_the_storm_ms",
        millis(busy.quantile(0.99)),
    );
    Ok(())
}

const LIVE_TIME: Duration = Duration::from_secs(2);

/// How long events take to 500 live subscribers while `meanwhile` goes on.
fn live(
    server: &Server,
    time: Duration,
    meanwhile: impl FnOnce() -> anyhow::Result<()> + Send,
) -> anyhow::Result<Latency> {
    let mut crowd = connect(server, config(500))?;
    thread::scope(|scope| {
        let other = thread::Builder::new().spawn_scoped(scope, meanwhile)?;
        let report = drive(&mut crowd, Pace::Rate(50.0), time)?;
        ensure!(report.is_clean(), "live delivery was not clean:\n{report}");
        match other.join() {
            Ok(outcome) => outcome?,
            Err(_) => anyhow::bail!("the storm panicked"),
        }
        Ok(report.latency)
    })
}

fn config(subscribers: usize) -> Config {
    let mut config = Config::default();
    config.subscribers = subscribers;
    config.publishers = 1;
    config
}

pub(super) fn verdicts(figures: &Figures) -> Vec<Verdict> {
    vec![Verdict {
        budget: "history: a storm served from the disk alone, in those served from the ring",
        value: figures.ratio(("from the disk", STORM), ("from the ring", STORM)),
        max: 2.0,
    }]
}

#[expect(clippy::disallowed_methods, reason = "a bench reads the clock")]
fn now() -> Instant {
    Instant::now()
}
