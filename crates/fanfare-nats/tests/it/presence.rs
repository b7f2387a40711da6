//! The rules of presence, and what is left of a node that writes on after its end.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use fanfare_broker::{Broker, EntryChange, NodeId, Presence};
use fanfare_nats::NatsBroker;
use fanfare_testkit::nats_server::NatsServer;
use fanfare_testkit::presence_suite::Place;

use crate::sample::{connect, within};

/// A server, and the nodes that share it.
struct Server {
    server: NatsServer,
    nodes: Mutex<Vec<Arc<NatsBroker>>>,
}

impl Server {
    fn new() -> Self {
        Self {
            server: NatsServer::start(),
            nodes: Mutex::default(),
        }
    }
}

impl Place for Server {
    async fn open(&self) -> Arc<dyn Presence> {
        let broker = connect(&self.server.host(), "").await;
        let presence = broker.presence().unwrap();
        self.nodes.lock().unwrap().push(broker);
        presence
    }
}

fanfare_testkit::presence_rules!(Server::new());

#[tokio::test(flavor = "multi_thread")]
async fn pr_03_who_lists_removes_what_was_written_after_a_release() {
    let place = Server::new();
    let presence = place.open().await;
    let node = NodeId(0xa);
    let lease = Duration::from_secs(600);
    presence.enter(node, lease).await.unwrap();
    let put = EntryChange::Put {
        key: "x".to_owned(),
        value: Bytes::from_static(b"1"),
    };
    presence.renew(node, lease, vec![put]).await.unwrap();
    let client = async_nats::connect(place.server.host()).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    let mut stream = jetstream
        .get_stream("FANFARE_default_presence")
        .await
        .unwrap();
    let written = stream
        .get_raw_message(stream.cached_info().state.last_sequence)
        .await
        .unwrap();
    assert!(written.subject.contains("entries"), "{}", written.subject);
    presence.release(node).await.unwrap();
    let late = jetstream.publish(written.subject, written.payload).await;
    within("it is stored", async { late.unwrap().await })
        .await
        .unwrap();
    assert_eq!(stream.info().await.unwrap().state.messages, 1);

    assert_eq!(presence.entries().await, Ok(Vec::new()));
    assert_eq!(stream.info().await.unwrap().state.messages, 0);
}
