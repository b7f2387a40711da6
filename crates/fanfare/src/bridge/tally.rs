//! What a bridge counts.

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// Cloning shares the counts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    pub(super) connected: Gauge,
    pub(super) holding: Gauge,
    pub(super) heard: Counter,
    pub(super) stored: Counter,
    pub(super) repeated: Counter,
    pub(super) malformed: Counter,
    pub(super) refused: Counter,
    pub(super) dropped: Counter,
    pub(super) failures: Counter,
}

impl Tally {
    /// Shows the counts in `registry`.
    pub(crate) fn register(&self, registry: &mut Registry) {
        let bridge = registry.sub_registry_with_prefix("bridge");
        let gauges = [
            ("connected", "Whether this node hears", &self.connected),
            (
                "holding",
                "Whether it is this node that stores what is heard",
                &self.holding,
            ),
        ];
        for (name, help, gauge) in gauges {
            bridge.register(name, help, gauge.clone());
        }
        let counters = [
            ("heard", "Events heard, by each node", &self.heard),
            ("stored", "Events stored by this node", &self.stored),
            (
                "repeated",
                "Events that another node had stored already",
                &self.repeated,
            ),
            (
                "malformed",
                "What was heard and is no event",
                &self.malformed,
            ),
            (
                "refused",
                "Events that the broker does not take",
                &self.refused,
            ),
            (
                "dropped",
                "Events lost, for too many waited to be stored",
                &self.dropped,
            ),
            ("failures", "Connections that failed", &self.failures),
        ];
        for (name, help, counter) in counters {
            bridge.register(name, help, counter.clone());
        }
    }
}
