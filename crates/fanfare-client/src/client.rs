//! One connection pool for many sources and publishers.

use crate::config::Config;
use crate::error::InvalidConfig;
use crate::network::Network;
use crate::publisher::{self, Publisher};
use crate::source::EventSource;

/// Connections that sources and publishers share; cloning is cheap.
///
/// Over HTTP/2 all streams of one origin travel on one connection. Whoever must not share one with
/// another identity uses a client of its own.
#[derive(Clone, Debug)]
pub struct Client(reqwest::Client);

impl Client {
    /// Makes a client. Connections are made when they are needed.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] when certificates or the proxy cannot be used.
    pub fn new(network: &Network) -> Result<Self, InvalidConfig> {
        network.connect().map(Self)
    }

    /// Makes a source over this client's connections. It does nothing before it is polled.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] when the URL or the method cannot be used.
    pub fn event_source(&self, config: Config) -> Result<EventSource, InvalidConfig> {
        EventSource::over(self.0.clone(), config)
    }

    /// Makes a publisher over this client's connections.
    ///
    /// # Errors
    ///
    /// [`InvalidConfig`] when the URL cannot be used.
    pub fn publisher(&self, config: publisher::Config) -> Result<Publisher, InvalidConfig> {
        Publisher::over(self.0.clone(), config)
    }
}
