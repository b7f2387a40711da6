//! What is kept, and that it is exact after each commit (T rules).

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{Broker, Health};
use fanfare_sqlite::{Config, Durability, SqliteBroker};

use crate::folder::{
    All, DATABASE, Folder, close, publication, read_all, store, store_numbers, until,
};

fn limits(count_max: u64, bytes_max: u64) -> Config {
    let mut config = Config::default();
    config.durability = Durability::Never;
    config.disk_free_min = 0;
    config.history_count_max = count_max;
    config.history_bytes_max = bytes_max;
    config
}

/// The first retained offset, as everybody is told and as it is stored.
async fn first(folder: &Folder, broker: &SqliteBroker) -> u64 {
    let first = broker.bounds().await.unwrap().first;
    let floor = folder.ask("SELECT floor FROM hub");
    assert_eq!(first.cast_signed(), floor);
    first
}

fn first_now(broker: &SqliteBroker) -> u64 {
    let bounds = futures_util::FutureExt::now_or_never(broker.bounds());
    bounds.unwrap().unwrap().first
}

#[tokio::test]
async fn t1_a_count_is_exact_after_each_commit() {
    let folder = Folder::new();
    let broker = folder.open(&limits(10, u64::MAX >> 2));
    let mut next = 1;
    for count in [1, 3, 6, 1, 25, 64, 200, 1, 2] {
        store_numbers(&broker, next..next + count).await;
        next += count;
        assert_eq!(
            first(&folder, &broker).await,
            next.saturating_sub(10).max(1)
        );
    }
    let read = read_all(&broker, Arc::new(All)).await.unwrap();
    let kept: Vec<_> = (next - 10..next).map(|offset| offset.to_string()).collect();
    assert_eq!(read.data(), kept);
}

#[tokio::test]
async fn t1_no_records_at_all_counts_as_one() {
    let folder = Folder::new();
    let broker = folder.open(&limits(0, u64::MAX >> 2));
    store_numbers(&broker, 1..8).await;
    assert_eq!(first(&folder, &broker).await, 7);
}

#[tokio::test]
async fn t1_bytes_are_exact_after_each_commit() {
    let folder = Folder::new();
    let broker = folder.open(&limits(1000, 10_000));
    let mut weights = Vec::new();
    for bytes in [0, 5000, 2000, 1, 9000, 100, 9839, 9838, 1, 3, 700, 700, 700] {
        store(&broker, vec![publication(&["a"], "x".repeat(bytes))]).await;
        weights.push(128 + 32 + 1 + bytes);
        let mut expected = weights.len() as u64 + 1;
        let mut sum = 0;
        for weight in weights.iter().rev() {
            sum += weight;
            if sum > 10_000 {
                break;
            }
            expected -= 1;
        }
        assert_eq!(first(&folder, &broker).await, expected, "after {weights:?}");
    }
}

/// W1: the head is not what is left of the rows, and offsets are not used again.
#[tokio::test]
async fn t1_age_empties_a_history_without_a_publish_and_offsets_go_on() {
    let folder = Folder::new();
    let mut config = limits(1000, u64::MAX >> 2);
    config.history_age_max = Duration::from_millis(100);
    let broker = folder.open(&config);
    store_numbers(&broker, 1..101).await;
    until("the records are too old", || first_now(&broker) == 101).await;
    assert!(
        read_all(&broker, Arc::new(All))
            .await
            .unwrap()
            .records
            .is_empty()
    );
    until("a whole block is deleted", || {
        folder.ask("SELECT min(offset) FROM record") == 64
    })
    .await;
    close(broker).await;
    let broker = folder.open(&limits(1000, u64::MAX >> 2));
    let receipts = store(&broker, vec![publication(&["a"], "101")]).await;
    assert_eq!(receipts[0].cursor.offset, 101);
    assert_eq!(
        read_all(&broker, Arc::new(All)).await.unwrap().data(),
        ["101"]
    );
}

#[tokio::test]
async fn t1_age_keeps_what_is_young() {
    let folder = Folder::new();
    let mut config = limits(1000, u64::MAX >> 2);
    config.history_age_max = Duration::from_secs(3600);
    let broker = folder.open(&config);
    for next in 1..200 {
        store_numbers(&broker, next..next + 1).await;
    }
    assert_eq!(first(&folder, &broker).await, 1);
}

#[tokio::test]
async fn t3_a_lowered_limit_is_caught_up_with_when_nothing_else_waits() {
    let folder = Folder::new();
    let broker = folder.open(&limits(100_000, u64::MAX >> 2));
    for first in (1..2000).step_by(500) {
        store_numbers(&broker, first..first + 500).await;
    }
    close(broker).await;
    let broker = folder.open(&limits(10, u64::MAX >> 2));
    until("the floor is where it should be", || {
        first_now(&broker) == 1991
    })
    .await;
    until("whole blocks are deleted, with their index", || {
        folder.ask("SELECT count(*) FROM record") <= 10 + 63
            && folder.ask("SELECT min(block) FROM topic_block") == 1991 / 64
    })
    .await;
    close(broker).await;
    // And nothing of it is taken for damage.
    let broker = folder.open(&limits(10, u64::MAX >> 2));
    assert_eq!(broker.health(), Health::Ready);
    assert_eq!(first(&folder, &broker).await, 1991);
}

