//! What a start checks (RD9), and what an acknowledgement waits for (RD7).

use std::time::Duration;

use fanfare_broker::{Broker, Health, PublishError};
use fanfare_redis::{Address, Config, ConnectError, RedisBroker};
use fanfare_testkit::redis_server::{RedisServer, free_port};

use crate::sample::{connect, connect_as, history, publication, publish, run, store, until};

/// Why a start is refused.
async fn refusal(address: &str) -> ConnectError {
    let address: Address = address.parse().unwrap();
    let mut config = Config::default();
    config.broker_start_patience = Duration::from_millis(100);
    RedisBroker::connect(address, config).await.unwrap_err()
}

async fn assert_unfit(address: &str, part: &str) {
    let error = refusal(address).await;
    let unfit = matches!(&error, ConnectError::Unfit { why, .. } if why.contains(part));
    assert!(unfit, "{error}");
}

#[test]
fn rd_09_server_that_breaks_a_promise_is_refused() {
    run(async {
        let server = RedisServer::start(&["maxmemory-policy allkeys-lru"]);
        assert_unfit(&server.url(), "allkeys-lru").await;
        let server = RedisServer::start(&[]);
        assert_unfit(&format!("{}?ack=fsync", server.url()), "appendonly yes").await;
        let replica = RedisServer::replica(&server, &[]);
        assert_unfit(&replica.url(), "replica of 127.0.0.1").await;
        let secret = RedisServer::start(&["requirepass hunter2"]);
        assert_unfit(&secret.url(), "NOAUTH").await;
        let wrong = format!("redis://:wrong@127.0.0.1:{}", secret.port());
        assert_unfit(&wrong, "WRONGPASS").await;
        let nobody = refusal(&format!("redis://127.0.0.1:{}", free_port())).await;
        let unreachable = matches!(nobody, ConnectError::Unreachable { .. });
        assert!(unreachable, "{nobody}");
    });
}

/// `WAITAOF` came with 7.2; without it and without `appendfsync always`, `ack=fsync` is no promise
/// that could be kept.
#[test]
fn rd_09_fsync_needs_waitaof_or_always() {
    run(async {
        let server = RedisServer::start(&["appendonly yes", "appendfsync everysec"]);
        let address = format!("{}?ack=fsync", server.url());
        if knows_waitaof(&server) {
            let broker = connect_as(&address, Config::default()).await;
            store(&broker, 0..3).await;
            assert_eq!(broker.capabilities().loss_window, None);
        } else {
            assert_unfit(&address, "7.2").await;
        }
        let server = RedisServer::start(&["appendonly yes", "appendfsync always"]);
        let broker = connect_as(&format!("{}?ack=fsync", server.url()), Config::default()).await;
        assert_eq!(broker.capabilities().loss_window, None);
    });
}

fn knows_waitaof(server: &RedisServer) -> bool {
    !server.command(&["COMMAND", "INFO", "WAITAOF"]).is_empty()
}

#[test]
fn rd_09_what_may_be_lost_is_said() {
    run(async {
        for (settings, part) in [
            (&[][..], "everything"),
            (&["save 60 1"], "snapshot"),
            (&["appendonly yes"], "2 s"),
            (&["appendonly yes", "appendfsync no"], "system"),
        ] {
            let server = RedisServer::start(settings);
            let broker = connect(&server).await;
            let window = broker.capabilities().loss_window.unwrap();
            assert!(window.contains(part), "{settings:?}: {window}");
        }
    });
}

/// A failover may land on a server that is set up differently.
#[test]
fn rd_09_checks_are_made_again_after_each_reconnect() {
    run(async {
        let server = RedisServer::start(&[]);
        let broker = connect(&server).await;
        store(&broker, 0..1).await;
        let cut = || server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
        server.command(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"]);
        cut();
        until("it is refused", async || match broker.health() {
            Health::Degraded { why } | Health::Failed { why } => why.contains("allkeys-lru"),
            Health::Ready | _ => false,
        })
        .await;
        let refused = publish(&broker, publication("not sent")).await;
        let unavailable = matches!(refused, Err(PublishError::Unavailable { .. }));
        assert!(unavailable, "{refused:?}");
        server.command(&["CONFIG", "SET", "maxmemory-policy", "noeviction"]);
        server.command(&["CONFIG", "SET", "appendonly", "yes"]);
        until("it is taken back", async || {
            broker.health() == Health::Ready
        })
        .await;
        let window = broker.capabilities().loss_window.unwrap();
        assert!(window.contains("2 s"), "{window}");
        assert_eq!(history(&broker).await.len(), 1);
    });
}

/// A start waits for a server that is on its way.
#[test]
fn start_waits_for_the_server() {
    run(async {
        let mut server = RedisServer::start(&[]);
        server.kill();
        let url = server.url();
        let (broker, ()) = tokio::join!(connect_as(&url, Config::default()), async {
            tokio::task::yield_now().await;
            server.start_again();
        });
        store(&broker, 0..1).await;
    });
}

#[test]
fn rd_07_replicated_counts_the_copies() {
    run(async {
        let primary = RedisServer::start(&[]);
        let mut config = Config::default();
        config.broker_response_timeout = Duration::from_millis(400);
        let address = format!("{}?ack=replicated", primary.url());
        let broker = connect_as(&address, config).await;
        let alone = publish(&broker, publication("alone")).await;
        assert_eq!(alone, Err(PublishError::Unknown), "too few copies: 504");
        let replica = RedisServer::replica(&primary, &[]);
        until("a replica has it", async || {
            publish(&broker, publication("two")).await.is_ok()
        })
        .await;
        let stored = history(&broker).await.len().to_string();
        assert_eq!(replica.command(&["XLEN", "fanfare:{main}:log"]), stored);
    });
}

/// `min-replicas-to-write`: the server refuses, so nothing is stored.
#[test]
fn rd_02_refusals_are_told_apart() {
    run(async {
        let server = RedisServer::start(&["min-replicas-to-write 1"]);
        let broker = connect(&server).await;
        let refused = publish(&broker, publication("no replica")).await;
        let unavailable = matches!(refused, Err(PublishError::Unavailable { .. }));
        assert!(unavailable, "{refused:?}");
        assert_eq!(broker.bounds().await.unwrap().head, None);
        server.command(&["CONFIG", "SET", "min-replicas-to-write", "0"]);
        store(&broker, 0..1).await;
        server.command(&["CONFIG", "SET", "maxmemory", "1mb"]);
        let full = publish(&broker, publication("no memory")).await;
        assert_eq!(full, Err(PublishError::Full));
        server.command(&["CONFIG", "SET", "maxmemory", "0"]);
        let next = store(&broker, 1..2).await;
        assert_eq!(next[0].cursor.offset, 2, "a refused one takes no offset");
    });
}
