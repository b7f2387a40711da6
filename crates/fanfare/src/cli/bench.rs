//! `fanfare bench`: puts load on a hub, and counts what is lost, doubled or out of order.

use std::time::Duration;

use anyhow::anyhow;
use fanfare::load::{Config, Crowd, LoadError, Pace, Progress, Target};
use indicatif::{ProgressBar, ProgressStyle};

use super::exit::{Exit, Failure};
use super::http::Bearer;
use super::{output, serve};
use crate::config::TimeSpan;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The hub's URL, or those of all its nodes; with a path, that of a Mercure hub
    #[arg(
        value_name = "URL",
        default_value = "http://127.0.0.1:3000",
        env = "FANFARE_URL"
    )]
    urls: Vec<String>,

    /// Token; better given as a variable, for other users of the machine can see a command line
    #[arg(
        long,
        value_name = "TOKEN",
        env = "FANFARE_TOKEN",
        hide_env_values = true
    )]
    token: Option<Bearer>,

    /// Subscribers
    #[arg(long, value_name = "N", default_value_t = 1000)]
    subscribers: usize,

    /// Topics, over which the subscribers are spread
    #[arg(long, value_name = "N", default_value_t = 1)]
    topics: usize,

    /// Events a second, whether or not the last ones have arrived
    #[arg(long, value_name = "N", conflicts_with = "in_flight", value_parser = rate)]
    rate: Option<f64>,

    /// Events published at once; the next ones follow when everybody has them [default: 1]
    #[arg(long, value_name = "N")]
    in_flight: Option<usize>,

    /// Bytes of an event's data, at least 64
    #[arg(long, value_name = "BYTES", default_value_t = 200)]
    size: usize,

    /// How long to publish
    #[arg(long, value_name = "TIME", default_value = "10s")]
    duration: TimeSpan,

    /// Print the report as JSON, with times in microseconds
    #[arg(long)]
    json: bool,
}

/// Reports to stdout, and fails if a single event was lost, doubled or out of order.
pub(super) fn run(args: &Args) -> Result<(), Failure> {
    serve::raise_descriptor_limit();
    let authorization = args.token.as_ref().map(|Bearer(value)| value);
    let urls = args.urls.iter();
    let nodes = urls.map(|url| Target::resolve(url, authorization));
    let nodes: Result<Vec<_>, _> = nodes.collect();
    let nodes = nodes.map_err(|error| Failure::new(Exit::Usage, error))?;

    let mut config = Config::default();
    config.subscribers = args.subscribers;
    config.topics = args.topics;
    config.event_bytes = args.size;
    let pace = match (args.rate, args.in_flight) {
        (Some(rate), _) => Pace::Rate(rate),
        (None, in_flight) => {
            config.publishers = in_flight.unwrap_or(1);
            Pace::Rounds
        }
    };

    let bar = Bar::new(args.subscribers, args.duration.0);
    let crowd = Crowd::connect_to_all(nodes, config, &mut |now| bar.connecting(now));
    let mut crowd = crowd.map_err(fail)?;
    let report = crowd.run(pace, args.duration.0, &mut |now| bar.running(now));
    let report = report.map_err(fail)?;
    bar.clear();

    match args.json {
        true => output::line(&report.to_json().to_string())?,
        false => output::line(&report.to_string())?,
    }
    if !report.is_clean() {
        return Err(anyhow!("events were lost, doubled or out of order").into());
    }
    Ok(())
}

fn rate(text: &str) -> Result<f64, &'static str> {
    match text.parse() {
        Ok(rate) if rate > 0.0 && f64::is_finite(rate) => Ok(rate),
        _ => Err("must be a number above 0"),
    }
}

fn fail(error: LoadError) -> Failure {
    let exit = match &error {
        LoadError::Config { .. } => Exit::Usage,
        LoadError::Connect(_) => Exit::Unreachable,
        LoadError::Refused { .. } => Exit::Refused,
        LoadError::Socket(_)
        | LoadError::Malformed { .. }
        | LoadError::Broken(_)
        | LoadError::Stuck { .. }
        | _ => Exit::Failed,
    };
    Failure::new(exit, error)
}

/// A progress bar on stderr, which shows on a terminal alone.
struct Bar {
    bar: ProgressBar,
    subscribers: usize,
}

impl Bar {
    fn new(subscribers: usize, duration: Duration) -> Self {
        let bar = ProgressBar::new(millis(duration));
        let style = ProgressStyle::with_template("{bar:30} {msg}");
        bar.set_style(style.expect("the template is well-formed"));
        Self { bar, subscribers }
    }

    fn connecting(&self, now: Progress) {
        let Self { bar, subscribers } = self;
        bar.set_message(format!("{} of {subscribers} connected", now.open));
    }

    fn running(&self, now: Progress) {
        self.bar.set_position(millis(now.elapsed));
        let Progress {
            published,
            received,
            ..
        } = now;
        self.bar
            .set_message(format!("{published} published, {received} received"));
    }

    fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
