//! What a token of 0.x says, and the grant that follows from it.

use std::time::SystemTime;

use fanfare_broker::{Selector, Selectors};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

use super::grant::{Grant, Payloads};
use super::object::Object;
use super::{TokenError, times};
use crate::dialect::Dialect;

/// A token's claims, as far as they mean something here.
///
/// `iat`, `iss` and `aud` are not checked (D0-A5). A claim that comes twice is refused.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Claims {
    #[serde(default, deserialize_with = "times::number")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exp: Option<Number>,
    #[serde(default, deserialize_with = "times::number")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nbf: Option<Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) iat: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) jti: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mercure: Option<Object<MercureClaim>>,
    /// For identity providers that want claims to have a URL for a name; it replaces `mercure`.
    #[serde(
        rename = "https://mercure.rocks/",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) namespaced: Option<Object<MercureClaim>>,
}

/// The claim that the protocol defines (D0-A6).
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct MercureClaim {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) publish: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subscribe: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payload: Option<Value>,
}

impl Claims {
    /// Checks times as of `now`, then makes the grant.
    pub(super) fn into_grant(self, now: SystemTime) -> Result<Grant, TokenError> {
        let expires_at = times::check(self.exp.as_ref(), self.nbf.as_ref(), now)?;
        let claim = self.namespaced.or(self.mercure);
        let claim = claim.map(|Object(claim)| claim).unwrap_or_default();
        Ok(Grant {
            dialect: Dialect::D0,
            publish: selectors("publish", claim.publish)?,
            subscribe: selectors("subscribe", claim.subscribe)?,
            expires_at,
            subject: self.sub,
            issuer: None,
            token_id: self.jti,
            issued_at: self.iat.as_ref().and_then(times::seconds),
            payloads: Payloads::Common(claim.payload),
        })
    }
}

fn selectors(
    claim: &'static str,
    texts: Option<Vec<String>>,
) -> Result<Option<Selectors>, TokenError> {
    let Some(texts) = texts else { return Ok(None) };
    if texts.len() > Grant::SELECTORS_MAX {
        let count = texts.len();
        return Err(TokenError::TooManySelectors { claim, count });
    }
    let selectors: Result<Vec<_>, _> = texts.iter().map(|text| Selector::parse(text)).collect();
    let selectors = selectors.map_err(|source| TokenError::Selector { source })?;
    Ok(Some(Selectors::new(selectors)))
}
