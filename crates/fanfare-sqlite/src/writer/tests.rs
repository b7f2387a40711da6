use fanfare_broker::{Health, PublishError, Receipt};
use tempfile::TempDir;
use tokio::sync::oneshot;

use super::*;
use crate::queue::RETRY;
use crate::sample::publication;
use crate::start;

/// A writer without a thread: a test turns its clock.
struct Bench {
    writer: Writer,
    now: Now,
    directory: TempDir,
}

impl Bench {
    fn new(config: Config) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().to_owned();
        let opened = start::open(&path, &config).unwrap();
        let shared = Arc::new(Shared::new(opened.bounds(), opened.condition.clone()));
        let queue = Arc::<Queue>::default();
        let writer = Writer::new(opened, path, config, &shared, &queue).unwrap();
        writer
            .connection
            .busy_timeout(Duration::from_millis(10))
            .unwrap();
        let now = Now::read();
        Self {
            writer,
            now,
            directory,
        }
    }

    /// Both clocks go on.
    fn wait(&mut self, time: Duration) {
        self.now.instant += time;
        self.now.unix_ms += u64::try_from(time.as_millis()).unwrap();
    }

    /// Commits `count` records.
    fn append(&mut self, count: usize) -> Result<usize, Fault> {
        let batch = vec![publication(&["a"], "data"); count];
        let outcomes = self.writer.commit(vec![batch], self.now)?;
        Ok(outcomes.iter().map(Vec::len).sum())
    }

    /// Stores one as a publisher would, at the real time.
    fn publish(&mut self) -> Result<Receipt, PublishError> {
        let (job, mut outcomes) = Job::new(vec![publication(&["a"], "data")]);
        self.writer.store(vec![job]);
        self.outcome(&mut outcomes)
    }

    fn outcome(&self, outcomes: &mut oneshot::Receiver<Outcomes>) -> Result<Receipt, PublishError> {
        outcomes.try_recv().unwrap().remove(0)
    }

    fn pragma(&self, name: &str) -> i64 {
        let connection = &self.writer.connection;
        connection
            .pragma_query_value(None, name, |row| row.get(0))
            .unwrap()
    }

    fn ask(&self, text: &str) -> i64 {
        let connection = &self.writer.connection;
        connection.query_row(text, [], |row| row.get(0)).unwrap()
    }

    fn other(&self) -> Connection {
        Connection::open(database::file(self.directory.path())).unwrap()
    }
}

fn config(durability: Durability) -> Config {
    Config {
        durability,
        disk_free_min: 0,
        ..Config::default()
    }
}

const FULL: i64 = 2;
const NORMAL: i64 = 1;
const UNAVAILABLE: PublishError = PublishError::Unavailable { retry_after: RETRY };

#[test]
fn w10_always_flushes_each_commit_and_never_none() {
    for (durability, synchronous) in [(Durability::Always, FULL), (Durability::Never, NORMAL)] {
        let mut bench = Bench::new(config(durability));
        assert_eq!(bench.pragma("synchronous"), synchronous);
        bench.append(3).unwrap();
        assert_eq!(bench.pragma("synchronous"), synchronous);
        assert_eq!(bench.writer.due(bench.now.instant), None);
        assert_eq!(bench.ask("SELECT synced FROM hub"), 0);
    }
}

#[test]
fn w10_interval_flushes_the_first_commit_after_its_time_or_by_itself() {
    let interval = Duration::from_millis(100);
    let mut bench = Bench::new(config(Durability::Interval(interval)));
    assert_eq!(bench.writer.due(bench.now.instant), None);
    bench.append(3).unwrap();
    let due = bench.now.instant + interval;
    assert_eq!(bench.writer.due(bench.now.instant), Some(due));
    // One that comes in time is not flushed, and does not put it off.
    bench.wait(interval / 2);
    bench.append(2).unwrap();
    assert_eq!(bench.writer.due(bench.now.instant), Some(due));
    assert_eq!(bench.ask("SELECT synced FROM hub"), 0);
    // Nobody publishes.
    bench.wait(interval / 2);
    bench.writer.tend(bench.now);
    assert_eq!(bench.ask("SELECT synced FROM hub"), 5);
    assert_eq!(bench.writer.due(bench.now.instant), None);
    assert_eq!(bench.pragma("synchronous"), NORMAL);
    // The first commit after the time covers all before it.
    bench.append(1).unwrap();
    bench.wait(interval);
    bench.append(1).unwrap();
    assert_eq!(bench.ask("SELECT synced FROM hub"), 7);
    assert_eq!(bench.writer.due(bench.now.instant), None);
    assert_eq!(bench.pragma("synchronous"), NORMAL);
}

