use std::num::NonZeroU32;

use fanfare_broker::{Epoch, Lineage};

use super::{decode, encode, first_epoch};

fn epoch(number: u32) -> Epoch {
    Epoch::new(NonZeroU32::new(number).unwrap())
}

#[test]
fn na_05_a_mark_tells_the_whole_lineage() {
    let mut lineage = Lineage::of(epoch(7));
    lineage.begin(101, epoch(9));
    let bytes = encode(&lineage);
    assert_eq!(bytes, b"1\n1 7\n101 9");
    assert_eq!(decode(&bytes), Some(lineage));
}

#[test]
fn a_mark_that_is_none_is_refused() {
    for text in [
        "",
        "1",
        "2\n1 7",
        "1\n1 0",
        "1\n5 7\n5 8",
        "1\n1 7\n",
        "1\nx 7",
    ] {
        assert_eq!(decode(text.as_bytes()), None, "{text:?}");
    }
}

#[test]
fn na_06_a_stream_made_anew_is_another_epoch() {
    assert_eq!(first_epoch(1), first_epoch(1));
    assert_ne!(first_epoch(1), first_epoch(2));
}
