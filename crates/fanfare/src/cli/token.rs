//! `fanfare token`: makes tokens, and says of one what it holds and why it fails.

use std::io::{self, Read};
use std::time::SystemTime;

use anyhow::{Context, anyhow};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fanfare::auth::{Grant, NewToken, Secret, Verifier, mint};
use fanfare_broker::Selectors;
use serde_json::Value;

use super::exit::{Exit, Failure};
use super::http::wait;
use super::output;
use crate::config::TimeSpan;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Args {
    #[command(subcommand)]
    inspect: Option<Action>,

    #[command(flatten)]
    new: Option<New>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Print what a token says; with a key, also whether a hub takes it
    Inspect {
        /// The token; `-`: read it from stdin
        token: String,

        /// The hub's key
        #[arg(long, env = "FANFARE_KEY", hide_env_values = true)]
        key: Option<Secret>,
    },
}

#[derive(Debug, clap::Args)]
struct New {
    /// The hub's key; better given as a variable, for others can see a command line
    #[arg(long, env = "FANFARE_KEY", hide_env_values = true)]
    key: Secret,

    /// Topics that it may publish to, each a name, a URI Template, or `*` for all
    #[arg(long, value_name = "SELECTOR")]
    publish: Vec<String>,

    /// Topics whose private events it may see
    #[arg(long, value_name = "SELECTOR")]
    subscribe: Vec<String>,

    /// How long it lasts, such as 1h; without it, as long as the key
    #[arg(long, value_name = "TIME")]
    ttl: Option<TimeSpan>,

    /// Shown with the holder's subscriptions
    #[arg(long, value_name = "JSON", value_parser = json)]
    payload: Option<Value>,
}

fn json(text: &str) -> Result<Value, serde_json::Error> {
    serde_json::from_str(text)
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one time this command reads the clock"
    )]
    let now = SystemTime::now();
    match (args.inspect, args.new) {
        (Some(Action::Inspect { token, key }), _) => inspect(&token, key.as_ref(), now),
        (None, Some(new)) => make(new, now),
        (None, None) => Err(Failure::new(
            Exit::Usage,
            anyhow!("give a --key to make a token"),
        )),
    }
}

fn make(new: New, now: SystemTime) -> Result<(), Failure> {
    let expires_at = match new.ttl {
        None => None,
        Some(TimeSpan(ttl)) => Some(now.checked_add(ttl).context("--ttl is too long")?),
    };
    let token = NewToken {
        publish: new.publish,
        subscribe: new.subscribe,
        expires_at,
        payload: new.payload,
        ..NewToken::default()
    };
    Ok(output::line(&mint(&new.key, token)?)?)
}

fn inspect(token: &str, key: Option<&Secret>, now: SystemTime) -> Result<(), Failure> {
    let mut piped = String::new();
    if token == "-" {
        io::stdin().lock().read_to_string(&mut piped)?;
    }
    let token = if token == "-" { piped.trim() } else { token };

    for (name, part) in ["header", "claims"].iter().zip(token.split('.')) {
        let json = URL_SAFE_NO_PAD.decode(part).ok();
        let json: Option<Value> = json.and_then(|json| serde_json::from_slice(&json).ok());
        let text = match json {
            Some(json) => format!("{json:#}"),
            None => "not JSON in base64url".to_owned(),
        };
        output::line(&output::printable(&format!("{name}: {text}")))?;
    }
    let Some(key) = key else {
        output::line("not verified: give the hub's --key to learn whether it takes this token")?;
        return Ok(());
    };
    let grant = wait(async { Ok(Verifier::hs256(key).verify(token, now).await) })?;
    let grant = grant.context("the hub refuses this token")?;
    Ok(output::line(&output::printable(&summary(&grant, now)))?)
}

fn summary(grant: &Grant, now: SystemTime) -> String {
    let left = grant
        .expires_at
        .and_then(|end| end.duration_since(now).ok());
    let ends = match left {
        Some(left) => format!("ends in {} s", left.as_secs()),
        None => "never ends".to_owned(),
    };
    format!(
        "valid: {ends}\nmay publish to: {}\nsees private events of: {}",
        list(grant.publish.as_ref()),
        list(grant.subscribe.as_ref()),
    )
}

fn list(selectors: Option<&Selectors>) -> String {
    let texts = selectors.into_iter().flat_map(Selectors::iter);
    let texts: Vec<&str> = texts.map(|selector| selector.as_str()).collect();
    match texts.as_slice() {
        [] => "nothing".to_owned(),
        texts => texts.join(", "),
    }
}
