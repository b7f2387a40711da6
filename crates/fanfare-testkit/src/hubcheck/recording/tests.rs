//! What is written is what is read.

use super::{read, write_all};
use crate::hubcheck::error::CheckError;
use crate::hubcheck::line::{EventKey, Line, Outcome, Payload};

#[test]
fn h1_a_recording_can_be_read_back() {
    let payload = || Payload {
        w: 1,
        n: 2,
        h: "3".to_owned(),
    };
    let run = [
        Line::Begin {
            bound: 1,
            retains: None,
        },
        Line::Subscriber {
            s: 0,
            name: "all".to_owned(),
            selectors: vec!["*".to_owned().into()],
            grant: vec!["a{b}".to_owned().into()],
        },
        Line::Invoke {
            at: 1,
            payload: payload(),
            topics: vec!["a".to_owned()],
            private: true,
            keyed: false,
        },
        Line::Outcome {
            at: 2,
            event: EventKey { w: 1, n: 2 },
            outcome: Outcome::Ok { id: "i".to_owned() },
        },
        Line::Outcome {
            at: 2,
            event: EventKey { w: 1, n: 3 },
            outcome: Outcome::Unknown,
        },
        Line::Event {
            at: 3,
            s: 0,
            c: 1,
            id: "i".to_owned(),
            payload: payload(),
        },
    ];
    let mut bytes = Vec::new();
    write_all(&mut bytes, &run).unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert!(text.contains(r#"{"line":"outcome","at":2,"w":1,"n":2,"outcome":"ok","id":"i"}"#));
    assert_eq!(read(bytes.as_slice()).unwrap(), run);
}

#[test]
fn a_line_that_is_none_is_named() {
    let bytes = b"{\"line\":\"end\",\"at\":1}\n{\"line\":\"else\"}\n";
    let error = read(bytes.as_slice()).unwrap_err();
    assert!(matches!(error, CheckError::Recording { number: 2, .. }));
}
