//! `fanfare doctor`: what the proxies between here and a hub do to its streams, and what to change.

use std::time::Duration;

use http::HeaderValue;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::json;

use super::exit::{Exit, Failure};
use super::http::{Bearer, HttpError, HubUrl, wait};
use super::output;
use crate::config::TimeSpan;
use examine::{Plan, examine};
use judge::{Finding, Verdict, judge};
use remedy::Action;

mod examine;
mod judge;
mod observations;
mod remedy;
mod stream;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The hub's URL as its users have it, with its path if that is unusual
    #[arg(value_name = "URL", env = "FANFARE_URL")]
    url: HubUrl,

    /// Token that may publish; better given as a variable, for other users of the machine can see a
    /// command line
    #[arg(
        long,
        value_name = "TOKEN",
        env = "FANFARE_TOKEN",
        hide_env_values = true
    )]
    token: Option<Bearer>,

    /// Topic to publish to, if the token does not grant every one [default: one at random]
    #[arg(long)]
    topic: Option<String>,

    /// How long to watch a stream on which nothing is published; 0: not at all
    #[arg(long, value_name = "TIME", default_value = "75s")]
    idle: TimeSpan,

    /// How long to wait for what should come at once
    #[arg(long, value_name = "TIME", default_value = "5s")]
    patience: TimeSpan,

    /// Also ask whether pages of this origin may read streams, such as https://app.example.com
    #[arg(long, value_name = "ORIGIN", value_parser = HeaderValue::from_str)]
    origin: Option<HeaderValue>,

    /// Print the findings as JSON
    #[arg(long)]
    json: bool,
}

/// Prints what it finds, and fails if any of it is a failure.
pub(super) fn run(args: Args) -> Result<(), Failure> {
    let json = args.json;
    let url = args.url.to_string();
    let bar = bar(args.idle.0);
    let random = || format!("https://fanfare.example/doctor/{}", uuid::Uuid::new_v4());
    let plan = Plan {
        url: args.url,
        token: args.token,
        topic: args.topic.unwrap_or_else(random),
        origin: args.origin,
        patience: args.patience.0,
        idle: args.idle.0,
    };
    let mut progress = |idle| bar.set_position(millis(idle));
    let seen = wait(async {
        let examined = examine(&plan, &mut progress).await;
        examined.map_err(HttpError::failure)
    })?;
    bar.finish_and_clear();
    let findings = judge(&seen);
    match json {
        true => output::line(&json!({ "url": url, "findings": findings }).to_string())?,
        false => output::line(&output::printable(&table(&findings)))?,
    }
    match findings.iter().any(|it| it.verdict == Verdict::Fail) {
        true => Err(Failure::new(
            Exit::Failed,
            anyhow::anyhow!("streams from {url} do not arrive as they should"),
        )),
        false => Ok(()),
    }
}

/// One finding a line, and below it what to change.
fn table(findings: &[Finding]) -> String {
    let mut lines = Vec::new();
    for Finding {
        name,
        verdict,
        seen,
        change,
    } in findings
    {
        let verdict = match verdict {
            Verdict::Ok => "ok",
            Verdict::Warn => "warn",
            Verdict::Fail => "FAIL",
            Verdict::Unknown => "?",
        };
        lines.push(format!("{verdict:5} {name:14} {seen}"));
        for change in change {
            let what = match change.what {
                Action::Set => "set",
                Action::Remove => "remove",
            };
            let proxy = change.proxy.name();
            lines.push(format!("{:20} {proxy}: {what} `{}`", "", change.line));
        }
    }
    lines.join("\n")
}

/// A progress bar on stderr, which shows on a terminal alone.
fn bar(idle: Duration) -> ProgressBar {
    let style =
        ProgressStyle::with_template("{bar:30} watching an idle stream: {elapsed} of {msg}");
    let bar = ProgressBar::new(millis(idle)).with_message(format!("{idle:?}"));
    bar.set_style(style.expect("the template is well-formed"));
    bar
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
