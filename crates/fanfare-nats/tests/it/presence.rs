//! PR1 to PR4: leases that run out, and who reaps them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fanfare_broker::{Broker, EntryChange, Estate, NodeId, Presence, PresenceError};
use fanfare_testkit::nats_server::NatsServer;

use crate::sample::{connect, moment, within};

const LONG: Duration = Duration::from_secs(60);
const SHORT: Duration = Duration::from_millis(500);

fn put(key: &str) -> EntryChange {
    EntryChange::Put {
        key: key.to_owned(),
        value: Bytes::from(format!("value of {key}")),
    }
}

fn remove(key: &str) -> EntryChange {
    let key = key.to_owned();
    EntryChange::Remove { key }
}

async fn open(server: &NatsServer) -> Arc<dyn Presence> {
    connect(&server.host(), "").await.presence().unwrap()
}

async fn keys(presence: &Arc<dyn Presence>) -> Vec<(u128, String)> {
    let entries = presence.entries().await.unwrap();
    let mut keys: Vec<_> = entries
        .into_iter()
        .inspect(|entry| assert_eq!(entry.value, format!("value of {}", entry.key)))
        .map(|entry| (entry.node.0, entry.key))
        .collect();
    keys.sort_unstable();
    keys
}

async fn reap_at_last(presence: &Arc<dyn Presence>, ttl: Duration) -> Estate {
    let reaped = async {
        loop {
            match presence.reap(ttl).await.unwrap() {
                Some(estate) => return estate,
                None => moment().await,
            }
        }
    };
    within("a lease runs out", reaped).await
}

#[tokio::test(flavor = "multi_thread")]
async fn pr_01_entries_of_all_nodes_are_read() {
    let server = NatsServer::start();
    let broker = connect(&server.host(), "").await;
    let presence = broker.presence().unwrap();
    assert_eq!(keys(&presence).await, []);
    for node in [1, 2] {
        presence.enter(NodeId(node), LONG).await.unwrap();
        let changes = vec![put("a"), put("b c/*>"), put("a")];
        presence.renew(NodeId(node), LONG, changes).await.unwrap();
    }
    let gone = vec![remove("a"), remove("never there")];
    presence.renew(NodeId(2), LONG, gone).await.unwrap();
    let expected = [(1, "a"), (1, "b c/*>"), (2, "b c/*>")].map(|(n, key)| (n, key.to_owned()));
    assert_eq!(keys(&presence).await, expected);
    assert_eq!(presence.reap(LONG).await.unwrap(), None, "all are alive");
    presence.release(NodeId(1)).await.unwrap();
    assert_eq!(keys(&presence).await, [(2, "b c/*>".to_owned())]);
    let lost = presence.renew(NodeId(1), LONG, vec![put("late")]).await;
    assert_eq!(lost, Err(PresenceError::LeaseLost));
    assert_eq!(keys(&presence).await.len(), 1, "nothing was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn pr_02_of_all_that_reap_one_gets_it() {
    let server = NatsServer::start();
    let brokers = [
        connect(&server.host(), "").await,
        connect(&server.host(), "").await,
    ];
    let [one, two] = [&brokers[0], &brokers[1]].map(|broker| broker.presence().unwrap());
    one.enter(NodeId(1), SHORT).await.unwrap();
    one.renew(NodeId(1), SHORT, vec![put("a")]).await.unwrap();
    one.enter(NodeId(2), LONG).await.unwrap();

    let mut won = Vec::new();
    let reaped = async {
        while won.is_empty() {
            let asked = (0..8).map(|n| {
                if n % 2 == 0 {
                    one.reap(LONG)
                } else {
                    two.reap(LONG)
                }
            });
            for outcome in futures_util::future::join_all(asked).await {
                won.extend(outcome.unwrap());
            }
        }
    };
    within("a lease runs out", reaped).await;
    assert_eq!(won.len(), 1, "{won:?}");
    assert_eq!(won[0].node, NodeId(1));
    assert_eq!(won[0].entries[0].key, "a");
    let lost = one.renew(NodeId(1), SHORT, Vec::new()).await;
    assert_eq!(lost, Err(PresenceError::LeaseLost));
    assert_eq!(two.reap(LONG).await.unwrap(), None, "it is being reaped");
    two.release(NodeId(1)).await.unwrap();
    assert_eq!(keys(&one).await, []);
}

#[tokio::test(flavor = "multi_thread")]
async fn pr_02_who_reaps_and_dies_is_followed_by_another() {
    let server = NatsServer::start();
    let broker = connect(&server.host(), "").await;
    let presence = broker.presence().unwrap();
    presence.enter(NodeId(1), SHORT).await.unwrap();
    presence
        .renew(NodeId(1), SHORT, vec![put("a")])
        .await
        .unwrap();
    let first = reap_at_last(&presence, SHORT).await;
    let again = reap_at_last(&presence, SHORT).await;
    assert_eq!(first, again);
}

#[tokio::test(flavor = "multi_thread")]
async fn pr_03_a_lease_that_ran_out_is_not_renewed() {
    let server = NatsServer::start();
    let broker = connect(&server.host(), "").await;
    let presence = broker.presence().unwrap();
    presence.enter(NodeId(1), SHORT).await.unwrap();
    let other = open(&server).await;
    drop(other);
    // Nobody reaps it: it has run out all the same.
    tokio::time::timeout(SHORT * 2, std::future::pending::<()>())
        .await
        .unwrap_err();
    let lost = presence.renew(NodeId(1), SHORT, vec![put("a")]).await;
    assert_eq!(lost, Err(PresenceError::LeaseLost));
    assert_eq!(keys(&presence).await, []);
    assert_eq!(reap_at_last(&presence, LONG).await.node, NodeId(1));
}
