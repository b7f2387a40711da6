//! What a run under load has come to.

use std::fmt;
use std::time::Duration;

use serde_json::{Value, json};

use super::Latency;

/// How far a crowd is, for a progress bar.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Progress {
    /// Subscribers whose stream is open.
    pub open: usize,
    /// Events published in this run.
    pub published: u64,
    /// Events received in this run, over all subscribers.
    pub received: u64,
    /// The time since the run began.
    pub elapsed: Duration,
}

/// What a run has come to.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Report {
    /// From the run's begin to the last event's arrival.
    pub elapsed: Duration,
    /// Subscribers in the crowd.
    pub subscribers: usize,
    /// Topics in the crowd.
    pub topics: usize,
    /// Events published.
    pub published: u64,
    /// Events received, over all subscribers; doubles are not among them.
    pub received: u64,
    /// Events that a subscriber should have received and did not.
    pub lost: u64,
    /// Events that a subscriber received once more.
    pub doubled: u64,
    /// Events that came to a subscriber, or into the order, behind a younger one.
    pub reordered: u64,
    /// Events on the crowd's topics that the crowd did not publish.
    pub foreign: u64,
    /// Subscribers whose stream the hub ended.
    pub ended: u64,
    /// From the moment an event was due to be published until a subscriber had read it.
    pub latency: Latency,
}

impl Report {
    /// Whether every subscriber got every event once, and in order.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        [
            self.lost,
            self.doubled,
            self.reordered,
            self.foreign,
            self.ended,
        ] == [0; 5]
    }

    /// Events received in a second, over all subscribers.
    #[must_use]
    pub fn deliveries_per_second(&self) -> f64 {
        per_second(self.received, self.elapsed)
    }

    /// The report as JSON; times are in microseconds.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let mut report = json!({
            "elapsed_us": micros(self.elapsed),
            "subscribers": self.subscribers,
            "topics": self.topics,
            "published": self.published,
            "received": self.received,
            "lost": self.lost,
            "doubled": self.doubled,
            "reordered": self.reordered,
            "foreign": self.foreign,
            "ended": self.ended,
            "latency_us": { "max": micros(self.latency.longest()) },
        });
        for (name, quantile) in QUANTILES {
            if let Some(latency) = report.get_mut("latency_us").and_then(Value::as_object_mut) {
                latency.insert(
                    name.to_owned(),
                    micros(self.latency.quantile(quantile)).into(),
                );
            }
        }
        report
    }
}

const QUANTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "published  {} events in {:.1} s, {:.0} a second",
            self.published,
            self.elapsed.as_secs_f64(),
            per_second(self.published, self.elapsed),
        )?;
        writeln!(
            f,
            "received   {} by {} subscribers of {} topics, {:.0} a second",
            self.received,
            self.subscribers,
            self.topics,
            self.deliveries_per_second(),
        )?;
        writeln!(
            f,
            "errors     {} lost, {} doubled, {} reordered, {} foreign, {} streams ended",
            self.lost, self.doubled, self.reordered, self.foreign, self.ended,
        )?;
        write!(f, "latency    ")?;
        for (name, quantile) in QUANTILES {
            write!(
                f,
                "{name} {:.2} ms, ",
                millis(self.latency.quantile(quantile))
            )?;
        }
        write!(f, "max {:.2} ms", millis(self.latency.longest()))
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a rate is read by people; 2^53 events are not counted"
)]
fn per_second(count: u64, elapsed: Duration) -> f64 {
    count as f64 / elapsed.as_secs_f64().max(1e-9)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn millis(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
