//! Tells one receiver by HTTP which topics are listened to.
//!
//! `Occupancy` counts subscribers by topic; a `Courier` posts what has changed. What is to be
//! told follows from a state and not from a queue: for each topic, whether it has subscribers, held
//! against what the receiver knows. So a topic that flips back before it was told is never told,
//! and a receiver that is away for a day costs no more memory than one that is away for a minute.
//! `docs/reference/web-hook.md` is the protocol, for those who write receivers.

mod backoff;
mod complaint;
mod ledger;
mod notice;
mod occupancy;
mod outcome;
mod receiver;
mod signature;
mod timestamp;

use std::future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use url::Url;

use self::backoff::Pace;
use self::complaint::Complaint;
use self::ledger::Ledger;
use self::notice::Notice;
pub(crate) use self::occupancy::Occupancy;
use self::outcome::Outcome;
pub use self::receiver::InvalidWebHook;
use self::receiver::{Answer, Receiver};
use crate::auth::Secret;

/// Who is told of topics that are listened to, and how they can be sure that it was this hub.
#[derive(Clone, Debug)]
pub struct WebHook {
    receiver: Receiver,
    pace: Pace,
}

impl WebHook {
    /// Takes `url` as the receiver's; `key` signs each notice, without one they are not signed.
    ///
    /// It reads the system's certificates, but connects to nothing.
    ///
    /// # Errors
    ///
    /// [`InvalidWebHook`] says what cannot be used, or that the system has no certificates to check
    /// an `https` receiver by.
    pub fn open(url: Url, key: Option<&Secret>) -> Result<Self, InvalidWebHook> {
        Self::with_patience(url, key, Patience::default())
    }

    fn with_patience(
        url: Url,
        key: Option<&Secret>,
        patience: Patience,
    ) -> Result<Self, InvalidWebHook> {
        Ok(Self {
            receiver: Receiver::open(url, key, patience.answer)?,
            pace: patience.pace,
        })
    }
}

/// Posts every change of an [`Occupancy`] to the receiver, until it is stopped.
#[derive(Debug)]
pub(crate) struct Courier {
    occupancy: Arc<Occupancy>,
    receiver: Receiver,
}

impl Courier {
    pub(crate) fn new(hook: WebHook) -> Self {
        Self {
            receiver: hook.receiver,
            occupancy: Arc::new(Occupancy::new(Ledger::new(hook.pace))),
        }
    }

    /// Where subscribers are counted; the same one each time.
    pub(crate) fn occupancy(&self) -> Arc<Occupancy> {
        Arc::clone(&self.occupancy)
    }

    /// Tells the receiver of changes until `stop` is cancelled, then ends at once.
    ///
    /// What was not told by then is not told: the process that comes next begins with every topic
    /// vacated. Dropping the future does the same as `stop`; a request that was under way may or
    /// may not have been seen by the receiver.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut attempts = FuturesUnordered::new();
        let mut complaint = Complaint::default();
        loop {
            while let Some(notice) = self.occupancy.next(Instant::now()) {
                attempts.push(self.attempt(notice));
            }
            let wake_at = self.occupancy.wake_at();
            tokio::select! {
                () = stop.cancelled() => return,
                Some((notice, answer)) = attempts.next() => {
                    self.settle(&notice, &answer, &mut complaint);
                }
                () = self.occupancy.changed() => {}
                () = wait_until(wake_at) => {}
            }
        }
    }

    async fn attempt(&self, notice: Notice) -> (Notice, Answer) {
        let answer = self.receiver.post(&notice).await;
        (notice, answer)
    }

    fn settle(&self, notice: &Notice, answer: &Answer, complaint: &mut Complaint) {
        let outcome = Outcome::of(answer, timestamp::now());
        let now = Instant::now();
        match (&outcome, answer) {
            (Outcome::Told, _) => {
                if complaint.withdraw() {
                    tracing::info!("the web hook's receiver takes notices again");
                }
            }
            (Outcome::Refused | Outcome::Failed(_), answer) => {
                if complaint.raise(now) {
                    self.receiver.complain(answer, &outcome);
                }
            }
        }
        self.occupancy
            .settle(notice, outcome, now, rand::random::<f64>());
    }
}

async fn wait_until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => future::pending().await,
    }
}

/// How long is waited for an answer, and before the next attempt.
#[derive(Clone, Copy, Debug)]
struct Patience {
    /// From the connection's begin to the head of the answer.
    answer: Duration,
    pace: Pace,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            answer: Duration::from_secs(5),
            pace: Pace {
                first: Duration::from_secs(1),
                longest: Duration::from_secs(60),
            },
        }
    }
}

#[cfg(test)]
mod tests;
