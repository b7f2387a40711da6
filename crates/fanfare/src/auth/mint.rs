//! Makes tokens, for `fanfare token` and `serve --dev`.

use std::time::{SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, EncodingKey, Header};

use super::Secret;
use super::claims::{Claims, MercureClaim};

/// What a token to be minted shall say.
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
    /// Shown with the subscription.
    pub payload: Option<serde_json::Value>,
}

/// Makes a token by HMAC with SHA-256 that [`super::Verifier::hs256`] of the same key verifies.
///
/// # Errors
///
/// [`MintError`] when `expires_at` is before 1970 or the claims cannot be signed.
pub fn mint(key: &Secret, token: NewToken) -> Result<String, MintError> {
    let exp = match token.expires_at {
        None => None,
        Some(end) => Some(end.duration_since(UNIX_EPOCH).map_err(|_| MintError)?),
    };
    let given = |selectors: Vec<String>| (!selectors.is_empty()).then_some(selectors);
    let claims = Claims {
        exp: exp.map(|since_epoch| since_epoch.as_secs().into()),
        mercure: Some(MercureClaim {
            publish: given(token.publish),
            subscribe: given(token.subscribe),
            payload: token.payload,
        }),
        ..Claims::default()
    };
    let key = EncodingKey::from_secret(key.reveal().as_bytes());
    jsonwebtoken::encode(&Header::new(Algorithm::HS256), &claims, &key).map_err(|_| MintError)
}

/// The token could not be made.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a token that ends before 1970 cannot be made")]
#[non_exhaustive]
pub struct MintError;
