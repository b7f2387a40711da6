//! What the server loses, tails and `resolve` tell; who lost nothing is told nothing (C4, RD5,
//! RD11).

use std::fs;

use fanfare_broker::{Broker, Cursor, Health, Receipt, Resolved};
use fanfare_redis::{Config, RedisBroker};
use fanfare_testkit::redis_server::RedisServer;

use crate::gate::Gate;
use crate::sample::{
    Follower, Told, connect, connect_as, history, publication, publish, run, store, until,
};

async fn resolve(broker: &RedisBroker, cursor: Cursor) -> Resolved {
    broker.resolve(&cursor.id()).await.unwrap()
}

/// Of `told`, what is beyond `end` has diverged there, and the rest is where it was.
async fn assert_parted(broker: &RedisBroker, told: &[Receipt], end: u64) {
    for receipt in told {
        let cursor = receipt.cursor;
        let expected = match cursor.offset > end {
            true => Resolved::Diverged { end },
            false => Resolved::At(cursor.offset),
        };
        assert_eq!(resolve(broker, cursor).await, expected, "{cursor}");
    }
}

/// Refills the history from `end` on, and holds a reader that was told of a loss to it.
async fn assert_refilled(broker: &RedisBroker, follower: &mut Follower, end: u64) {
    let ready = async || broker.health() == Health::Ready;
    until("it takes publications again", ready).await;
    let fresh = store(broker, 1000..1010).await;
    assert_eq!(fresh[0].cursor.offset, end + 1, "it goes on after the end");
    follower.reach(fresh[9].cursor).await;
    for receipt in &fresh {
        let at = Resolved::At(receipt.cursor.offset);
        assert_eq!(resolve(broker, receipt.cursor).await, at);
    }
    let losses = follower
        .told
        .iter()
        .filter(|told| matches!(told, Told::Diverged(_)));
    assert_eq!(
        losses.count(),
        1,
        "a loss is told once: {:?}",
        follower.told
    );
}

#[test]
fn rd_05_restart_without_persistence_is_another_history() {
    run(async {
        let mut server = RedisServer::start(&[]);
        let broker = connect(&server).await;
        let told = store(&broker, 0..10).await;
        let mut follower = Follower::attach(&broker, None);
        follower.reach(told[9].cursor).await;
        server.kill();
        server.start_again();
        assert_eq!(follower.diverges().await, 0);
        for receipt in &told {
            assert_eq!(resolve(&broker, receipt.cursor).await, Resolved::Unknown);
        }
        assert_refilled(&broker, &mut follower, 0).await;
        for receipt in &told {
            assert_eq!(resolve(&broker, receipt.cursor).await, Resolved::Unknown);
        }
    });
}

/// Nobody's connection is cut, and a reader waits for an offset that comes long after.
#[test]
fn rd_11_flushall_is_noticed_by_a_waiting_tail() {
    run(async {
        let server = RedisServer::start(&[]);
        let broker = connect(&server).await;
        let told = store(&broker, 0..100).await;
        let mut follower = Follower::attach(&broker, Some(told[99].cursor));
        let mut other = Follower::attach(&broker, None);
        other.reach(told[99].cursor).await;
        server.command(&["FLUSHALL"]);
        assert_eq!(follower.diverges().await, 0);
        assert_eq!(other.diverges().await, 0);
        assert_refilled(&broker, &mut follower, 0).await;
    });
}

#[test]
fn rd_05_restored_snapshot_parts_where_it_ends() {
    run(async {
        let mut server = RedisServer::start(&[]);
        let broker = connect(&server).await;
        let mut told = store(&broker, 0..100).await;
        server.command(&["SAVE"]);
        told.extend(store(&broker, 100..105).await);
        let mut ahead = Follower::attach(&broker, None);
        ahead.reach(told[104].cursor).await;
        let mut behind = Follower::attach(&broker, Some(told[49].cursor));
        behind.read_until("some of it", |it| it.last >= 60).await;
        server.kill();
        server.start_again();
        assert_eq!(ahead.diverges().await, 100);
        assert_parted(&broker, &told, 100).await;
        assert_refilled(&broker, &mut ahead, 100).await;
        assert_parted(&broker, &told, 100).await;
        // Whoever comes with a cursor from beyond the end is told; the others are not.
        let mut late = Follower::attach(&broker, Some(told[102].cursor));
        assert_eq!(late.diverges().await, 100);
        let mut early = Follower::attach(&broker, Some(told[99].cursor));
        early
            .read_until("the refilled part", |it| it.last == 110)
            .await;
        assert!(!early.told.contains(&Told::Diverged(100)));
    });
}

