//! What every part tells the others: whether the server is there, and what is known of it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fanfare_broker::Health;
use tokio::sync::watch;

use crate::server::Server;

/// Written by publisher, tails and reads, read by health checks.
#[derive(Debug)]
pub(crate) struct Condition {
    state: Mutex<State>,
    broker_grace: Duration,
    /// Whether the broker is being closed.
    phase: watch::Sender<Phase>,
}

/// How far a broker is with its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Phase {
    Open,
    /// Nothing is taken any more; the tails end once they have brought `upto`, or at `until`.
    Closing {
        upto: u64,
        until: Instant,
    },
    /// The tails end.
    Closed,
}

#[derive(Debug)]
struct State {
    server: Server,
    publishing: Option<Outage>,
    tailing: Option<Outage>,
    damage: Option<String>,
}

/// Since when something does not work, and why.
#[derive(Clone, Debug)]
struct Outage {
    since: Instant,
    why: String,
}

/// Which part has lost the server.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Part {
    Publishing,
    Tailing,
}

impl Condition {
    pub(crate) fn new(server: Server, broker_grace: Duration) -> Arc<Self> {
        for warning in &server.warnings {
            tracing::warn!("{warning}");
        }
        let state = State {
            server,
            publishing: None,
            tailing: None,
            damage: None,
        };
        Arc::new(Self {
            state: Mutex::new(state),
            broker_grace,
            phase: watch::Sender::new(Phase::Open),
        })
    }

    /// What is known of the server.
    pub(crate) fn server(&self) -> Server {
        self.lock().server.clone()
    }

    /// The server was looked at again; what is new of it is a line in the log.
    pub(crate) fn looked_at(&self, server: Server) {
        let mut state = self.lock();
        if state.server != server {
            for warning in &server.warnings {
                tracing::warn!("{warning}");
            }
            state.server = server;
        }
    }

    /// `part` has lost the server; since the first time that it says so.
    pub(crate) fn lost(&self, part: Part, why: &str, now: Instant) {
        let mut state = self.lock();
        let outage = state.outage(part);
        let since = outage.as_ref().map(|outage| outage.since);
        if since.is_none() {
            tracing::warn!(?part, why, "the connection to Redis is lost");
        }
        *outage = Some(Outage {
            since: since.unwrap_or(now),
            why: why.to_owned(),
        });
    }

    /// `part` has the server again.
    pub(crate) fn found(&self, part: Part) {
        if self.lock().outage(part).take().is_some() {
            tracing::info!(?part, "the connection to Redis is back");
        }
    }

    /// Notes damage that a read met, for health and the log.
    pub(crate) fn damaged(&self, what: String) {
        let mut state = self.lock();
        if state.damage.as_ref() != Some(&what) {
            tracing::error!("the history is damaged: {what}");
            state.damage = Some(what);
        }
    }

    pub(crate) fn health(&self, now: Instant) -> Health {
        if self.phase() != Phase::Open {
            let why = "closed".to_owned();
            return Health::Failed { why };
        }
        let state = self.lock();
        let outages = [&state.publishing, &state.tailing];
        let oldest = outages.into_iter().flatten().min_by_key(|it| it.since);
        if let Some(outage) = oldest {
            let away = now.saturating_duration_since(outage.since);
            let why = format!("Redis is away for {} s: {}", away.as_secs(), outage.why);
            return match away < self.broker_grace {
                true => Health::Degraded { why },
                false => Health::Failed { why },
            };
        }
        match &state.damage {
            None => Health::Ready,
            Some(what) => Health::Degraded {
                why: format!("the history is damaged: {what}"),
            },
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        *self.phase.borrow()
    }

    pub(crate) fn phases(&self) -> watch::Receiver<Phase> {
        self.phase.subscribe()
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        self.phase.send_replace(phase);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code panics while it holds the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn outage(&mut self, part: Part) -> &mut Option<Outage> {
        match part {
            Part::Publishing => &mut self.publishing,
            Part::Tailing => &mut self.tailing,
        }
    }
}

#[cfg(test)]
mod tests;
