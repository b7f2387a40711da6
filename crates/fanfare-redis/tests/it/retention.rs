//! What is kept: by count, bytes and age, never less than was asked for (RD3, T1).

use std::time::Duration;

use fanfare_broker::{Broker, PublishError, Resolved};
use fanfare_redis::{Config, RedisBroker};
use fanfare_testkit::redis_server::RedisServer;
use fanfare_wire::EventId;

use crate::sample::{connect_as, publication, publish, run, store, until};

async fn first(broker: &RedisBroker) -> u64 {
    broker.bounds().await.unwrap().first
}

#[test]
fn rd_03_count_is_kept_exactly() {
    run(async {
        let server = RedisServer::start(&[]);
        let mut config = Config::default();
        config.history_count_max = 10;
        let broker = connect_as(&server.url(), config).await;
        for n in 1..=25_u32 {
            store(&broker, n..n + 1).await;
            assert_eq!(first(&broker).await, u64::from(n.saturating_sub(10) + 1));
        }
        store(&broker, 0..100).await;
        assert_eq!(first(&broker).await, 116);
    });
}

#[test]
fn rd_03_bytes_are_kept_and_a_little_more() {
    run(async {
        let server = RedisServer::start(&[]);
        let mut config = Config::default();
        config.history_bytes_max = 100_000;
        let broker = connect_as(&server.url(), config).await;
        let data = "x".repeat(818);
        let mut one = publication(&data);
        // 128 + 32 + 21 for the topic, 1 for the id: 1,000 in all.
        one.event.id = Some(EventId::parse("i").unwrap());
        for n in 1..=300_u64 {
            publish(&broker, one.clone()).await.unwrap();
            let kept = n - first(&broker).await + 1;
            assert!(kept >= n.min(100), "never less: {kept} of {n}");
            assert!(kept <= 104, "not much more: {kept}");
        }
        // Of the id, the earliest that is retained.
        let id = EventId::parse("i").unwrap();
        let earliest = Resolved::At(first(&broker).await);
        assert_eq!(broker.resolve(&id).await.unwrap(), earliest);
        let bytes = server.command(&["LLEN", "fanfare:{main}:named"]);
        assert!(bytes.parse::<u32>().unwrap() <= 104, "the index is trimmed");

        let large = publication(&"x".repeat(100_000));
        let refused = publish(&broker, large).await;
        let too_large = matches!(refused, Err(PublishError::TooLarge { .. }));
        assert!(too_large, "{refused:?}");
    });
}

/// Also when nobody publishes.
#[test]
fn rd_03_age_empties_an_idle_history() {
    run(async {
        let server = RedisServer::start(&[]);
        let mut config = Config::default();
        config.history_age_max = Duration::from_millis(500);
        let broker = connect_as(&server.url(), config).await;
        let told = store(&broker, 0..10).await;
        until("it is too old", async || first(&broker).await == 11).await;
        let last = told[9].cursor;
        assert_eq!(broker.bounds().await.unwrap().head, Some(last));
        let resolved = broker.resolve(&last.id()).await.unwrap();
        assert_eq!(resolved, Resolved::At(10));
        let next = store(&broker, 0..1).await;
        assert_eq!(next[0].cursor.offset, 11);
        assert_eq!(next[0].cursor.epoch, last.epoch);
    });
}

/// A record of an epoch that is no longer listed is still told.
#[test]
fn c_03_epochs_that_were_forgotten_are_taken_by_their_word() {
    run(async {
        let server = RedisServer::start(&[]);
        let broker = connect_as(&server.url(), Config::default()).await;
        for n in 0..3 {
            store(&broker, n..n + 1).await;
            // The next one is stored under another epoch.
            server.command(&["HDEL", "fanfare:{main}:meta", "fence"]);
        }
        server.command(&["LTRIM", "fanfare:{main}:epochs", "-1", "-1"]);
        let mut follower = crate::sample::Follower::attach(&broker, None);
        let all = |it: &crate::sample::Follower| it.told.len() == 3;
        follower.read_until("all are told", all).await;
        assert_eq!(follower.last, 3, "{:?}", follower.told);
    });
}