#[test]
fn t5_a_clock_that_jumps_a_year_ahead_does_not_empty_the_history() {
    let mut config = config(Durability::Never);
    config.history_age_max = Duration::from_secs(24 * 3600);
    let mut bench = Bench::new(config);
    bench.append(100).unwrap();
    bench.now.unix_ms += 365 * 24 * 3600 * 1000;
    bench.writer.tend(bench.now);
    assert_eq!(bench.writer.head.floor, 1);
    bench.wait(Duration::from_secs(3599));
    bench.writer.tend(bench.now);
    assert_eq!(bench.writer.head.floor, 1);
    // What nobody takes back for an hour is the time.
    bench.wait(Duration::from_secs(1));
    bench.writer.tend(bench.now);
    // A slice at a time, without a break.
    assert_eq!(bench.writer.head.floor, 65);
    assert_eq!(bench.writer.due(bench.now.instant), Some(bench.now.instant));
    bench.writer.tend(bench.now);
    assert_eq!(bench.writer.head.floor, 101);
}

#[test]
fn t1_a_clock_that_goes_back_keeps_the_order_of_times() {
    let mut bench = Bench::new(config(Durability::Never));
    bench.append(1).unwrap();
    bench.now.unix_ms -= 3_600_000;
    bench.append(1).unwrap();
    bench.now.unix_ms = 5;
    bench.append(1).unwrap();
    assert_eq!(bench.ask("SELECT count(DISTINCT ts_ms) FROM record"), 1);
}

#[test]
fn f2_another_process_that_writes_costs_a_publish_and_not_the_writer() {
    let mut bench = Bench::new(config(Durability::Never));
    let other = bench.other();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert_eq!(bench.publish(), Err(UNAVAILABLE));
    bench.writer.checkpoint();
    assert_eq!(bench.writer.shared.health(), Health::Ready);
    other.execute_batch("ROLLBACK").unwrap();
    assert_eq!(bench.publish().unwrap().cursor.offset, 1);
}

/// Giving back pages beside another process that writes ended the writer.
#[test]
fn f2_another_process_that_writes_does_not_matter_to_a_trim() {
    let mut config = config(Durability::Never);
    config.history_count_max = 10;
    let mut bench = Bench::new(config);
    for _ in 0..20 {
        let batch = vec![publication(&["a"], "x".repeat(100_000)); 20];
        bench.writer.commit(vec![batch], bench.now).unwrap();
    }
    let other = bench.other();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    bench.writer.purged_seen = 0;
    bench.writer.checkpoint();
    assert_eq!(bench.writer.shared.health(), Health::Ready);
    drop(other);
    let pages = bench.pragma("page_count");
    bench.writer.checkpoint();
    assert!(bench.pragma("page_count") < pages);
}

#[test]
fn f3_a_broken_rule_before_the_commit_stores_nothing_and_ends_the_writer() {
    let mut bench = Bench::new(config(Durability::Never));
    bench.append(1).unwrap();
    // Somebody has put a row where the next one goes.
    let planted = "INSERT INTO record SELECT 3, ts_ms, total, 0, 0, NULL, NULL, '', NULL, NULL, ''
        FROM record";
    bench.other().execute(planted, []).unwrap();
    assert_eq!(bench.publish().unwrap().cursor.offset, 2);
    assert_eq!(bench.publish(), Err(UNAVAILABLE));
    assert!(matches!(
        bench.writer.shared.health(),
        Health::Failed { .. }
    ));
    // Never another write, though this one would go through.
    bench
        .other()
        .execute("DELETE FROM record WHERE offset = 3", [])
        .unwrap();
    assert_eq!(bench.publish(), Err(UNAVAILABLE));
    assert_eq!(bench.writer.head.next, 3);
    assert_eq!(bench.writer.due(bench.now.instant), None);
}

