//! Encode and decode meet (ENC-11).

use fanfare_wire::{Comment, Event, EventId, EventType, HEARTBEAT, Retry};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::cut::{cut, cuts};
use crate::said::{Said, decode, decoder_after};

/// All that a hub writes.
#[derive(Clone, Debug)]
enum Written {
    Event(Event),
    Comment(Comment),
    Retry(Retry),
    Heartbeat,
}

impl Written {
    fn encode(&self, out: &mut Vec<u8>) {
        match self {
            Self::Event(event) => event.encode(out),
            Self::Comment(comment) => comment.encode(out),
            Self::Retry(retry) => retry.encode(out),
            Self::Heartbeat => out.extend_from_slice(HEARTBEAT),
        }
    }

    /// Appends what a reader hears of it.
    fn heard(&self, last_event_id: &mut String, said: &mut Vec<Said>) {
        match self {
            Self::Event(event) => {
                if let Some(retry) = event.retry {
                    said.push(Said::Retry(retry.as_millis().into()));
                }
                if let Some(id) = &event.id {
                    *last_event_id = id.to_string();
                }
                let event_type = event
                    .event_type
                    .as_ref()
                    .map_or("message", EventType::as_str);
                let data = event.data.replace("\r\n", "\n").replace('\r', "\n");
                said.push(Said::event(event_type, &data, last_event_id));
            }
            Self::Comment(comment) => said.push(Said::Comment(format!(" {}", comment.as_str()))),
            Self::Retry(retry) => said.push(Said::Retry(retry.as_millis().into())),
            Self::Heartbeat => said.push(Said::Comment(String::new())),
        }
    }
}

fn text() -> impl Strategy<Value = String> {
    let fragments = vec![
        "\n", "\r", "\r\n", "\0", " ", ":", "data: ", "id: 7", "event: x", "retry: 1", "\u{feff}",
        "\u{85}", "\u{2028}", "é", "x",
    ];
    let fragment = prop_oneof![
        4 => select(fragments).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    vec(fragment, 0..12).prop_map(|fragments| fragments.concat())
}

fn line() -> impl Strategy<Value = String> {
    text().prop_map(|text| text.replace(['\0', '\n', '\r'], ""))
}

fn event() -> impl Strategy<Value = Event> {
    let event_type = option::of(line()).prop_map(|text| EventType::parse(&text?).ok());
    let retry = option::of(any::<u64>()).prop_map(|millis| millis.map(Retry::from_millis));
    let id = option::of(line()).prop_map(|text| text.map(|text| EventId::parse(&text).unwrap()));
    (event_type, retry, id, text()).prop_map(|(event_type, retry, id, data)| Event {
        event_type,
        retry,
        id,
        data: data.into(),
    })
}

fn written() -> impl Strategy<Value = Written> {
    prop_oneof![
        4 => event().prop_map(Written::Event),
        1 => line().prop_map(|text| Written::Comment(Comment::parse(&text).unwrap())),
        1 => any::<u64>().prop_map(|millis| Written::Retry(Retry::from_millis(millis))),
        1 => Just(Written::Heartbeat),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn enc_11_what_is_encoded_is_decoded(
        stream in vec(written(), 0..8), cuts in cuts(),
    ) {
        let (mut body, mut expected, mut last_event_id) = (Vec::new(), Vec::new(), String::new());
        for written in &stream {
            written.encode(&mut body);
            written.heard(&mut last_event_id, &mut expected);
        }
        let expected = (expected, last_event_id);
        prop_assert_eq!(&decode(decoder_after(""), [body.as_slice()]), &expected);
        prop_assert_eq!(&decode(decoder_after(""), cut(&body, &cuts)), &expected);
    }

    #[test]
    fn enc_11_no_line_begins_with_anything_else(event in event()) {
        let mut body = Vec::new();
        event.encode(&mut body);
        let body = String::from_utf8(body).unwrap();
        prop_assert!(!body.contains('\r'));
        let block = body.strip_suffix("\n\n").unwrap();
        for line in block.split('\n') {
            let known = ["data: ", "event: ", "id: ", "retry: "];
            prop_assert!(known.iter().any(|name| line.starts_with(name)), "{:?}", line);
        }
    }
}
