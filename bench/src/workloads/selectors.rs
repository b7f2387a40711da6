//! `selectors`: one topic that a thousand subscribers ask for, each by a template of its own, with
//! private events and presence on; and what each of ten thousand that wait costs then.

use std::time::Duration;

use anyhow::Context;
use fanfare::auth::{NewToken, mint};
use fanfare::load::{Config, Crowd, Pace, Target};
use http::HeaderValue;

use super::{drive, measure, nanos_each};
use crate::figures::{Figures, Verdict};
use crate::server::{Program, Server};

const CPU: &str = "cpu_per_delivery_ns";
const BYTES: &str = "user_bytes_per_connection";

/// The floor and the hub stand at once and take turns, as in `ticker`.
pub(super) fn run(run: u32, figures: &mut Figures) -> anyhow::Result<()> {
    let floor = Server::start(Program::Floor)?;
    let mut config = Config::default();
    config.publishers = 1;
    let crowd = super::connect(&floor, config)?;
    let hub = hub()?;
    let mut contestants = [
        (Program::Floor, floor, crowd),
        (
            Program::Fanfare,
            hub.server,
            private_crowd(&hub.target, SUBSCRIBERS)?,
        ),
    ];
    for turn in 0..=TURNS {
        for (program, server, crowd) in &mut contestants {
            let measured = measure(server, *program, || drive(crowd, Pace::Rounds, TURN))?;
            // The first turn warms them up.
            if turn > 0 {
                let cpu = nanos_each(measured.cpu, measured.report.received);
                figures.add(program.name(), (run - 1) * TURNS + turn, CPU, cpu);
            }
        }
    }
    waiting(run, figures)
}

const TURNS: u32 = 6;
const TURN: Duration = Duration::from_millis(500);
const SUBSCRIBERS: usize = 1000;
const SELECTORS: usize = 1000;

/// As in `idle`, the first come before: what the server needs while it makes connections, more than
/// there, does not grow with those that wait.
fn waiting(run: u32, figures: &mut Figures) -> anyhow::Result<()> {
    let hub = hub()?;
    let mut first = private_crowd(&hub.target, 2 * SUBSCRIBERS)?;
    publish_one(&hub, &mut first)?;
    let bytes = hub.server.pss_bytes()?;
    let rest = 8 * SUBSCRIBERS;
    let mut crowd = private_crowd(&hub.target, rest)?;
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let each = (hub.server.pss_bytes()? - bytes) / rest as f64;
    figures.add("fanfare", run, BYTES, each);
    publish_one(&hub, &mut crowd)
}

/// They do not wait for nothing.
fn publish_one(hub: &Hub, crowd: &mut Crowd) -> anyhow::Result<()> {
    measure(&hub.server, Program::Fanfare, || {
        drive(crowd, Pace::Rate(100.0), Duration::from_millis(1))
    })?;
    Ok(())
}

struct Hub {
    server: Server,
    target: Target,
}

fn hub() -> anyhow::Result<Hub> {
    let key = "a key for the bench, with enough bytes for HMAC";
    let keys = ["--publisher-jwt-key", key, "--subscriber-jwt-key", key];
    let listen = ["serve", "--subscriptions", "--listen", "127.0.0.1:0"];
    // Every arrival is an event, and events are kept: the first thousand fill what is kept, so that
    // what the others take is theirs.
    let history = ["--history-count-max", "1000", "--ring-records-max", "1000"];
    let args = [&listen[..], &keys[..], &history[..]].concat();
    let server = Server::start_with(Program::Fanfare, &args)?;
    let everything = NewToken {
        publish: vec!["*".to_owned()],
        subscribe: vec!["bench-{name}".to_owned()],
        ..NewToken::default()
    };
    let token = mint(&key.parse()?, everything)?;
    let token = HeaderValue::try_from(format!("Bearer {token}"))?;
    let url = format!("http://{}/.well-known/mercure", server.authority);
    let target = Target::resolve(&url, Some(&token))?;
    Ok(Hub { server, target })
}

fn private_crowd(target: &Target, subscribers: usize) -> anyhow::Result<Crowd> {
    let mut config = Config::default();
    config.subscribers = subscribers;
    config.publishers = 1;
    config.private = true;
    config.templates = SELECTORS;
    let crowd = Crowd::connect(target.clone(), config, &mut |_| {});
    crowd.context("the crowd cannot connect")
}

pub(super) fn verdicts(figures: &Figures) -> Vec<Verdict> {
    vec![Verdict {
        budget: "selectors: CPU per delivery, in floors",
        value: figures.ratio(("fanfare", CPU), ("floor", CPU)),
        max: 1.15,
    }]
}
