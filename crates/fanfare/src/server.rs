//! The server: its limits, and its life from the first accept to the end of its drain.

use std::error::Error;
use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use fanfare_broker::{Publication, PublishError, Receipt};
use fanfare_hub::{Drained, Hub};
use futures_util::future::OptionFuture;
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use url::Url;

use crate::accept::Acceptor;
use crate::auth::{Issuer, Role, Secret, Verifier};
use crate::bridge::{Bridge, Span};
use crate::dialect::Dialects;
use crate::journal;
use crate::metrics::Metrics;
use crate::origins::Origins;
use crate::presence::Presence;
use crate::revocations::Revocations;
use crate::routes;
use crate::tls::{Tls, TlsError};
use crate::web_hook::{Courier, Occupancy, WebHook};

/// Who may do what, and how much of it; assign what differs from the default.
///
/// The default lets nobody in: without `publisher`, `subscriber`, `anonymous` or `dev` the routes
/// of the missing roles do not exist (D0-U3).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Config {
    /// Verifies publishers' tokens. `None`: nobody can publish, except in development.
    pub publisher: Option<Verifier>,
    /// Verifies subscribers' tokens. `None`: tokens are ignored and private events reach nobody.
    pub subscriber: Option<Verifier>,
    /// Who may issue access tokens of 1.0, each with keys of its own. Default: nobody.
    pub issuers: Vec<Issuer>,
    /// The generations of the Mercure protocol that are spoken. Default: both.
    pub dialects: Dialects,
    /// The path of the hub's URL; presence, metadata and the reserved topics follow it. Default
    /// `/.well-known/mercure` (D0-U1, D1-G4).
    pub hub_path: String,
    /// What an access token's `aud` must name. `None`: the hub's URL as the client wrote it (D1-A4).
    pub resource_identifier: Option<String>,
    /// Where the hub is reached from outside, as `scheme://host` or `scheme://host:port`. Default
    /// none: wherever a request says. Otherwise a request to another host gets 421 on the hub's
    /// URL (D1-E8).
    pub public_urls: Vec<Url>,
    /// Who comes and goes is published, and can be asked for. Default: no.
    pub subscriptions: bool,
    /// How long the other nodes of a shared broker wait for a sign of life before they clean up
    /// after this one; it gives three in that time. Default 15 s, at least 1 s (PR1).
    pub node_lease: Duration,
    /// Subscribers without a token are let in; they see public events. Default: no.
    pub anonymous: bool,
    /// Pages of other origins that may read answers. Default: none.
    pub cors_origins: Origins,
    /// Pages that may publish with a cookie. Default: none.
    pub publish_origins: Origins,
    /// The cookie that may carry a token of 0.x. Default `mercureAuthorization`.
    pub cookie_name: String,
    /// The cookie that may carry a token of 1.0. Default `__Secure-mercure_access_token` (D1-A6).
    pub access_cookie_name: String,
    /// Opens the dashboard at `/`, and the routes of `/admin`. `None`: in development both are there
    /// without it, and otherwise not at all.
    pub admin_token: Option<Secret>,
    /// Revocations that are remembered. Default 100,000. Past it: 507, and nothing is revoked.
    pub revocations_max: usize,
    /// Told when a topic gets its first subscriber and when it loses its last one. `None`: nobody.
    pub web_hook: Option<WebHook>,
    /// A channel of a Redis server whose events are carried over. `None`: there is none.
    pub bridge: Option<Bridge>,
    /// Bytes of a request's body. Default 1 MiB. Past it: 413, before the body is read.
    pub body_bytes_max: usize,
    /// Publications in one request to `/publish`. Default 1,000. Past it: 413.
    pub batch_max: usize,
    /// Topics of one publication. Default 1,000. Past it: 400.
    pub topics_max: usize,
    /// Selectors of one subscriber of 0.x. Default 1,000. Past it: 400 (D0-S2).
    pub selectors_max: usize,
    /// Matchers of one subscriber of 1.0. Default 100. Past it: 400 (D1-S5).
    pub matchers_max: usize,
    /// Subscribers at once from one address, of IPv6 from one /64. Default zero: no limit. Past
    /// it: 429 (D1-S7).
    pub subscribers_per_address_max: usize,
    /// Subscribers at once by tokens of one subject. Default zero: no limit. Past it: 429.
    pub subscribers_per_subject_max: usize,
    /// Connections at once. Default 1,000,000. Past it new ones are told to come back later.
    pub connections_max: usize,
    /// The certificate of a server that speaks TLS, and only TLS. `None`: plain HTTP.
    pub tls: Option<Tls>,
    /// Time for each of a TLS handshake's steps: the client's first, its turn, and its last.
    /// Default 10 s. Past it: closed (S10).
    pub handshake_timeout: Duration,
    /// TLS handshakes that are computed at once. Default zero: half of the runtime's threads, at
    /// least one. Past it they wait in order.
    pub handshakes_max: usize,
    /// Streams of one HTTP/2 connection at once. Default 256. Past it the client waits (N10).
    pub connection_streams_max: u32,
    /// Time for a connection's first request head, and between later ones. Default 10 s. Past it:
    /// closed.
    pub head_timeout: Duration,
    /// Bytes of a request head. Default 16 KiB, at least 8 KiB. Past it: 431.
    pub head_bytes_max: usize,
    /// Bytes of a request's target, query included. Default 8 KiB. Past it: 414.
    pub target_bytes_max: usize,
    /// Time for a request's body. Default 30 s. Past it: 408.
    pub body_timeout: Duration,
    /// Each stream begins with its own random reconnection time, 2 s to 6 s (SRV-05). Default: yes.
    pub retry_hint: bool,
    /// Time over which streams are ended at the stop signal. Default 30 s.
    pub drain: Duration,
    /// Development: the plain endpoints need no token, nor does the dashboard on this machine.
    pub dev: Option<Dev>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            publisher: None,
            subscriber: None,
            issuers: Vec::new(),
            dialects: Dialects::Both,
            hub_path: "/.well-known/mercure".to_owned(),
            resource_identifier: None,
            public_urls: Vec::new(),
            subscriptions: false,
            node_lease: Duration::from_secs(15),
            anonymous: false,
            cors_origins: Origins::default(),
            publish_origins: Origins::default(),
            cookie_name: "mercureAuthorization".to_owned(),
            access_cookie_name: "__Secure-mercure_access_token".to_owned(),
            admin_token: None,
            revocations_max: 100_000,
            web_hook: None,
            bridge: None,
            body_bytes_max: 1 << 20,
            batch_max: 1000,
            topics_max: 1000,
            selectors_max: 1000,
            matchers_max: 100,
            subscribers_per_address_max: 0,
            subscribers_per_subject_max: 0,
            connections_max: 1_000_000,
            tls: None,
            handshake_timeout: Duration::from_secs(10),
            handshakes_max: 0,
            connection_streams_max: 256,
            head_timeout: Duration::from_secs(10),
            head_bytes_max: 16 << 10,
            target_bytes_max: 8 << 10,
            body_timeout: Duration::from_secs(30),
            retry_hint: true,
            drain: Duration::from_secs(30),
            dev: None,
        }
    }
}

