//! The twelve laws, over the deaths of nodes, and over those of the server.

use std::sync::{Arc, Mutex};

use fanfare_broker::Broker;
use fanfare_redis::Config;
use fanfare_testkit::broker_suite::{Limits, Site};
use fanfare_testkit::redis_server::RedisServer;

use crate::sample::connect_as;

/// A server that outlives its nodes.
struct Server(RedisServer);

impl Server {
    fn new() -> Self {
        Self(RedisServer::start(&[]))
    }
}

async fn open(server: &RedisServer, limits: Limits) -> Arc<dyn Broker> {
    let mut config = Config::default();
    config.history_count_max = limits.history_count_max as u64;
    connect_as(&server.url(), config).await
}

impl Site for Server {
    async fn open(&self, limits: Limits) -> Arc<dyn Broker> {
        open(&self.0, limits).await
    }

    /// Its connections are cut, and whatever it had not been told it never is.
    async fn reopen(&self, broker: Arc<dyn Broker>, limits: Limits) -> Arc<dyn Broker> {
        self.0.command(&["CLIENT", "KILL", "TYPE", "normal"]);
        drop(broker);
        open(&self.0, limits).await
    }
}

fanfare_testkit::broker_laws!(Server::new());

/// The same when the server dies with the node: with `appendfsync always` nothing that was
/// acknowledged is lost.
mod server_dies {
    use super::*;

    struct Mortal(Mutex<RedisServer>);

    impl Mortal {
        fn new() -> Self {
            let settings = ["appendonly yes", "appendfsync always"];
            Self(Mutex::new(RedisServer::start(&settings)))
        }

        fn kill(&self) {
            let mut server = self.0.lock().unwrap();
            server.kill();
            server.start_again();
        }

        fn url(&self) -> String {
            self.0.lock().unwrap().url()
        }
    }

    impl Site for Mortal {
        async fn open(&self, limits: Limits) -> Arc<dyn Broker> {
            let mut config = Config::default();
            config.history_count_max = limits.history_count_max as u64;
            connect_as(&format!("{}?ack=fsync", self.url()), config).await
        }

        async fn reopen(&self, broker: Arc<dyn Broker>, limits: Limits) -> Arc<dyn Broker> {
            self.kill();
            drop(broker);
            self.open(limits).await
        }
    }

    fanfare_testkit::broker_laws! { Mortal::new();
        law_03_stored_means_readable
        law_04_not_stored_is_never_seen
        law_05_dedupe
        law_06_no_reuse
        law_07_lineage
    }
}
