#![expect(
    clippy::single_range_in_vec_init,
    reason = "holes are ranges, and one is enough"
)]

use std::num::NonZeroU32;

use fanfare_broker::Epoch;
use futures_util::future::join_all;

use super::*;
use crate::sample::{History, block_on};

fn offsets(piece: &Piece) -> Vec<u64> {
    piece.records.iter().map(Record::offset).collect()
}

fn numbered(count: u64) -> History {
    History::of_data((1..=count).map(|offset| offset.to_string()))
}

fn load_all(history: &History, range: Range<u64>) -> Piece {
    load(&history.connection, range, &history.bounds.lineage).unwrap()
}

#[test]
fn offsets_are_cut_into_blocks_of_64() {
    for (offset, block) in [(1, 0), (63, 0), (64, 1), (127, 1), (128, 2)] {
        assert_eq!(block_of(offset), block);
        assert!(offsets_of(block).contains(&offset));
    }
}

#[test]
fn f10_what_is_damaged_or_gone_is_missing_and_the_rest_is_read() {
    let table: [(&[&str], &[Range<u64>]); 6] = [
        (&["UPDATE record SET data = 'x' WHERE offset = 5"], &[5..6]),
        (
            &["DELETE FROM record WHERE offset BETWEEN 5 AND 9"],
            &[5..10],
        ),
        (
            &[
                "DELETE FROM record WHERE offset = 1",
                "DELETE FROM record WHERE offset = 63",
            ],
            &[1..2, 63..64],
        ),
        (
            &[
                "UPDATE record SET total = 1 WHERE offset = 7",
                "DELETE FROM record WHERE offset = 8",
                "UPDATE record SET topics = 'b' WHERE offset = 10",
            ],
            &[7..9, 10..11],
        ),
        // A row that says that it is another.
        (
            &["UPDATE record SET offset = 70 WHERE offset = 50"],
            &[50..51],
        ),
        (&["DELETE FROM record"], &[1..64]),
    ];
    for (damage, missing) in table {
        let history = numbered(64);
        for change in damage {
            history.connection.execute(change, []).unwrap();
        }
        let piece = load_all(&history, 1..64);
        assert_eq!(piece.missing, missing, "{damage:?}");
        assert_eq!((piece.offsets.clone(), piece.first), (1..64, 1));
        let gone = |offset: &u64| missing.iter().any(|hole| hole.contains(offset));
        let expected: Vec<_> = (1..64).filter(|offset| !gone(offset)).collect();
        assert_eq!(offsets(&piece), expected);
    }
}

#[test]
fn f10_records_of_an_epoch_that_is_not_known_are_missing() {
    let history = numbered(10);
    let mut lineage = Lineage::default();
    assert!(lineage.begin(6, history.bounds.lineage.newest().unwrap()));
    let piece = load(&history.connection, 1..11, &lineage).unwrap();
    assert_eq!(
        (piece.missing.clone(), offsets(&piece)),
        (vec![1..6], (6..11).collect())
    );
    let other = Lineage::of(Epoch::new(NonZeroU32::MIN));
    let piece = load(&history.connection, 1..11, &other).unwrap();
    assert_eq!((piece.missing, piece.records.len()), (vec![1..11], 0));
}

#[test]
fn t6_what_was_trimmed_is_neither_read_nor_missing() {
    let history = numbered(20);
    history.change("UPDATE hub SET floor = 8", 1);
    let piece = load_all(&history, 1..21);
    assert_eq!((piece.first, piece.offsets.clone()), (8, 1..21));
    assert_eq!(
        (piece.missing.len(), offsets(&piece)),
        (0, (8..21).collect())
    );
    history.change("UPDATE hub SET floor = 300", 1);
    let piece = load_all(&history, 1..21);
    assert_eq!((piece.first, piece.offsets.clone()), (300, 1..21));
    assert!(piece.missing.is_empty() && piece.records.is_empty());
}

/// Events of 100 kB and more: three pass the bound of a piece.
#[test]
fn q8_heavy_events_make_pieces_that_begin_where_somebody_asks() {
    let history = History::of_data((0..70).map(|number| number.to_string().repeat(100_000)));
    let (blocks, readers) = (Blocks::default(), history.readers());
    block_on(async {
        for offset in (1..=70).rev() {
            let piece = blocks
                .piece(offset, &history.bounds, &readers)
                .await
                .unwrap();
            assert!(
                piece.offsets.contains(&offset),
                "{offset} in {:?}",
                piece.offsets
            );
            assert!(piece.records.len() <= 3, "{:?}", piece.offsets);
            let expected: Vec<_> = piece.offsets.clone().collect();
            assert_eq!(offsets(&piece), expected);
        }
    });
    assert!(blocks.lock().bytes <= CACHE_BYTES_MAX);
}

