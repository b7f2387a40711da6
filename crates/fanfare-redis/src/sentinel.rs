//! Who the primary is now, by the word of sentinels.
//!
//! They are asked before each connection, so whoever loses the server looks for it anew. A sentinel
//! may be behind the others: what it names must call itself the primary.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redis::{AsyncConnectionConfig, RedisConnectionInfo, Value, cmd};

use crate::address::{Address, Place};
use crate::link::{Connection, Fault, Link, refused};

/// The sentinels of an address.
#[derive(Clone, Debug)]
pub(crate) struct Sentinels {
    places: Vec<Place>,
    /// What they call the primary.
    name: String,
    /// How often an attempt failed: the next begins with another one of them.
    failures: Arc<AtomicUsize>,
}

impl Sentinels {
    /// `None`: `address` has none.
    pub(crate) fn of(address: &Address) -> Option<Self> {
        Some(Self {
            places: address.places().to_vec(),
            name: address.primary()?.to_owned(),
            failures: Arc::default(),
        })
    }

    /// Connects to the primary.
    pub(crate) async fn connect(
        &self,
        link: &Link,
        patience: Duration,
    ) -> Result<Connection, Fault> {
        let connected = self.try_connect(link, patience).await;
        if connected.is_err() {
            self.failures.fetch_add(1, Ordering::Relaxed);
        }
        connected
    }

    async fn try_connect(&self, link: &Link, patience: Duration) -> Result<Connection, Fault> {
        let primary = self.primary(link).await?;
        let mut connection = link.connect_to(&primary, patience).await?;
        match connection.ask(&cmd("ROLE")).await? {
            Value::Array(role) if role.first().and_then(text).as_deref() == Some("master") => {
                Ok(connection)
            }
            _ => {
                let why = format!("{primary} is not the primary, against a sentinel's word");
                Err(Fault::Lost(why))
            }
        }
    }

    /// Where the primary is, by the first sentinel that knows.
    async fn primary(&self, link: &Link) -> Result<Place, Fault> {
        let mut why = String::new();
        let count = self.places.len();
        let first = self.failures.load(Ordering::Relaxed);
        for place in self.places.iter().cycle().skip(first % count).take(count) {
            let asked = self.ask(link, place);
            why = match tokio::time::timeout(PATIENCE.min(link.response_timeout()), asked).await {
                Ok(Ok(Some(primary))) => return Ok(primary),
                Ok(Ok(None)) => format!("{place} does not know it"),
                Ok(Err(fault)) => format!("{place}: {fault}"),
                Err(_) => format!("{place} does not answer"),
            };
        }
        let name = &self.name;
        Err(Fault::Lost(format!(
            "no sentinel says where {name} is; the last one: {why}"
        )))
    }

    /// Asks one; `None`: it does not know.
    async fn ask(&self, link: &Link, place: &Place) -> Result<Option<Place>, Fault> {
        let login = RedisConnectionInfo::default();
        match self.ask_as(login.clone(), link, place).await {
            Err(Fault::Refused { code, .. }) if code == "NOAUTH" => {
                self.ask_as(link.with_password(login), link, place).await
            }
            answer => answer,
        }
    }

    async fn ask_as(
        &self,
        login: RedisConnectionInfo,
        link: &Link,
        place: &Place,
    ) -> Result<Option<Place>, Fault> {
        let client = link.client(place, login)?;
        let config = AsyncConnectionConfig::new();
        let mut connection = client
            .get_multiplexed_async_connection_with_config(&config)
            .await?;
        let question = cmd("SENTINEL")
            .arg("get-master-addr-by-name")
            .arg(&self.name)
            .take();
        match refused(connection.send_packed_command(&question).await?)? {
            Value::Nil => Ok(None),
            Value::Array(place) => {
                let host = place.first().and_then(text);
                let port = place.get(1).and_then(text);
                let port = port.and_then(|port| port.parse().ok());
                let (Some(host), Some(port)) = (host, port) else {
                    return Err(Fault::odd(&place));
                };
                Ok(Some(Place { host, port }))
            }
            other => Err(Fault::odd(&other)),
        }
    }
}

fn text(value: &Value) -> Option<String> {
    redis::from_redis_value_ref(value).ok()
}

/// How long one sentinel may take: the next is asked then.
const PATIENCE: Duration = Duration::from_secs(1);
