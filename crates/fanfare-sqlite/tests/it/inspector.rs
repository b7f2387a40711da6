//! The look from outside: figures, every kind of damage, a copy of a history that is in use.

use std::fs;
use std::sync::Arc;

use fanfare_broker::{Broker, Health, Record};
use fanfare_sqlite::{Config, Durability, Finding, Inspector, OpenError};
use fanfare_wire::EventId;

use crate::folder::{
    All, DATABASE, Folder, Names, close, publication, read_all, store, store_numbers,
};

fn config() -> Config {
    let mut config = Config::default();
    config.disk_free_min = 0;
    config.durability = Durability::Never;
    config
}

/// 300 records in one run that has ended; every tenth has an id, every hundredth another topic.
async fn filled() -> Folder {
    let folder = Folder::new();
    let broker = folder.open(&config());
    let batch = (1..=300).map(|number| {
        let topics = if number % 100 == 0 { ["rare"] } else { ["a"] };
        let mut publication = publication(&topics, number.to_string());
        if number % 10 == 0 {
            publication.event.id = EventId::parse(&format!("own:{number}")).ok();
        }
        publication
    });
    store(&broker, batch.collect()).await;
    close(broker).await;
    folder
}

fn findings(folder: &Folder) -> Vec<Finding> {
    let inspector = Inspector::open(folder.path()).unwrap();
    let mut found = Vec::new();
    inspector.verify(|finding| found.push(finding)).unwrap();
    found
}

