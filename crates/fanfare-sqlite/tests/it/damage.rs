//! Bit rot and truncation: never other data, never a history that is shorter in silence (§5.8).

#![expect(
    clippy::single_range_in_vec_init,
    reason = "holes are ranges, and one is enough"
)]

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::{Broker, Health, PublishError, Record, Resolved, TopicFilter};
use fanfare_sqlite::{Config, Durability, OnDamage, OpenError, SqliteBroker};
use fanfare_wire::{EventId, EventType, Retry};
use futures_util::FutureExt;

use crate::folder::{
    All, DATABASE, Folder, LOG, Names, close, publication, read_all, store, store_numbers,
};

fn config() -> Config {
    let mut config = Config::default();
    config.durability = Durability::Never;
    config.disk_free_min = 0;
    config
}

const TOPICS: [&str; 5] = ["a", "b", "https://example.com/rare", "c", "unheard"];

/// What was stored, by offset.
type Original = BTreeMap<u64, Record>;

/// Stores records of every kind, in three runs, and trims some.
async fn fill(folder: &Folder) -> Original {
    let mut config = config();
    config.history_count_max = 300;
    let mut broker = folder.open(&config);
    for number in 1..=330_u64 {
        let topics: &[&str] = match number % 37 {
            0 => &["https://example.com/rare", "a"],
            1..16 => &["a"],
            16..30 => &["b", "a"],
            _ => &["c"],
        };
        let bytes = if number % 61 == 0 { 9000 } else { 40 };
        let mut publication = publication(topics, format!("{number} {}", "x".repeat(bytes)));
        if number % 5 == 0 {
            let id = format!("https://example.com/{number}");
            publication.event.id = EventId::parse(&id).ok();
        }
        if number % 7 == 0 {
            publication.event.event_type = EventType::parse("price").ok();
            publication.event.retry = Some(Retry::from_millis(number));
            publication = publication.private();
        }
        if number % 11 == 0 {
            let key = fanfare_broker::IdempotencyKey::parse(&number.to_string());
            publication.idempotency_key = key.ok();
        }
        store(&broker, vec![publication]).await;
        if number % 120 == 0 {
            close(broker).await;
            broker = folder.open(&config);
        }
    }
    let read = read_all(&broker, Arc::new(All)).await.unwrap();
    assert_eq!((read.first, read.records.len()), (31, 300));
    close(broker).await;
    read.records
        .into_iter()
        .map(|it| (it.offset(), it))
        .collect()
}

/// What a subscriber can tell apart.
fn same(one: &Record, other: &Record) -> bool {
    one.cursor() == other.cursor() && one.publication() == other.publication()
}

/// Reads with every kind of filter, and holds it against what was stored. What was found, in words.
async fn hold(broker: &SqliteBroker, original: &Original) -> Vec<String> {
    let mut faults = Vec::new();
    let mut filters: Vec<Arc<dyn TopicFilter>> = vec![Arc::new(All)];
    filters.extend(TOPICS.map(|topic| Arc::new(Names::exactly(&[topic])) as Arc<dyn TopicFilter>));
    filters.push(Arc::new(Names::exactly(&["a", "c"])));
    for (place, filter) in filters.iter().enumerate() {
        let Ok(read) = read_all(broker, Arc::clone(filter)).await else {
            // Refused, and told so.
            continue;
        };
        let mut told: HashSet<u64> = read
            .missing
            .iter()
            .cloned()
            .flatten()
            .take(10_000)
            .collect();
        for record in &read.records {
            match original.get(&record.offset()) {
                Some(it) if same(it, record) && filter.wants(it.publication()) => {}
                _ => faults.push(format!("filter {place}: other data at {}", record.offset())),
            }
            told.insert(record.offset());
        }
        let head = broker
            .bounds()
            .await
            .unwrap()
            .head
            .map_or(0, |head| head.offset);
        let wanted = original.range(read.first..=head.max(read.first));
        for (offset, record) in wanted.filter(|(offset, _)| **offset <= head) {
            if filter.wants(record.publication()) && !told.contains(offset) {
                faults.push(format!("filter {place}: nothing said of {offset}"));
            }
        }
    }
    let last = *original.keys().last().unwrap();
    let head = broker
        .bounds()
        .await
        .unwrap()
        .head
        .map_or(0, |head| head.offset);
    if head != last && broker.health() == Health::Ready {
        faults.push(format!("ends at {head} and is said to be whole"));
    }
    for (offset, record) in original.iter().step_by(7) {
        for id in [record.id(), record.cursor().id()] {
            let Ok(Resolved::At(found)) = broker.resolve(&id).await else {
                continue;
            };
            if found != *offset {
                faults.push(format!("{id:?} is at {found}, not {offset}"));
            }
        }
    }
    faults
}