#[tokio::test]
async fn t3_limits_hold_while_others_publish_after_a_limit_was_lowered() {
    let folder = Folder::new();
    let broker = folder.open(&limits(100_000, u64::MAX >> 2));
    store_numbers(&broker, 1..1001).await;
    drop(broker);
    let broker = folder.open(&limits(10, u64::MAX >> 2));
    // Each commit deletes more than it adds.
    let mut last = 1;
    for next in 1001..1100 {
        store_numbers(&broker, next..next + 1).await;
        let first = first_now(&broker);
        assert!(first >= (last + 2).min(next - 9));
        last = first;
    }
    assert_eq!(last, 1090);
}

#[tokio::test]
async fn t7_pages_of_a_big_trim_are_given_back() {
    let folder = Folder::new();
    let broker = folder.open(&limits(100_000, u64::MAX >> 2));
    for _ in 0..10 {
        let batch = (0..400).map(|_| publication(&["a"], "x".repeat(4000)));
        store(&broker, batch.collect()).await;
    }
    close(broker).await;
    let size = || fs::metadata(folder.path().join(DATABASE)).unwrap().len();
    assert!(size() > 16_000_000);
    let broker = folder.open(&limits(10, u64::MAX >> 2));
    until("pages are given back", || {
        folder.ask("PRAGMA page_count") < 1500
    })
    .await;
    close(broker).await;
    assert!(size() < 1500 * 4096, "{}", size());
}

/// Turns a field of record `offset` under the hands of the writer.
fn turn(folder: &Folder, change: &str, offset: u64) {
    let text = format!("UPDATE record SET {change} WHERE offset = {offset}");
    assert_eq!(folder.sql().execute(&text, []).unwrap(), 1);
}

/// One flipped bit in a total or a time made everything look too much or too old. By what it
/// weighs, which cannot be known, one record more or less is kept.
#[tokio::test]
async fn t4_a_damaged_record_at_the_floor_does_not_empty_the_history() {
    for change in [
        "total = total | (1 << 40)",
        "total = 0",
        "total = total + 16384",
        "ts_ms = 0",
        "ts_ms = ts_ms | (1 << 50)",
        "offset = 5000",
        "sum = sum + 1",
        "topics = CAST(x'FF0A61' AS TEXT)",
    ] {
        for (count_max, bytes_max) in [(100, u64::MAX >> 2), (100_000, 100 * 164)] {
            let folder = Folder::new();
            let mut config = limits(count_max, bytes_max);
            config.history_age_max = Duration::from_secs(3600);
            let broker = folder.open(&config);
            // Each weighs 164 bytes.
            store_numbers(&broker, 100..200).await;
            assert_eq!(first(&folder, &broker).await, 1);
            for damaged in [1, 2, 40] {
                turn(&folder, change, damaged);
                if change == "offset = 5000" {
                    break;
                }
            }
            for count in 1..=200 {
                store_numbers(&broker, 100..101).await;
                let first = first(&folder, &broker).await;
                let right = count..=count + 2;
                assert!(
                    right.contains(&first),
                    "{change}: {first} after {count} more"
                );
            }
            assert_eq!(broker.health(), Health::Ready, "{change}");
        }
    }
}

/// A record that claims to be of the future kept all behind it for ever.
#[tokio::test]
async fn t4_a_damaged_time_does_not_keep_what_is_too_old() {
    let folder = Folder::new();
    let mut config = limits(1000, u64::MAX >> 2);
    config.history_age_max = Duration::from_millis(500);
    let broker = folder.open(&config);
    store_numbers(&broker, 1..20).await;
    turn(&folder, "ts_ms = ts_ms | (1 << 50)", 1);
    turn(&folder, "ts_ms = ts_ms | (1 << 50)", 7);
    until("all are too old", || first_now(&broker) == 20).await;
}

/// Every record that is left was damaged, and the writer looked at them for ever.
#[tokio::test]
async fn t4_a_history_without_a_good_record_is_trimmed_by_its_count() {
    let folder = Folder::new();
    let broker = folder.open(&limits(10, u64::MAX >> 2));
    store_numbers(&broker, 1..11).await;
    folder
        .sql()
        .execute("UPDATE record SET sum = 0", [])
        .unwrap();
    store_numbers(&broker, 11..26).await;
    assert_eq!(first(&folder, &broker).await, 16);
    folder.sql().execute("DELETE FROM record", []).unwrap();
    store_numbers(&broker, 26..36).await;
    assert_eq!(first(&folder, &broker).await, 26);
}
