//! Names of signature algorithms, as settings give them.

use std::fmt;
use std::str::FromStr;

/// An algorithm that a token may be signed with, by its name in RFC 7518 §3.1 and RFC 8037 §3.1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Algorithm(&'static str);

impl Algorithm {
    /// What a key is for when nothing else is said.
    pub(crate) const HS256: Self = Self("HS256");

    /// Whether the key that signs is the key that verifies: a secret.
    pub(crate) fn is_symmetric(self) -> bool {
        self.0.starts_with("HS")
    }
}

impl FromStr for Algorithm {
    type Err = InvalidAlgorithms;

    fn from_str(text: &str) -> Result<Self, InvalidAlgorithms> {
        let known = NAMES.iter().find(|name| **name == text);
        known.map(|name| Self(name)).ok_or(InvalidAlgorithms)
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

const NAMES: [&str; 13] = [
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "PS256",
    "PS384", "PS512", "EdDSA",
];

/// One algorithm; for a key set, perhaps several with spaces between them.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Algorithms(pub(crate) Vec<Algorithm>);

impl FromStr for Algorithms {
    type Err = InvalidAlgorithms;

    fn from_str(text: &str) -> Result<Self, InvalidAlgorithms> {
        let names = text.split_whitespace().map(str::parse);
        let algorithms: Vec<Algorithm> = names.collect::<Result<_, _>>()?;
        if algorithms.is_empty() {
            return Err(InvalidAlgorithms);
        }
        Ok(Self(algorithms))
    }
}

/// A text that names something else than algorithms.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("an algorithm is HS, RS, ES or PS with 256, 384 or 512, such as RS256, or EdDSA")]
pub(crate) struct InvalidAlgorithms;
