//! A server that is away, slow, or cuts connections: what a publish answers, what health says, and
//! that nothing acknowledged is lost.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fanfare_broker::{Broker, Health, IdempotencyKey, PublishError};
use fanfare_redis::{Config, RedisBroker};
use fanfare_testkit::redis_server::RedisServer;
use tokio::task::JoinSet;

use crate::sample::{
    Follower, connect, connect_as, history, publication, publish, run, store, until, within,
};

const DURABLE: [&str; 2] = ["appendonly yes", "appendfsync always"];

#[test]
fn rd_outage_turns_health_red_and_green_again() {
    run(async {
        let mut server = RedisServer::start(&DURABLE);
        let mut config = Config::default();
        config.broker_grace = Duration::from_millis(300);
        let broker = connect_as(&server.url(), config).await;
        let told = store(&broker, 0..3).await;
        let mut follower = Follower::attach(&broker, None);
        follower.reach(told[2].cursor).await;
        assert_eq!(broker.health(), Health::Ready);
        server.kill();
        let mut degraded = false;
        until("the broker has failed", async || {
            let health = broker.health();
            degraded |= matches!(health, Health::Degraded { .. });
            matches!(health, Health::Failed { .. })
        })
        .await;
        assert!(degraded, "it degrades first");
        let refused = publish(&broker, publication("nothing is sent")).await;
        let unavailable = matches!(refused, Err(PublishError::Unavailable { .. }));
        assert!(unavailable, "{refused:?}");
        assert!(broker.bounds().await.is_err());

        server.start_again();
        // A tail says that it is back when somebody reads it.
        let next = async {
            until("it takes publications again", async || {
                publish(&broker, publication("back")).await.is_ok()
            })
            .await;
        };
        let ((), ()) = tokio::join!(next, follower.read_until("it goes on", |it| it.last >= 4));
        until("health is back", async || broker.health() == Health::Ready).await;
        assert_eq!(follower.told.len(), 4, "an outage by itself drops nothing");
    });
}

/// Sent, and not answered: nobody can tell, and a retry under the same key stores it once (§6,
/// pitfalls: every answer has a time-out).
#[test]
fn rd_pause_makes_a_publish_unknown() {
    run(async {
        let server = RedisServer::start(&[]);
        let mut config = Config::default();
        config.broker_response_timeout = Duration::from_millis(200);
        let broker = connect_as(&server.url(), config).await;
        store(&broker, 0..1).await;
        server.command(&["CLIENT", "PAUSE", "60000", "WRITE"]);
        let mut keyed = publication("once");
        keyed.idempotency_key = Some(IdempotencyKey::parse("k").unwrap());
        let outcome = publish(&broker, keyed.clone()).await;
        assert_eq!(outcome, Err(PublishError::Unknown));
        server.command(&["CLIENT", "UNPAUSE"]);
        until("the retry is answered", async || {
            publish(&broker, keyed.clone()).await.is_ok()
        })
        .await;
        let data: Vec<_> = history(&broker).await;
        assert_eq!(data.len(), 2, "it is stored once");
    });
}

#[test]
fn rd_script_flush_costs_nothing() {
    run(async {
        let server = RedisServer::start(&[]);
        let broker = connect(&server).await;
        for n in 0..3 {
            let told = store(&broker, n..n + 1).await;
            assert_eq!(broker.bounds().await.unwrap().head, Some(told[0].cursor));
            server.command(&["SCRIPT", "FLUSH"]);
        }
        assert_eq!(history(&broker).await.len(), 3);
    });
}

#[test]
fn o_05_cut_connections_lose_and_double_nothing() {
    run(async {
        let server = RedisServer::start(&[]);
        let broker = connect(&server).await;
        under_publishes(&broker, async |round| {
            server.command(&["CLIENT", "KILL", "TYPE", "normal"]);
            round < 20
        })
        .await;
    });
}

/// P3, with `appendfsync always`.
#[test]
fn p_3_killed_server_loses_nothing_acknowledged() {
    run(async {
        let server = std::sync::Mutex::new(RedisServer::start(&DURABLE));
        let url = server.lock().unwrap().url();
        let broker = connect_as(&format!("{url}?ack=fsync"), Config::default()).await;
        under_publishes(&broker, async |round| {
            let mut server = server.lock().unwrap();
            server.kill();
            server.start_again();
            round < 4
        })
        .await;
    });
}

