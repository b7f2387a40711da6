//! The signature of Standard Webhooks, by HMAC with SHA-256.

use std::fmt;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::auth::Secret;

/// What requests are signed with.
#[derive(Clone)]
pub(super) struct SigningKey(hmac::Key);

impl SigningKey {
    /// Takes the key's bytes as they are, or after `whsec_` what their base64 means.
    ///
    /// # Errors
    ///
    /// [`InvalidSigningKey`]: what follows `whsec_` is no base64 with padding, or nothing. An empty
    /// key would let anybody sign.
    pub(super) fn new(secret: &Secret) -> Result<Self, InvalidSigningKey> {
        let key = secret.reveal();
        let bytes = match key.strip_prefix("whsec_") {
            Some(base64) => BASE64_STANDARD
                .decode(base64)
                .map_err(|_| InvalidSigningKey)?,
            None => key.as_bytes().to_vec(),
        };
        if bytes.is_empty() {
            return Err(InvalidSigningKey);
        }
        Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, &bytes)))
    }

    /// The value of `webhook-signature` (Standard Webhooks, "Signature scheme").
    ///
    /// `id` has no full stop, or parts could be moved across it under one signature.
    pub(super) fn sign(&self, id: &str, timestamp: u64, body: &str) -> String {
        let signed = format!("{id}.{timestamp}.{body}");
        let tag = hmac::sign(&self.0, signed.as_bytes());
        format!("v1,{}", BASE64_STANDARD.encode(tag))
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A secret that is no key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("what follows `whsec_` must be base64 with padding, of one byte at least")]
pub(super) struct InvalidSigningKey;

#[cfg(test)]
mod tests;
