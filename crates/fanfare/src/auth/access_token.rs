//! Tokens of 1.0: JWT access tokens (RFC 9068) of issuers that the operator trusts.

use std::time::SystemTime;

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Number, Value};
use url::Url;

use super::detail::{self, Granted};
use super::grant::{Grant, Payloads};
use super::{Token, TokenError, Verifier, times};
use crate::dialect::Dialect;

/// Who may issue access tokens, and with which keys (CF-4). Its keys verify nobody else's tokens.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "any value is valid; callers make it"
)]
pub struct Issuer {
    /// What its tokens' `iss` must equal, byte for byte.
    pub id: String,
    /// Keys for tokens of publishers, tried in order.
    pub publisher: Vec<Verifier>,
    /// Keys for tokens of subscribers, tried in order.
    pub subscriber: Vec<Verifier>,
    /// It is an OAuth authorization server, which the hub's metadata name (D1-D3).
    pub authorization_server: bool,
}

/// Which of an issuer's keys count.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has these two")]
pub enum Role {
    /// Who publishes.
    Publisher,
    /// Who subscribes, or asks for subscriptions.
    Subscriber,
}

/// What a token must have been issued for, and what its patterns are relative to.
#[derive(Clone, Copy, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "any value is valid; callers make it"
)]
pub struct Audience<'a> {
    /// The hub's resource identifier, which `aud` must contain (D1-A3, D1-A4).
    pub resource: &'a str,
    /// The hub's URL, on which relative patterns are resolved (D1-G3).
    pub hub_url: &'a Url,
}

/// Verifies an access token as of `now`: who signed it, then for whom and until when, then what it
/// grants (D1-A1 to D1-A13).
///
/// Dropping the future leaves nothing behind but perhaps a fetch of keys, which goes on.
///
/// # Errors
///
/// [`TokenError`] says why for the log; the answer to all of them is the same 401.
pub async fn verify_access_token(
    issuers: &[Issuer],
    role: Role,
    token: &str,
    audience: &Audience<'_>,
    now: SystemTime,
) -> Result<Grant, TokenError> {
    let token = Token::parse(token)?;
    if !token.is_access_token() {
        return Err(TokenError::Type);
    }
    // Not verified yet: it chooses among configured issuers, and the chosen one's keys must then
    // verify it. Keys are never pooled: an issuer could speak in the name of another (D1-A7).
    let Named { iss } = token.claims().ok_or(TokenError::AccessClaims)?;
    let issuer = issuers.iter().find(|issuer| issuer.id == iss);
    let issuer = issuer.ok_or(TokenError::UnknownIssuer)?;
    let verifiers = match role {
        Role::Publisher => &issuer.publisher,
        Role::Subscriber => &issuer.subscriber,
    };
    check_signature(verifiers, &token).await?;

    let claims: AccessClaims = token.claims().ok_or(TokenError::AccessClaims)?;
    if !claims.aud.contains(audience.resource) {
        return Err(TokenError::Audience);
    }
    let expires_at = times::check(Some(&claims.exp), claims.nbf.as_ref(), now)?;
    let details = claims.authorization_details.unwrap_or_default();
    let Granted {
        publish,
        subscribe,
        payloads,
    } = detail::read(&details, audience.hub_url)?;
    Ok(Grant {
        dialect: Dialect::D1,
        publish,
        subscribe,
        expires_at,
        subject: claims.sub,
        issuer: Some(claims.iss),
        token_id: claims.jti,
        issued_at: claims.iat.as_ref().and_then(times::seconds),
        payloads: Payloads::ByDetail(payloads),
    })
}

/// Tries the verifiers of a role in order; tells of the one that came closest.
async fn check_signature(verifiers: &[Verifier], token: &Token<'_>) -> Result<(), TokenError> {
    let mut closest = TokenError::RoleWithoutKey;
    for verifier in verifiers {
        match verifier.check_signature(token).await {
            Ok(()) => return Ok(()),
            // That a key is for another algorithm says less than what a fitting one said.
            Err(TokenError::Algorithm { .. }) if closest != TokenError::RoleWithoutKey => {}
            Err(error) => closest = error,
        }
    }
    Err(closest)
}

/// The one claim that is read before the signature is checked.
#[derive(Deserialize)]
struct Named {
    iss: String,
}

/// An access token's claims, as far as they mean something here. One that comes twice is refused.
#[derive(Deserialize)]
struct AccessClaims {
    iss: String,
    aud: OneOrMany,
    /// Required, and a number: `null` or a string would switch the check off (S4).
    exp: Number,
    #[serde(default, deserialize_with = "times::number")]
    nbf: Option<Number>,
    iat: Option<Value>,
    sub: Option<String>,
    jti: Option<String>,
    authorization_details: Option<Vec<Box<RawValue>>>,
}

/// RFC 7519 §4.1.3: `aud` is an array of strings, or one string.
#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn contains(&self, wanted: &str) -> bool {
        match self {
            Self::One(one) => one == wanted,
            Self::Many(many) => many.iter().any(|one| one == wanted),
        }
    }
}

#[cfg(test)]
mod tests;
