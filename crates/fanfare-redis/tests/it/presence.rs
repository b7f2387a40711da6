//! The rules of presence.

use std::sync::Arc;

use fanfare_broker::{Broker, Presence};
use fanfare_redis::RedisBroker;
use fanfare_testkit::presence_suite::Place;
use fanfare_testkit::redis_server::RedisServer;

use crate::sample::connect;

/// A server, and the nodes that share it.
struct Server {
    server: RedisServer,
    nodes: std::sync::Mutex<Vec<Arc<RedisBroker>>>,
}

impl Server {
    fn new() -> Self {
        Self {
            server: RedisServer::start(&[]),
            nodes: std::sync::Mutex::default(),
        }
    }
}

impl Place for Server {
    async fn open(&self) -> Arc<dyn Presence> {
        let broker = connect(&self.server).await;
        let presence = broker.presence().unwrap();
        self.nodes.lock().unwrap().push(broker);
        presence
    }
}

fanfare_testkit::presence_rules!(Server::new());
