//! The task that writes: takes all that waits, and has the server append it as one (RD1).

use std::num::NonZeroU32;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use fanfare_broker::{Cursor, Epoch, Publication, PublishError, Receipt};
use redis::{Value, cmd, pipe};
use sha2::{Digest, Sha256};
use tokio::time::Instant;

use crate::address::Address;
use crate::backoff::Backoff;
use crate::condition::{Condition, Part, Phase};
use crate::config::Config;
use crate::encoding::{self, Now, weight};
use crate::keys::{Keys, hash};
use crate::link::{Connection, Fault, Link};
use crate::queue::{Job, Outcomes, Queue, Reply, UNAVAILABLE};
use crate::script::{APPEND, UNKNOWN_SCRIPT, Words};
use crate::server::{self, Wait};

/// The task that writes, and all that it owns.
#[derive(Debug)]
pub(crate) struct Publisher {
    pub(crate) link: Link,
    pub(crate) address: Address,
    pub(crate) config: Config,
    pub(crate) keys: Keys,
    pub(crate) queue: Arc<Queue>,
    pub(crate) condition: Arc<Condition>,
    /// The newest offset that was acknowledged here.
    pub(crate) newest: Arc<AtomicU64>,
}

/// How a time with one connection ended.
enum End {
    /// No job will come any more.
    Closed,
    Lost(String),
}

impl Publisher {
    /// Writes until the queue is closed, beginning with `connection`, whose server was looked at.
    pub(crate) async fn run(self, mut connection: Connection) {
        let last_words = LastWords(Arc::clone(&self.queue));
        while let End::Lost(why) = self.serve(&mut connection).await {
            drop(connection);
            match self.reconnect(why).await {
                Some(next) => connection = next,
                None => break,
            }
        }
        drop(last_words);
    }

    /// Writes until the connection is gone.
    async fn serve(&self, connection: &mut Connection) -> End {
        let wait = self.condition.server().wait;
        let mut tend_at = Instant::now() + TEND;
        loop {
            let tends = !self.config.history_age_max.is_zero();
            let jobs = tokio::select! {
                biased;
                () = connection.broken() => return End::Lost("it ended".to_owned()),
                jobs = self.queue.take() => jobs,
                () = tokio::time::sleep_until(tend_at), if tends => Some(Vec::new()),
            };
            let Some(jobs) = jobs else {
                return End::Closed;
            };
            if jobs.is_empty() {
                tend_at = Instant::now() + TEND;
            }
            if let Err(why) = self.store(connection, wait, jobs).await {
                return End::Lost(why);
            }
        }
    }

    /// Connects again, at once and then with growing waits; the jobs that wait are refused once the
    /// first attempt has failed. `None`: no job will come any more.
    async fn reconnect(&self, why: String) -> Option<Connection> {
        let mut backoff = Backoff::default();
        let mut why = why;
        let mut phases = self.condition.phases();
        loop {
            self.condition
                .lost(Part::Publishing, &why, Now::read().instant);
            match self.connect().await {
                Ok(connection) => {
                    self.queue.back();
                    self.condition.found(Part::Publishing);
                    return Some(connection);
                }
                Err(error) => why = error,
            }
            self.queue.away();
            let closes = phases.wait_for(|phase| *phase != Phase::Open);
            if tokio::time::timeout(backoff.next(), closes).await.is_ok() {
                return None;
            }
        }
    }

    /// Connects, and looks at the server: after a failover it may be another (RD9).
    async fn connect(&self) -> Result<Connection, String> {
        let connection = self.link.connect().await;
        let mut connection = connection.map_err(|fault| fault.to_string())?;
        let server = server::look(&mut connection, &self.address, &self.config).await;
        let server = server.map_err(|misfit| misfit.to_string())?;
        self.condition.looked_at(server);
        Ok(connection)
    }

    /// Stores `jobs` in one step, and answers them.
    ///
    /// # Errors
    ///
    /// The connection must be replaced.
    async fn store(
        &self,
        connection: &mut Connection,
        wait: Wait,
        jobs: Vec<Job>,
    ) -> Result<(), String> {
        let (batch, words) = self.prepare(jobs);
        match self.append(connection, wait, &words).await {
            Ok(outcome) => match parse(&outcome) {
                Some(stored) => {
                    batch.answer(&self.newest, &stored);
                    Ok(())
                }
                None => {
                    batch.refuse(&PublishError::Unknown);
                    Err(Fault::odd(&outcome).to_string())
                }
            },
            Err(fault) => {
                batch.refuse(&outcome_of(&fault));
                match fault {
                    Fault::Refused { ref code, .. } if !is_of_connection(code) => {
                        tracing::error!(%fault, "Redis did not store a batch");
                        Ok(())
                    }
                    fault => Err(fault.to_string()),
                }
            }
        }
    }

