//! Names of signature algorithms, as settings give them.

use std::str::FromStr;

use fanfare::auth::{Algorithm, UnknownAlgorithm};

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

impl From<UnknownAlgorithm> for InvalidAlgorithms {
    fn from(_: UnknownAlgorithm) -> Self {
        Self
    }
}
