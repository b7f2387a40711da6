//! The start: what is refused, what is recovered, what is damage, and what a run leaves (§5.5, §5.6).

use std::fs;
use std::path::Path;
use std::sync::Arc;

use fanfare_broker::{Broker, Health, Resolved, TailItem};
use fanfare_sqlite::{Config, Durability, OnDamage, OpenError, SqliteBroker};
use futures_util::StreamExt;
use rusqlite::Connection;

use crate::folder::{
    All, DATABASE, Folder, LOG, close, publication, read_all, store, store_numbers,
};

fn config() -> Config {
    let mut config = Config::default();
    config.durability = Durability::Never;
    config.disk_free_min = 0;
    config
}

fn refusal(directory: &Path) -> OpenError {
    SqliteBroker::open(directory, config()).unwrap_err()
}

async fn numbers(broker: &SqliteBroker) -> Vec<u64> {
    let read = read_all(broker, Arc::new(All)).await.unwrap();
    assert!(read.missing.is_empty());
    read.data()
        .iter()
        .map(|data| data.parse().unwrap())
        .collect()
}

#[test]
fn u1_a_second_one_is_refused_and_told_who_has_it() {
    let folder = Folder::new();
    let first = folder.open(&config());
    let refused = refusal(folder.path());
    let OpenError::InUse { pid, directory } = refused else {
        panic!("{refused}");
    };
    assert_eq!(pid, std::process::id().to_string());
    assert_eq!(directory, folder.path());
    drop(first);
    drop(folder.open(&config()));
}

#[test]
fn u1_a_lock_that_a_dead_process_left_is_taken() {
    let folder = Folder::new();
    fs::write(folder.path().join("LOCK"), "4194303\n").unwrap();
    drop(folder.open(&config()));
}

#[test]
fn u1_a_directory_that_cannot_be_written_is_refused() {
    let folder = Folder::new();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for directory in [file.as_path(), &file.join("below"), Path::new("/proc")] {
        let refused = refusal(directory);
        assert!(matches!(refused, OpenError::Directory { .. }), "{refused}");
    }
}