/// A log that lost 101 to 105 and was then refilled to 110 looks whole by its offsets.
#[test]
fn rd_11_promoted_replica_that_was_refilled_parts_where_it_lost() {
    run(async {
        let primary = RedisServer::start(&[]);
        let gate = Gate::open(&primary).await;
        let broker = connect_as(&gate.url(), Config::default()).await;
        let mut told = store(&broker, 0..99).await;
        let replica = RedisServer::replica(&primary, &[]);
        told.extend(replicated(&broker, 99, &replica).await);
        replica.command(&["REPLICAOF", "NO", "ONE"]);
        told.extend(store(&broker, 100..105).await);
        let mut follower = Follower::attach(&broker, None);
        follower.reach(told[104].cursor).await;

        let other = connect(&replica).await;
        let refilled = store(&other, 200..210).await;
        assert_eq!(refilled[0].cursor.offset, 101);
        gate.move_to(&replica);
        assert_eq!(follower.diverges().await, 100);
        follower.reach(refilled[9].cursor).await;
        assert_parted(&broker, &told, 100).await;
        for receipt in &refilled {
            let at = Resolved::At(receipt.cursor.offset);
            assert_eq!(resolve(&broker, receipt.cursor).await, at);
        }
    });
}

/// A primary that becomes a replica of one that is behind, and then the primary again, has the same
/// `run_id` and has lost records: its replication id tells.
#[test]
fn rd_04_there_and_back_again_is_another_epoch() {
    run(async {
        let first = RedisServer::start(&[]);
        let broker = connect(&first).await;
        let mut told = store(&broker, 0..9).await;
        let second = RedisServer::replica(&first, &[]);
        told.extend(replicated(&broker, 9, &second).await);
        second.command(&["REPLICAOF", "NO", "ONE"]);
        told.extend(store(&broker, 10..15).await);
        let port = second.port().to_string();
        first.command(&["REPLICAOF", "127.0.0.1", &port]);
        fanfare_testkit::redis_server::wait_until("it has the other's data", || {
            let replication = first.command(&["INFO", "replication"]);
            replication.contains("master_link_status:up")
        });
        first.command(&["REPLICAOF", "NO", "ONE"]);
        let again = until_stored(&broker).await;
        assert_eq!(again.cursor.offset, 11);
        assert_ne!(again.cursor.epoch, told[10].cursor.epoch, "L6: no reuse");
        assert_parted(&broker, &told, 10).await;
    });
}

/// Stores `n`, and waits until `replica` has it.
async fn replicated(broker: &RedisBroker, n: u32, replica: &RedisServer) -> Vec<Receipt> {
    let told = store(broker, n..n + 1).await;
    let seq = told[0].cursor.offset.to_string();
    until("the replica has it", async || {
        replica.command(&["HGET", "fanfare:{main}:meta", "seq"]) == seq
    })
    .await;
    told
}

/// Publishes until it is stored: the broker may have to find out first that it is cut off.
async fn until_stored(broker: &RedisBroker) -> Receipt {
    let mut pause = tokio::time::interval(std::time::Duration::from_millis(10));
    let stored = async {
        loop {
            if let Ok(receipt) = publish(broker, publication("again")).await {
                return receipt;
            }
            pause.tick().await;
        }
    };
    crate::sample::within("a publish is stored again", stored).await
}

#[test]
fn rd_05_cut_append_only_file_parts_where_it_ends() {
    run(async {
        let settings = ["appendonly yes", "appendfsync always"];
        let mut server = RedisServer::start(&settings);
        let broker = connect(&server).await;
        let mut told = Vec::new();
        for n in 0..20 {
            told.extend(store(&broker, n..n + 1).await);
        }
        let mut follower = Follower::attach(&broker, None);
        follower.reach(told[19].cursor).await;
        server.kill();
        let folder = fs::read_dir(server.folder().join("appendonlydir")).unwrap();
        let log = folder
            .map(|file| file.unwrap().path())
            .find(|path| path.to_string_lossy().ends_with(".incr.aof"))
            .unwrap();
        let bytes = fs::read(&log).unwrap();
        fs::write(&log, &bytes[..bytes.len() - 1000]).unwrap();
        server.start_again();
        let end = follower.diverges().await;
        assert!(
            (1..20).contains(&end),
            "some of it is left, and some is lost"
        );
        assert_parted(&broker, &told, end).await;
        assert_refilled(&broker, &mut follower, end).await;
    });
}

