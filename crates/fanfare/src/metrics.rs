//! What the server counts, and `/metrics`.

use std::sync::Arc;
use std::time::UNIX_EPOCH;

use fanfare_hub::{Counts, Hub};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, text};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{ConstGauge, Gauge};
use prometheus_client::registry::Registry;

use crate::bridge::Tally;
use crate::tls::Tls;
use crate::web_hook::Occupancy;

/// The server's own counts, and the registry that shows them beside the hub's.
///
/// No label holds a topic, an id or anything else that a stranger chooses (S21).
#[derive(Debug)]
pub(crate) struct Metrics {
    registry: Registry,
    connections: Gauge,
    streams: Gauge,
    accepted: Counter,
    refusals: Family<Reason, Counter>,
    auth_failures: Family<Role, Counter>,
    lifecycle_types: Counter,
    handshakes: Family<Protocol, Counter>,
    handshakes_failed: Family<Reason, Counter>,
    certificates_read: Family<Outcome, Counter>,
    updates: Counter,
}

#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Protocol {
    protocol: &'static str,
}

#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Outcome {
    outcome: &'static str,
}

#[derive(Clone, Copy, Debug, EncodeLabelSet, Eq, Hash, PartialEq)]
struct Role {
    role: &'static str,
}

impl Metrics {
    pub(crate) fn new(
        hub: Hub,
        occupancy: Option<Arc<Occupancy>>,
        tls: Option<Tls>,
        bridge: Option<Tally>,
    ) -> Self {
        let metrics = Self {
            registry: Registry::default(),
            connections: Gauge::default(),
            streams: Gauge::default(),
            accepted: Counter::default(),
            refusals: Family::default(),
            auth_failures: Family::default(),
            lifecycle_types: Counter::default(),
            handshakes: Family::default(),
            handshakes_failed: Family::default(),
            certificates_read: Family::default(),
            updates: Counter::default(),
        };
        let mut metrics = metrics.registered(hub, occupancy);
        if let Some(bridge) = bridge {
            let server = metrics.registry.sub_registry_with_prefix("fanfare");
            bridge.register(server);
        }
        match tls {
            Some(tls) => metrics.registered_for_tls(tls),
            None => metrics,
        }
    }

    fn registered(mut self, hub: Hub, occupancy: Option<Arc<Occupancy>>) -> Self {
        let server = self.registry.sub_registry_with_prefix("fanfare");
        server.register(
            "connections",
            "Connections that no shard owns: before their first answer, under HTTP/2, over TLS",
            self.connections.clone(),
        );
        server.register(
            "streams",
            "Subscribers over HTTP/2 or on a kept-alive connection",
            self.streams.clone(),
        );
        server.register(
            "connections_accepted",
            "Connections ever accepted",
            self.accepted.clone(),
        );
        server.register(
            "refusals",
            "Requests and connections refused",
            self.refusals.clone(),
        );
        server.register(
            "auth_failures",
            "Requests whose token was missing or bad",
            self.auth_failures.clone(),
        );
        server.register(
            "lifecycle_types",
            "Publications of type `error` or `open`, which fire a page's own listeners",
            self.lifecycle_types.clone(),
        );
        self.registry.register(
            "mercure_updates",
            "Publications of publishers, stored through this process",
            self.updates.clone(),
        );
        self.registry
            .register_collector(Box::new(HubCollector { hub }));
        if let Some(occupancy) = occupancy {
            self.registry
                .register_collector(Box::new(HookCollector { occupancy }));
        }
        self
    }

    fn registered_for_tls(mut self, tls: Tls) -> Self {
        let server = self.registry.sub_registry_with_prefix("fanfare");
        server.register(
            "handshakes",
            "TLS handshakes that succeeded",
            self.handshakes.clone(),
        );
        server.register(
            "handshakes_failed",
            "TLS handshakes that did not",
            self.handshakes_failed.clone(),
        );
        server.register(
            "certificates_read",
            "Times that the certificate's files were read again",
            self.certificates_read.clone(),
        );
        let end = Box::new(CertificateCollector { tls });
        self.registry.register_collector(end);
        self
    }

    /// All of it in the OpenMetrics text format.
    pub(crate) fn text(&self) -> String {
        let mut text = String::new();
        text::encode(&mut text, &self.registry).expect("a String takes everything");
        text
    }

    pub(crate) fn accepted(&self) {
        self.accepted.inc();
    }

    /// Connections ever accepted.
    pub(crate) fn connections_accepted(&self) -> u64 {
        self.accepted.get()
    }

    pub(crate) fn refused(&self, reason: &'static str) {
        self.refusals.get_or_create(&Reason { reason }).inc();
    }

    pub(crate) fn auth_failed(&self, role: &'static str) {
        self.auth_failures.get_or_create(&Role { role }).inc();
    }

    /// Counts a publication of type `error` or `open`; true for the first one (ENC-12).
    pub(crate) fn lifecycle_type(&self) -> bool {
        self.lifecycle_types.inc() == 0
    }

    pub(crate) fn handshake_done(&self, http2: bool) {
        let protocol = if http2 { "h2" } else { "http/1.1" };
        self.handshakes.get_or_create(&Protocol { protocol }).inc();
    }

    pub(crate) fn handshake_failed(&self, reason: &'static str) {
        let reason = Reason { reason };
        self.handshakes_failed.get_or_create(&reason).inc();
    }