/// What development mode adds.
#[derive(Clone)]
#[non_exhaustive]
pub struct Dev {
    /// A token that may publish and see everything; the dashboard has it, and opens to it. Empty:
    /// there is none.
    pub publisher_token: String,
    /// What signs publishers' and subscribers' tokens in the dashboard; `None`: nothing does.
    pub keys: [Option<Secret>; 2],
}

impl Dev {
    /// Gives the dashboard `publisher_token`, and nothing to sign with.
    #[must_use]
    pub fn new(publisher_token: impl Into<String>) -> Self {
        Self {
            publisher_token: publisher_token.into(),
            keys: [None, None],
        }
    }
}

impl fmt::Debug for Dev {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dev")
            .field("publisher_token", &"[redacted]")
            .field("keys", &self.keys)
            .finish()
    }
}

/// Serves `hub` on `listener` until `shutdown` resolves and the drain after it has ended.
///
/// The drain (N8): `/readyz` turns red, publishes and new streams are refused politely, publishes
/// that are under way finish, streams end one by one over [`Config::drain`], and only then the
/// listener closes (SRV-11) and idle connections with it. Dropping the future closes the listener
/// at once and leaves open connections to the runtime.
pub async fn run(
    listener: TcpListener,
    hub: Hub,
    config: Config,
    shutdown: impl Future<Output = ()>,
) -> Drained {
    let courier = config.web_hook.clone().map(Courier::new);
    let occupancy = courier.as_ref().map(Courier::occupancy);
    let server = Arc::new(Server::new(hub, config, occupancy));
    let acceptor = Acceptor::new(listener, Arc::clone(&server), routes::router(&server));
    let drain = async {
        shutdown.await;
        server.drain().await
    };
    let presence = Arc::clone(&server);
    let presence = async move { presence.keep_presence().await };
    let presence = AbortOnDropHandle::new(server.connections.spawn(presence));
    let courier = courier.map(|courier| courier.run(server.finish.clone()));
    server.connections.spawn(OptionFuture::from(courier));
    server.connections.spawn(watch_tls(Arc::clone(&server)));
    let bridge = server.connections.spawn(carry_over(Arc::clone(&server)));
    let _bridge = AbortOnDropHandle::new(bridge);
    let revocations = Arc::clone(&server);
    let serve = async {
        let head = server.read_revocations().await;
        let follow = async move { revocations.follow_revocations(head).await };
        let _follow = AbortOnDropHandle::new(server.connections.spawn(follow));
        acceptor.run().await
    };
    let drained = tokio::select! {
        never = serve => match never {},
        drained = drain => drained,
    };
    server.nobody_left.cancel();
    // A broker that is away must not hold up the end.
    if timeout(FINISH_TIMEOUT, presence).await.is_err() {
        tracing::warn!("not every departure was told");
    }
    server.hub.close().await;
    server.close().await;
    drained
}

