//! Asks a running hub whether it takes a token, and looks for the reason where it does not.
//!
//! The hub itself tells nobody why (D1-E9); what it publishes about itself, and its clock, tell
//! most of it. Nothing is published: a publication without a topic is refused, but only after the
//! token has been judged (D0-P11).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Context, anyhow};
use fanfare::dialect::Dialect;
use http::header::{CONTENT_TYPE, DATE, WWW_AUTHENTICATE};
use http::{HeaderMap, Method, Request, StatusCode};
use serde_json::Value;

use super::inspect::Parts;
use crate::cli::exit::Failure;
use crate::cli::http::{Bearer, HttpError, HubUrl, send};
use crate::cli::output;

/// Prints what the hub at `hub` says of `token`; an error when it takes it in no role.
pub(super) async fn ask(
    hub: &HubUrl,
    token: &str,
    parts: &Parts,
    now: SystemTime,
) -> Result<(), Failure> {
    let bearer: Bearer = token
        .parse()
        .context("the token has characters that cannot travel in a header")?;
    let url = hub.route("/.well-known/mercure");
    let subscriber = subscribe(&url, &bearer, parts.dialect).await?;
    let publisher = publish(&url, &bearer).await?;
    for (role, verdict) in [("subscriber", &subscriber), ("publisher", &publisher)] {
        let line = format!("as a {role}: {}", verdict.text());
        output::line(&output::printable(&line))?;
    }
    let verdicts = [subscriber, publisher];
    if verdicts.iter().all(|verdict| verdict.taken == Some(true)) {
        return Ok(());
    }
    let metadata = metadata(&url).await?;
    let date = verdicts.iter().find_map(|verdict| date(&verdict.headers));
    for finding in findings(parts, metadata.as_ref(), date, now) {
        output::line(&output::printable(&format!("  {finding}")))?;
    }
    if verdicts.iter().any(|verdict| verdict.taken == Some(true)) {
        return Ok(());
    }
    Err(anyhow!("the hub at {url} does not take this token").into())
}

/// What a hub answered in one role.
struct Verdict {
    /// `None`: the answer says nothing about the token.
    taken: Option<bool>,
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Verdict {
    fn text(&self) -> String {
        let taken = match self.taken {
            // A publisher's probe is answered 400, which would read like an error.
            Some(true) => return "taken".to_owned(),
            Some(false) => "refused",
            None => "cannot be told",
        };
        let mut text = format!("{taken} (the hub answered {}", self.status);
        let challenge = self.headers.get(WWW_AUTHENTICATE);
        let challenge = challenge.and_then(|challenge| challenge.to_str().ok());
        let body = self.body.lines().next();
        for more in challenge.into_iter().chain(body) {
            text.push_str(", ");
            text.push_str(more);
        }
        text.push(')');
        text
    }
}

/// Asks as a subscriber, by HEAD: no stream begins (D0-G10).
async fn subscribe(
    url: &HubUrl,
    token: &Bearer,
    dialect: Option<Dialect>,
) -> Result<Verdict, Failure> {
    let parameter = match dialect {
        Some(Dialect::D1) => "match",
        Some(Dialect::D0) | None => "topic",
    };
    let url = url.with_query([(parameter, "fanfare-token-inspect")]);
    let request = Request::builder().method(Method::HEAD);
    let verdict = verdict(&url, token, request, "").await?;
    let taken = match verdict.status {
        status if status.is_success() => Some(true),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some(false),
        _ => None,
    };
    Ok(Verdict { taken, ..verdict })
}

/// Asks as a publisher, by what is no publication.
async fn publish(url: &HubUrl, token: &Bearer) -> Result<Verdict, Failure> {
    let request = Request::builder()
        .method(Method::POST)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    let verdict = verdict(url, token, request, "data=").await?;
    // D1-E4: with a challenge, the fault is in how the token was presented.
    let challenged = verdict.headers.contains_key(WWW_AUTHENTICATE);
    let taken = match verdict.status {
        StatusCode::BAD_REQUEST if verdict.body.contains("topic") && !challenged => Some(true),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Some(false),
        _ => None,
    };
    Ok(Verdict { taken, ..verdict })
}

async fn verdict(
    url: &HubUrl,
    token: &Bearer,
    request: http::request::Builder,
    body: &'static str,
) -> Result<Verdict, Failure> {
    let answer = send(url, Some(token), request, body).await;
    let answer = answer.map_err(HttpError::failure)?;
    let headers = answer.response.headers().clone();
    let (status, body) = answer.text().await;
    Ok(Verdict {
        taken: None,
        status,
        headers,
        body,
    })
}

/// The hub's metadata (RFC 9728, D1-D1); `None`: it has none, as a hub of 0.x alone.
async fn metadata(url: &HubUrl) -> Result<Option<Value>, Failure> {
    let answer = send(&url.metadata(), None, Request::builder(), "").await;
    let (status, text) = answer.map_err(HttpError::failure)?.text().await;
    match status {
        StatusCode::OK => Ok(serde_json::from_str(&text).ok()),
        _ => Ok(None),
    }
}

fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(DATE)?.to_str().ok()?).ok()
}

