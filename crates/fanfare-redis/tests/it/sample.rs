//! Brokers on servers of a test's own.

use std::sync::Arc;

use fanfare_redis::{Address, Config, RedisBroker};
use fanfare_testkit::redis_server::RedisServer;

/// Connects to `server` as its users do.
pub(crate) async fn connect(server: &RedisServer) -> Arc<RedisBroker> {
    connect_as(&server.url(), Config::default()).await
}

/// Connects to `address`.
pub(crate) async fn connect_as(address: &str, config: Config) -> Arc<RedisBroker> {
    let address: Address = address.parse().unwrap();
    Arc::new(RedisBroker::connect(address, config).await.unwrap())
}
