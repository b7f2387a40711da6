//! Tokens that are not valid any more, before their time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Body;
use axum::extract::{Request, State};
use bytes::Bytes;
use http::request::Parts;
use http::{Response, StatusCode};
use serde::{Deserialize, Serialize};

use crate::body;
use crate::error::{Refusal, Style, into_body, json_line, with_body};
use crate::presence::Holder;
use crate::server::Server;

/// The revoked tokens of this process; a restart forgets them.
#[derive(Debug, Default)]
pub(crate) struct Revocations(Mutex<HashMap<Revoked, Terms>>);

/// What is revoked: one token, or all of a subject that were issued so far.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
struct Revoked {
    /// `None`: whoever issued it.
    issuer: Option<String>,
    name: Name,
}

#[derive(Clone, Debug, Eq, Hash, PartialEq)]
enum Name {
    Token(String),
    Subject(String),
}

/// In seconds since 1970.
#[derive(Clone, Copy, Debug)]
struct Terms {
    revoked_at: u64,
    /// The tokens' own end, after which nothing need be remembered; `None`: for good.
    forgotten_at: Option<u64>,
}

impl Revocations {
    /// Whether the token of `holder` is revoked.
    pub(crate) fn cover(&self, holder: &Holder) -> bool {
        let revoked = self.revoked();
        if revoked.is_empty() {
            return false;
        }
        let token = holder.token_id.clone().map(Name::Token);
        let subject = holder.subject.clone().map(Name::Subject);
        let names = token.into_iter().chain(subject);
        let of_issuers = names.flat_map(|name| {
            [None, holder.issuer.clone()].map(|issuer| Revoked {
                issuer,
                name: name.clone(),
            })
        });
        let covers = |what: Revoked| match (revoked.get(&what), what.name) {
            (None, _) => false,
            (Some(_), Name::Token(_)) => true,
            // One that was issued later is the subject's way back in.
            (Some(terms), Name::Subject(_)) => holder
                .issued_at
                .is_none_or(|issued| issued <= terms.revoked_at),
        };
        of_issuers.into_iter().any(covers)
    }

    fn add(&self, what: Revoked, terms: Terms, count_max: usize) -> Result<(), Refusal> {
        let mut revoked = self.revoked();
        if revoked.len() >= count_max {
            let now = terms.revoked_at;
            revoked.retain(|_, it| it.forgotten_at.is_none_or(|end| end > now));
        }
        if revoked.len() >= count_max && !revoked.contains_key(&what) {
            return Err(Refusal::TooManyRevocations);
        }
        revoked.insert(what, terms);
        Ok(())
    }

    fn revoked(&self) -> MutexGuard<'_, HashMap<Revoked, Terms>> {
        // No code panics while it holds the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers `POST /admin/revoke`.
pub(crate) async fn post(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let revoked = revoke(&server, &parts, body).await;
    let answer = revoked.unwrap_or_else(|refusal| server.refused(Style::Problem, &parts, &refusal));
    into_body(answer)
}

/// What is to be revoked: exactly one of `jti` and `sub`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Order {
    jti: Option<String>,
    sub: Option<String>,
    /// Only tokens of this issuer; absent: of any.
    iss: Option<String>,
    /// When the tokens end by themselves, in seconds since 1970.
    exp: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Done {
    revoked: bool,
    /// Streams of this node that are ended by it.
    closed: usize,
}

async fn revoke(server: &Server, parts: &Parts, body: Body) -> Result<Response<Bytes>, Refusal> {
    server.admin(parts)?;
    let body = body::read(&server.config, &parts.headers, body).await?;
    let order: Order =
        serde_json::from_slice(&body).map_err(|error| Refusal::Order(error.to_string()))?;
    let name = match (order.jti, order.sub) {
        (Some(id), None) => Name::Token(id),
        (None, Some(subject)) => Name::Subject(subject),
        _ => return Err(Refusal::Order("it names one of the two".to_owned())),
    };
    let what = Revoked {
        issuer: order.iss,
        name,
    };
    let terms = Terms {
        revoked_at: seconds_now(),
        forgotten_at: order.exp,
    };
    server
        .revocations
        .add(what, terms, server.config.revocations_max)?;
    let covered = |holder: &Holder| server.revocations.cover(holder);
    let done = Done {
        revoked: true,
        closed: server.presence.dismiss(&server.hub, covered),
    };
    tracing::info!(closed = done.closed, "tokens revoked");
    Ok(with_body(
        StatusCode::OK,
        "application/json",
        json_line(&done),
    ))
}

#[expect(
    clippy::disallowed_methods,
    reason = "the clock is read once per request"
)]
fn seconds_now() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests;
