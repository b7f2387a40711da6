//! Verifies signatures with one role's keys.

use std::fmt;
use std::time::SystemTime;

use super::algorithm::Algorithm;
use super::claims::Claims;
use super::key::{InvalidKey, Key};
use super::key_set::{InvalidKeySet, KeySet, Limits};
use super::{Grant, Secret, Token, TokenError};

/// Verifies tokens (JWS in compact form) against one role's keys.
///
/// Keys and algorithms come from here, never from the token (D0-A4, D1-A2, S3). Cloning shares
/// them.
#[derive(Clone)]
pub struct Verifier(Keys);

#[derive(Clone)]
enum Keys {
    Fixed(Key),
    Set(KeySet),
}

impl Verifier {
    /// Takes `secret` as the key of HMAC with SHA-256, as the bytes that it is.
    #[must_use]
    pub fn hs256(secret: &Secret) -> Self {
        Self(Keys::Fixed(Key::hs256(secret)))
    }

    /// Takes `key` for `algorithm` alone: for HS* the secret, as the bytes that it is; for all
    /// others a public key in PEM, `PUBLIC KEY` or for RSA also `RSA PUBLIC KEY` (D0-A4, CF-4).
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] when it is damaged, for another kind of algorithm, or a public key that was
    /// taken for a secret.
    pub fn new(key: &Secret, algorithm: Algorithm) -> Result<Self, InvalidKey> {
        Key::new(key, algorithm).map(|key| Self(Keys::Fixed(key)))
    }

    /// Takes the keys of the JWK Set at `url`: `https`, `file`, or `http`, which is for tests and
    /// the inside of a host, for whoever can answer in its place can sign.
    ///
    /// The set is read when the first token comes, and again from time to time, so a hub starts
    /// also while its issuer is down. Without `algorithms`: EdDSA, and ES, RS and PS with 256, 384
    /// and 512 bits. HS* never comes from a URL.
    ///
    /// # Errors
    ///
    /// [`InvalidKeySet`] when `url` or `algorithms` cannot be meant.
    pub fn key_set(url: &str, algorithms: Option<Vec<Algorithm>>) -> Result<Self, InvalidKeySet> {
        KeySet::new(url, algorithms, Limits::default()).map(Self::of)
    }

    pub(super) fn of(keys: KeySet) -> Self {
        Self(Keys::Set(keys))
    }

    /// Verifies a token of 0.x as of `now`: first the signature, then times and claims.
    ///
    /// `exp` and `nbf` hold when present, without leeway (D0-A5). Waits only where keys must be
    /// fetched first. Dropping the future leaves nothing behind but perhaps such a fetch, which
    /// goes on.
    ///
    /// # Errors
    ///
    /// [`TokenError`] says why for the log; the answer to all of them is the same 401.
    pub async fn verify(&self, token: &str, now: SystemTime) -> Result<Grant, TokenError> {
        let token = Token::parse(token)?;
        self.check_signature(&token).await?;
        let claims: Claims = token.claims().ok_or(TokenError::Claims)?;
        claims.into_grant(now)
    }

    /// Checks that one of the keys has signed `token`, with an algorithm that is allowed.
    pub(super) async fn check_signature(&self, token: &Token<'_>) -> Result<(), TokenError> {
        let algorithm: Option<Algorithm> = token.header.alg.parse().ok();
        let algorithm = algorithm.filter(|it| self.algorithms().contains(it));
        let algorithm = algorithm.ok_or_else(|| TokenError::Algorithm {
            allowed: self.algorithms().to_vec(),
        })?;
        // RFC 7515 §4.1.11: who does not understand a critical extension must refuse. We know none.
        if token.header.crit.is_some() {
            return Err(TokenError::Critical);
        }
        let signature = token.signature()?;
        let genuine = |key: &Key| key.verifies(token.signed.as_bytes(), &signature);
        let genuine = match &self.0 {
            Keys::Fixed(key) => genuine(key),
            Keys::Set(set) => {
                let keys = set.candidates(token.header.kid.as_deref(), algorithm);
                keys.await?.iter().any(genuine)
            }
        };
        match genuine {
            true => Ok(()),
            false => Err(TokenError::Signature),
        }
    }

    fn algorithms(&self) -> &[Algorithm] {
        match &self.0 {
            Keys::Fixed(key) => std::slice::from_ref(key.algorithm()),
            Keys::Set(set) => set.algorithms(),
        }
    }
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verifier([redacted])")
    }
}

#[cfg(test)]
mod tests;
