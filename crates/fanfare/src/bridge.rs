//! A bridge: what an application says by `PUBLISH` in Redis becomes events of the hub.
//!
//! Every node hears all of it, and it must be stored once. One node at a time holds a lease, and
//! stores. It also says a marker once a second, as does who begins to listen, and all hear it between
//! the same two events. So all nodes name an event alike, by the last marker and a number, and that
//! name is its idempotency key. Who takes the lease over stores what it has heard in the last
//! seconds: what the node before it has stored is known by its key.

mod address;
mod backlog;
mod tally;

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fanfare_broker::{Publication, PublishError};
use futures_util::StreamExt;
use redis::aio::{MultiplexedConnection, PubSub};
use redis::{AsyncCommands, AsyncConnectionConfig, Client, RedisError, Script};
use tokio::sync::Notify;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

pub use address::{Bridge, InvalidBridge};
use backlog::{Backlog, Heard};
pub(crate) use tally::Tally;

use crate::broadcast::Envelope;
use crate::draft::Rules;
use crate::error::Refusal;
use crate::expires::Now;
use crate::server::Server;

/// One node's end of a bridge.
#[derive(Debug)]
pub(crate) struct Span {
    bridge: Bridge,
    /// Names this node as the lease's holder.
    node: Uuid,
    tally: Tally,
    backlog: Mutex<Backlog>,
    /// There is something to store, and it is this node that does.
    work: Notify,
}

impl Span {
    pub(crate) fn new(bridge: Bridge) -> Self {
        Self {
            bridge,
            node: Uuid::new_v4(),
            tally: Tally::default(),
            backlog: Mutex::new(Backlog::new(COUNT_MAX, BYTES_MAX)),
            work: Notify::new(),
        }
    }

    pub(crate) fn tally(&self) -> Tally {
        self.tally.clone()
    }

    /// Carries events over until `stop` is cancelled, then hands the lease over.
    pub(crate) async fn run(&self, server: &Server, stop: &CancellationToken) {
        tokio::select! {
            never = self.stay_connected() => match never {},
            never = self.store(server) => match never {},
            () = stop.cancelled() => {}
        }
        if self.tally.holding.get() > 0 && timeout(TIMEOUT, self.release()).await.is_err() {
            tracing::warn!("the bridge's lease is left to run out");
        }
        self.tally.holding.set(0);
    }

    /// Connects again and again.
    async fn stay_connected(&self) -> Infallible {
        let mut pause = FIRST_PAUSE;
        loop {
            let begun = Instant::now();
            let Err(error) = self.listen().await;
            self.tally.connected.set(0);
            self.tally.holding.set(0);
            self.tally.failures.inc();
            // Who was away does not know where it stands between the markers.
            self.backlog().lose_count();
            if begun.elapsed() > LONGEST_PAUSE {
                pause = FIRST_PAUSE;
            }
            // At random, so that nodes that lost it together do not come back together.
            let wait = pause.mul_f64(rand::random_range(0.5..1.0));
            tracing::warn!(server = self.bridge.server(), %error, ?wait, "the bridge is down");
            sleep_until(Instant::now() + wait).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Hears, and holds the lease if it can, until the connection fails.
    async fn listen(&self) -> Result<Infallible, Down> {
        let (pubsub, mut commands) = timeout(TIMEOUT, self.connect()).await??;
        self.tally.connected.set(1);
        tracing::info!(server = self.bridge.server(), "the bridge is up");
        let mut heard = pubsub.into_on_message();
        let mut pace = interval(RENEW_EVERY);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut marked_at = Instant::now();
        loop {
            tokio::select! {
                said = heard.next() => {
                    let said = said.ok_or(Down::Closed)?;
                    let (now, bytes) = (Instant::now(), said.get_payload_bytes());
                    if said.get_channel_name() == self.bridge.marker_place() {
                        marked_at = now;
                        self.backlog().mark(&String::from_utf8_lossy(bytes));
                    } else {
                        self.hear(bytes, now);
                    }
                }
                now = pace.tick() => {
                    // A connection may be dead and not say so; a marker comes each second.
                    if now > marked_at + LEASE {
                        return Err(Down::Silent);
                    }
                    let holds = self.claim(&mut commands).await?;
                    self.hold(holds, now);
                }
            }
        }
    }

    async fn connect(&self) -> Result<(PubSub, MultiplexedConnection), RedisError> {
        let client = Client::open(self.bridge.connection())?;
        let mut commands = self.commands(&client).await?;
        let mut pubsub = client.get_async_pubsub().await?;
        let markers = self.bridge.marker_place();
        let places = [self.bridge.place(), markers.as_str()];
        pubsub.subscribe(&places[..]).await?;
        // From here on it names what it hears as the others do.
        let marker = Uuid::new_v4().to_string();
        commands.publish::<_, _, ()>(&markers, marker).await?;
        Ok((pubsub, commands))
    }

    async fn commands(&self, client: &Client) -> Result<MultiplexedConnection, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(TIMEOUT))
            .set_response_timeout(Some(TIMEOUT));
        client
            .get_multiplexed_async_connection_with_config(&config)
            .await
    }