    /// Calls the script, and waits for what the ladder asks, on the same connection (RD7).
    async fn append(
        &self,
        connection: &mut Connection,
        wait: Wait,
        words: &Words,
    ) -> Result<Value, Fault> {
        let mut command = APPEND.call(words);
        loop {
            let mut commands = pipe();
            commands.add_command(command);
            let patience = self.wait_patience();
            match wait {
                Wait::Nothing => {}
                Wait::Replica => {
                    commands.add_command(cmd("WAIT").arg(1).arg(patience).take());
                }
                Wait::Disk { replicas } => {
                    let wait = cmd("WAITAOF").arg(1).arg(replicas).arg(patience).take();
                    commands.add_command(wait);
                }
            }
            let mut answers = connection.ask_all(&commands).await?.into_iter();
            let outcome = match answers.next() {
                Some(Err(Fault::Refused { code, .. })) if code == UNKNOWN_SCRIPT => {
                    command = APPEND.introduce(words);
                    continue;
                }
                Some(outcome) => outcome?,
                None => return Err(Fault::Lost("it gave no answer".to_owned())),
            };
            return match (wait, answers.next()) {
                (Wait::Nothing, _) => Ok(outcome),
                (_, Some(Ok(counts))) if is_enough(wait, &counts) => Ok(outcome),
                // Stored, but not as it was promised: nobody can tell what a failover leaves.
                (_, counts) => {
                    tracing::warn!(?wait, ?counts, "too few copies were confirmed in time");
                    Err(Fault::Refused {
                        code: TOO_FEW.to_owned(),
                        why: "too few copies were confirmed in time".to_owned(),
                    })
                }
            };
        }
    }

    /// How long the server waits for copies, in ms: less than we wait for it.
    fn wait_patience(&self) -> u64 {
        let patience = self.config.broker_response_timeout.mul_f32(0.75);
        u64::try_from(patience.as_millis()).unwrap_or(u64::MAX)
    }

    /// The words of the script for `jobs`, and what their outcomes will need.
    fn prepare(&self, jobs: Vec<Job>) -> (Batch, Words) {
        let config = &self.config;
        let keys = &self.keys;
        let millis = |time: Duration| u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let mut words = Words::new([
            &keys.meta,
            &keys.log,
            &keys.epochs,
            &keys.named,
            &keys.marks,
        ]);
        words
            .argument(self.address.fence().as_str())
            .number(Epoch::random().number().into())
            .number(config.history_count_max.max(1))
            .number(config.history_bytes_max)
            .number(millis(config.history_age_max))
            .number(Now::read().unix_ms)
            .number(millis(config.dedupe_window));
        let mut batch = Batch(Vec::with_capacity(jobs.len()));
        for job in jobs {
            let mut marks = Vec::with_capacity(job.batch.len());
            for publication in &job.batch {
                marks.push(self.add(publication, &mut words));
            }
            let mut reply = job.reply;
            reply.leaves();
            batch.0.push(Sent { marks, reply });
        }
        (batch, words)
    }

    fn add(&self, publication: &Publication, words: &mut Words) -> Mark {
        let weight = weight(publication);
        if weight > self.config.history_bytes_max {
            let size = |bytes| usize::try_from(bytes).unwrap_or(usize::MAX);
            return Mark::Refused(PublishError::TooLarge {
                bytes: size(weight),
                bytes_max: size(self.config.history_bytes_max),
            });
        }
        let none = self.keys.meta.as_str();
        let key = publication.idempotency_key.as_ref();
        match key.filter(|_| !self.config.dedupe_window.is_zero()) {
            Some(key) => {
                words.key(&self.keys.dedupe(key));
                words.argument(fingerprint(publication));
            }
            None => {
                words.key(none);
                words.argument("");
            }
        }
        match &publication.event.id {
            Some(id) => words.key(&self.keys.id(id)),
            None => words.key(none),
        };
        let mut bytes = Vec::with_capacity(publication.event.data.len() + 128);
        encoding::encode(publication, &mut bytes);
        words.number(weight).argument(bytes);
        Mark::Sent(publication.event.id.clone())
    }
}

/// What an outcome needs of its publication.
enum Mark {
    /// With its own id.
    Sent(Option<fanfare_wire::EventId>),
    Refused(PublishError),
}

