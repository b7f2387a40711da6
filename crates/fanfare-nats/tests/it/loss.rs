//! NA3, NA5, NA6: a server that has lost what it had acknowledged is found out, and says so.

use std::sync::Arc;

use fanfare_broker::{Broker, Resolved, TailItem};
use fanfare_testkit::nats_server::NatsServer;

use crate::sample::{
    Tail, connect, data, history, publication, publish, resolve, store, wait_until_ready, within,
};

#[tokio::test(flavor = "multi_thread")]
async fn na_06_a_server_without_its_storage_is_another_history() {
    let mut server = NatsServer::start();
    let broker = connect(&server.host(), "").await;
    let mut tail = Tail::of(&broker, None);
    let old = store(&broker, &["1", "2", "3"]).await;
    tail.records_upto(3).await;
    server.kill();
    server.lose_storage();
    server.restart();
    wait_until_ready(&broker).await;

    let TailItem::Diverged { end: 0, epoch } = tail.next().await else {
        panic!("the loss is told");
    };
    let new = store(&broker, &["new"]).await[0].cursor;
    assert_eq!((new.epoch, new.offset), (epoch, 1));
    assert_eq!(data(&tail.records_upto(1).await), ["new"]);
    for receipt in old {
        assert_eq!(resolve(&broker, receipt.cursor).await, Resolved::Unknown);
    }
    assert_eq!(resolve(&broker, new).await, Resolved::At(1));
}

/// Nothing breaks the connection: only a look at the stream, or a publish, tells.
#[tokio::test(flavor = "multi_thread")]
async fn na_06_a_stream_deleted_under_way_is_made_anew() {
    let server = NatsServer::start();
    let broker = connect(&server.host(), "").await;
    let mut tail = Tail::of(&broker, None);
    let old = store(&broker, &["1", "2", "3"]).await;
    tail.records_upto(3).await;
    let client = async_nats::connect(server.host()).await.unwrap();
    let jetstream = async_nats::jetstream::new(client);
    jetstream.delete_stream("FANFARE_default").await.unwrap();

    let stored = async {
        loop {
            match publish(&broker, publication("new")).await {
                Ok(receipt) => return receipt.cursor,
                Err(_) => crate::sample::moment().await,
            }
        }
    };
    let new = within("the stream is made anew", stored).await;
    assert_eq!(new.offset, 1);
    assert!(matches!(
        tail.next().await,
        TailItem::Diverged { end: 0, epoch } if epoch == new.epoch
    ));
    assert_eq!(data(&tail.records_upto(1).await), ["new"]);
    assert_eq!(resolve(&broker, old[2].cursor).await, Resolved::Unknown);
}

/// Five records survive of ten. What both pasts share stays good; the rest is told as lost, and its
/// offsets come again under another epoch. Of two nodes that find out, one writes the mark.
#[tokio::test(flavor = "multi_thread")]
async fn na_05_an_old_copy_of_the_storage_opens_one_epoch() {
    let mut server = NatsServer::start();
    let nodes = [
        connect(&server.host(), "").await,
        connect(&server.host(), "").await,
    ];
    let mut tails = [Tail::of(&nodes[0], None), Tail::of(&nodes[1], None)];
    let mut old = store(&nodes[0], &["1", "2", "3", "4", "5"]).await;
    let copy = tempfile::TempDir::new().unwrap();
    server.kill();
    server.save_storage(copy.path());
    server.restart();
    for node in &nodes {
        wait_until_ready(node).await;
    }
    old.extend(store(&nodes[0], &["6", "7", "8", "9", "10"]).await);
    for tail in &mut tails {
        tail.records_upto(10).await;
    }
    server.kill();
    server.restore_storage(copy.path());
    server.restart();
    for node in &nodes {
        wait_until_ready(node).await;
    }

    let new = store(&nodes[1], &["new"]).await[0].cursor;
    assert_eq!(new.offset, 7, "one mark took an offset");
    for (node, tail) in nodes.iter().zip(&mut tails) {
        let TailItem::Diverged { end: 5, epoch } = tail.next().await else {
            panic!("the loss is told");
        };
        assert_eq!(epoch, new.epoch);
        let told = tail.records_upto(7).await;
        let mark = told[0].publication();
        assert!(
            told[0].offset() == 6 && mark.topics().is_empty(),
            "{told:?}"
        );
        assert_eq!(data(&told[1..]), ["new"]);
        assert_eq!(data(&history(node).await), ["1", "2", "3", "4", "5", "new"]);
        for receipt in &old {
            let expected = match receipt.cursor.offset {
                offset @ ..=5 => Resolved::At(offset),
                _ => Resolved::Diverged { end: 5 },
            };
            assert_eq!(resolve(node, receipt.cursor).await, expected);
        }
    }
    // A node that starts later learns it from the mark.
    let late = connect(&server.host(), "").await;
    assert_eq!(
        late.bounds().await.unwrap().lineage,
        nodes[0].bounds().await.unwrap().lineage
    );
    assert_eq!(resolve(&late, new).await, Resolved::At(7));
    assert_eq!(
        resolve(&late, old[9].cursor).await,
        Resolved::Diverged { end: 5 }
    );
}

/// A cursor beyond the end is from a past that is lost; the tail says so once, and goes on.
#[tokio::test(flavor = "multi_thread")]
async fn a_tail_that_begins_beyond_the_end_is_told() {
    let server = NatsServer::start();
    let broker = connect(&server.host(), "").await;
    let mut beyond = store(&broker, &["1", "2"]).await[1].cursor;
    beyond.offset = 9;
    let mut tail = Tail::of(&broker, Some(beyond));
    let told = tail.next().await;
    assert!(
        matches!(told, TailItem::Diverged { end: 2, .. }),
        "{told:?}"
    );
    store(&broker, &["3"]).await;
    assert_eq!(data(&tail.records_upto(3).await), ["3"]);
}

/// The epochs that a mark told outlive the mark: before it is trimmed, it is written again.
#[tokio::test(flavor = "multi_thread")]
async fn na_05_a_mark_is_renewed_before_it_is_trimmed() {
    let mut server = NatsServer::start();
    let broker = connect(&server.host(), "").await;
    let copy = tempfile::TempDir::new().unwrap();
    store(&broker, &["1"]).await;
    server.kill();
    server.save_storage(copy.path());
    server.restart();
    wait_until_ready(&broker).await;
    store(&broker, &["lost"]).await;
    server.kill();
    server.restore_storage(copy.path());
    server.restart();
    wait_until_ready(&broker).await;
    let epoch = store(&broker, &["2", "3", "4", "5"]).await[3].cursor.epoch;
    let is_renewed = async {
        // Mark at 2, records up to 6, the second mark at 7.
        while broker
            .bounds()
            .await
            .map_or(0, |bounds| bounds.head_offset())
            < 7
        {
            crate::sample::moment().await;
        }
    };
    within("the mark is written again", is_renewed).await;
    let bounds = broker.bounds().await.unwrap();
    assert_eq!(bounds.lineage.newest(), Some(epoch));
    assert_eq!(data(&history(&broker).await), ["1", "2", "3", "4", "5"]);
    drop(Arc::clone(&broker));
}
