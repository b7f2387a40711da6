//! The way between servers: a Redis channel that each of them publishes to and listens on.

use std::time::Duration;

use anyhow::Context;
use fanfare_broker::Publication;
use fanfare_hub::Hub;
use futures_util::StreamExt;
use redis::AsyncCommands;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};
use tokio::time::{Instant, sleep_until};

use crate::notice::Notice;

/// The channel that all servers, and whoever else has something to say, publish to.
const CHANNEL: &str = "sse-channel";

/// Handle on a Redis server; what is sent to it reaches every server that listens there.
#[derive(Clone)]
pub(crate) struct Relay {
    client: redis::Client,
    /// Connects when it is first used, and again when it was cut off.
    publisher: ConnectionManager,
}

impl Relay {
    /// Takes `url` for the server's; connects when it must.
    ///
    /// # Errors
    ///
    /// It is no Redis URL.
    pub(crate) fn open(url: &str) -> anyhow::Result<Self> {
        let client = redis::Client::open(url).context("--redis wants redis://HOST:PORT")?;
        // Whoever sends is told at once that it did not work.
        let config = ConnectionManagerConfig::new().set_number_of_retries(0);
        let publisher = ConnectionManager::new_lazy_with_config(client.clone(), config)?;
        Ok(Self { client, publisher })
    }

    /// Sends `notice` to every server, this one too.
    ///
    /// # Errors
    ///
    /// Redis did not say that it has it.
    pub(crate) async fn send(&self, notice: &Notice) -> anyhow::Result<()> {
        let payload = serde_json::to_string(notice)?;
        let mut publisher = self.publisher.clone();
        let sent = publisher.publish::<_, _, ()>(CHANNEL, payload).await;
        sent.context("Redis did not take it")
    }

    /// Delivers what comes from Redis, for ever: comes back when it is cut off, after 100 ms, then
    /// twice as long each time, 5 s at most.
    pub(crate) async fn deliver_to(&self, hub: &Hub) {
        let mut wait = WAIT_MIN;
        loop {
            match self.listen(hub, &mut wait).await {
                Ok(()) => println!("Redis has closed the connection; again in {wait:?}"),
                Err(error) => println!("no Redis: {error}; again in {wait:?}"),
            }
            sleep_until(Instant::now() + wait).await;
            wait = (wait * 2).min(WAIT_MAX);
        }
    }

    /// Delivers what comes over one connection, until it ends.
    async fn listen(&self, hub: &Hub, wait: &mut Duration) -> redis::RedisResult<()> {
        let mut connection = self.client.get_async_pubsub().await?;
        connection.subscribe(CHANNEL).await?;
        // The publisher keeps the failure of its last attempt until it is used: now it tries anew.
        let mut publisher = self.publisher.clone();
        let _ = redis::cmd("PING").exec_async(&mut publisher).await;
        println!("joined the other servers through Redis");
        *wait = WAIT_MIN;
        let mut payloads = connection.into_on_message();
        while let Some(payload) = payloads.next().await {
            match publication(payload.get_payload_bytes()) {
                Ok(publication) => {
                    for error in hub
                        .publish(vec![publication])
                        .await
                        .into_iter()
                        .flat_map(Result::err)
                    {
                        println!("not delivered: {error}");
                    }
                }
                // Whoever can publish to Redis can send anything.
                Err(error) => println!("ignored what came from Redis: {error:#}"),
            }
        }
        Ok(())
    }
}

fn publication(payload: &[u8]) -> anyhow::Result<Publication> {
    let notice: Notice = serde_json::from_slice(payload)?;
    notice.publication()
}

const WAIT_MIN: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(5);
