//! The keys of an issuer that publishes them: a JWK Set (RFC 7517 §5) at a fixed URL.
//!
//! The set is fetched when a token first needs it. From then on the keys that are there are used,
//! and fetched again beside that: from time to time, and for a name that is new. A fetch that
//! fails changes nothing but the time of the next one, until the keys are too old to be trusted.

use std::error::Error;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use url::Url;

use super::TokenError;
use super::algorithm::Algorithm;
use super::key::Key;
use document::Keys;

mod document;
mod fetch;

/// The keys at one URL. They verify nothing but what that URL's owner has signed: two sets share
/// no key, whatever their keys are called (S5).
///
/// Cloning shares the keys.
#[derive(Clone, Debug)]
pub(super) struct KeySet(Arc<Source>);

struct Source {
    url: Url,
    algorithms: Vec<Algorithm>,
    limits: Limits,
    /// Also tells who waits that a fetch has ended.
    state: watch::Sender<State>,
}

/// When keys are fetched, and what a fetch may cost.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// Keys of this age are fetched again, beside the request that found them so old.
    pub(super) refresh_after: Duration,
    /// Keys of this age are used no more, although the issuer does not answer: it may have
    /// withdrawn them.
    pub(super) usable_for: Duration,
    /// Time from one fetch to the next that only an unknown key is the reason for.
    pub(super) unknown_key_pause: Duration,
    /// Time after the first failure; it doubles with each further one, less up to half at random.
    pub(super) retry_after_min: Duration,
    /// The longest time after a failure.
    pub(super) retry_after_max: Duration,
    /// Time for a connection.
    pub(super) connect_timeout: Duration,
    /// Time for a whole fetch.
    pub(super) timeout: Duration,
    /// Bytes of the document.
    pub(super) bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            refresh_after: Duration::from_mins(5),
            usable_for: Duration::from_hours(1),
            unknown_key_pause: Duration::from_secs(30),
            retry_after_min: Duration::from_secs(1),
            retry_after_max: Duration::from_mins(1),
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(5),
            bytes_max: 256 << 10,
        }
    }
}

/// What is known at the moment.
#[derive(Default)]
struct State {
    keys: Option<Fetched>,
    fetching: bool,
    started_at: Option<Instant>,
    failures: u32,
    /// Not before this; set by a failure.
    retry_at: Option<Instant>,
}

struct Fetched {
    keys: Arc<Keys>,
    at: Instant,
}

impl KeySet {
    pub(super) fn new(
        url: &str,
        algorithms: Option<Vec<Algorithm>>,
        limits: Limits,
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
        Ok(Self(Arc::new(Source {
            url,
            algorithms,
            limits,
            state: watch::Sender::default(),
        })))
    }

    pub(super) fn algorithms(&self) -> &[Algorithm] {
        &self.0.algorithms
    }

    /// The keys that may have signed a token with this `kid` and this algorithm, not empty.
    ///
    /// Waits for a fetch only when there is no such key, and then shares it with all who wait.
    pub(super) async fn candidates(
        &self,
        kid: Option<&str>,
        algorithm: Algorithm,
    ) -> Result<Vec<Key>, TokenError> {
        let found = self.0.find(kid, algorithm);
        self.0.fetch_when_due(found.is_ok());
        if found.is_ok() {
            return found;
        }
        let mut state = self.0.state.subscribe();
        let waited = state.wait_for(|state| !state.fetching).await.map(drop);
        // The sender is in `self`, so it is there as long as somebody waits.
        waited.map_err(|_| TokenError::KeysUnavailable)?;
        self.0.find(kid, algorithm)
    }
}

impl Source {
    fn find(&self, kid: Option<&str>, algorithm: Algorithm) -> Result<Vec<Key>, TokenError> {
        let now = Instant::now();
        let state = self.state.borrow();
        let keys = state.keys.as_ref();
        let keys = keys.filter(|keys| now < keys.at + self.limits.usable_for);
        let keys = keys.ok_or(TokenError::KeysUnavailable)?;
        let candidates = keys.keys.candidates(kid, algorithm);
        match candidates.is_empty() {
            true => Err(TokenError::UnknownKey),
            false => Ok(candidates),
        }
    }

    /// Starts a fetch if it is time for one and none is under way.
    fn fetch_when_due(self: &Arc<Self>, found: bool) {
        let now = Instant::now();
        let started = self.state.send_if_modified(|state| {
            let starts = !state.fetching && state.is_due(&self.limits, found, now);
            if starts {
                state.fetching = true;
                state.started_at = Some(now);
            }
            starts
        });
        if started {
            let attempt = Attempt(Arc::clone(self));
            #[expect(
                clippy::disallowed_methods,
                reason = "it ends by its time limit, and who asked first must not end it for others"
            )]
            tokio::spawn(attempt.run());
        }
    }
}

impl State {
    /// Whether it is time for a fetch, for a token whose key was `found` or not.
    fn is_due(&self, limits: &Limits, found: bool, now: Instant) -> bool {
        if self.retry_at.is_some_and(|at| now < at) {
            return false;
        }
        let Some(keys) = &self.keys else { return true };
        if now >= keys.at + limits.refresh_after {
            return true;
        }
        // Anybody can make up names: a flood of them must not become a flood for the issuer (S5).
        let paused = |at: Instant| now < at + limits.unknown_key_pause;
        !found && !self.started_at.is_some_and(paused)
    }

    fn succeed(&mut self, keys: Keys, now: Instant) {
        self.keys = Some(Fetched {
            keys: Arc::new(keys),
            at: now,
        });
        self.failures = 0;
        self.retry_at = None;
    }

    /// `spread` is between 0 and 1: hubs that failed together do not come back together.
    fn fail(&mut self, limits: &Limits, spread: f64, now: Instant) {
        let factor = 2_u32.saturating_pow(self.failures);
        let longest = limits.retry_after_min.saturating_mul(factor);
        let longest = longest.min(limits.retry_after_max);
        self.failures = self.failures.saturating_add(1);
        self.retry_at = Some(now + longest.mul_f64(1.0 - spread / 2.0));
    }
}

/// A fetch under way. Whatever ends it, even the end of the runtime, others may try again.
struct Attempt(Arc<Source>);

impl Attempt {
    async fn run(self) {
        let Source { url, limits, .. } = &*self.0;
        let fetch = timeout(limits.timeout, fetch::fetch(url, limits));
        let document = fetch.await.unwrap_or(Err(fetch::FetchError::Slow));
        let keys = document.and_then(|document| {
            Keys::parse(&document, &self.0.algorithms).map_err(fetch::FetchError::Document)
        });
        // Who has a password in the URL does not want it in the log.
        let (host, path) = (url.host_str(), url.path());
        let now = Instant::now();
        self.0.state.send_modify(|state| match keys {
            Ok(keys) => {
                tracing::debug!(host, path, keys = keys.len(), "JWK Set fetched");
                state.succeed(keys, now);
            }
            Err(error) => {
                let error: &dyn Error = &error;
                tracing::warn!(host, path, error, "the JWK Set cannot be fetched");
                state.fail(limits, rand::random(), now);
            }
        });
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        self.0.state.send_modify(|state| state.fetching = false);
    }
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeySet").finish_non_exhaustive()
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

#[cfg(test)]
mod tests;
