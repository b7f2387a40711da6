//! Who may publish and see what: finds the request's token, verifies it, and makes it a [`Grant`].

use std::fmt;
use std::time::SystemTime;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, crypto};
use serde::Deserialize;
use serde::de::IgnoredAny;

use claims::Claims;

pub use claims::Grant;
pub use credential::{CredentialError, token_of};
pub use mint::{MintError, NewToken, mint};
pub use secret::{EmptySecret, Secret};

mod claims;
mod credential;
mod mint;
mod secret;

/// Verifies tokens (JWS in compact form) against one key and one algorithm.
///
/// The algorithm comes from here, never from the token (D0-A4, S3). Cloning copies the key.
#[derive(Clone)]
pub struct Verifier {
    key: DecodingKey,
}

impl Verifier {
    /// The longest token, in bytes; it is also what a request head of the default size can hold.
    pub const TOKEN_BYTES_MAX: usize = 16 << 10;

    /// Takes `secret` as the key of HMAC with SHA-256, as the bytes that it is.
    #[must_use]
    pub fn hs256(secret: &Secret) -> Self {
        // From bytes, never from PEM: a public key used as a secret must not change its meaning
        // (S3, algorithm confusion).
        Self {
            key: DecodingKey::from_secret(secret.reveal().as_bytes()),
        }
    }

    /// Verifies `token` as of `now`: first the signature, then times and claims.
    ///
    /// `exp` and `nbf` hold when present, without leeway (D0-A5). Signatures are compared in
    /// constant time (S19).
    ///
    /// # Errors
    ///
    /// [`TokenError`] says why for the log; the answer to all of them is the same 401.
    pub fn verify(&self, token: &str, now: SystemTime) -> Result<Grant, TokenError> {
        if token.len() > Self::TOKEN_BYTES_MAX {
            return Err(TokenError::TooLong { bytes: token.len() });
        }
        let (signed, signature) = token.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;

        let header: Header = decode_part(header).ok_or(TokenError::Malformed)?;
        if header.alg != "HS256" {
            return Err(TokenError::Algorithm);
        }
        // RFC 7515 §4.1.11: who does not understand a critical extension must refuse. We know none.
        if header.crit.is_some() {
            return Err(TokenError::Critical);
        }

        let genuine = crypto::verify(signature, signed.as_bytes(), &self.key, Algorithm::HS256)
            .map_err(|_| TokenError::Malformed)?;
        if !genuine {
            return Err(TokenError::Signature);
        }
        let claims: Claims = decode_part(payload).ok_or(TokenError::Claims)?;
        claims.into_grant(now)
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier([redacted])")
    }
}

/// Why a token gives no grant. None of them shows the token.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is longer than [`Verifier::TOKEN_BYTES_MAX`].
    #[error("the token has {bytes} bytes, more than {}", Verifier::TOKEN_BYTES_MAX)]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// It is not three parts of base64url around a JSON header.
    #[error("the token is not a JWS in compact form (header.payload.signature, base64url)")]
    Malformed,
    /// Its header names another algorithm than the configured one.
    #[error("the token's `alg` is not the configured HS256")]
    Algorithm,
    /// Its header has `crit`: an extension that must be understood, and is not.
    #[error("the token's header asks for an extension (`crit`), which is not supported")]
    Critical,
    /// It was signed with another key, or changed afterwards.
    #[error("the token's signature does not fit the configured key")]
    Signature,
    /// Its claims are not of the shape that D0-A6 gives, or a time is not a finite number.
    #[error(
        "the token's claims are malformed: `exp` and `nbf` are numbers, \
         `mercure.publish` and `mercure.subscribe` arrays of strings"
    )]
    Claims,
    /// One of its arrays has more than [`Grant::SELECTORS_MAX`] entries.
    #[error(
        "the token's `mercure.{claim}` has {count} entries, more than {}",
        Grant::SELECTORS_MAX
    )]
    TooManySelectors {
        /// `publish` or `subscribe`.
        claim: &'static str,
        /// How many there are.
        count: usize,
    },
    /// A selector is past our bounds.
    #[error("a selector in the token's `mercure.{claim}` is invalid")]
    Selector {
        /// `publish` or `subscribe`.
        claim: &'static str,
        /// Which bound it breaks.
        #[source]
        source: fanfare_broker::InvalidSelector,
    },
    /// Its `exp` is past.
    #[error("the token has expired")]
    Expired,
    /// Its `nbf` is to come.
    #[error("the token is not valid yet")]
    NotYetValid,
}

/// What is read of a token's header.
///
/// `jku`, `jwk`, `x5u`, `x5c` and `kid` are ignored: a key that the token brings along, or says
/// where to fetch, would be the attacker's (S3). A header that has a field twice is refused.
#[derive(Deserialize)]
struct Header {
    alg: String,
    /// Present with any value, `null` too, is present.
    #[serde(default, deserialize_with = "present")]
    crit: Option<IgnoredAny>,
}

fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<IgnoredAny>, D::Error> {
    IgnoredAny::deserialize(value).map(Some)
}

/// Decodes one part of a token into a typed value; a claim of the wrong type is an error, not an
/// absent claim (CVE-2026-25537).
fn decode_part<T: serde::de::DeserializeOwned>(part: &str) -> Option<T> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    serde_json::from_slice(&json).ok()
}

#[cfg(test)]
mod tests;
