//! The twelve laws, kept by the memory broker.

use std::sync::Arc;

use fanfare_broker::{Broker, MemoryBroker, memory};
use fanfare_testkit::broker_suite::{Limits, Site};

struct Memory;

impl Site for Memory {
    async fn open(&self, limits: Limits) -> Arc<dyn Broker> {
        let mut config = memory::Config::default();
        config.history_count_max = limits.history_count_max;
        Arc::new(MemoryBroker::new(config))
    }
}

fanfare_testkit::broker_laws!(Memory);