#[test]
fn w8_what_is_rolled_back_leaves_nothing_in_memory() {
    let mut bench = Bench::new(config(Durability::Never));
    bench.append(63).unwrap();
    let (head, lineage) = (bench.writer.head, Arc::clone(&bench.writer.lineage));
    let planted = "INSERT INTO record SELECT 70, ts_ms, total, 0, 0, NULL, NULL, '', NULL, NULL, ''
        FROM record LIMIT 1";
    bench.other().execute(planted, []).unwrap();
    // The transaction gets as far as offset 70, in a block that is new to the index.
    assert!(bench.append(20).is_err());
    assert_eq!((bench.writer.head, &bench.writer.lineage), (head, &lineage));
    bench
        .other()
        .execute("DELETE FROM record WHERE offset = 70", [])
        .unwrap();
    bench.append(20).unwrap();
    assert_eq!(bench.ask("SELECT count(*) FROM topic_block"), 2);
    let noted = bench.ask("SELECT postings FROM hub");
    assert_eq!(crate::search::postings(&bench.writer.connection), Ok(noted));
}

#[test]
fn f7_a_disk_that_is_nearly_full_refuses_and_comes_back_by_itself() {
    let mut config = config(Durability::Never);
    config.disk_free_min = u64::MAX;
    let mut bench = Bench::new(config);
    assert_eq!(bench.publish(), Err(PublishError::Full));
    assert!(matches!(
        bench.writer.shared.health(),
        Health::Failed { .. }
    ));
    bench.writer.config.disk_free_min = 0;
    // It is looked at once a second, without a publish as well.
    bench.now = Now::read();
    assert!(bench.writer.due(bench.now.instant).is_some());
    bench.wait(TICK);
    bench.writer.tend(bench.now);
    assert_eq!(bench.writer.shared.health(), Health::Ready);
    assert_eq!(bench.publish().unwrap().cursor.offset, 1);
}

/// A history that could not be written to was not trimmed either, and what was not flushed yet
/// stayed so.
#[test]
fn f7_trimming_and_flushing_go_on_without_room() {
    let mut config = config(Durability::Interval(Duration::from_millis(100)));
    config.history_age_max = Duration::from_secs(60);
    let mut bench = Bench::new(config);
    bench.append(100).unwrap();
    bench.writer.config.disk_free_min = u64::MAX;
    bench.wait(TICK);
    bench.writer.tend(bench.now);
    assert_eq!(bench.writer.refusal(), PublishError::Full);
    assert_eq!(bench.ask("SELECT synced FROM hub"), 100);
    bench.wait(Duration::from_secs(61));
    bench.writer.tend(bench.now);
    assert_eq!(bench.writer.refusal(), PublishError::Full);
    bench.writer.tend(bench.now);
    assert_eq!(bench.writer.head.floor, 101);
    assert_eq!(bench.ask("SELECT min(offset) FROM record"), 64);
}

#[test]
fn p4_a_writer_that_panics_leaves_nobody_waiting() {
    let (shared, queue) = {
        let bench = Bench::new(config(Durability::Never));
        (
            Arc::clone(&bench.writer.shared),
            Arc::clone(&bench.writer.queue),
        )
    };
    let (job, mut outcomes) = Job::new(vec![publication(&["a"], "data")]);
    queue.push(job).unwrap();
    thread::scope(|scope| {
        let panics = scope.spawn(|| {
            let _last_words = LastWords {
                shared: Arc::clone(&shared),
                queue: Arc::clone(&queue),
            };
            panic!("a bug");
        });
        assert!(panics.join().is_err());
    });
    assert_eq!(outcomes.try_recv(), Ok(vec![Err(UNAVAILABLE)]));
    assert!(matches!(shared.health(), Health::Failed { .. }));
    let (job, _) = Job::new(Vec::new());
    assert_eq!(queue.push(job), Err(UNAVAILABLE));
}

#[test]
fn u11_an_epoch_that_is_known_is_not_used_again() {
    let mut bench = Bench::new(config(Durability::Never));
    bench.append(1).unwrap();
    let first = bench.writer.epoch;
    // The next run draws the same number.
    bench.writer.begun = false;
    bench.append(1).unwrap();
    assert_ne!(bench.writer.epoch, first);
    assert_eq!(bench.ask("SELECT count(*) FROM epoch"), 2);
}