    /// Takes or keeps the lease, if nobody else has it, and then says a marker.
    async fn claim(&self, commands: &mut MultiplexedConnection) -> Result<bool, RedisError> {
        let script = Script::new(CLAIM);
        let mut call = script.key(self.bridge.lease_key());
        call.arg(self.node.to_string())
            .arg(u64::try_from(LEASE.as_millis()).unwrap_or(u64::MAX))
            .arg(self.bridge.marker_place())
            .arg(Uuid::new_v4().to_string());
        let holds: i64 = call.invoke_async(commands).await?;
        Ok(holds == 1)
    }

    async fn release(&self) -> Result<(), RedisError> {
        let client = Client::open(self.bridge.connection())?;
        let mut commands = self.commands(&client).await?;
        let script = Script::new(RELEASE);
        let mut call = script.key(self.bridge.lease_key());
        let call = call.arg(self.node.to_string());
        call.invoke_async::<()>(&mut commands).await
    }

    fn hold(&self, holds: bool, now: Instant) {
        let held = self.tally.holding.set(i64::from(holds)) == 1;
        if holds && !held {
            tracing::info!("this node carries the bridge's events");
        }
        if holds {
            self.work.notify_one();
        } else {
            self.backlog().forget_before(now - KEPT_FOR);
        }
    }

    fn hear(&self, bytes: &[u8], now: Instant) {
        self.tally.heard.inc();
        let dropped = self.backlog().hear(bytes, now);
        self.tally.dropped.inc_by(dropped);
        if dropped > 0 {
            tracing::error!(dropped, "the bridge has more to store than it can keep");
        }
        if self.tally.holding.get() == 1 {
            self.work.notify_one();
        }
    }

    /// Stores what was heard, in order, whenever this node holds the lease.
    async fn store(&self, server: &Server) -> Infallible {
        loop {
            self.work.notified().await;
            while self.tally.holding.get() == 1 {
                let batch = self.backlog().first(BATCH);
                if batch.is_empty() {
                    break;
                }
                let stored = self.store_batch(server, &batch).await;
                self.backlog().done(&batch, stored);
                if stored < batch.len() {
                    sleep_until(Instant::now() + RETRY_AFTER).await;
                }
            }
        }
    }

