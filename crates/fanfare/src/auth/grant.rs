//! What a verified token allows.

use std::time::SystemTime;

use fanfare_broker::{Selectors, Topic};
use serde_json::Value;

use crate::dialect::Dialect;

/// What a verified token allows.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Grant {
    /// The generation of the protocol that its token belongs to.
    pub dialect: Dialect,
    /// Topics it may publish to. `None`: nothing, because the claim is missing or null (D0-A7), or
    /// no detail has the action (D1-A9). Empty allows nothing either.
    pub publish: Option<Selectors>,
    /// Private events it may see: those with a topic that matches (D0-A10, D1-A13). `None`: nothing
    /// was granted, public events only.
    pub subscribe: Option<Selectors>,
    /// When it ends. `None`: never, or later than any clock here can tell.
    pub expires_at: Option<SystemTime>,
    /// Whom it was issued to, the claim `sub`.
    pub subject: Option<String>,
    /// Who issued it, the claim `iss` of an access token. `None` for 0.x, where nobody checks it.
    pub issuer: Option<String>,
    /// The token's own name, the claim `jti`.
    pub token_id: Option<String>,
    /// When it was issued, the claim `iat`, in seconds since 1970.
    pub issued_at: Option<u64>,
    pub(super) payloads: Payloads,
}

impl Grant {
    /// The most selectors in `publish`, and in `subscribe`, of a token of 0.x (D0-A6).
    pub const SELECTORS_MAX: usize = 1000;

    /// What the issuer wants shown with the subscription to `matcher`, to everyone who may watch
    /// presence.
    ///
    /// 0.x: `mercure.payload`, whatever the matcher is. 1.0: the payload of the first `subscribe`
    /// detail that matches `matcher` taken as a topic (D1-R5); `None` also when that one has none.
    #[must_use]
    pub fn payload_for(&self, matcher: &str) -> Option<&Value> {
        match &self.payloads {
            Payloads::Common(payload) => payload.as_ref(),
            Payloads::ByDetail(details) => {
                let topic = Topic::parse(matcher).ok()?;
                let (_, payload) = details.iter().find(|(topics, _)| topics.matches(&topic))?;
                payload.as_ref()
            }
        }
    }
}

/// What is shown with the holder's subscriptions.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Payloads {
    /// The same with each of them.
    Common(Option<Value>),
    /// That of the first entry which matches.
    ByDetail(Vec<(Selectors, Option<Value>)>),
}
