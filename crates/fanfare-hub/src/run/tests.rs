use std::num::NonZeroU32;

use fanfare_broker::{Cursor, Epoch, Publication, Topic};
use fanfare_wire::Event;

use super::*;

fn record(offset: u64, data: &str) -> Record {
    let epoch = Epoch::new(NonZeroU32::MIN);
    let publication = Publication::new(Topic::parse("t").unwrap(), Event::new(data));
    Record::new(Cursor { epoch, offset }, publication)
}

#[test]
fn the_run_of_one_record_is_its_frame_and_copies_nothing() {
    let one = record(1, "x");
    let mut run = Run::default();
    run.fill([one.clone()].into_iter(), Form::Chunked);
    assert_eq!(
        run.bytes.as_ptr(),
        one.frame().bytes(Form::Chunked).as_ptr()
    );
}

#[test]
fn the_rest_is_the_begun_frame_and_the_offset_behind_it() {
    let records = [record(3, "first"), record(5, "second"), record(9, "third")];
    for form in [Form::Chunked, Form::Plain] {
        let mut run = Run::default();
        run.fill(records.iter().cloned(), form);
        let whole = run.bytes.clone();
        for taken in 0..=whole.len() {
            let rest = run.rest(taken, 12);
            // What was taken, the rest and the frames from `next` on are the run again.
            let mut again = whole.slice(..taken).to_vec();
            again.extend_from_slice(&rest.bytes);
            let later = records.iter().filter(|record| record.offset() >= rest.next);
            later.for_each(|record| again.extend_from_slice(record.frame().bytes(form)));
            assert_eq!(again, whole, "{form:?} cut at {taken}");
        }
        assert_eq!(
            run.rest(whole.len(), 12),
            Rest {
                bytes: Bytes::new(),
                next: 12,
                frames: 3
            }
        );
    }
}

#[test]
fn a_rest_shares_its_frame() {
    let records = [record(1, "first"), record(2, "second")];
    let mut run = Run::default();
    run.fill(records.iter().cloned(), Form::Plain);
    let frame = records[0].frame().bytes(Form::Plain).as_ptr() as usize;
    let rest = run.rest(4, 3).bytes;
    assert_eq!(rest.as_ptr() as usize, frame + 4);
}