/// The journal of another program's database was changed before it was looked at.
#[test]
fn u3_a_database_of_another_program_or_version_is_refused_and_left_alone() {
    type Expected<'a> = &'a dyn Fn(&OpenError) -> bool;
    let foreign = |error: &OpenError| matches!(error, OpenError::Foreign { .. });
    let newer = |error: &OpenError| {
        matches!(
            error,
            OpenError::Newer {
                version: 2,
                known: 1
            }
        )
    };
    let table: [(&str, Expected<'_>); 5] = [
        ("CREATE TABLE theirs (it)", &foreign),
        (
            "CREATE TABLE theirs (it); PRAGMA application_id = 77",
            &foreign,
        ),
        ("PRAGMA application_id = 77", &foreign),
        ("PRAGMA application_id = 0x46414E46", &foreign),
        (
            "PRAGMA application_id = 0x46414E46; PRAGMA user_version = 2",
            &newer,
        ),
    ];
    for (text, expected) in table {
        let folder = Folder::new();
        let sql = folder.sql();
        sql.execute_batch(text).unwrap();
        drop(sql);
        let before = fs::read(folder.path().join(DATABASE)).unwrap();
        let refused = refusal(folder.path());
        assert!(expected(&refused), "{text}: {refused}");
        let after = fs::read(folder.path().join(DATABASE)).unwrap();
        assert!(before == after, "{text}: the file was changed");
    }
}

#[test]
fn u3_what_is_no_database_is_refused() {
    for bytes in [vec![b'x'; 8192], vec![b'x'; 100]] {
        let folder = Folder::new();
        fs::write(folder.path().join(DATABASE), bytes).unwrap();
        let refused = refusal(folder.path());
        assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
    }
}

/// S27: the file may come from anywhere.
#[tokio::test]
async fn u3_what_is_planted_in_the_database_does_not_run() {
    let folder = Folder::new();
    drop(folder.open(&config()));
    folder
        .sql()
        .execute_batch(
            "CREATE TABLE trap (it);
             CREATE TRIGGER sprung AFTER INSERT ON record BEGIN INSERT INTO trap VALUES (1); END;
             CREATE TRIGGER eaten BEFORE DELETE ON record BEGIN SELECT RAISE(ABORT, 'no'); END;
             CREATE VIEW look AS SELECT * FROM record;",
        )
        .unwrap();
    let mut config = config();
    config.history_count_max = 10;
    let broker = folder.open(&config);
    store_numbers(&broker, 1..200).await;
    assert_eq!(numbers(&broker).await, (190..200).collect::<Vec<_>>());
    assert_eq!(folder.ask("SELECT count(*) FROM trap"), 0);
}

#[tokio::test]
async fn u2_u4_what_a_kill_left_in_the_log_is_there_and_moved() {
    let folder = Folder::new();
    let broker = folder.open(&config());
    store_numbers(&broker, 1..201).await;
    let copy = folder.copy();
    assert!(fs::metadata(copy.path().join(LOG)).unwrap().len() > 0);
    let again = copy.open(&config());
    assert_eq!(numbers(&again).await, (1..201).collect::<Vec<_>>());
    // Only the signature of the new run is in it.
    assert!(fs::metadata(copy.path().join(LOG)).unwrap().len() < 5 * 4200);
    assert_eq!(copy.ask("SELECT clean FROM hub"), 0);
}

/// A reader of the old state, a backup for instance, is no reason not to start.
#[tokio::test]
async fn u4_a_start_beside_a_reader_goes_on() {
    let folder = Folder::new();
    let broker = folder.open(&config());
    store_numbers(&broker, 1..11).await;
    let copy = folder.copy();
    let reader = copy.sql();
    reader.execute_batch("BEGIN").unwrap();
    let count = || {
        reader.query_row("SELECT count(*) FROM record", [], |row| {
            row.get::<_, i64>(0)
        })
    };
    assert_eq!(count(), Ok(10));
    let again = copy.open(&config());
    store_numbers(&again, 11..21).await;
    assert_eq!(count(), Ok(10));
    reader.execute_batch("COMMIT").unwrap();
    assert_eq!(count(), Ok(20));
    assert_eq!(numbers(&again).await, (1..21).collect::<Vec<_>>());
}

/// commonware and redb lost data in the second crash, during the recovery from the first.
#[tokio::test]
async fn u2_a_kill_at_each_step_of_a_start_loses_nothing() {
    let folder = Folder::new();
    let broker = folder.open(&config());
    store_numbers(&broker, 1..101).await;
    let mut killed = folder.copy();
    drop(broker);
    for life in 1..=4 {
        let broker = killed.open(&config());
        let before = killed.copy();
        assert_eq!(numbers(&broker).await.len(), 99 + life);
        store_numbers(&broker, 101..102).await;
        let after = killed.copy();
        drop(broker);
        let idle = before.open(&config());
        assert_eq!(numbers(&idle).await.len(), 99 + life);
        killed = after;
    }
}

#[test]
fn u3_a_kill_while_the_tables_are_made_leaves_what_can_be_made() {
    let steps: [&dyn Fn(&Path); 3] = [&|_| {}, &|file| fs::write(file, "").unwrap(), &|file| {
        let connection = Connection::open(file).unwrap();
        connection
            .execute_batch("PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL;")
            .unwrap();
    }];
    for (place, step) in steps.iter().enumerate() {
        let folder = Folder::new();
        fs::write(folder.path().join("LOCK"), "").unwrap();
        step(&folder.path().join(DATABASE));
        assert_eq!(
            folder.open(&config()).health(),
            Health::Ready,
            "step {place}"
        );
        assert_eq!(folder.ask("PRAGMA auto_vacuum"), 2);
    }
}

#[tokio::test]
async fn u10_an_orderly_end_is_marked_and_leaves_one_file() {
    let folder = Folder::new();
    let broker = folder.open(&config());
    store_numbers(&broker, 1..11).await;
    assert_eq!(folder.ask("SELECT clean FROM hub"), 0);
    close(broker).await;
    assert_eq!(
        fs::metadata(folder.path().join(LOG)).map_or(0, |log| log.len()),
        0
    );
    assert_eq!(folder.ask("SELECT clean FROM hub"), 1);
    assert_eq!(folder.ask("SELECT head FROM hub"), 10);
}

/// A tail that was further behind than what the writer keeps at hand ended where that began.
#[tokio::test]
async fn u10_a_tail_that_is_far_behind_at_the_end_brings_all_that_was_stored() {
    let folder = Folder::new();
    let broker = folder.open(&config());
    store_numbers(&broker, 1..2001).await;
    close(broker).await;
    let broker = folder.open(&config());
    let mut tail = broker.tail(None);
    close(broker).await;
    let mut last = 0;
    while let Some(item) = tail.next().await {
        let TailItem::Records(records) = item else {
            panic!("{item:?}");
        };
        last = records.last().unwrap().offset();
    }
    assert_eq!(last, 2000);
}

#[tokio::test]
async fn u11_a_run_that_stores_nothing_records_no_epoch() {
    let folder = Folder::new();
    for expected in [0, 0, 1, 1, 1, 2] {
        let broker = folder.open(&config());
        if expected > folder.ask("SELECT count(*) FROM epoch") {
            store_numbers(&broker, 1..2).await;
        }
        close(broker).await;
        assert_eq!(folder.ask("SELECT count(*) FROM epoch"), expected);
    }
}

#[tokio::test]
async fn u12_cursors_of_old_runs_get_what_is_kept() {
    let folder = Folder::new();
    let mut config = config();
    config.history_count_max = 3;
    let mut cursors = Vec::new();
    for _ in 0..10 {
        let broker = folder.open(&config);
        cursors.push(store(&broker, vec![publication(&["a"], "")]).await[0].cursor);
        close(broker).await;
    }
    // 8, 9 and 10 are retained; a cursor at 7 goes on with 8.
    let broker = folder.open(&config);
    for cursor in cursors {
        let expected = match cursor.offset {
            7.. => Resolved::At(cursor.offset),
            _ => Resolved::Trimmed { first: 8 },
        };
        assert_eq!(broker.resolve(&cursor.id()).await, Ok(expected));
    }
}

/// A thousand epochs of old are known, and no more: the lineage is not a history of its own.
#[tokio::test]
async fn u12_epochs_that_are_trimmed_away_are_forgotten_once_there_are_very_many() {
    let folder = Folder::new();
    let mut config = config();
    config.history_count_max = 3;
    let broker = folder.open(&config);
    store_numbers(&broker, 1..2001).await;
    close(broker).await;
    let sql = folder.sql();
    sql.execute_batch(
        "UPDATE epoch SET first = 1990;
         WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 1400)
         INSERT INTO epoch (first, epoch) SELECT x, x FROM n",
    )
    .unwrap();
    drop(sql);
    let known = folder.ask("SELECT count(*) FROM epoch");
    let broker = folder.open(&config);
    for number in 0..600 {
        store(&broker, vec![publication(&["a"], number.to_string())]).await;
    }
    close(broker).await;
    let left = folder.ask("SELECT count(*) FROM epoch");
    assert!(
        known > 1400 && (1000..=1002).contains(&left),
        "{known}, {left}"
    );
}

