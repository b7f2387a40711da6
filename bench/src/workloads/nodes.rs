//! `nodes`: one, two and three hubs on one broker, all of them on one core.
//!
//! What a further node costs in all can be read from it. How much faster further machines are
//! cannot: here they have no processor of their own.

use std::time::Duration;

use anyhow::{Context, ensure};
use fanfare::load::{Config, Crowd, Pace, Report};

use super::{drive, millis, nanos_each};
use crate::broker::{Broker, Kind};
use crate::figures::Figures;
use crate::server::{Program, Server};

const NODES: [usize; 3] = [1, 2, 3];
const TURN: Duration = Duration::from_secs(2);
/// A multiple of one, two and three, as are the numbers of subscribers.
const PUBLISHERS: usize = 24;
const FEW: usize = 6;
const MANY: usize = 600;

pub(super) fn run(run: u32, figures: &mut Figures) -> anyhow::Result<()> {
    for kind in Kind::ALL {
        let mut alone = None;
        for nodes in NODES {
            let cluster = Cluster::start(kind, nodes)?;
            let name = format!("{} x {nodes}", kind.name());
            let mut add = |figure, value| figures.add(&name, run, figure, value);

            // Where next to nothing is delivered, publishing is what costs.
            let published = cluster.measure(FEW)?;
            let rate = published.events_per_second();
            add("publishes_per_second", rate);
            add("hubs_cpu_per_publish_ns", published.hubs_cpu_nanos());
            add("broker_cpu_per_publish_ns", published.broker_cpu_nanos());
            add("broker_sent_bytes_per_publish", published.sent_bytes);
            let latency = &published.report.latency;
            add("latency_p50_ms", millis(latency.quantile(0.5)));
            add("latency_p99_ms", millis(latency.quantile(0.99)));

            let delivered = cluster.measure(MANY)?;
            let deliveries = delivered.report.deliveries_per_second();
            add("deliveries_per_second", deliveries);
            let each = nanos_each(delivered.hubs, delivered.report.received);
            add("hubs_cpu_per_delivery_ns", each);

            let (publishes_alone, deliveries_alone) = *alone.get_or_insert((rate, deliveries));
            add("publishes_to_one_node", rate / publishes_alone);
            add("deliveries_to_one_node", deliveries / deliveries_alone);
        }
    }
    Ok(())
}

/// Hubs on one broker.
struct Cluster {
    hubs: Vec<Server>,
    broker: Broker,
}

/// A run, with what it took of the processors.
struct Measured {
    report: Report,
    /// CPU of all hubs.
    hubs: Duration,
    broker: Duration,
    /// Bytes that the broker sent, for each event.
    sent_bytes: f64,
}

impl Cluster {
    fn start(kind: Kind, nodes: usize) -> anyhow::Result<Self> {
        let broker = Broker::start(kind)?;
        let address = broker.address();
        let arguments = ["serve", "--dev", "--subscriptions=false"];
        let arguments = [&arguments[..], &["--listen", "127.0.0.1:0"]].concat();
        let arguments = [&arguments[..], &["--broker", &address]].concat();
        let start = |_| Server::start_with(Program::Fanfare, &arguments);
        let hubs: anyhow::Result<_> = (0..nodes).map(start).collect();
        Ok(Self {
            hubs: hubs?,
            broker,
        })
    }

    /// Publishes at all nodes to subscribers at all nodes, the next round once everybody has the
    /// last. All of them must see one order, complete and without doubles.
    fn measure(&self, subscribers: usize) -> anyhow::Result<Measured> {
        let mut config = Config::default();
        config.subscribers = subscribers;
        config.publishers = PUBLISHERS;
        let targets = self.hubs.iter().map(Server::target);
        let targets: anyhow::Result<_> = targets.collect();
        let crowd = Crowd::connect_to_all(targets?, config, &mut |_| {});
        let mut crowd = crowd.context("the crowd cannot connect")?;

        let (hubs, broker) = (self.hubs_cpu()?, self.broker.cpu()?);
        let sent_bytes = self.broker.sent_bytes()?;
        let report = drive(&mut crowd, Pace::Rounds, TURN)?;
        ensure!(report.is_clean(), "delivered wrongly:\n{report}");
        Ok(Measured {
            hubs: self.hubs_cpu()? - hubs,
            broker: self.broker.cpu()? - broker,
            sent_bytes: (self.broker.sent_bytes()? - sent_bytes) / count(report.published),
            report,
        })
    }

    fn hubs_cpu(&self) -> anyhow::Result<Duration> {
        self.hubs.iter().map(Server::cpu).sum()
    }
}

impl Measured {
    fn events_per_second(&self) -> f64 {
        count(self.report.published) / self.report.elapsed.as_secs_f64()
    }

    /// Of all hubs, for each event.
    fn hubs_cpu_nanos(&self) -> f64 {
        nanos_each(self.hubs, self.report.published)
    }

    /// For each event.
    fn broker_cpu_nanos(&self) -> f64 {
        nanos_each(self.broker, self.report.published)
    }
}

#[expect(clippy::cast_precision_loss, reason = "2^53 events are not published")]
fn count(events: u64) -> f64 {
    events as f64
}