/// Shows new certificates as their files change, until connections end.
async fn watch_tls(server: Arc<Server>) {
    let Some(tls) = server.config.tls.clone() else {
        return;
    };
    tokio::select! {
        () = tls.watch(|tls, outcome| server.reloaded(tls, outcome)) => {}
        () = server.finish.cancelled() => {}
    }
}

/// Carries a bridge's events over until the stop signal.
async fn carry_over(server: Arc<Server>) {
    if let Some(span) = &server.span {
        span.run(&server, &server.draining).await;
    }
}

/// What every request needs; there is one for each [`run`].
#[derive(Debug)]
pub(crate) struct Server {
    pub(crate) hub: Hub,
    pub(crate) config: Config,
    pub(crate) metrics: Metrics,
    pub(crate) presence: Presence,
    /// Cancelled: all streams are over.
    nobody_left: CancellationToken,
    pub(crate) revocations: Revocations,
    /// Cancelled: connections finish the request they are at, and close.
    pub(crate) finish: CancellationToken,
    /// Cancelled: connections close.
    pub(crate) cut: CancellationToken,
    /// A task for each connection that a shard does not own, and those of its requests.
    pub(crate) connections: TaskTracker,
    /// Turns at the costly part of a TLS handshake.
    pub(crate) handshakes: Semaphore,
    publishes: TaskTracker,
    /// This node's end of the bridge.
    span: Option<Span>,
    /// Cancelled: the stop signal has come.
    draining: CancellationToken,
    started: Instant,
}

impl Server {
    fn new(hub: Hub, config: Config, occupancy: Option<Arc<Occupancy>>) -> Self {
        let span = config.bridge.clone().map(Span::new);
        let bridge = span.as_ref().map(Span::tally);
        Self {
            metrics: Metrics::new(hub.clone(), occupancy.clone(), config.tls.clone(), bridge),
            presence: Presence::new(&hub, &config, occupancy),
            revocations: Revocations::default(),
            nobody_left: CancellationToken::new(),
            handshakes: Semaphore::new(handshakes_max(&config)),
            hub,
            config,
            finish: CancellationToken::new(),
            cut: CancellationToken::new(),
            connections: TaskTracker::new(),
            publishes: TaskTracker::new(),
            span,
            draining: CancellationToken::new(),
            started: now(),
        }
    }

    /// Whether the stop signal has come.
    pub(crate) fn draining(&self) -> bool {
        self.draining.is_cancelled()
    }

    /// How long it has been there.
    pub(crate) fn uptime(&self) -> Duration {
        now().saturating_duration_since(self.started)
    }

