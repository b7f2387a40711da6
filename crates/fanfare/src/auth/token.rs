//! A token taken apart: a JWS in compact form (RFC 7515 §7.1), nothing verified.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;

use super::TokenError;
use super::object::Object;

/// A token with a readable header. Nothing about it is known to be true.
#[derive(Clone)]
pub struct Token<'a> {
    pub(super) header: Header,
    /// What the signature signs: header and payload with the dot between them.
    pub(super) signed: &'a str,
    pub(super) payload: &'a str,
    signature: &'a str,
}

impl<'a> Token<'a> {
    /// The longest token, in bytes; it is also what a request head of the default size can hold.
    pub const BYTES_MAX: usize = 16 << 10;

    /// Takes `text` apart.
    ///
    /// # Errors
    ///
    /// [`TokenError::TooLong`], or [`TokenError::Malformed`] without a readable header.
    pub fn parse(text: &'a str) -> Result<Self, TokenError> {
        if text.len() > Self::BYTES_MAX {
            return Err(TokenError::TooLong { bytes: text.len() });
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(TokenError::Malformed)?;
        let (header, payload) = signed.split_once('.').ok_or(TokenError::Malformed)?;
        Ok(Self {
            header: decode(header).ok_or(TokenError::Malformed)?,
            signed,
            payload,
            signature,
        })
    }

    /// Whether its header says that it is a token of 1.0: `typ` is `at+jwt`, or the same as a media
    /// type, in any case (D1-A1, DX-5).
    #[must_use]
    pub fn is_access_token(&self) -> bool {
        let typ = self.header.typ.as_deref().unwrap_or_default();
        let is = |name: &str| typ.eq_ignore_ascii_case(name);
        is("at+jwt") || is("application/at+jwt")
    }

    pub(super) fn signature(&self) -> Result<Vec<u8>, TokenError> {
        let signature = URL_SAFE_NO_PAD.decode(self.signature);
        signature.map_err(|_| TokenError::Malformed)
    }

    /// Reads its claims into a typed value; a claim of the wrong type is an error, not an absent
    /// claim (CVE-2026-25537).
    pub(super) fn claims<T: serde::de::DeserializeOwned>(&self) -> Option<T> {
        decode(self.payload)
    }
}

impl fmt::Debug for Token<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token([redacted])")
    }
}

/// What is read of a token's header.
///
/// `jku`, `jwk`, `x5u` and `x5c` are ignored: a key that the token brings along, or says where to
/// fetch, would be the attacker's (S3). A header that has a field twice is refused.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Header {
    pub(super) alg: String,
    pub(super) typ: Option<String>,
    /// Which key of a set is meant; a key of a map and nothing else (S3).
    pub(super) kid: Option<String>,
    /// Present with any value, `null` too, is present.
    #[serde(default, deserialize_with = "present")]
    pub(super) crit: Option<IgnoredAny>,
}

fn present<'de, D: serde::Deserializer<'de>>(value: D) -> Result<Option<IgnoredAny>, D::Error> {
    IgnoredAny::deserialize(value).map(Some)
}

fn decode<T: serde::de::DeserializeOwned>(part: &str) -> Option<T> {
    let json = URL_SAFE_NO_PAD.decode(part).ok()?;
    let Object(value) = serde_json::from_slice(&json).ok()?;
    Some(value)
}
