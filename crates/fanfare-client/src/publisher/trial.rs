//! The attempts of one publish, and what they prove (O1, O5).

use std::time::Duration;

use fanfare_wire::EventId;
use http::StatusCode;

use super::{Config, Key};
use crate::authorize::AuthorizeError;
use crate::error::BoxError;
use crate::retry::{Backoff, Pace};

/// What a hub says of a stored event.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Receipt {
    /// Its id.
    pub id: EventId,
    /// Whether an earlier attempt, or an earlier publish with the same key, had stored it.
    pub replayed: bool,
}

/// Why an event has no receipt; each variant says what is known about its storage.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Not stored, and the same would be refused again.
    #[error("the hub refused the event")]
    Refused(#[source] Fault),
    /// Not stored for as long as it was tried.
    #[error("the event was not stored")]
    NotStored(#[source] Fault),
    /// Stored or not, nobody can tell. Publishing it again with the same key is safe, as long as
    /// the hub remembers the key.
    #[error("the event may be stored, or not")]
    Unknown {
        /// The key.
        key: Key,
        /// What the last attempt ended with.
        source: Fault,
    },
}

/// What an attempt ended with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Fault {
    /// There was no connection, or it broke.
    #[error("the connection failed")]
    Connection(#[source] BoxError),
    /// The answer did not come in time.
    #[error("the hub did not answer in time")]
    Silent,
    /// The hub, or somebody before it, said so.
    #[error("the answer was {status}: {detail}")]
    Status {
        /// Its status.
        status: StatusCode,
        /// What was wrong, in the hub's words.
        detail: String,
    },
    /// The answer is none of a hub.
    #[error("the answer was {status}, and not what a hub says")]
    Unreadable {
        /// Its status.
        status: StatusCode,
    },
    /// [`Config::authorize`] had no headers.
    #[error("no authorization could be made")]
    Authorize(#[source] AuthorizeError),
}

/// How one attempt ended.
#[derive(Debug)]
pub(super) enum Outcome {
    Stored(Receipt),
    /// The request is at fault.
    Refused(Fault),
    /// Not stored, and trying again would not help.
    NotStored(Fault),
    /// Worth another attempt.
    Again {
        may_be_stored: bool,
        retry_after: Option<Duration>,
        fault: Fault,
    },
}

impl Outcome {
    pub(super) fn again(may_be_stored: bool, fault: Fault) -> Self {
        Self::Again {
            may_be_stored,
            retry_after: None,
            fault,
        }
    }
}

/// One publish over its attempts. Pure: it is told what happened and how long it has taken.
#[derive(Debug)]
pub(super) struct Trial {
    key: Key,
    window: Duration,
    backoff: Backoff,
    /// Whether an attempt may have stored the event, whatever later ones said.
    may_be_stored: bool,
}

/// What is to be done after an attempt.
#[derive(Debug)]
pub(super) enum Next {
    Done(Result<Receipt, PublishError>),
    Again(Duration),
}

impl Trial {
    pub(super) fn new(key: Key, config: &Config) -> Self {
        Self {
            key,
            window: config.window,
            backoff: Backoff::new(Pace {
                retry: Duration::ZERO,
                retry_max: config.retry_max,
                retry_server_max: config.window,
                stable_after: Duration::ZERO,
            }),
            may_be_stored: false,
        }
    }

    pub(super) fn key(&self) -> &Key {
        &self.key
    }

    /// Judges the last attempt, `elapsed` after the first began; `chance` is a random number from
    /// 0 to 1.
    pub(super) fn judge(&mut self, outcome: Outcome, elapsed: Duration, chance: f64) -> Next {
        let (fault, is_refusal) = match outcome {
            Outcome::Stored(receipt) => return Next::Done(Ok(receipt)),
            Outcome::Refused(fault) => (fault, true),
            Outcome::NotStored(fault) => (fault, false),
            Outcome::Again {
                may_be_stored,
                retry_after,
                fault,
            } => {
                self.may_be_stored |= may_be_stored;
                self.backoff.attempt_failed();
                let wait = self.backoff.wait(retry_after, chance);
                if elapsed.saturating_add(wait) < self.window {
                    return Next::Again(wait);
                }
                (fault, false)
            }
        };
        // A refusal says nothing about an earlier attempt whose answer was lost.
        Next::Done(Err(match (self.may_be_stored, is_refusal) {
            (true, _) => PublishError::Unknown {
                key: self.key.clone(),
                source: fault,
            },
            (false, true) => PublishError::Refused(fault),
            (false, false) => PublishError::NotStored(fault),
        }))
    }
}

#[cfg(test)]
mod tests;
