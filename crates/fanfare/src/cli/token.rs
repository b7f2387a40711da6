//! `fanfare token`: makes tokens of both dialects, and says of one what it holds and why it fails.

use std::time::{Duration, SystemTime};

use anyhow::{Context, anyhow};
use fanfare::auth::{Algorithm, NewAccessToken, NewMatcher, NewToken, Secret, SigningKey};
use serde_json::Value;
use uuid::Uuid;

use super::exit::{Exit, Failure};
use super::output;
use crate::config::TimeSpan;

mod inspect;
mod probe;

#[derive(Debug, clap::Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Option<Action>,

    #[command(flatten)]
    new: Option<New>,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Print what a token says; with a key or a hub, also whether it is taken, and why not
    Inspect(inspect::Args),
}

/// Without --iss and --aud it makes a token of Mercure 0.x, with them an access token of 1.0.
#[derive(Debug, clap::Args)]
struct New {
    /// The hub's secret, or for RS*, PS*, ES* and EdDSA the private key in PEM; better given as a
    /// variable, for others can see a command line
    #[arg(
        long,
        env = "FANFARE_KEY",
        hide_env_values = true,
        // A key in PEM begins with them.
        allow_hyphen_values = true,
        required_unless_present = "dev"
    )]
    key: Option<Secret>,

    /// The algorithm to sign with
    #[arg(long, value_name = "ALGORITHM", default_value_t = Algorithm::Hs256)]
    alg: Algorithm,

    /// For trying out: with the key of Mercure's documentation, for everything, if nothing else is
    /// said
    #[arg(long)]
    dev: bool,

    /// Topics that it may publish to: of 0.x each a name, a URI Template, or `*` for all; of 1.0 a
    /// name or `*`
    #[arg(long, value_name = "SELECTOR")]
    publish: Vec<String>,

    /// Topics that it may publish to, as a URL Pattern; 1.0
    #[arg(long, value_name = "PATTERN", requires = "iss")]
    publish_urlpattern: Vec<String>,

    /// Topics whose private events it may see
    #[arg(long, value_name = "SELECTOR")]
    subscribe: Vec<String>,

    /// Topics whose private events it may see, as a URL Pattern; 1.0
    #[arg(long, value_name = "PATTERN", requires = "iss")]
    subscribe_urlpattern: Vec<String>,

    /// How long it lasts, such as 1h; without it 1h for 1.0, and for 0.x as long as the key
    #[arg(long, value_name = "TIME")]
    ttl: Option<TimeSpan>,

    /// Shown with the holder's subscriptions, to everyone who may watch them
    #[arg(long, value_name = "JSON", value_parser = json)]
    payload: Option<Value>,

    /// Who issues it; 1.0
    #[arg(long, value_name = "ISSUER", requires = "aud")]
    iss: Option<String>,

    /// The hub that it is for: its resource identifier, by default its URL; 1.0
    #[arg(long, value_name = "URL", requires = "iss")]
    aud: Option<String>,

    /// Whom it is for; without it `fanfare` for 1.0, which wants one
    #[arg(long, value_name = "SUBJECT")]
    sub: Option<String>,

    /// The program that it is for; without it `fanfare`; 1.0
    #[arg(long, value_name = "ID", requires = "iss")]
    client_id: Option<String>,

    /// Its own name, by which it can be revoked; without it one at random for 1.0, which wants one
    #[arg(long, value_name = "ID")]
    jti: Option<String>,
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
    match (args.action, args.new) {
        (Some(Action::Inspect(args)), _) => inspect::run(&args, now),
        (None, Some(new)) => make(new, now),
        (None, None) => Err(Failure::new(
            Exit::Usage,
            anyhow!("give a --key to make a token"),
        )),
    }
}

fn make(mut new: New, now: SystemTime) -> Result<(), Failure> {
    let nothing = [
        &new.publish,
        &new.publish_urlpattern,
        &new.subscribe,
        &new.subscribe_urlpattern,
    ];
    if new.dev && nothing.iter().all(|rights| rights.is_empty()) {
        new.publish.push("*".to_owned());
        new.subscribe.push("*".to_owned());
    }
    let key = match new.key.take() {
        Some(key) => key,
        None => DEMO_KEY.parse()?,
    };
    let key = SigningKey::new(&key, new.alg).map_err(|error| Failure::new(Exit::Usage, error))?;
    let token = match (new.iss.take(), new.aud.take()) {
        (Some(issuer), Some(audience)) => access_token(issuer, audience, new, now)?.mint(&key)?,
        _ => token(new, now)?.mint(&key)?,
    };
    Ok(output::line(&token)?)
}

/// The key of Mercure's documentation, which very many hubs in development have (CF-24).
const DEMO_KEY: &str = "!ChangeThisMercureHubJWTSecretKey!";

fn token(new: New, now: SystemTime) -> Result<NewToken, Failure> {
    let expires_at = match new.ttl {
        None => None,
        Some(TimeSpan(ttl)) => Some(end(now, ttl)?),
    };
    Ok(NewToken {
        publish: new.publish,
        subscribe: new.subscribe,
        expires_at,
        payload: new.payload,
        subject: new.sub,
        token_id: new.jti,
        issued_at: Some(now),
    })
}

fn access_token(
    issuer: String,
    audience: String,
    new: New,
    now: SystemTime,
) -> Result<NewAccessToken, Failure> {
    let matchers = |exact: Vec<String>, patterns: Vec<String>| {
        let exact = exact.into_iter().map(NewMatcher::Exact);
        let patterns = patterns.into_iter().map(NewMatcher::UrlPattern);
        exact.chain(patterns).collect()
    };
    let ttl = new.ttl.map_or(ACCESS_TTL, |TimeSpan(ttl)| ttl);
    let name = || "fanfare".to_owned();
    Ok(NewAccessToken {
        issuer,
        audience,
        subject: new.sub.unwrap_or_else(name),
        client_id: new.client_id.unwrap_or_else(name),
        issued_at: now,
        expires_at: end(now, ttl)?,
        token_id: new.jti.unwrap_or_else(|| Uuid::new_v4().to_string()),
        publish: matchers(new.publish, new.publish_urlpattern),
        subscribe: matchers(new.subscribe, new.subscribe_urlpattern),
        payload: new.payload,
    })
}

/// An access token must end (D1-A3).
const ACCESS_TTL: Duration = Duration::from_hours(1);

fn end(now: SystemTime, ttl: Duration) -> Result<SystemTime, Failure> {
    Ok(now.checked_add(ttl).context("--ttl is too long")?)
}
