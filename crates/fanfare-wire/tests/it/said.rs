//! What a decoder said, kept.

use fanfare_wire::{Decoder, EventId, Item, Items};

/// An [`Item`] that owns its texts.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Said {
    Event {
        event_type: String,
        data: String,
        id: String,
    },
    Comment(String),
    Retry(u64),
    Cursor(String),
    TooLong,
}

impl Said {
    pub(crate) fn event(event_type: &str, data: &str, id: &str) -> Self {
        Self::Event {
            event_type: event_type.to_owned(),
            data: data.to_owned(),
            id: id.to_owned(),
        }
    }
}

impl From<Item<'_>> for Said {
    fn from(item: Item<'_>) -> Self {
        match item {
            Item::Event {
                event_type,
                data,
                last_event_id,
            } => Self::event(event_type, data, last_event_id),
            Item::Comment(text) => Self::Comment(text.to_owned()),
            Item::Retry(millis) => Self::Retry(millis),
            Item::Cursor(id) => Self::Cursor(id.to_owned()),
            Item::TooLong => Self::TooLong,
            other => panic!("unknown item {other:?}"),
        }
    }
}

pub(crate) fn rest_of(mut items: Items<'_>) -> Vec<Said> {
    let mut said = Vec::new();
    while let Some(item) = items.next() {
        said.push(item.into());
    }
    said
}

/// Feeds `chunks` to `decoder`, and gives all it said and its last event id.
pub(crate) fn decode<'a>(
    mut decoder: Decoder,
    chunks: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Said>, String) {
    let mut said = Vec::new();
    for chunk in chunks {
        said.extend(rest_of(decoder.feed(chunk)));
    }
    (said, decoder.last_event_id().to_owned())
}

pub(crate) fn decoder_after(last_event_id: &str) -> Decoder {
    Decoder::new(&EventId::parse(last_event_id).unwrap())
}

pub(crate) fn decoder_with_limit(event_bytes_max: usize) -> Decoder {
    let mut decoder = decoder_after("");
    decoder.event_bytes_max = event_bytes_max;
    decoder
}
