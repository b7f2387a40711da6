use super::*;
use crate::blocks::BLOCK;
use crate::row::topic_hash;
use crate::sample::{History, publication};

fn hash(topic: &str) -> i64 {
    topic_hash(topic.as_bytes())
}

/// One record in each block from the first on, of the topics named there.
fn history(blocks: &[&[&str]]) -> History {
    let mut all = Vec::new();
    for (block, topics) in (0..).zip(blocks) {
        let first = block * BLOCK;
        for offset in first.max(1)..first + BLOCK {
            let at_start = offset == first.max(1);
            let topics = if at_start { *topics } else { &["filler"] };
            all.push(publication(topics, offset.to_string()));
        }
    }
    History::of(all)
}

fn ask(history: &History, topics: &[&str], first: u64, last: u64) -> Option<(Vec<u64>, u64)> {
    let hashes: Vec<_> = topics.iter().map(|topic| hash(topic)).collect();
    let answer = search(&history.connection, &hashes, first, last).unwrap();
    let found = answer.candidates;
    found.map(|found| (found.blocks, found.searched))
}

#[test]
fn q5_finds_the_blocks_of_each_topic_once_and_in_order() {
    let history = history(&[&["a", "b"], &["b"], &["c"], &["a"], &["b", "c"], &["d"]]);
    let table: [(&[&str], u64, u64, &[u64]); 9] = [
        (&["a"], 0, 5, &[0, 3]),
        (&["a"], 1, 5, &[3]),
        (&["a"], 1, 2, &[]),
        (&["a"], 3, 3, &[3]),
        (&["b", "a"], 0, 5, &[0, 1, 3, 4]),
        (&["c", "b"], 2, 4, &[2, 4]),
        (&["unheard"], 0, 5, &[]),
        (&[], 0, 5, &[]),
        (&["filler"], 0, 5, &[0, 1, 2, 3, 4, 5]),
    ];
    for (topics, first, last, blocks) in table {
        let found = ask(&history, topics, first, last);
        assert_eq!(
            found,
            Some((blocks.to_vec(), last)),
            "{topics:?} {first}..={last}"
        );
    }
}

#[test]
fn q5_one_search_reads_64_rows_of_a_topic_and_says_how_far_it_looked() {
    let mut blocks = vec![["many"].as_slice(); 70];
    blocks[66] = &["many", "late"];
    blocks[3] = &["many", "early"];
    let history = history(&blocks);
    let (found, searched) = ask(&history, &["many"], 0, 69).unwrap();
    assert_eq!((found, searched), ((0..64).collect(), 63));
    let (found, searched) = ask(&history, &["many"], 64, 69).unwrap();
    assert_eq!((found, searched), ((64..70).collect(), 69));
    // The topic that is searched the least far bounds all, in whatever order they are asked.
    for topics in [["late", "many", "early"], ["many", "late", "early"]] {
        let (found, searched) = ask(&history, &topics, 1, 69).unwrap();
        assert_eq!((found, searched), ((1..65).collect(), 64));
    }
    let (found, searched) = ask(&history, &["late", "early"], 0, 69).unwrap();
    assert_eq!((found, searched), (vec![3, 66], 69));
}

#[test]
fn q5_a_row_that_is_missing_or_altered_makes_the_index_say_nothing() {
    let cut = |block: u64| {
        format!(
            "DELETE FROM topic_block WHERE topic = {} AND block = {block}",
            hash("a")
        )
    };
    let turn = |what: &str| {
        format!(
            "UPDATE topic_block SET {what} WHERE topic = {} AND block = 3",
            hash("a")
        )
    };
    for damage in [
        cut(3),
        turn("prev = 2"),
        turn("prev = -1"),
        turn("block = 4"),
        turn("block = 2"),
    ] {
        let history = history(&[&["a"], &["b"], &["b"], &["a"], &["b"], &["a"]]);
        assert_eq!(ask(&history, &["a"], 0, 5).unwrap().0, [0, 3, 5]);
        history.change(&damage, 1);
        assert_eq!(ask(&history, &["a"], 0, 5), None, "{damage}");
        if damage != turn("prev = -1") {
            // Of the first row that it finds, a search believes that there is none before it.
            assert_eq!(ask(&history, &["b", "a"], 1, 5), None, "{damage}");
        }
        assert!(ask(&history, &["b"], 0, 5).is_some());
    }
}

