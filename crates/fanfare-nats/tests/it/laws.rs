//! The twelve laws, on a real server.

use std::sync::Arc;

use fanfare_broker::Broker;
use fanfare_nats::{Config, NatsBroker};
use fanfare_testkit::broker_suite::{Limits, Site};
use fanfare_testkit::nats_server::NatsServer;

struct Nats(NatsServer);

impl Site for Nats {
    async fn open(&self, limits: Limits) -> Arc<dyn Broker> {
        let mut config = Config::default();
        config.history_count_max = limits.history_count_max as u64;
        let address = format!("nats://{}?ack=relaxed", self.0.host());
        let broker = NatsBroker::connect(address.parse().unwrap(), config).await;
        Arc::new(broker.unwrap())
    }
}

fanfare_testkit::broker_laws!(Nats(NatsServer::start()));