struct Sent {
    marks: Vec<Mark>,
    reply: Reply,
}

/// Jobs whose outcomes come with one answer.
struct Batch(Vec<Sent>);

/// What the script says of one record.
enum Stored {
    At { cursor: Cursor, duplicate: bool },
    Reused,
}

impl Batch {
    fn answer(self, newest: &AtomicU64, stored: &[Stored]) {
        let mut stored = stored.iter();
        for job in self.0 {
            let outcome = |mark| match mark {
                Mark::Refused(error) => Err(error),
                Mark::Sent(own_id) => match stored.next() {
                    None => Err(PublishError::Unknown),
                    Some(Stored::Reused) => Err(PublishError::KeyReused),
                    Some(Stored::At { cursor, duplicate }) => {
                        newest.fetch_max(cursor.offset, Ordering::Relaxed);
                        Ok(Receipt {
                            cursor: *cursor,
                            id: own_id.unwrap_or_else(|| cursor.id()),
                            duplicate: *duplicate,
                        })
                    }
                },
            };
            let outcomes: Outcomes = job.marks.into_iter().map(outcome).collect();
            job.reply.send(outcomes);
        }
    }

    fn refuse(self, error: &PublishError) {
        for job in self.0 {
            job.reply.refuse(error);
        }
    }
}

fn parse(outcome: &Value) -> Option<Vec<Stored>> {
    let Value::Array(outcomes) = outcome else {
        return None;
    };
    let one = |outcome: &Value| match outcome {
        Value::Array(parts) => match parts.as_slice() {
            [Value::Int(2)] => Some(Stored::Reused),
            [Value::Int(duplicate), Value::Int(epoch), Value::Int(offset)] => {
                let epoch = NonZeroU32::new(u32::try_from(*epoch).ok()?)?;
                let cursor = Cursor {
                    epoch: Epoch::new(epoch),
                    offset: u64::try_from(*offset).ok()?,
                };
                Some(Stored::At {
                    cursor,
                    duplicate: *duplicate == 1,
                })
            }
            _ => None,
        },
        _ => None,
    };
    outcomes.iter().map(one).collect()
}

/// Whether `WAIT` or `WAITAOF` counted enough copies; they count at a time-out as well (RD7).
fn is_enough(wait: Wait, counts: &Value) -> bool {
    match (wait, counts) {
        (Wait::Nothing, _) => true,
        (Wait::Replica, Value::Int(replicas)) => *replicas >= 1,
        (Wait::Disk { replicas }, Value::Array(counts)) => match counts.as_slice() {
            [Value::Int(own), Value::Int(others)] => *own >= 1 && *others >= i64::from(replicas),
            _ => false,
        },
        (Wait::Replica | Wait::Disk { .. }, _) => false,
    }
}

/// What is known of the storage of a batch that failed.
///
/// The codes are those that the first write of the script gets, or the script itself, so that
/// nothing was done; a script that fails anywhere else keeps what it did (RD2).
fn outcome_of(fault: &Fault) -> PublishError {
    match fault {
        Fault::Refused { code, .. } => match code.as_str() {
            "OOM" => PublishError::Full,
            "READONLY" | "NOREPLICAS" | "MISCONF" | "LOADING" | "MASTERDOWN" | "BUSY"
            | "NOAUTH" | "CLUSTERDOWN" | "MOVED" | "ASK" | "TRYAGAIN" => UNAVAILABLE,
            _ => PublishError::Unknown,
        },
        Fault::Lost(_) | Fault::Odd(_) => PublishError::Unknown,
    }
}

/// Whether another connection may find a server that does it.
fn is_of_connection(code: &str) -> bool {
    matches!(
        code,
        "READONLY" | "LOADING" | "MASTERDOWN" | "NOAUTH" | "MOVED" | "ASK"
    )
}

/// A code of our own among the server's.
const TOO_FEW: &str = "TOOFEW";

/// Covers what a subscriber could tell apart: topics, event and audience (O3).
fn fingerprint(publication: &Publication) -> String {
    let mut seen = publication.clone();
    seen.expires = None;
    let mut bytes = Vec::new();
    encoding::encode(&seen, &mut bytes);
    hash(&Sha256::digest(&bytes))
}

/// How often what is too old goes though nobody publishes.
const TEND: Duration = Duration::from_secs(1);

/// However the task ends, nobody waits for it.
struct LastWords(Arc<Queue>);

impl Drop for LastWords {
    fn drop(&mut self) {
        self.0.end();
    }
}

#[cfg(test)]
mod tests;