    /// Stores `batch`; how many of it, from its begin, are done with.
    async fn store_batch(&self, server: &Server, batch: &[Heard]) -> usize {
        let now = Now::read();
        let drafts = batch.iter().map(|heard| match draft(server, heard, now) {
            Ok(publication) => Some(publication),
            Err(refusal) => {
                self.tally.malformed.inc();
                let said = cut(&heard.said);
                tracing::warn!(%refusal, said, "what was heard is no event");
                None
            }
        });
        let drafts: Vec<_> = drafts.collect();
        let publications = drafts.iter().flatten().cloned().collect();
        let mut outcomes = VecDeque::from(server.publish(publications).await);
        for (done, draft) in drafts.iter().enumerate() {
            if draft.is_none() {
                continue;
            }
            match outcomes.pop_front() {
                Some(Ok(receipt)) if receipt.duplicate => self.tally.repeated.inc(),
                Some(Ok(_)) => self.tally.stored.inc(),
                // What is tried again is known by its key, should it have been stored after all.
                None
                | Some(Err(
                    PublishError::Unavailable { .. }
                    | PublishError::Overloaded { .. }
                    | PublishError::Full
                    | PublishError::Unknown,
                )) => return done,
                Some(Err(error)) => {
                    tracing::warn!(%error, "an event of the bridge is refused");
                    self.tally.refused.inc()
                }
            };
        }
        batch.len()
    }

    fn backlog(&self) -> MutexGuard<'_, Backlog> {
        // No code panics while it holds the lock.
        self.backlog.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The publication that `heard` is, by the rules of `/broadcast`.
fn draft(server: &Server, heard: &Heard, now: Now) -> Result<Publication, Refusal> {
    let value = serde_json::from_slice(&heard.said);
    let value = value.map_err(|error| Refusal::Json(error.to_string()))?;
    let mut envelope = Envelope::read(value)?;
    let own = envelope.idempotency_key.take();
    let mut draft = envelope.into_draft()?;
    draft.idempotency_key = Some(heard.key(own.as_deref()));
    let rules = Rules {
        topics_max: server.config.topics_max,
        hub_path: &server.config.hub_path,
        // Who may publish in that Redis may publish here.
        granted: None,
        lifecycle_types: false,
    };
    Ok(draft.check(&rules, now)?)
}

/// A stranger's bytes, short enough to be shown; the log escapes them.
fn cut(said: &[u8]) -> String {
    let start = said.get(..SHOWN_BYTES_MAX).unwrap_or(said);
    format!("{:?}", String::from_utf8_lossy(start))
}

/// Why the bridge is down.
#[derive(Debug, thiserror::Error)]
enum Down {
    #[error(transparent)]
    Redis(#[from] RedisError),
    #[error("no answer")]
    Slow(#[from] tokio::time::error::Elapsed),
    #[error("the connection was closed")]
    Closed,
    #[error("nothing is heard any more")]
    Silent,
}

/// Takes the lease `KEYS[1]` for `ARGV[1]`, for `ARGV[2]` ms, and says `ARGV[4]` on `ARGV[3]`; in
/// one step, so that no other node's marker comes after this node has the lease.
const CLAIM: &str = "\
local holder = redis.call('GET', KEYS[1])
if holder and holder ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
redis.call('PUBLISH', ARGV[3], ARGV[4])
return 1";

/// Gives the lease back, if it is still this node's.
const RELEASE: &str = "\
if redis.call('GET', KEYS[1]) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 0";

/// How long the other nodes wait for a sign of life before one takes over.
const LEASE: Duration = Duration::from_secs(5);

const RENEW_EVERY: Duration = Duration::from_secs(1);

/// How long a node that does not store keeps what it hears: the lease, and what its holder may be
/// behind.
const KEPT_FOR: Duration = Duration::from_secs(15);

/// What waits to be stored, at most; past it the oldest go.
const COUNT_MAX: usize = 100_000;
const BYTES_MAX: usize = 64 << 20;

/// Events stored at once.
const BATCH: usize = 200;

const RETRY_AFTER: Duration = Duration::from_millis(500);

const TIMEOUT: Duration = Duration::from_secs(3);

const FIRST_PAUSE: Duration = Duration::from_millis(200);

const LONGEST_PAUSE: Duration = Duration::from_secs(10);

const SHOWN_BYTES_MAX: usize = 100;