    pub(crate) fn certificate_read(&self, well: bool) {
        let outcome = if well { "shown" } else { "refused" };
        let outcome = Outcome { outcome };
        self.certificates_read.get_or_create(&outcome).inc();
    }

    /// What counts the publications of publishers; comings and goings are none (OP-14).
    pub(crate) fn updates(&self) -> Counter {
        self.updates.clone()
    }

    /// Counts a connection for as long as the value lives.
    pub(crate) fn hold_connection(&self) -> Held {
        Held::new(&self.connections)
    }

    /// Counts a subscriber on the hyper lane for as long as the value lives.
    pub(crate) fn hold_stream(&self) -> Held {
        Held::new(&self.streams)
    }

    pub(crate) fn connections(&self) -> u64 {
        u64::try_from(self.connections.get()).unwrap_or(0)
    }

    pub(crate) fn streams(&self) -> u64 {
        u64::try_from(self.streams.get()).unwrap_or(0)
    }
}

/// One unit of a gauge, given back when dropped.
#[derive(Debug)]
pub(crate) struct Held(Gauge);

impl Held {
    fn new(gauge: &Gauge) -> Self {
        gauge.inc();
        Self(gauge.clone())
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Reads the hub's counts when somebody asks.
#[derive(Debug)]
struct HubCollector {
    hub: Hub,
}

impl Collector for HubCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let counts = self.hub.counts();
        for (name, help, value) in gauges(&counts) {
            let gauge = ConstGauge::new(value);
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            EncodeMetric::encode(&gauge, metric)?;
        }
        for (name, help, value) in counters(&counts) {
            let counter = ConstCounter::new(value);
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            EncodeMetric::encode(&counter, metric)?;
        }
        for (name, help, values) in by_reason(&counts) {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            for &(reason, value) in values {
                let label = Reason { reason };
                let metric = family.encode_family(&label)?;
                EncodeMetric::encode(&ConstCounter::new(value), metric)?;
            }
        }
        Ok(())
    }
}

/// Reads what has come of the web hook's notices when somebody asks.
#[derive(Debug)]
struct HookCollector {
    occupancy: Arc<Occupancy>,
}

impl Collector for HookCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let tally = self.occupancy.tally();
        let (name, help) = (
            "fanfare_web_hook_untold",
            "Topics whose last change is untold.",
        );
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        let untold = u64::try_from(tally.untold).unwrap_or(u64::MAX);
        EncodeMetric::encode(&ConstGauge::new(untold), metric)?;
        for (name, help, value) in [
            (
                "fanfare_web_hook_delivered",
                "Notices that the receiver took.",
                tally.delivered,
            ),
            (
                "fanfare_web_hook_refused",
                "Notices given up, for the receiver refused them.",
                tally.refused,
            ),
            (
                "fanfare_web_hook_failures",
                "Attempts that failed and are made again.",
                tally.failures,
            ),
        ] {
            let metric = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            EncodeMetric::encode(&ConstCounter::new(value), metric)?;
        }
        Ok(())
    }
}

/// Says when the certificate ends.
#[derive(Debug)]
struct CertificateCollector {
    tls: Tls,
}

impl Collector for CertificateCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let name = "fanfare_certificate_end_timestamp_seconds";
        let help = "When the certificate that is shown ends.";
        let end = self.tls.ends_at().duration_since(UNIX_EPOCH);
        let seconds = end.unwrap_or_default().as_secs();
        let metric = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
        EncodeMetric::encode(&ConstGauge::new(seconds), metric)
    }
}

type Sample<T> = (&'static str, &'static str, T);

fn gauges(counts: &Counts) -> [Sample<u64>; 5] {
    [
        ("fanfare_subscribers", "Subscribers.", counts.subscribers),
        (
            "fanfare_subscribers_lagging",
            "Subscribers that are behind the head.",
            counts.lagging,
        ),
        (
            "fanfare_ring_records",
            "Records in the ring.",
            counts.ring_records,
        ),
        (
            "fanfare_ring_bytes",
            "Bytes of frames in the ring.",
            counts.ring_bytes,
        ),
        // The names that a Mercure user's panels already have (OP-14).
        (
            "mercure_subscribers_connected",
            "Subscribers.",
            counts.subscribers,
        ),
    ]
}

fn counters(counts: &Counts) -> [Sample<u64>; 8] {
    [
        (
            "fanfare_subscriptions",
            "Subscribers ever attached.",
            counts.subscribers_total,
        ),
        (
            "fanfare_published",
            "Publications stored through this process.",
            counts.published_total,
        ),
        (
            "fanfare_records",
            "Records fanned out.",
            counts.records_total,
        ),
        (
            "fanfare_deliveries",
            "Frames handed to a socket or stream.",
            counts.deliveries_total,
        ),
        ("fanfare_writes", "Writes made.", counts.writes_total),
        (
            "fanfare_written_bytes",
            "Bytes written.",
            counts.written_bytes_total,
        ),
        (
            "fanfare_heartbeats",
            "Heartbeats sent.",
            counts.heartbeats_total,
        ),
        (
            "mercure_subscribers",
            "Subscribers ever attached.",
            counts.subscribers_total,
        ),
    ]
}

fn by_reason(counts: &Counts) -> [Sample<&[(&'static str, u64)]>; 2] {
    [
        ("fanfare_ended", "Subscribers ended.", &counts.ended_total),
        ("fanfare_gaps", "Gaps signalled.", &counts.gaps_total),
    ]
}
