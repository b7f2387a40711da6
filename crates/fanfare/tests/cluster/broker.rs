//! What the nodes share: a real server.

use std::net::SocketAddr;

use fanfare_testkit::nats_server::NatsServer;
use fanfare_testkit::redis_server::RedisServer;

/// A broker's server; killed when dropped.
pub(crate) enum Broker {
    Redis(RedisServer),
    Nats(NatsServer),
}

impl Broker {
    pub(crate) fn redis() -> Self {
        Self::Redis(RedisServer::start(&[]))
    }

    pub(crate) fn nats() -> Self {
        Self::Nats(NatsServer::start())
    }

    pub(crate) fn url(&self) -> String {
        match self {
            Self::Redis(server) => server.url(),
            Self::Nats(server) => format!("nats://{}?ack=relaxed", server.host()),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        match self {
            Self::Redis(server) => SocketAddr::from(([127, 0, 0, 1], server.port())),
            Self::Nats(server) => server.host().parse().unwrap(),
        }
    }
}
