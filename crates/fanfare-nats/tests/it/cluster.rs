//! Three servers that hold each record: the loss of any one of them loses nothing.

use std::sync::Arc;

use fanfare_testkit::nats_server::NatsCluster;
use tokio::task::JoinSet;

use crate::sample::{Tail, connect, data, history, moment, store_at_last, wait_until_ready};

#[tokio::test(flavor = "multi_thread")]
async fn p_03_a_leader_killed_under_load_loses_nothing_acknowledged() {
    let mut cluster = NatsCluster::start();
    let broker = connect(&cluster.hosts(), "&replicas=3").await;
    let mut tail = Tail::of(&broker, None);
    let mut publishers = JoinSet::new();
    for publisher in 0..8 {
        let broker = Arc::clone(&broker);
        publishers.spawn(async move {
            let mut last = 0;
            for n in 0..200 {
                let receipt = store_at_last(&broker, &format!("{publisher}-{n}")).await;
                assert!(
                    receipt.cursor.offset > last,
                    "each publisher's order is kept"
                );
                last = receipt.cursor.offset;
            }
        });
    }
    tail.records_upto(300).await;
    let leader = leader(&cluster.hosts()).await;
    let index = ["a", "b", "c"].iter().position(|name| *name == leader);
    cluster.servers[index.unwrap()].kill();
    publishers.join_all().await;

    // The tail objects to every hole and every step back.
    tail.records_upto(1600).await;
    wait_until_ready(&broker).await;
    let mut seen = data(&history(&broker).await);
    seen.sort_unstable();
    let mut expected: Vec<_> = (0..8)
        .flat_map(|publisher| (0..200).map(move |n| format!("{publisher}-{n}")))
        .collect();
    expected.sort_unstable();
    assert_eq!(seen, expected);
}

async fn leader(hosts: &str) -> String {
    let hosts: Vec<_> = hosts.split(',').collect();
    let client = async_nats::connect(hosts).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    loop {
        let stream = jetstream.get_stream("FANFARE_default").await.unwrap();
        let cluster = stream.cached_info().cluster.as_ref();
        if let Some(leader) = cluster.and_then(|cluster| cluster.leader.clone()) {
            return leader;
        }
        moment().await;
    }
}