/// Opens a copy of `folder` whose database is `bytes`; faults, and whether damage was noticed.
fn open_damaged(bytes: &[u8], original: &Original) -> (Vec<String>, bool) {
    let copy = Folder::new();
    fs::write(copy.path().join(DATABASE), bytes).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = { runtime }.enable_all().build().unwrap();
    let held = std::panic::catch_unwind(AssertUnwindSafe(|| {
        runtime.block_on(async {
            match SqliteBroker::open(copy.path(), config()) {
                Err(_) => (Vec::new(), true),
                Ok(broker) => {
                    let faults = hold(&broker, original).await;
                    (faults, broker.health() != Health::Ready)
                }
            }
        })
    }));
    held.unwrap_or_else(|_| (vec!["panic".to_owned()], true))
}

/// SplitMix64: the same positions in each run.
fn random(seed: &mut u64) -> u64 {
    *seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut bits = *seed;
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    bits ^ (bits >> 31)
}

/// Flips in each page: some anywhere, and some in its header and cell pointers, which matter most.
fn positions(length: usize) -> Vec<usize> {
    let seed = &mut 8_121;
    let below = |seed: &mut u64, bound: usize| usize::try_from(random(seed)).unwrap() % bound;
    let mut all = Vec::new();
    for page in (0..length).step_by(4096) {
        for _ in 0..FLIPS {
            all.push((page + below(seed, 4096)) * 8 + below(seed, 8));
            all.push((page + below(seed, 64)) * 8 + below(seed, 8));
        }
    }
    all
}

const FLIPS: usize = 3;

