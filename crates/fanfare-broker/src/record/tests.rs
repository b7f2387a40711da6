use std::num::NonZeroU32;

use fanfare_wire::Event;

use super::*;
use crate::cursor::Epoch;
use crate::frame::Form;
use crate::topic::Topic;

fn record(event: Event) -> Record {
    let epoch = Epoch::new(NonZeroU32::MIN);
    let publication = Publication::new(Topic::parse("a").unwrap(), event);
    Record::new(Cursor { epoch, offset: 36 }, publication)
}

#[test]
fn c1_without_an_id_the_cursor_is_the_id() {
    let record = record(Event::new("x"));
    assert_eq!(record.id().as_str(), "urn:ff:1-10");
    assert_eq!(
        record.frame().bytes(Form::Plain),
        "id: urn:ff:1-10\ndata: x\n\n"
    );
    assert_eq!(record.offset(), 36);
}

#[test]
fn an_own_id_is_kept() {
    let mut event = Event::new("x");
    event.id = Some(EventId::parse("mine").unwrap());
    let record = record(event);
    assert_eq!(record.id().as_str(), "mine");
    assert_eq!(record.frame().bytes(Form::Plain), "id: mine\ndata: x\n\n");
}

#[test]
fn a_clone_shares_the_frame() {
    let record = record(Event::new("x"));
    let bytes = |record: &Record| record.frame().bytes(Form::Chunked).as_ptr();
    assert_eq!(bytes(&record), bytes(&record.clone()));
}