/// C4: an older copy is put back and refilled past the old head. Who was ahead of the copy is told,
/// before and after, and whoever was not goes on.
#[tokio::test]
async fn u11_a_restored_older_copy_is_another_history_from_there_on() {
    let folder = Folder::new();
    let broker = folder.open(&config());
    store_numbers(&broker, 1..101).await;
    let older = folder.copy();
    let mut cursors = Vec::new();
    for number in 101..151_u64 {
        let sent = vec![publication(&["a"], number.to_string())];
        cursors.push(store(&broker, sent).await[0].cursor);
    }
    close(broker).await;
    let restored = older.open(&config());
    for filled in [0, 20, 200] {
        store_numbers(&restored, 0..filled).await;
        for cursor in &cursors {
            let resolved = restored.resolve(&cursor.id()).await;
            assert_eq!(
                resolved,
                Ok(Resolved::Diverged { end: 100 }),
                "{filled} later"
            );
        }
        let shared = fanfare_broker::Cursor {
            offset: 100,
            ..cursors[0]
        };
        assert_eq!(restored.resolve(&shared.id()).await, Ok(Resolved::At(100)));
    }
}

/// Each of these could have been a history that is shorter, or an index that finds less, in
/// silence. 1,200 records, so that the oldest are not among those that every start looks at.
#[tokio::test]
async fn u5_what_does_not_fit_together_is_damage() {
    let folder = Folder::new();
    let mut limited = config();
    limited.history_count_max = 1200;
    for first in [1, 1001] {
        let broker = folder.open(&limited);
        let topics = |number: u64| if number == 150 { ["rare"] } else { ["a"] };
        let batch =
            (first..first + 1000).map(|it| publication(&topics(it - first), it.to_string()));
        store(&broker, batch.collect()).await;
        close(broker).await;
    }
    assert_eq!(folder.ask("SELECT floor FROM hub"), 801);
    for damage in [
        "DELETE FROM record WHERE offset > 1990",
        "DELETE FROM record WHERE offset = 2000",
        "DELETE FROM record",
        "DELETE FROM record WHERE offset < 900",
        "DELETE FROM record WHERE offset = 1500",
        "UPDATE record SET offset = 1 << 40 WHERE offset = 2000",
        "UPDATE hub SET floor = floor + 64",
        "UPDATE hub SET floor = floor - 64",
        "UPDATE hub SET floor = 4000",
        "UPDATE hub SET floor_total = floor_total + 1",
        "UPDATE hub SET head = head + 1",
        "UPDATE hub SET head = head - 1",
        "UPDATE hub SET postings = postings + 1",
        "DELETE FROM topic_block WHERE block = (SELECT min(block) FROM topic_block)",
        "DELETE FROM topic_block WHERE topic IN
           (SELECT topic FROM topic_block GROUP BY topic HAVING count(*) = 1)",
        "UPDATE topic_block SET topic = topic + 1
           WHERE block = (SELECT min(block) FROM topic_block)",
        "DELETE FROM epoch WHERE first = 1",
        "DELETE FROM epoch WHERE first = 1001",
        "UPDATE epoch SET first = 1100 WHERE first = 1001",
        "UPDATE epoch SET first = 3000 WHERE first = 1001",
        "UPDATE epoch SET epoch = epoch + 1 WHERE first = 1001",
        "DELETE FROM hub",
    ] {
        let copy = folder.copy();
        assert!(copy.sql().execute(damage, []).unwrap() > 0, "{damage}");
        let mut refuse = limited.clone();
        refuse.on_damage = OnDamage::Refuse;
        let refused = SqliteBroker::open(copy.path(), refuse)
            .map(|_| ())
            .unwrap_err();
        assert!(
            matches!(refused, OpenError::Damaged { .. }),
            "{damage}: {refused}"
        );
        if let Ok(broker) = SqliteBroker::open(copy.path(), limited.clone()) {
            let failed = matches!(broker.health(), Health::Failed { .. });
            assert!(failed, "{damage}: {:?}", broker.health());
        }
    }
    // What is not damaged opens.
    assert_eq!(folder.copy().open(&limited).health(), Health::Ready);
}

/// A history without records whose epochs begin beyond its head made the writer draw for ever.
#[tokio::test]
async fn u5_a_lineage_without_records_is_damage() {
    let folder = Folder::new();
    close(folder.open(&config())).await;
    folder
        .sql()
        .execute("INSERT INTO epoch VALUES (1, 5)", [])
        .unwrap();
    let broker = folder.open(&config());
    assert!(matches!(broker.health(), Health::Failed { .. }));
}