#[test]
fn f10_f11_one_flipped_bit_is_never_other_data_and_never_silence() {
    let folder = Folder::new();
    let original = fill(&folder).block();
    let whole = fs::read(folder.path().join(DATABASE)).unwrap();
    let (mut noticed, mut wrong) = (0, Vec::new());
    let positions = positions(whole.len());
    for bit in &positions {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let (faults, told) = open_damaged(&bytes, &original);
        noticed += usize::from(told);
        if let Some(first) = faults.first() {
            wrong.push(format!("bit {bit}, page {}: {first}", bit / 8 / 4096 + 1));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {}: {wrong:#?}",
        wrong.len(),
        positions.len()
    );
    // Most of what is flipped is a record's or an index's: the test looks at something.
    assert!(
        noticed > positions.len() / 3,
        "{noticed} of {}",
        positions.len()
    );
}

trait Block: Future + Sized {
    fn block(self) -> Self::Output {
        let runtime = tokio::runtime::Builder::new_current_thread();
        { runtime }.enable_all().build().unwrap().block_on(self)
    }
}

impl<F: Future> Block for F {}

#[test]
fn f11_a_database_that_was_cut_is_refused_or_tells_what_is_gone() {
    let folder = Folder::new();
    let original = fill(&folder).block();
    let whole = fs::read(folder.path().join(DATABASE)).unwrap();
    let pages = whole.len() / 4096;
    let mut lengths: Vec<_> = (1..pages).step_by(3).map(|page| page * 4096).collect();
    lengths.extend([1, 99, 511, 4095, 4097, whole.len() / 2 + 7, whole.len() - 1]);
    for length in lengths {
        let (faults, told) = open_damaged(&whole[..length], &original);
        assert!(told, "cut at {length} and said to be whole");
        assert_eq!(faults, Vec::<String>::new(), "cut at {length}");
    }
}

#[tokio::test]
async fn f11_refuse_does_not_start_and_read_only_stores_nothing() {
    let folder = Folder::new();
    let original = fill(&folder).await;
    let sql = folder.sql();
    sql.execute("UPDATE record SET data = 'x' WHERE offset = 200", [])
        .unwrap();
    drop(sql);
    let mut refuse = config();
    refuse.on_damage = OnDamage::Refuse;
    let refused = SqliteBroker::open(folder.path(), refuse).unwrap_err();
    assert!(matches!(refused, OpenError::Damaged { .. }), "{refused}");
    let broker = folder.open(&config());
    assert!(matches!(broker.health(), Health::Failed { .. }));
    let outcomes = broker.publish(vec![publication(&["a"], "new")]).await;
    let unavailable = fanfare_broker::PublishError::Unavailable {
        retry_after: std::time::Duration::from_secs(1),
    };
    assert_eq!(outcomes, [Err(unavailable)]);
    // F13: told to everybody who crosses it, each time.
    for _ in 0..2 {
        let read = read_all(&broker, Arc::new(All)).await.unwrap();
        assert_eq!(
            (read.missing.as_slice(), read.records.len()),
            ([200..201].as_slice(), 299)
        );
    }
    assert_eq!(hold(&broker, &original).await, Vec::<String>::new());
    close(broker).await;
    // A run that could not write leaves no mark of an orderly one.
    assert!(SqliteBroker::open(folder.path(), config()).is_ok());
}

#[tokio::test]
async fn f10_damage_that_a_read_meets_is_told_and_the_hub_goes_on() {
    let folder = Folder::new();
    let broker = folder.open(&config());
    store_numbers(&broker, 1..301).await;
    let delete = "DELETE FROM record WHERE offset BETWEEN 100 AND 102";
    folder.sql().execute(delete, []).unwrap();
    let read = read_all(&broker, Arc::new(All)).await.unwrap();
    assert_eq!(read.missing, [100..103]);
    assert_eq!(read.records.len(), 297);
    let Health::Degraded { why } = broker.health() else {
        panic!("{:?}", broker.health());
    };
    assert!(why.contains("100 to 102"), "{why}");
    store_numbers(&broker, 301..302).await;
}

/// A page of old records was damaged, a start did not look there, and trimming met it: the process
/// ended with code 74, and so did each that its supervisor started after it.
#[tokio::test]
async fn f11_damage_that_the_writer_meets_makes_the_history_read_only_and_ends_nothing() {
    let folder = Folder::new();
    let broker = folder.open(&config());
    store_numbers(&broker, 1..3001).await;
    close(broker).await;
    let sql = folder.sql();
    let leaf: u32 = sql
        .query_row(
            "SELECT pageno FROM dbstat WHERE name = 'record' AND pagetype = 'leaf' \
             ORDER BY path LIMIT 1 OFFSET 5",
            [],
            |row| row.get(0),
        )
        .unwrap();
    drop(sql);
    let mut bytes = fs::read(folder.path().join(DATABASE)).unwrap();
    let start = usize::try_from((leaf - 1) * 4096).unwrap();
    bytes[start..start + 4096].fill(0xff);
    fs::write(folder.path().join(DATABASE), bytes).unwrap();

    let mut small = config();
    small.history_count_max = 1000;
    let broker = folder.open(&small);
    let damaged = || match broker.health() {
        Health::Failed { why } => why.contains("damaged").then_some(why),
        Health::Ready | Health::Degraded { .. } | _ => None,
    };
    let met = tokio::time::timeout(Duration::from_secs(30), async {
        while damaged().is_none() {
            tokio::task::yield_now().await;
        }
    });
    assert!(met.await.is_ok(), "{:?}", broker.health());
    assert!(broker.failed().now_or_never().is_none(), "{:?}", damaged());
    let outcomes = broker.publish(vec![publication(&["a"], "new")]).await;
    assert!(
        matches!(outcomes[..], [Err(PublishError::Unavailable { .. })]),
        "{outcomes:?}"
    );
    let read = read_all(&broker, Arc::new(All)).await.unwrap();
    assert_eq!(read.records.last().unwrap().offset(), 3000);
    let missing: u64 = read.missing.iter().map(|hole| hole.end - hole.start).sum();
    let total = read.first - 1 + missing + u64::try_from(read.records.len()).unwrap();
    assert!(missing > 0 && total == 3000, "{missing} {total}");
}

/// SQLite's own rule: what follows a frame that does not prove itself was never committed.
#[test]
fn f10_a_flipped_bit_in_the_log_makes_a_shorter_history_and_clients_are_told() {
    let folder = Folder::new();
    let (original, whole_log, base) = async {
        let broker = folder.open(&config());
        for first in 1..=60 {
            store_numbers(&broker, first..first + 1).await;
        }
        let copy = folder.copy();
        let read = read_all(&broker, Arc::new(All)).await.unwrap();
        let log = fs::read(copy.path().join(LOG)).unwrap();
        let base = fs::read(copy.path().join(DATABASE)).unwrap();
        (read.records, log, base)
    }
    .block();
    let mut lengths = HashSet::new();
    let seed = &mut 77;
    for _ in 0..60 {
        let bit = usize::try_from(random(seed)).unwrap() % (whole_log.len() * 8);
        let mut log = whole_log.clone();
        log[bit / 8] ^= 1 << (bit % 8);
        let copy = Folder::new();
        fs::write(copy.path().join(DATABASE), &base).unwrap();
        fs::write(copy.path().join(LOG), &log).unwrap();
        lengths.insert(hold_log(&copy, &original).block());
    }
    assert!(lengths.len() > 20, "{lengths:?}");
}

/// The length of what is left, which must be a beginning of `original`, and told as that.
async fn hold_log(folder: &Folder, original: &[Record]) -> usize {
    let broker = folder.open(&config());
    assert_eq!(broker.health(), Health::Ready);
    let read = read_all(&broker, Arc::new(All)).await.unwrap();
    assert!(read.missing.is_empty());
    let length = read.records.len();
    assert!(
        read.records
            .iter()
            .zip(original)
            .all(|(one, other)| same(one, other))
    );
    let told = async |broker: &SqliteBroker| {
        for record in original {
            let end = length as u64;
            let expected = match record.offset() {
                offset if offset <= end => Resolved::At(offset),
                _ if end == 0 => Resolved::Unknown,
                _ => Resolved::Diverged { end },
            };
            assert_eq!(broker.resolve(&record.cursor().id()).await, Ok(expected));
        }
    };
    told(&broker).await;
    // Refilled past the old head, it is still another history.
    store_numbers(&broker, 0..100).await;
    told(&broker).await;
    length
}