    /// Whether anybody can subscribe; if not, the stream routes do not exist (D0-U3).
    pub(crate) fn subscribable(&self) -> bool {
        self.verifies(Role::Subscriber) || self.config.anonymous
    }

    /// Connections now, those that shards own included.
    pub(crate) fn connections_open(&self) -> u64 {
        let sockets = self.hub.counts().subscribers;
        // A subscriber on the hyper lane is counted by the hub and by its connection's task.
        let streams = self.metrics.streams();
        sockets.saturating_sub(streams) + self.metrics.connections()
    }

    /// Publishes `batch` in order; outcome `i` belongs to publication `i`.
    ///
    /// A publisher that hangs up, which drops the future, cancels nothing (D0-P10, O4).
    pub(crate) async fn publish(
        &self,
        batch: Vec<Publication>,
    ) -> Vec<Result<Receipt, PublishError>> {
        let count = batch.len();
        if self.draining() {
            let retry_after = self.config.drain;
            return vec![Err(PublishError::Unavailable { retry_after }); count];
        }
        let (hub, updates) = (self.hub.clone(), self.metrics.updates());
        let publish = self.publishes.spawn(async move {
            let told = journal::wanted().then(|| batch.clone());
            let outcomes = hub.publish(batch).await;
            let stored = |outcome: &&Result<Receipt, _>| {
                outcome.as_ref().is_ok_and(|receipt| !receipt.duplicate)
            };
            updates.inc_by(outcomes.iter().filter(stored).count() as u64);
            for (publication, outcome) in told.iter().flatten().zip(&outcomes) {
                journal::published(publication, outcome);
            }
            outcomes
        });
        publish
            .await
            .unwrap_or_else(|_| vec![Err(PublishError::Unknown); count])
    }

    /// Tells what came of reading the certificate again.
    #[expect(
        clippy::disallowed_methods,
        reason = "a certificate ends by the wall clock"
    )]
    fn reloaded(&self, tls: &Tls, outcome: Result<(), TlsError>) {
        self.metrics.certificate_read(outcome.is_ok());
        match outcome {
            Ok(()) => {
                let ends = httpdate::fmt_http_date(tls.ends_at());
                tracing::info!(ends, "a new certificate is shown");
                if let Some(complaint) = tls.complaint(SystemTime::now()) {
                    tracing::warn!("{complaint}");
                }
            }
            Err(error) => {
                let error = with_causes(&error);
                tracing::error!(error, "the old certificate is kept");
            }
        }
    }

    async fn drain(&self) -> Drained {
        self.draining.cancel();
        tracing::info!(over = ?self.config.drain, "draining");
        self.publishes.close();
        // A broker that does not answer must not hold up the streams; those publishers get no
        // answer, which says "unknown".
        if timeout(self.config.drain, self.publishes.wait())
            .await
            .is_err()
        {
            tracing::warn!("some publishes had no outcome when the drain began");
        }
        self.hub.end_streams(self.config.drain).await
    }

    /// Tells who leaves, and keeps this node's place among the others, until nobody is left and
    /// all is told.
    async fn keep_presence(&self) {
        tokio::select! {
            () = self.presence.keep_lease(&self.hub) => {}
            () = self.presence.tell_departures(&self.hub, &self.nobody_left) => {}
        }
        self.presence.leave().await;
    }

    async fn close(&self) {
        self.finish.cancel();
        self.connections.close();
        if timeout(FINISH_TIMEOUT, self.connections.wait())
            .await
            .is_err()
        {
            tracing::warn!(connections = self.connections.len(), "cut");
            self.cut.cancel();
            self.connections.wait().await;
        }
    }
}

#[expect(clippy::disallowed_methods, reason = "uptime goes by the clock")]
fn now() -> Instant {
    Instant::now()
}

/// How long a connection may take for the request it is at, once the drain is over.
const FINISH_TIMEOUT: Duration = Duration::from_secs(5);

/// Half of the threads stay free for streams; a turn is some milliseconds at most.
fn handshakes_max(config: &Config) -> usize {
    match config.handshakes_max {
        0 => (Handle::current().metrics().num_workers() / 2).max(1),
        count => count.min(Semaphore::MAX_PERMITS),
    }
}

/// An error in one line, with what caused it.
fn with_causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}
