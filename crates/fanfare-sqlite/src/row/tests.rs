use std::num::NonZeroU32;

use fanfare_broker::Epoch;
use proptest::prelude::*;
use rusqlite::Connection;
use rusqlite::types::Value;

use super::*;
use crate::database::{TABLES, sql};

const OFFSET: u64 = 7;

fn lineage(epoch: u32) -> Lineage {
    Lineage::of(Epoch::new(NonZeroU32::new(epoch).unwrap()))
}

fn place(ts_ms: u64, total: u64) -> Place {
    Place {
        cursor: lineage(11).cursor_at(OFFSET).unwrap(),
        ts_ms,
        total,
    }
}

fn database_with(place: Place, publication: &Publication) -> Connection {
    let connection = Connection::open_in_memory().unwrap();
    connection.execute_batch(TABLES).unwrap();
    let topics = join_topics(publication);
    let mut statement = connection.prepare_cached(sql::INSERT_RECORD).unwrap();
    insert(&mut statement, place, publication, &topics).unwrap();
    drop(statement);
    connection
}

fn read(connection: &Connection, lineage: &Lineage) -> Result<Stored, Damaged> {
    let mut select = connection.prepare_cached(sql::SELECT_RECORD).unwrap();
    let decoded = select.query_row([number(OFFSET)], |row| decode(row, lineage, Now::read()));
    decoded.unwrap()
}

/// One with every field.
fn full() -> Publication {
    let mut event = Event::new("line\nline \u{1f300}");
    event.id = EventId::parse("https://example.com/7").ok();
    event.event_type = EventType::parse("price").ok();
    event.retry = Some(Retry::from_millis(3000));
    let mut publication = Publication::new(Topic::parse("a").unwrap(), event)
        .also(Topic::parse("b\u{fc}").unwrap())
        .private();
    let now = Now::read();
    publication.expires = Some(Expiry::at(5_000_000_000_000, now.unix_ms, now.instant));
    publication
}

fn publications() -> impl Strategy<Value = Publication> {
    let line = "[^\0\r\n]{0,40}";
    let topics = prop::collection::vec("[^\\p{Cc}]{1,20}", 1..5);
    let (id, event_type) = (prop::option::of(line), prop::option::of(line));
    let (retry, expires) = (
        prop::option::of(any::<u64>()),
        prop::option::of(any::<u64>()),
    );
    let event = (any::<String>(), id, event_type, retry);
    (topics, event, any::<bool>(), expires).prop_map(|(topics, event, private, expires)| {
        let (data, id, event_type, retry) = event;
        let mut event = Event::new(data);
        event.id = id.and_then(|id| EventId::parse(&id).ok());
        event.event_type = event_type.and_then(|it| EventType::parse(&it).ok());
        event.retry = retry.map(Retry::from_millis);
        let mut topics = topics.iter().map(|topic| Topic::parse(topic).unwrap());
        let first = topics.next().unwrap();
        let mut publication = topics.fold(Publication::new(first, event), Publication::also);
        if private {
            publication = publication.private();
        }
        let now = Now::read();
        publication.expires = expires.map(|at| Expiry::at(at, now.unix_ms, now.instant));
        publication
    })
}

proptest! {
    /// An expiry beyond what SQLite can keep was summed as it came, and read as damaged.
    #[test]
    fn w6_a_row_gives_back_every_field(
        publication in publications(),
        ts_ms in 0..1_u64 << 53,
        total in 0..1_u64 << 53,
    ) {
        let place = place(ts_ms, total);
        let stored = read(&database_with(place, &publication), &lineage(11)).unwrap();
        prop_assert_eq!(stored.place, place);
        let found = stored.publication;
        prop_assert_eq!(&found.event, &publication.event);
        prop_assert_eq!(found.topics(), publication.topics());
        prop_assert_eq!(found.audience, publication.audience);
        let unix_ms = |it: &Publication| it.expires.map(|expiry| expiry.unix_ms());
        let kept = unix_ms(&publication).map(|at| at.min(i64::MAX.unsigned_abs()));
        prop_assert_eq!(unix_ms(&found), kept);
    }
}

