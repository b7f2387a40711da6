//! What a token says, and the grant that follows from it.

use std::time::{Duration, SystemTime};

use fanfare_broker::{Selector, Selectors};
use serde::{Deserialize, Serialize};

use super::TokenError;

/// What a verified token allows.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Grant {
    /// Topics it may publish to; `None`: the claim is missing or null, publishing is refused
    /// (D0-A7). Empty allows nothing either.
    pub publish: Option<Selectors>,
    /// Private events it may see: those with a topic that matches (D0-A10). `None`: the claim is
    /// missing or null, public events only.
    pub subscribe: Option<Selectors>,
    /// When it ends. `None`: never, or later than any clock here can tell.
    pub expires_at: Option<SystemTime>,
    /// Whom it was issued to, the `sub` claim.
    pub subject: Option<String>,
    /// What the issuer wants shown with the subscription, `mercure.payload`.
    pub payload: Option<serde_json::Value>,
}

impl Grant {
    /// The most selectors in `publish`, and in `subscribe` (D0-A6).
    pub const SELECTORS_MAX: usize = 1000;
}

/// A token's claims, as far as they mean something here.
///
/// `iat`, `iss` and `aud` are not checked (D0-A5). A claim that comes twice is refused.
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct Claims {
    #[serde(default, deserialize_with = "number")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) exp: Option<serde_json::Number>,
    #[serde(default, deserialize_with = "number")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) nbf: Option<serde_json::Number>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) sub: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) mercure: Option<MercureClaim>,
    /// For identity providers that want claims to have a URL for a name; it replaces `mercure`.
    #[serde(
        rename = "https://mercure.rocks/",
        skip_serializing_if = "Option::is_none"
    )]
    pub(super) namespaced: Option<MercureClaim>,
}

/// The claim that the protocol defines (D0-A6).
#[derive(Debug, Default, Deserialize, Serialize)]
pub(super) struct MercureClaim {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) publish: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) subscribe: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) payload: Option<serde_json::Value>,
}

impl Claims {
    /// Checks times as of `now`, then makes the grant.
    pub(super) fn into_grant(self, now: SystemTime) -> Result<Grant, TokenError> {
        let expires_at = match self.exp.as_ref().map(numeric_date) {
            None => None,
            Some(NumericDate::BeforeTime) => return Err(TokenError::Expired),
            Some(NumericDate::At(end)) if end <= now => return Err(TokenError::Expired),
            Some(NumericDate::At(end)) => Some(end),
            Some(NumericDate::AfterTime) => None,
        };
        match self.nbf.as_ref().map(numeric_date) {
            None | Some(NumericDate::BeforeTime) => {}
            Some(NumericDate::At(start)) if start <= now => {}
            Some(NumericDate::At(_) | NumericDate::AfterTime) => {
                return Err(TokenError::NotYetValid);
            }
        }

        let claim = self.namespaced.or(self.mercure).unwrap_or_default();
        Ok(Grant {
            publish: selectors("publish", claim.publish)?,
            subscribe: selectors("subscribe", claim.subscribe)?,
            expires_at,
            subject: self.sub,
            payload: claim.payload,
        })
    }
}

/// Takes a number only: `null` or a string would switch the check off (S4).
fn number<'de, D: serde::Deserializer<'de>>(
    value: D,
) -> Result<Option<serde_json::Number>, D::Error> {
    serde_json::Number::deserialize(value).map(Some)
}

/// A claimed time (RFC 7519 §2, seconds since 1970) on the clock of this machine.
enum NumericDate {
    BeforeTime,
    At(SystemTime),
    AfterTime,
}

fn numeric_date(number: &serde_json::Number) -> NumericDate {
    // `serde_json` reads no infinity and no NaN, so a number that is none cannot come this far.
    let since_epoch = match (number.as_u64(), number.as_f64()) {
        (Some(seconds), _) => Some(Duration::from_secs(seconds)),
        (None, Some(seconds)) if seconds < 0.0 => return NumericDate::BeforeTime,
        (None, Some(seconds)) => Duration::try_from_secs_f64(seconds).ok(),
        (None, None) => None,
    };
    since_epoch
        .and_then(|since_epoch| SystemTime::UNIX_EPOCH.checked_add(since_epoch))
        .map_or(NumericDate::AfterTime, NumericDate::At)
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
    let selectors = selectors.map_err(|source| TokenError::Selector { claim, source })?;
    Ok(Some(Selectors::new(selectors)))
}
