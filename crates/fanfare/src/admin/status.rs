//! `GET /admin/status`: what the hub does, in counts from which a reader makes rates.

use std::collections::BTreeMap;
use std::fs;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use fanfare_broker::Health;
use fanfare_hub::Counts;
use http::Response;
use serde::Serialize;

use super::{Shared, query};
use crate::auth::Role;
use crate::server::Server;

pub(super) async fn get(State(server): Shared, request: Request) -> Response<Body> {
    let (parts, _) = query(request);
    let status = server.onlooker(&parts).map(|()| Status::of(&server));
    server.shown(&parts, status)
}

/// Everything is of this node, and counted since its start.
#[derive(Debug, Serialize)]
struct Status<'a> {
    version: &'static str,
    uptime_ms: u64,
    development: bool,
    /// In development, one that may publish and see everything.
    #[serde(skip_serializing_if = "Option::is_none")]
    token: Option<&'a str>,
    hub_path: &'a str,
    /// Whether there are publishers at all, and subscribers.
    publishers: bool,
    subscribers: bool,
    /// Whether subscribers need no token.
    anonymous: bool,
    /// `ready`, `degraded`, `failed` or `draining`.
    state: &'static str,
    why: Option<String>,
    broker: &'static str,
    /// What may be lost of what is stored; `None`: nothing that the disk keeps.
    may_be_lost: Option<String>,
    now: Now,
    totals: Totals,
    ended: BTreeMap<&'static str, u64>,
    gaps: BTreeMap<&'static str, u64>,
    latency: Latency,
}

#[derive(Debug, Serialize)]
struct Now {
    connections: u64,
    subscribers: u64,
    lagging: u64,
    ring_records: u64,
    ring_bytes: u64,
    /// Bytes of the process in memory; `None` where the system does not say.
    memory_bytes: Option<u64>,
}

#[derive(Debug, Serialize)]
struct Totals {
    connections: u64,
    subscribers: u64,
    published: u64,
    records: u64,
    deliveries: u64,
    writes: u64,
    written_bytes: u64,
    heartbeats: u64,
}

/// Buckets as [`fanfare_hub::Latency`] has them, bounds in µs.
#[derive(Debug, Serialize)]
struct Latency {
    stored: Vec<(u64, u64)>,
    written: Vec<(u64, u64)>,
}

impl<'a> Status<'a> {
    fn of(server: &'a Server) -> Self {
        let (hub, config) = (&server.hub, &server.config);
        let counts = hub.counts();
        let capabilities = hub.capabilities();
        let (state, why) = match hub.health() {
            _ if server.draining() => ("draining", None),
            Health::Ready => ("ready", None),
            Health::Degraded { why } => ("degraded", Some(why)),
            Health::Failed { why } => ("failed", Some(why)),
            _ => ("failed", None),
        };
        let dev = config.dev.as_ref();
        let token = dev.map(|dev| &*dev.publisher_token);
        let latency = hub.latency();
        Self {
            version: env!("CARGO_PKG_VERSION"),
            uptime_ms: millis(server.uptime()),
            development: dev.is_some(),
            token: token.filter(|token| !token.is_empty()),
            hub_path: &config.hub_path,
            publishers: server.verifies(Role::Publisher) || dev.is_some(),
            subscribers: server.subscribable(),
            anonymous: config.anonymous,
            state,
            why,
            broker: capabilities.name,
            may_be_lost: capabilities.loss_window,
            now: Now {
                connections: server.connections_open(),
                subscribers: counts.subscribers,
                lagging: counts.lagging,
                ring_records: counts.ring_records,
                ring_bytes: counts.ring_bytes,
                memory_bytes: memory_bytes(),
            },
            totals: Totals::of(&counts, server.metrics.connections_accepted()),
            ended: counts.ended_total.into_iter().collect(),
            gaps: counts.gaps_total.into_iter().collect(),
            latency: Latency {
                stored: in_micros(&latency.stored),
                written: in_micros(&latency.written),
            },
        }
    }
}

impl Totals {
    fn of(counts: &Counts, connections: u64) -> Self {
        Self {
            connections,
            subscribers: counts.subscribers_total,
            published: counts.published_total,
            records: counts.records_total,
            deliveries: counts.deliveries_total,
            writes: counts.writes_total,
            written_bytes: counts.written_bytes_total,
            heartbeats: counts.heartbeats_total,
        }
    }
}

/// What Linux says of this process.
fn memory_bytes() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kilobytes * 1024)
}

fn in_micros(buckets: &[(Duration, u64)]) -> Vec<(u64, u64)> {
    let in_micros = |bound: Duration| u64::try_from(bound.as_micros()).unwrap_or(u64::MAX);
    let buckets = buckets.iter();
    buckets
        .map(|&(bound, count)| (in_micros(bound), count))
        .collect()
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