#[test]
fn q8_a_hundred_who_ask_at_once_wait_for_one_read() {
    let history = numbered(200);
    let (blocks, readers) = (Blocks::default(), history.readers());
    let pieces = block_on(async {
        let asked =
            (0..100).map(|number| blocks.piece(64 + number % 64, &history.bounds, &readers));
        join_all(asked).await
    });
    // Who came too late for one read would have a piece of another.
    let first = pieces.first().unwrap().as_ref().unwrap();
    for piece in &pieces {
        assert!(Arc::ptr_eq(piece.as_ref().unwrap(), first));
    }
    assert_eq!(first.offsets, 64..128);
}

#[test]
fn q8_the_block_of_the_head_is_read_anew_as_it_grows() {
    let history = numbered(70);
    let (blocks, readers) = (Blocks::default(), history.readers());
    let ask = |head: u64| {
        let mut bounds = history.bounds.clone();
        bounds.head = bounds.lineage.cursor_at(head);
        block_on(async { blocks.piece(64, &bounds, &readers).await.unwrap() })
    };
    assert_eq!(ask(66).offsets, 64..67);
    assert_eq!(ask(70).offsets, 64..71);
    assert!(!Arc::ptr_eq(&ask(70), &ask(70)));
    assert_eq!(blocks.lock().pieces.len(), 0);
}

/// A block that is whole is kept, and stays what it was when some of it is trimmed.
#[test]
fn t6_a_piece_that_was_read_before_a_trim_is_still_right() {
    let history = numbered(200);
    let (blocks, readers) = (Blocks::default(), history.readers());
    let ask = || block_on(async { blocks.piece(70, &history.bounds, &readers).await.unwrap() });
    let before = ask();
    history.change("UPDATE hub SET floor = 100", 1);
    assert!(Arc::ptr_eq(&before, &ask()));
    assert_eq!(offsets(&before), (64..128).collect::<Vec<_>>());
}

/// A disk's error that went away was told to everybody until the piece was forgotten.
#[test]
fn f13_a_piece_with_a_hole_is_looked_at_again() {
    let history = numbered(200);
    let (blocks, readers) = (Blocks::default(), history.readers());
    let ask = || block_on(async { blocks.piece(70, &history.bounds, &readers).await.unwrap() });
    history.change("UPDATE record SET data = data || 'x' WHERE offset = 80", 1);
    assert_eq!(ask().missing, [80..81]);
    history.change("UPDATE record SET data = '80' WHERE offset = 80", 1);
    assert_eq!(ask().missing, []);
    assert!(Arc::ptr_eq(&ask(), &ask()));
}

#[test]
fn q8_the_cache_has_a_bound_and_forgets_what_was_used_longest_ago() {
    // About half a megabyte for each block.
    let history = History::of_data((0..64 * 40).map(|number| format!("{number:0>4000}")));
    let (blocks, readers) = (Blocks::default(), history.readers());
    let ask = |block: u64| {
        let offset = (block * BLOCK).max(1);
        block_on(async {
            blocks
                .piece(offset, &history.bounds, &readers)
                .await
                .unwrap()
        })
    };
    let first = ask(0);
    for block in 1..40 {
        ask(block);
        // Used again and again, it stays.
        assert!(Arc::ptr_eq(&first, &ask(0)), "after block {block}");
        let cache = blocks.lock();
        assert!(cache.bytes <= CACHE_BYTES_MAX);
        let counted: usize = cache.pieces.values().map(|entry| entry.bytes).sum();
        assert_eq!(cache.bytes, counted);
    }
    assert!(blocks.lock().pieces.len() < 40);
    assert!(
        !blocks.lock().pieces.contains_key(&64),
        "the one used longest ago is gone"
    );
}

/// What could not be read left an entry for ever.
#[test]
fn a_read_that_fails_leaves_nothing_behind() {
    let history = numbered(200);
    let (blocks, readers) = (Blocks::default(), history.readers());
    history.connection.execute("DROP TABLE hub", []).unwrap();
    let read = block_on(blocks.piece(70, &history.bounds, &readers));
    assert_eq!(read.err(), Some(ReadError::Unavailable));
    assert_eq!(blocks.lock().pieces.len(), 0);
}

#[test]
fn only_what_says_that_bytes_are_wrong_is_damage() {
    let damage = |code| {
        let error = rusqlite::ffi::Error::new(code);
        is_damage(&rusqlite::Error::SqliteFailure(error, None))
    };
    for code in [11, 26, 266, 522, 8202, 8458, 267] {
        assert!(damage(code), "{code}");
    }
    // Busy, out of memory, a failed flush, a lock, shared memory.
    for code in [5, 7, 10, 13, 1034, 3082, 3850, 4874, 5130] {
        assert!(!damage(code), "{code}");
    }
    assert!(is_damage(&rusqlite::Error::IntegralValueOutOfRange(0, -1)));
    assert!(!is_damage(&rusqlite::Error::QueryReturnedNoRows));
}