/// Somebody deletes the stream: what it held is trimmed, offsets go on, and nobody who had it all
/// is told anything.
#[test]
fn rd_05_deleted_stream_goes_on() {
    run(async {
        let server = RedisServer::start(&[]);
        let broker = connect(&server).await;
        let told = store(&broker, 0..10).await;
        let mut follower = Follower::attach(&broker, None);
        follower.reach(told[9].cursor).await;
        server.command(&["DEL", "fanfare:{main}:log"]);
        let first = 11;
        assert_eq!(
            resolve(&broker, told[4].cursor).await,
            Resolved::Trimmed { first }
        );
        assert_eq!(resolve(&broker, told[9].cursor).await, Resolved::At(10));
        let next = store(&broker, 10..11).await;
        follower.reach(next[0].cursor).await;
        assert_eq!(follower.told.len(), 11);
        // Who was behind is told that it was trimmed past.
        let mut late = Follower::attach(&broker, Some(told[4].cursor));
        late.reach(next[0].cursor).await;
        assert_eq!(late.told[0], Told::Trimmed(11));
    });
}

/// RD2: a log without, or ahead of, what is noted beside it is adopted, in a new epoch.
#[test]
fn rd_02_log_ahead_of_its_meta_is_adopted() {
    run(async {
        let server = RedisServer::start(&[]);
        let broker = connect(&server).await;
        let mut told = store(&broker, 0..10).await;
        let mut follower = Follower::attach(&broker, None);
        for break_it in [
            &["DEL", "fanfare:{main}:meta"][..],
            &["HSET", "fanfare:{main}:meta", "seq", "3"],
        ] {
            server.command(break_it);
            let last = told.last().unwrap().cursor;
            assert_eq!(resolve(&broker, last).await, Resolved::At(last.offset));
            let next = store(&broker, 0..1).await;
            assert_eq!(next[0].cursor.offset, last.offset + 1);
            assert_ne!(next[0].cursor.epoch, last.epoch);
            told.extend(next);
        }
        follower.reach(told.last().unwrap().cursor).await;
        assert_parted(&broker, &told, u64::MAX).await;
        assert_eq!(history(&broker).await.len(), 12);
    });
}

/// An entry that is not what was written is a hole, never data (W6).
#[test]
fn w_06_damaged_and_missing_entries_are_holes() {
    run(async {
        let server = RedisServer::start(&[]);
        let broker = connect(&server).await;
        store(&broker, 0..3).await;
        let epoch = server.command(&["HGET", "fanfare:{main}:meta", "epoch"]);
        let log = "fanfare:{main}:log";
        server.command(&["XADD", log, "4-0", "e", &epoch, "v", "not a record"]);
        server.command(&["XADD", log, "5-0", "e", &epoch]);
        let after = store(&broker, 5..7).await;
        assert_eq!(after[1].cursor.offset, 7);
        server.command(&["XDEL", log, "2-0"]);
        let budget = fanfare_broker::Budget {
            records_max: usize::MAX,
            bytes_max: usize::MAX,
        };
        let everything = std::sync::Arc::new(crate::sample::Everything);
        let page = broker.read(0, 7, budget, everything).await.unwrap();
        let offsets: Vec<_> = page.records.iter().map(|it| it.offset()).collect();
        assert_eq!(offsets, [1, 3, 6, 7]);
        assert_eq!(page.missing, [2..3, 4..6]);
        let mut follower = Follower::attach(&broker, None);
        follower.reach(after[1].cursor).await;
        let trims = follower.told.iter().filter_map(|told| match told {
            Told::Trimmed(next) => Some(*next),
            Told::Record(..) | Told::Diverged(_) => None,
        });
        assert_eq!(trims.collect::<Vec<_>>(), [3, 6]);
        let health = broker.health();
        let degraded = matches!(health, Health::Degraded { .. });
        assert!(degraded, "{health:?}");
    });
}