/// The value with one bit turned, for each bit that it has; NULL becomes something, and back.
fn neighbours(value: &Value) -> Vec<Value> {
    let flipped = |bytes: &[u8]| -> Vec<Vec<u8>> {
        let flip = |bit: usize| {
            let mut bytes = bytes.to_owned();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        };
        (0..bytes.len() * 8).map(flip).collect()
    };
    match value {
        Value::Integer(number) => (0..64)
            .map(|bit| Value::Integer(number ^ (1 << bit)))
            .chain([Value::Null])
            .collect(),
        Value::Text(text) => flipped(text.as_bytes())
            .into_iter()
            .map(Value::Blob)
            .chain([Value::Null, Value::Text(String::new())])
            .collect(),
        Value::Null => vec![Value::Integer(0), Value::Text(String::new())],
        Value::Real(_) | Value::Blob(_) => panic!("no column of that kind"),
    }
}

#[test]
fn w6_each_flipped_bit_of_a_row_is_noticed() {
    let bare = Publication::new(Topic::parse("a").unwrap(), Event::new(""));
    for publication in [full(), bare] {
        let connection = database_with(place(1_700_000_000_000, 900), &publication);
        // As a damaged page would have it: no rule of the table holds.
        connection
            .execute_batch(
                "CREATE TEMP TABLE copy AS SELECT * FROM record;
                 ALTER TABLE record RENAME TO whole;
                 CREATE TABLE record (offset INTEGER PRIMARY KEY, ts_ms, total, private, sum,
                   expires_ms, retry_ms, topics, id, type, data);
                 INSERT INTO record SELECT * FROM whole;",
            )
            .unwrap();
        assert!(read(&connection, &lineage(11)).is_ok());
        for column in [
            "ts_ms",
            "total",
            "private",
            "sum",
            "expires_ms",
            "retry_ms",
            "topics",
            "id",
            "type",
            "data",
        ] {
            let value: Value = connection
                .query_row(&format!("SELECT {column} FROM whole"), [], |row| row.get(0))
                .unwrap();
            for other in neighbours(&value) {
                // A blob may also be read as the text that it replaces.
                for kind in ["?1", "CAST(?1 AS TEXT)"] {
                    if kind != "?1" && !matches!(other, Value::Blob(_)) {
                        continue;
                    }
                    let update = format!("UPDATE record SET {column} = {kind}");
                    connection.execute(&update, [&other]).unwrap();
                    let found = read(&connection, &lineage(11)).err();
                    let same = other == value;
                    assert_eq!(found.is_none(), same, "{column}: {value:?} as {other:?}");
                }
            }
            let restore = format!("UPDATE record SET {column} = ?1");
            connection.execute(&restore, [&value]).unwrap();
        }
        assert!(read(&connection, &lineage(11)).is_ok());
    }
}

/// A lineage that lost or changed an epoch would have given records the cursors of others.
#[test]
fn w6_a_record_proves_its_epoch_and_its_offset() {
    let connection = database_with(place(1, 2), &full());
    let damaged = Damaged { offset: OFFSET };
    assert_eq!(read(&connection, &lineage(12)).unwrap_err(), damaged);
    assert_eq!(read(&connection, &Lineage::default()).unwrap_err(), damaged);
    connection
        .execute("UPDATE record SET offset = 8", [])
        .unwrap();
    let mut select = connection.prepare(sql::SELECT_RECORD).unwrap();
    let decoded = select.query_row([8], |row| decode(row, &lineage(11), Now::read()));
    assert!(decoded.unwrap().is_err());
}

/// A sum over the bytes alone would not notice where one field ends and the next begins.
#[test]
fn w6_bytes_that_move_to_the_next_field_are_noticed() {
    let connection = database_with(place(1, 2), &full());
    connection
        .execute(
            "UPDATE record SET type = type || 'l', data = substr(data, 2)",
            [],
        )
        .unwrap();
    assert!(read(&connection, &lineage(11)).is_err());
}

#[test]
fn t1_weight_is_128_and_32_for_each_topic_and_the_texts() {
    let bare = Publication::new(Topic::parse("abc").unwrap(), Event::new("12345"));
    assert_eq!(weight(&bare), 128 + 32 + 3 + 5);
    let topics = 2 * 32 + 1 + "b\u{fc}".len() as u64;
    let texts = "https://example.com/7".len() + "price".len() + "line\nline \u{1f300}".len();
    assert_eq!(weight(&full()), 128 + topics + texts as u64);
}
