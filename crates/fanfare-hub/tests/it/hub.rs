//! A hub to test, and a subscriber that reads its stream.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fanfare_broker::{MemoryBroker, Publication, Receipt, Selector, Selectors, Topic, memory};
use fanfare_hub::{Config, EventStream, Hub, Subscription};
use fanfare_wire::{Event, EventId};
use futures_util::StreamExt;

pub(crate) async fn hub() -> Hub {
    hub_with(Config::default(), memory::Config::default()).await
}

pub(crate) async fn hub_with(config: Config, history: memory::Config) -> Hub {
    Hub::start(Arc::new(MemoryBroker::new(history)), config)
        .await
        .unwrap()
}

pub(crate) fn selectors(texts: &[&str]) -> Selectors {
    Selectors::new(
        texts
            .iter()
            .map(|text| Selector::parse(text).unwrap())
            .collect(),
    )
}

pub(crate) fn publication(topic: &str, data: &str) -> Publication {
    Publication::new(Topic::parse(topic).unwrap(), Event::new(data))
}

pub(crate) async fn publish(hub: &Hub, topic: &str, data: &str) -> Receipt {
    hub.publish(vec![publication(topic, data)])
        .await
        .pop()
        .unwrap()
        .unwrap()
}

pub(crate) fn from(texts: &[&str], last_event_id: &str) -> Subscription {
    let mut subscription = Subscription::new(selectors(texts));
    subscription.last_event_id = Some(EventId::parse(last_event_id).unwrap());
    subscription
}

/// Reads a stream block by block.
pub(crate) struct Reader {
    stream: EventStream,
    text: String,
}

impl Reader {
    pub(crate) async fn new(hub: &Hub, subscription: Subscription) -> Self {
        let admission = hub.subscribe(subscription).await.unwrap();
        Self::of(admission.into_stream(Bytes::from_static(b":\n")))
    }

    pub(crate) fn of(stream: EventStream) -> Self {
        Self {
            stream,
            text: String::new(),
        }
    }

    /// The next block that is an event, without its blank line; `None` at the end of the stream.
    pub(crate) async fn block(&mut self) -> Option<String> {
        loop {
            if let Some((block, rest)) = self.text.split_once("\n\n") {
                let (block, rest) = (block.to_owned(), rest.to_owned());
                self.text = rest;
                return Some(block.trim_start_matches(":\n").to_owned());
            }
            let bytes = within(self.stream.next()).await?.unwrap();
            self.text.push_str(std::str::from_utf8(&bytes).unwrap());
        }
    }

    /// The `data` of the next event.
    pub(crate) async fn data(&mut self) -> String {
        let block = self.block().await.expect("the stream goes on");
        let data = block.lines().find_map(|line| line.strip_prefix("data: "));
        data.expect("an event has data").to_owned()
    }
}

/// Waits for `future`, but not for ever.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), future)
        .await
        .expect("in time")
}
