//! A worker that publishes one event after the other, and writes down what it was told (H1).

use std::io;
use std::sync::Arc;
use std::time::Duration;

use super::gate::Gate;
use super::http::Connection;
use super::hub::Hub;
use super::line::Outcome;
use super::plan::{Plan, Publication};
use super::recorder::{Recorder, now};

#[derive(Debug)]
pub(super) struct Publisher {
    pub(super) hub: Arc<Hub>,
    pub(super) plan: Arc<Plan>,
    pub(super) recorder: Arc<Recorder>,
    pub(super) gate: Arc<Gate>,
    /// It repeats what is unknown or refused for now, with the same key.
    pub(super) keyed: bool,
    /// Kept from one publish to the next, as long as it lasts.
    pub(super) connection: Option<Connection>,
}

/// What became of one attempt.
#[derive(Debug)]
enum Attempt {
    Stored(String),
    /// Not stored. `for_now`: it may be later.
    Refused {
        for_now: bool,
    },
    Unknown,
}

impl Publisher {
    /// Publishes the events of `worker` until the gate ends it.
    pub(super) fn run(mut self, worker: u32) {
        let interval = self.interval();
        let mut next = now();
        for n in 1.. {
            self.gate.pause(next.saturating_duration_since(now()));
            if !self.gate.pass() {
                return;
            }
            next = now().max(next + interval);
            let publication = self.plan.publication(worker, n);
            if !matches!(self.publish(&publication), Outcome::Ok { .. }) {
                self.gate.pause(RETRY_PAUSE);
            }
        }
    }

    /// The time between two events of one publisher.
    fn interval(&self) -> Duration {
        let publishers = u32::try_from(self.plan.publishers).unwrap_or(u32::MAX);
        match self.plan.rate {
            0 => Duration::ZERO,
            rate => Duration::from_secs(1) * publishers / rate,
        }
    }

    /// Publishes, and keeps the books.
    pub(super) fn publish(&mut self, publication: &Publication) -> Outcome {
        self.recorder.invoke(publication, self.keyed);
        let outcome = if self.keyed {
            self.persist(publication)
        } else {
            match self.attempt(publication, None) {
                Attempt::Stored(id) => Outcome::Ok { id },
                Attempt::Refused { .. } => Outcome::No,
                Attempt::Unknown => Outcome::Unknown,
            }
        };
        let key = publication.payload.key();
        self.recorder.complete(key, outcome.clone());
        outcome
    }

    /// Repeats an attempt until its outcome is known, or patience ends.
    fn persist(&mut self, publication: &Publication) -> Outcome {
        let key = format!(
            "hubcheck-{}-{}",
            publication.payload.key(),
            publication.payload.h
        );
        let deadline = now() + RETRY_PATIENCE;
        // Once an attempt is unknown, no refusal of a later one makes it undone.
        let mut worst = Outcome::No;
        loop {
            match self.attempt(publication, Some(&key)) {
                Attempt::Stored(id) => return Outcome::Ok { id },
                Attempt::Refused { for_now: false } => return worst,
                Attempt::Refused { for_now: true } => {}
                Attempt::Unknown => worst = Outcome::Unknown,
            }
            if now() > deadline {
                return worst;
            }
            self.gate.rest(RETRY_PAUSE);
            self.gate.pass_again();
        }
    }

    fn attempt(&mut self, publication: &Publication, key: Option<&str>) -> Attempt {
        // A hub may end a connection that was idle for long; that is no unknown outcome.
        let kept = self.connection.take().filter(Connection::is_quiet);
        let mut connection = match kept {
            Some(connection) => connection,
            None => match Connection::open(self.hub.address) {
                Ok(connection) => connection,
                // Nothing was sent.
                Err(_) => return Attempt::Refused { for_now: true },
            },
        };
        let request = self.hub.publish_request(publication, key);
        match exchange(&mut connection, &request, self.plan.answer_timeout) {
            Err(_) => Attempt::Unknown,
            Ok((status, said, is_kept)) => {
                self.connection = Some(connection).filter(|_| is_kept);
                let attempt = Attempt::of(status, &said);
                if let Attempt::Refused { .. } = attempt {
                    let why = format!("a publish was refused with {status}: {}", said.trim());
                    self.recorder.refuse(why, false);
                }
                attempt
            }
        }
    }
}

/// Sends a request and reads the answer: its status, its body, and whether the connection stays.
fn exchange(
    connection: &mut Connection,
    request: &[u8],
    patience: Duration,
) -> io::Result<(u16, String, bool)> {
    connection.read_for(Some(patience))?;
    connection.send(request)?;
    let (head, body) = connection.read_head()?;
    let closes = head
        .field("connection")
        .is_some_and(|it| it.eq_ignore_ascii_case("close"));
    let said = connection.read_whole(body)?;
    Ok((head.status, said, !closes))
}

impl Attempt {
    /// By status alone (O1).
    fn of(status: u16, said: &str) -> Self {
        match status {
            200..300 => Self::Stored(said.trim().to_owned()),
            429 | 503 => Self::Refused { for_now: true },
            400..500 | 507 => Self::Refused { for_now: false },
            _ => Self::Unknown,
        }
    }
}

const RETRY_PAUSE: Duration = Duration::from_millis(20);
const RETRY_PATIENCE: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests;