/// What can be seen from outside that a hub would refuse.
fn findings(
    parts: &Parts,
    metadata: Option<&Value>,
    hub_time: Option<SystemTime>,
    now: SystemTime,
) -> Vec<String> {
    let mut findings = times(parts, hub_time, now);
    match (parts.dialect, metadata) {
        (Some(Dialect::D1), None) => findings.push(
            "the hub has no metadata document, so it takes no access tokens (Mercure 1.0)"
                .to_owned(),
        ),
        (Some(Dialect::D1), Some(metadata)) => findings.extend(parties(parts, metadata)),
        (Some(Dialect::D0), _) => {
            let claims = ["authorization_details", "client_id"];
            if claims.iter().any(|claim| parts.claim(claim).is_some()) {
                findings.push(
                    "its claims are those of an access token, but its header's `typ` is not \
                     `at+jwt`"
                        .to_owned(),
                );
            }
        }
        (None, _) => findings.push("it is no token: its header cannot be read".to_owned()),
    }
    if rights_of(parts, "publish") == Some(false) {
        findings.push("it has no right to publish".to_owned());
    }
    if findings.is_empty() {
        findings.push(
            "nothing else to be seen from outside: is it signed with the hub's key and algorithm?"
                .to_owned(),
        );
    }
    findings
}

/// Whether its time has come and is not over, by the hub's clock, which is the one that counts.
fn times(parts: &Parts, hub_time: Option<SystemTime>, now: SystemTime) -> Vec<String> {
    let mut findings = Vec::new();
    let clock = seconds(hub_time.unwrap_or(now));
    let time_of = |claim| parts.claim(claim).and_then(Value::as_f64);
    match (parts.claim("exp"), time_of("exp")) {
        (_, Some(end)) if end <= clock => {
            findings.push(format!("it expired {:.0} s ago", clock - end));
        }
        (Some(_), None) => findings.push("its `exp` is not a number".to_owned()),
        (None, _) if parts.dialect == Some(Dialect::D1) => {
            findings.push("it has no `exp`, which an access token needs".to_owned());
        }
        _ => {}
    }
    if let Some(start) = time_of("nbf").filter(|start| *start > clock) {
        findings.push(format!(
            "it is not valid for another {:.0} s",
            start - clock
        ));
    }
    let skew = clock - seconds(now);
    if skew.abs() > SKEW_MAX.as_secs_f64() {
        let direction = if skew > 0.0 { "ahead of" } else { "behind" };
        let skew = skew.abs();
        findings.push(format!(
            "the hub's clock is {skew:.0} s {direction} this machine's"
        ));
    }
    findings
}

/// Clocks that differ by less, and the way that an answer takes, are no reason.
const SKEW_MAX: Duration = Duration::from_secs(5);

fn seconds(time: SystemTime) -> f64 {
    let since_epoch = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    since_epoch.as_secs_f64()
}

/// Whether it is for this hub, from somebody whom the hub knows (D1-D2, D1-D3).
fn parties(parts: &Parts, metadata: &Value) -> Vec<String> {
    let mut findings = Vec::new();
    let resource = metadata.get("resource").unwrap_or(&Value::Null);
    let is_it =
        |aud: &Value| aud == resource || aud.as_array().is_some_and(|all| all.contains(resource));
    match parts.claim("aud") {
        Some(aud) if is_it(aud) => {}
        Some(aud) => findings.push(format!("its `aud` is {aud}, the hub is {resource}")),
        None => findings.push(format!("it has no `aud`; the hub is {resource}")),
    }
    let Some(iss) = parts.claim("iss") else {
        findings.push("it has no `iss`, which an access token needs".to_owned());
        return findings;
    };
    // Issuers that are no authorization servers are not in the list, so this may be no reason.
    let servers = metadata.get("authorization_servers");
    if let Some(servers) = servers.and_then(Value::as_array)
        && !servers.contains(iss)
    {
        let servers: Vec<String> = servers.iter().map(Value::to_string).collect();
        findings.push(format!(
            "its `iss` is {iss}, which is not one of the hub's authorization servers: {}",
            servers.join(", ")
        ));
    }
    findings
}

/// Whether the claims grant `action` on anything; `None`: they cannot be read.
fn rights_of(parts: &Parts, action: &str) -> Option<bool> {
    let claims = parts.claims.as_ref()?;
    let granted = match parts.dialect? {
        Dialect::D0 => {
            let claim = claims.get("https://mercure.rocks/");
            let claim = claim.or_else(|| claims.get("mercure"));
            let selectors = claim.and_then(|claim| claim.get(action));
            selectors.is_some_and(|selectors| !selectors.is_null())
        }
        Dialect::D1 => {
            let details = claims.get("authorization_details");
            let details = details.and_then(Value::as_array);
            details.into_iter().flatten().any(|detail| {
                let actions = detail.get("actions").and_then(Value::as_array);
                actions.is_some_and(|actions| actions.iter().any(|it| it == action))
            })
        }
    };
    Some(granted)
}
