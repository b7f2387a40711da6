//! Tokens that are not valid any more, before their time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
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

pub(crate) mod history;

/// The revoked tokens, as far as this node knows; `history` keeps them for all nodes.
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
    /// Its offset in the history; `None`: it is not known to be there.
    stored_at: Option<u64>,
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
        match revoked.entry(what) {
            // Told again, or in another order than they happened.
            Entry::Occupied(known) if known.get().revoked_at > terms.revoked_at => {}
            Entry::Occupied(mut known) => {
                let stored_at = terms.stored_at.or(known.get().stored_at);
                known.insert(Terms { stored_at, ..terms });
            }
            Entry::Vacant(unknown) => {
                unknown.insert(terms);
            }
        }
        Ok(())
    }

    /// Notes where the history has `what`.
    fn stored(&self, what: &Revoked, offset: u64) {
        if let Some(terms) = self.revoked().get_mut(what) {
            terms.stored_at = Some(offset);
        }
    }

    /// Nobody knows any more what the history has.
    fn forget_places(&self) {
        for terms in self.revoked().values_mut() {
            terms.stored_at = None;
        }
    }

    /// What still matters at `now`, and which the history has before `offset`, or not at all.
    fn kept_before(&self, offset: u64, now: u64) -> Vec<(Revoked, Terms)> {
        let matters = |terms: &Terms| terms.forgotten_at.is_none_or(|end| end > now);
        let leaves = |terms: &Terms| terms.stored_at.is_none_or(|at| at < offset);
        let revoked = self.revoked();
        let kept = revoked.iter().filter(|(_, it)| matters(it) && leaves(it));
        kept.map(|(what, terms)| (what.clone(), *terms)).collect()
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
        stored_at: None,
    };
    let done = Done {
        revoked: true,
        closed: server.revoke(what.clone(), terms)?,
    };
    tracing::info!(closed = done.closed, "tokens revoked");
    server.store_revocation(&what, terms, None).await?;
    Ok(with_body(
        StatusCode::OK,
        "application/json",
        json_line(&done),
    ))
}

impl Server {
    /// Takes a revocation, and ends the streams of this node that it means; how many.
    fn revoke(&self, what: Revoked, terms: Terms) -> Result<usize, Refusal> {
        let limit = self.config.revocations_max;
        self.revocations.add(what, terms, limit)?;
        let covered = |holder: &Holder| self.revocations.cover(holder);
        Ok(self.presence.dismiss(&self.hub, covered))
    }
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
