//! `fanfare token inspect`: what a token says, and whether a key or a hub takes it.

use std::io::{self, Read};
use std::time::SystemTime;

use anyhow::Context;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use fanfare::auth::{
    Algorithm, Audience, Grant, Issuer, Role, Secret, Token, TokenError, Verifier,
    verify_access_token,
};
use fanfare::dialect::Dialect;
use fanfare_broker::Selectors;
use serde_json::Value;
use url::Url;

use super::probe;
use crate::cli::exit::{Exit, Failure};
use crate::cli::http::{HubUrl, wait};
use crate::cli::output;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The token; `-`: read it from stdin
    token: String,

    /// The hub's secret, or for RS*, PS*, ES* and EdDSA the public key in PEM
    // A key in PEM begins with hyphens.
    #[arg(
        long,
        env = "FANFARE_KEY",
        hide_env_values = true,
        allow_hyphen_values = true
    )]
    key: Option<Secret>,

    /// The algorithm that the key is for
    #[arg(long, value_name = "ALGORITHM", default_value_t = Algorithm::Hs256)]
    alg: Algorithm,

    /// Ask the hub there whether it takes the token; nothing is published
    #[arg(long, value_name = "URL")]
    hub: Option<HubUrl>,
}

/// A token's parts as they can be read, whether or not anything in them is right.
pub(super) struct Parts {
    pub(super) header: Option<Value>,
    pub(super) claims: Option<Value>,
    /// `None`: it has no readable header.
    pub(super) dialect: Option<Dialect>,
}

impl Parts {
    fn read(token: &str) -> Self {
        let mut parts = token.split('.');
        let dialect = Token::parse(token).ok().map(|token| dialect_of(&token));
        Self {
            header: parts.next().and_then(decode),
            claims: parts.next().and_then(decode),
            dialect,
        }
    }

    pub(super) fn claim(&self, name: &str) -> Option<&Value> {
        self.claims.as_ref()?.get(name)
    }

    /// The first text in a claim that is one text or several.
    fn text(&self, name: &str) -> Option<&str> {
        let claim = self.claim(name)?;
        claim.as_str().or_else(|| claim.get(0)?.as_str())
    }
}

fn dialect_of(token: &Token<'_>) -> Dialect {
    match token.is_access_token() {
        true => Dialect::D1,
        false => Dialect::D0,
    }
}

fn decode(part: &str) -> Option<Value> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&json).ok()
}

pub(super) fn run(args: &Args, now: SystemTime) -> Result<(), Failure> {
    let mut piped = String::new();
    if args.token == "-" {
        io::stdin().lock().read_to_string(&mut piped)?;
    }
    let token = if args.token == "-" {
        piped.trim()
    } else {
        &args.token
    };
    let parts = Parts::read(token);
    print(&parts)?;

    if args.key.is_none() && args.hub.is_none() {
        output::line(
            "not verified: give the hub's --key, or a --hub to ask, to learn whether it is taken",
        )?;
        return Ok(());
    }
    // The hub is asked first, so that what it says is there also when the key does not fit.
    let by_hub = match &args.hub {
        Some(hub) => wait(probe::ask(hub, token, &parts, now)),
        None => Ok(()),
    };
    if let Some(key) = &args.key {
        let verifier = Verifier::new(key, args.alg);
        let verifier = verifier.map_err(|error| Failure::new(Exit::Usage, error))?;
        let grant = wait(async { Ok(verify(&verifier, token, &parts, now).await) })?;
        let grant = grant.context("the hub refuses this token")?;
        output::line(&output::printable(&summary(&grant, now)))?;
    }
    by_hub
}

fn print(parts: &Parts) -> Result<(), Failure> {
    for (name, json) in [("header", &parts.header), ("claims", &parts.claims)] {
        let text = match json {
            Some(json) => format!("{json:#}"),
            None => "not JSON in base64url".to_owned(),
        };
        output::line(&output::printable(&format!("{name}: {text}")))?;
    }
    let dialect = match parts.dialect {
        Some(Dialect::D1) => "Mercure 1.0: its header's `typ` says that it is an access token",
        Some(Dialect::D0) => "Mercure 0.x: its header's `typ` is not `at+jwt`",
        None => "none: it has no readable header with an `alg`",
    };
    Ok(output::line(&format!("dialect: {dialect}"))?)
}

/// Verifies a token with the one key that is known.
///
/// Which issuer and which audience a hub wants is not, so those of an access token are taken as
/// right.
async fn verify(
    verifier: &Verifier,
    token: &str,
    parts: &Parts,
    now: SystemTime,
) -> Result<Grant, TokenError> {
    if parts.dialect != Some(Dialect::D1) {
        return verifier.verify(token, now).await;
    }
    let issuer = Issuer {
        id: parts.text("iss").unwrap_or_default().to_owned(),
        publisher: Vec::new(),
        subscriber: vec![verifier.clone()],
        authorization_server: false,
    };
    let resource = parts.text("aud").unwrap_or_default();
    // Relative patterns need a base to be checked.
    let hub_url = Url::parse(resource).ok().filter(Url::has_host);
    let hub_url = match hub_url {
        Some(url) => url,
        None => Url::parse("http://localhost/.well-known/mercure").expect("it is a URL"),
    };
    let audience = Audience {
        resource,
        hub_url: &hub_url,
    };
    verify_access_token(&[issuer], Role::Subscriber, token, &audience, now).await
}

fn summary(grant: &Grant, now: SystemTime) -> String {
    let left = grant
        .expires_at
        .and_then(|end| end.duration_since(now).ok());
    let ends = match left {
        Some(left) => format!("ends in {} s", left.as_secs()),
        None => "never ends".to_owned(),
    };
    let mut summary = format!(
        "valid: {ends}\nmay publish to: {}\nsees private events of: {}",
        list(grant.publish.as_ref()),
        list(grant.subscribe.as_ref()),
    );
    if grant.dialect == Dialect::D1 {
        summary.push_str("\nnot checked: whether a hub knows its `iss`, and is its `aud`");
    }
    summary
}

fn list(selectors: Option<&Selectors>) -> String {
    let texts = selectors.into_iter().flat_map(Selectors::iter);
    let texts: Vec<&str> = texts.map(|selector| selector.as_str()).collect();
    match texts.as_slice() {
        [] => "nothing".to_owned(),
        texts => texts.join(", "),
    }
}