#[test]
fn q5_a_page_of_the_index_that_cannot_be_read_makes_it_say_nothing() {
    let history = history(&[&["a"], &["a"]]);
    // What the index's root holds is no page of an index any more.
    history
        .connection
        .execute_batch(
            "PRAGMA writable_schema = ON;
             UPDATE sqlite_schema SET rootpage =
               (SELECT rootpage FROM sqlite_schema WHERE name = 'epoch')
             WHERE name = 'topic_block';",
        )
        .unwrap();
    let again = Connection::open(crate::database::file(history.directory.path())).unwrap();
    let answer = search(&again, &[hash("a")], 0, 1).unwrap();
    assert_eq!(answer.candidates, None);
}

/// A trim beside the search deleted the row that the next one names, which is no damage.
#[test]
fn q5_rows_that_a_trim_deleted_are_no_hole() {
    let history = history(&[&["a"], &["a"], &["a"], &["b"], &["a"]]);
    let delete = format!(
        "DELETE FROM topic_block WHERE topic = {} AND block < 2",
        hash("a")
    );
    history.change(&delete, 2);
    assert_eq!(ask(&history, &["a"], 1, 4), None);
    history.change("UPDATE hub SET floor = 128", 1);
    let answer = search(&history.connection, &[hash("a")], 1, 4).unwrap();
    assert_eq!(answer.first, 128);
    assert_eq!(answer.candidates.unwrap().blocks, [2, 4]);
}

#[test]
fn postings_add_up_to_what_the_hub_noted_and_each_counts() {
    let history = history(&[&["a", "b"], &["b"], &["a"]]);
    let noted = || crate::start::noted(&history.connection).unwrap().postings;
    assert_eq!(postings(&history.connection).unwrap(), noted());
    for change in [
        "UPDATE topic_block SET topic = topic + 1 WHERE block = 2 AND topic NOT IN (SELECT topic + 1 FROM topic_block)",
        "UPDATE topic_block SET block = 7 WHERE block = 1",
        "DELETE FROM topic_block WHERE block = 0",
    ] {
        history.connection.execute_batch("SAVEPOINT it").unwrap();
        assert!(history.connection.execute(change, []).unwrap() > 0);
        assert_ne!(postings(&history.connection).unwrap(), noted(), "{change}");
        history.connection.execute_batch("ROLLBACK TO it").unwrap();
    }
}

/// A place that is wrong would have skipped events in silence.
#[test]
fn c5_an_id_is_found_at_its_earliest_record_which_must_prove_itself() {
    let named = |id: &str| {
        let mut named = publication(&["a"], "data");
        named.event.id = EventId::parse(id).ok();
        named
    };
    let history = History::of(vec![
        named("x"),
        named("y"),
        named("x"),
        named("z"),
        named("y"),
    ]);
    let find = |id: &str, first| {
        let id = EventId::parse(id).unwrap();
        find_id(&history.connection, &id, first, &history.bounds.lineage).unwrap()
    };
    let table = [
        ("x", 1, FoundId::At(1)),
        ("x", 2, FoundId::At(3)),
        ("x", 4, FoundId::Nowhere),
        ("y", 1, FoundId::At(2)),
        ("w", 1, FoundId::Nowhere),
    ];
    for (id, first, expected) in table {
        assert_eq!(find(id, first), expected, "{id} from {first}");
    }
    history.change("UPDATE record SET data = 'other' WHERE offset = 1", 1);
    assert_eq!(find("x", 1), FoundId::Damaged);
    history.change("UPDATE record SET id = 'w' WHERE offset = 4", 1);
    assert_eq!(find("w", 1), FoundId::Damaged);
}
