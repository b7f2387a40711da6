//! Makes tokens of both dialects, for `fanfare token`, `serve --dev` and tests.

use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use super::claims::{Claims, MercureClaim};
use super::object::Object;
use super::signing_key::{SigningFailed, SigningKey};
use super::{Secret, detail};

/// What a token of 0.x shall say.
#[derive(Clone, Debug, Default)]
#[expect(
    clippy::exhaustive_structs,
    reason = "any value is valid; callers make it"
)]
pub struct NewToken {
    /// Selectors it may publish to; empty: the claim is left out.
    pub publish: Vec<String>,
    /// Selectors whose private events it may see; empty: the claim is left out.
    pub subscribe: Vec<String>,
    /// When it ends, in whole seconds; `None`: never.
    pub expires_at: Option<SystemTime>,
    /// Shown with the holder's subscriptions.
    pub payload: Option<Value>,
    /// Whom it is for, `sub`.
    pub subject: Option<String>,
    /// Its own name, `jti`.
    pub token_id: Option<String>,
    /// Since when it is, `iat`, in whole seconds; a revocation of its subject goes by it.
    pub issued_at: Option<SystemTime>,
}

impl NewToken {
    /// Makes the token, signed with `key`.
    ///
    /// # Errors
    ///
    /// [`MintError`] when a time is before 1970 or `key` cannot sign.
    pub fn mint(self, key: &SigningKey) -> Result<String, MintError> {
        let exp = self.expires_at.map(seconds).transpose()?;
        let iat = self.issued_at.map(seconds).transpose()?;
        let given = |selectors: Vec<String>| (!selectors.is_empty()).then_some(selectors);
        let claims = Claims {
            exp: exp.map(Into::into),
            iat: iat.map(Value::from),
            sub: self.subject,
            jti: self.token_id,
            mercure: Some(Object(MercureClaim {
                publish: given(self.publish),
                subscribe: given(self.subscribe),
                payload: self.payload,
            })),
            ..Claims::default()
        };
        let header = json!({ "typ": "JWT", "alg": key.algorithm().name() });
        let claims = serde_json::to_string(&claims).map_err(|_| MintError::Signing)?;
        Ok(key.sign(&header.to_string(), &claims)?)
    }
}

/// Makes a token of 0.x by HMAC with SHA-256 that [`super::Verifier::hs256`] of the same key
/// verifies.
///
/// # Errors
///
/// [`MintError`] when `expires_at` is before 1970.
pub fn mint(key: &Secret, token: NewToken) -> Result<String, MintError> {
    token.mint(&SigningKey::hs256(key))
}

/// What an access token of 1.0 shall say; everything that RFC 9068 §2.2 asks of issuers.
#[derive(Clone, Debug)]
#[expect(
    clippy::exhaustive_structs,
    reason = "any value is valid; callers make it"
)]
pub struct NewAccessToken {
    /// Who issues it, `iss`.
    pub issuer: String,
    /// For which hub: its resource identifier, `aud`.
    pub audience: String,
    /// Whom it is for, `sub`.
    pub subject: String,
    /// Which program of theirs asked for it, `client_id`.
    pub client_id: String,
    /// Since when it is, `iat`, in whole seconds.
    pub issued_at: SystemTime,
    /// When it ends, `exp`, in whole seconds.
    pub expires_at: SystemTime,
    /// Its own name, `jti`.
    pub token_id: String,
    /// What it may publish to.
    pub publish: Vec<NewMatcher>,
    /// What it may see private events of.
    pub subscribe: Vec<NewMatcher>,
    /// Shown with the holder's subscriptions.
    pub payload: Option<Value>,
}

/// One entry of `topics`.
#[derive(Clone, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "the protocol has these two")]
pub enum NewMatcher {
    /// A topic, or `*` for all.
    Exact(String),
    /// A URL Pattern.
    UrlPattern(String),
}

impl NewAccessToken {
    /// Makes the token, signed with `key`.
    ///
    /// # Errors
    ///
    /// [`MintError`] when a time is before 1970 or `key` cannot sign.
    pub fn mint(self, key: &SigningKey) -> Result<String, MintError> {
        let mut details = Vec::new();
        if !self.publish.is_empty() {
            details.push(entry("publish", &self.publish, None));
        }
        if !self.subscribe.is_empty() {
            details.push(entry("subscribe", &self.subscribe, self.payload));
        }
        let claims = json!({
            "iss": self.issuer,
            "aud": self.audience,
            "sub": self.subject,
            "client_id": self.client_id,
            "iat": seconds(self.issued_at)?,
            "exp": seconds(self.expires_at)?,
            "jti": self.token_id,
            "authorization_details": details,
        });
        let header = json!({ "typ": "at+jwt", "alg": key.algorithm().name() });
        Ok(key.sign(&header.to_string(), &claims.to_string())?)
    }
}

fn entry(action: &str, topics: &[NewMatcher], payload: Option<Value>) -> Value {
    let topics = topics.iter().map(|topic| match topic {
        NewMatcher::Exact(text) => json!({ "match": text }),
        NewMatcher::UrlPattern(text) => json!({ "match": text, "match_type": "urlpattern" }),
    });
    let mut entry = Map::new();
    entry.insert("type".to_owned(), detail::TYPE.into());
    entry.insert("actions".to_owned(), json!([action]));
    entry.insert("topics".to_owned(), topics.collect());
    if let Some(payload) = payload {
        entry.insert("payload".to_owned(), payload);
    }
    entry.into()
}

fn seconds(time: SystemTime) -> Result<u64, MintError> {
    let since_epoch = time.duration_since(UNIX_EPOCH);
    since_epoch
        .map(|since_epoch| since_epoch.as_secs())
        .map_err(|_| MintError::BeforeTime)
}

/// Why a token could not be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MintError {
    /// One of its times is before 1970.
    #[error("a token cannot begin or end before 1970")]
    BeforeTime,
    /// The key did not sign.
    #[error("the token could not be signed")]
    Signing,
}

impl From<SigningFailed> for MintError {
    fn from(_: SigningFailed) -> Self {
        Self::Signing
    }
}

#[cfg(test)]
mod tests;
