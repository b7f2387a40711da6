//! A key that must not be shown.

use std::fmt;
use std::str::FromStr;

/// A secret key, as text. Its `Debug` and `Display` say `[redacted]`.
#[derive(Clone, Eq, PartialEq)]
pub struct Secret(String);

impl Secret {
    /// Shorter than this, HMAC with SHA-256 is weaker than its hash (RFC 7518 §3.2), in bytes.
    pub const BYTES_ADVISED: usize = 32;

    /// Makes a key of 256 random bits, written in hexadecimal.
    #[must_use]
    pub fn random() -> Self {
        let bytes: [u8; 32] = rand::random();
        Self(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// The key itself, for signing and verifying only.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl FromStr for Secret {
    type Err = EmptySecret;

    fn from_str(text: &str) -> Result<Self, EmptySecret> {
        // An empty HMAC key would verify anybody's tokens.
        if text.is_empty() {
            return Err(EmptySecret);
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

/// A text that is no key.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a key cannot be empty")]
#[non_exhaustive]
pub struct EmptySecret;