#[test]
fn a_directory_without_a_history_is_refused_and_left_empty() {
    let folder = Folder::new();
    let refused = Inspector::open(folder.path()).unwrap_err();
    assert!(matches!(refused, OpenError::Missing { .. }), "{refused}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn stats_are_those_of_the_history_also_while_it_is_in_use() {
    let folder = Folder::new();
    let mut config = config();
    config.history_count_max = 10;
    let broker = folder.open(&config);
    let inspector = Inspector::open(folder.path()).unwrap();
    let stats = inspector.stats().unwrap();
    assert_eq!(
        (stats.first, stats.head, stats.bytes, stats.epochs),
        (1, 0, 0, 0)
    );
    assert_eq!(
        (stats.oldest_ms, stats.newest_ms, stats.clean),
        (None, None, false)
    );
    for next in 100..125 {
        store_numbers(&broker, next..next + 1).await;
    }
    let stats = inspector.stats().unwrap();
    assert_eq!(
        (stats.first, stats.head, stats.epochs, stats.keys),
        (16, 25, 1, 0)
    );
    assert_eq!(stats.bytes, 10 * (128 + 32 + 1 + 3));
    assert!(stats.oldest_ms.unwrap() <= stats.newest_ms.unwrap());
    assert!(stats.started_ms <= stats.newest_ms.unwrap());
    assert!(stats.file_bytes > 4096);
    assert_eq!((stats.durability.as_str(), stats.clean), ("never", false));
    close(broker).await;
    assert!(inspector.stats().unwrap().clean);
}

#[tokio::test]
async fn f9_a_whole_history_has_no_findings() {
    let folder = filled().await;
    assert_eq!(findings(&folder), []);
    let broker = folder.open(&config());
    store_numbers(&broker, 301..401).await;
    assert_eq!(findings(&folder), [], "also beside a hub");
}

#[tokio::test]
async fn f9_each_kind_of_damage_is_found() {
    let records = |first, last| Finding::Records { first, last };
    let table: [(&str, &[Finding]); 9] = [
        ("DELETE FROM record WHERE offset = 70", &[records(70, 70)]),
        (
            "DELETE FROM record WHERE offset BETWEEN 60 AND 70",
            &[records(60, 63), records(64, 70)],
        ),
        (
            "UPDATE record SET data = 'x' WHERE offset = 5",
            &[records(5, 5)],
        ),
        (
            "UPDATE record SET id = 'other' WHERE offset = 20",
            &[records(20, 20)],
        ),
        (
            "UPDATE record SET ts_ms = ts_ms + 1 WHERE offset = 300",
            &[records(300, 300)],
        ),
        (
            "DELETE FROM topic_block WHERE block = 1 AND topic IN
               (SELECT topic FROM topic_block WHERE block = 2)",
            &[Finding::Postings],
        ),
        (
            "DELETE FROM record WHERE offset > 290",
            &[Finding::Newest { last: 300 }],
        ),
        ("UPDATE hub SET postings = 5", &[Finding::Postings]),
        ("UPDATE epoch SET epoch = epoch + 1", &[records(1, 63)]),
    ];
    for (damage, expected) in table {
        let folder = filled().await.copy();
        assert!(folder.sql().execute(damage, []).unwrap() > 0);
        let found = findings(&folder);
        for finding in expected {
            assert!(found.contains(finding), "{damage}: {found:?}");
        }
    }
}

#[tokio::test]
async fn f9_a_record_that_its_indexes_do_not_know_is_named() {
    let folder = filled().await;
    let sql = folder.sql();
    let delete = "DELETE FROM topic_block WHERE topic IN
        (SELECT topic FROM topic_block GROUP BY topic HAVING count(*) = 3)";
    assert_eq!(sql.execute(delete, []).unwrap(), 3);
    // The index of ids is changed behind SQLite's back: it covers nothing now.
    sql.execute_batch(
        "PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = replace(sql, 'id IS NOT NULL', 'id IS NULL')
           WHERE name = 'record_id';
         PRAGMA writable_schema = RESET;
         REINDEX record_id;
         PRAGMA writable_schema = ON;
         UPDATE sqlite_schema SET sql = replace(sql, 'id IS NULL', 'id IS NOT NULL')
           WHERE name = 'record_id';
         PRAGMA writable_schema = RESET;",
    )
    .unwrap();
    let found = findings(&folder);
    for offset in [100, 200, 300] {
        assert!(found.contains(&Finding::Index { offset }), "{found:?}");
    }
    for offset in [10, 150, 300] {
        assert!(found.contains(&Finding::Id { offset }), "{found:?}");
    }
    assert!(!found.contains(&Finding::Id { offset: 11 }));
    let database = |finding: &Finding| matches!(finding, Finding::Database { .. });
    assert!(found.iter().any(database), "SQLite's own check sees it too");
}

#[tokio::test]
async fn records_are_brought_a_block_at_a_time_without_what_cannot_be_read() {
    let folder = filled().await;
    folder
        .sql()
        .execute("DELETE FROM record WHERE offset = 100", [])
        .unwrap();
    let inspector = Inspector::open(folder.path()).unwrap();
    let (mut next, mut offsets) = (0, Vec::new());
    loop {
        let some = inspector.records(next).unwrap();
        if some.next == next {
            assert!(some.records.is_empty());
            break;
        }
        assert!(some.records.len() <= 64);
        offsets.extend(some.records.iter().map(Record::offset));
        next = some.next;
    }
    let expected: Vec<_> = (1..=300).filter(|offset| *offset != 100).collect();
    assert_eq!(offsets, expected);
}

/// A backup of a running hub opens as the same history, goes on in an epoch of its own, and takes
/// no part of what comes after it.
#[tokio::test]
async fn a_backup_of_a_live_history_opens_with_the_same_content() {
    let folder = filled().await;
    let broker = folder.open(&config());
    store_numbers(&broker, 301..351).await;
    let copy = Folder::new();
    let file = copy.path().join(DATABASE);
    let inspector = Inspector::open(folder.path()).unwrap();
    inspector.backup(&file).unwrap();
    assert!(inspector.backup(&file).is_err(), "it overwrites nothing");
    store_numbers(&broker, 351..361).await;

    let restored = copy.open(&config());
    assert_eq!(restored.health(), Health::Ready);
    for filter in [
        Arc::new(Names::exactly(&["rare"])),
        Arc::new(Names::exactly(&["a", "rare"])),
    ] {
        let theirs = read_all(&restored, filter.clone()).await.unwrap();
        let mut ours = read_all(&broker, filter).await.unwrap();
        ours.records.retain(|record| record.offset() <= 350);
        assert!(theirs.missing.is_empty());
        assert_eq!(theirs.data(), ours.data());
        let cursors = |records: &[Record]| records.iter().map(Record::cursor).collect::<Vec<_>>();
        assert_eq!(cursors(&theirs.records), cursors(&ours.records));
    }
    let receipt = &store(&restored, vec![publication(&["a"], "new")]).await[0];
    let newest = broker.bounds().await.unwrap().head.unwrap();
    assert_eq!(receipt.cursor.offset, 351);
    assert_ne!(receipt.cursor.epoch, newest.epoch);
    assert_eq!(findings(&copy), []);
    assert_eq!(
        read_all(&restored, Arc::new(All))
            .await
            .unwrap()
            .records
            .len(),
        351
    );
}

#[tokio::test]
async fn a_backup_that_fails_leaves_no_half_of_one() {
    let folder = filled().await;
    let inspector = Inspector::open(folder.path()).unwrap();
    let nowhere = folder.path().join("not").join("there");
    assert!(inspector.backup(&nowhere).is_err());
    let damaged = folder.path().join("half");
    // A table that cannot be read to its end.
    let sql = folder.sql();
    let page: i64 = sql
        .query_row(
            "SELECT rootpage FROM sqlite_schema WHERE name = 'record'",
            [],
            |row| row.get(0),
        )
        .unwrap();
    drop(sql);
    let mut bytes = fs::read(folder.path().join(DATABASE)).unwrap();
    let start = usize::try_from(page - 1).unwrap() * 4096;
    bytes[start..start + 8].fill(0xFF);
    fs::write(folder.path().join(DATABASE), bytes).unwrap();
    let inspector = Inspector::open(folder.path()).unwrap();
    assert!(inspector.backup(&damaged).is_err());
    assert!(!damaged.exists());
}