/// Publishes from many tasks, each until it knows, under the same key, while `harm` is done, and
/// once more after each; then holds the history to it.
pub(crate) async fn under_publishes(broker: &Arc<RedisBroker>, harm: impl AsyncFn(u32) -> bool) {
    let stop = Arc::new(AtomicBool::new(false));
    let mut publishers = JoinSet::new();
    for publisher in 0..8_u32 {
        let (broker, stop) = (Arc::clone(broker), Arc::clone(&stop));
        publishers.spawn(async move {
            let mut sent = 0;
            while !stop.load(Ordering::Relaxed) {
                publish_surely(&broker, &format!("{publisher} {sent}")).await;
                sent += 1;
            }
            (publisher, sent)
        });
    }
    let mut follower = Follower::attach(broker, None);
    for round in 1.. {
        let before = follower.last;
        follower
            .read_until("publishing goes on", |it| it.last > before + 20)
            .await;
        if !harm(round).await {
            break;
        }
    }
    let before = follower.last;
    follower
        .read_until("publishing goes on", |it| it.last > before + 20)
        .await;
    stop.store(true, Ordering::Relaxed);
    let sent = within("all publishers know", publishers.join_all()).await;
    let mut seen: HashMap<u32, Vec<u32>> = HashMap::new();
    for record in history(broker).await {
        let data = &record.publication().event.data;
        let (publisher, n) = data.split_once(' ').unwrap();
        let numbers = seen.entry(publisher.parse().unwrap()).or_default();
        numbers.push(n.parse().unwrap());
    }
    for (publisher, count) in sent {
        let expected: Vec<u32> = (0..count).collect();
        assert_eq!(seen[&publisher], expected, "each once, in order");
    }
}

async fn publish_surely(broker: &RedisBroker, data: &str) {
    let mut keyed = publication(data);
    keyed.idempotency_key = Some(IdempotencyKey::parse(&data.replace(' ', "-")).unwrap());
    let mut pause = tokio::time::interval(Duration::from_millis(10));
    loop {
        match publish(broker, keyed.clone()).await {
            Ok(_) => return,
            Err(PublishError::Unknown | PublishError::Unavailable { .. }) => {
                pause.tick().await;
            }
            Err(error) => panic!("{error}"),
        }
    }
}

/// §6, pitfalls: a read that blocks longer than any answer may take is not cut, and goes when its
/// tail goes.
#[test]
fn rd_10_tail_has_a_connection_of_its_own() {
    run(async {
        let server = RedisServer::start(&[]);
        let mut config = Config::default();
        config.broker_response_timeout = Duration::from_millis(100);
        let broker = connect_as(&server.url(), config).await;
        let told = store(&broker, 0..1).await;
        let mut follower = Follower::attach(&broker, None);
        follower.reach(told[0].cursor).await;
        let waiting = || {
            let clients = server.command(&["CLIENT", "LIST"]);
            let of_tail = |line: &&str| line.contains("cmd=xread");
            let line = clients.lines().find(of_tail)?;
            Some((
                field(line, "id"),
                field(line, "idle").parse::<u32>().unwrap(),
            ))
        };
        let idle = async {
            let mut seen = None;
            until("it waits far longer than that", async || {
                seen = waiting();
                seen.as_ref().is_some_and(|(_, idle)| *idle >= 1)
            })
            .await;
            let next = store(&broker, 1..2).await;
            (seen.unwrap().0, next[0].cursor)
        };
        let ((id, next), ()) = tokio::join!(
            idle,
            follower.read_until("it is woken up", |it| it.last >= 2)
        );
        follower.reach(next).await;
        assert_eq!(broker.health(), Health::Ready);
        let again = tokio::select! {
            id = async {
                let mut found = None;
                until("it waits again", async || {
                    found = waiting();
                    found.is_some()
                })
                .await;
                found.unwrap().0
            } => id,
            () = follower.read_until("nothing", |_| false) => unreachable!(),
        };
        assert_eq!(again, id, "it is the same connection");
        drop(follower);
        until("it goes with its tail", async || waiting().is_none()).await;
    });
}

fn field(line: &str, name: &str) -> String {
    let of_name = |word: &str| word.strip_prefix(&format!("{name}=")).map(str::to_owned);
    line.split(' ').find_map(of_name).unwrap()
}
