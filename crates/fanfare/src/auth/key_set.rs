//! The keys of an issuer that publishes them: a JWK Set (RFC 7517 §5) at a fixed URL.

use url::Url;

use super::TokenError;
use super::algorithm::Algorithm;
use super::key::Key;

/// The keys at one URL. They verify nothing but what that URL's owner has signed: two sets share
/// no key, whatever their keys are called (S5).
#[derive(Debug)]
pub(super) struct KeySet {
    url: Url,
    algorithms: Vec<Algorithm>,
}

impl KeySet {
    pub(super) fn new(
        url: &str,
        algorithms: Option<Vec<Algorithm>>,
    ) -> Result<Self, InvalidKeySet> {
        let url = Url::parse(url).map_err(|_| InvalidKeySet::Url)?;
        let fits = match url.scheme() {
            "https" | "http" => url.has_host(),
            "file" => url.to_file_path().is_ok(),
            _ => false,
        };
        if !fits {
            return Err(InvalidKeySet::Url);
        }
        let algorithms = algorithms.unwrap_or_else(|| {
            let all = Algorithm::ALL.into_iter();
            all.filter(|it| !it.is_symmetric()).collect()
        });
        if algorithms.is_empty() || algorithms.iter().any(|it| it.is_symmetric()) {
            return Err(InvalidKeySet::Algorithms);
        }
        Ok(Self { url, algorithms })
    }

    pub(super) fn algorithms(&self) -> &[Algorithm] {
        &self.algorithms
    }

    pub(super) async fn candidates(
        &self,
        _kid: Option<&str>,
        _algorithm: Algorithm,
    ) -> Result<Vec<Key>, TokenError> {
        tracing::warn!(url = %self.url, "no keys");
        Err(TokenError::KeysUnavailable)
    }
}

/// Why there can be no such JWK Set.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKeySet {
    /// Its URL is none, or has another scheme.
    #[error("a JWK Set is at an absolute `https`, `http` or `file` URL")]
    Url,
    /// It was to have secrets, or nothing at all.
    #[error(
        "a JWK Set is for one or more of EdDSA, ES*, RS* and PS*: HS* takes a secret, \
         and who can read a secret from a URL can sign"
    )]
    Algorithms,
}
