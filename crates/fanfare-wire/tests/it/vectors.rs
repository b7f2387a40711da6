//! `tests/vectors/sse-vectors.json`, at every chunking that its README names.

use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::prelude::*;
use proptest::sample::Index;
use serde::Deserialize;

use crate::cut::{cut, cuts};
use crate::said::{Said, decode, decoder_after};
use crate::standard;

#[derive(Deserialize)]
struct File {
    vectors: Vec<Vector>,
}

#[derive(Debug, Deserialize)]
struct Vector {
    name: String,
    input_b64: String,
    input_repr: String,
    start_last_event_id: String,
    events: Vec<VectorEvent>,
    ready_at: Vec<usize>,
    retry: Option<u64>,
    last_event_id: String,
    comments: Vec<String>,
}

#[derive(Clone, Debug, Deserialize, Eq, PartialEq)]
struct VectorEvent {
    #[serde(rename = "type")]
    event_type: String,
    data: String,
    id: String,
}

/// What a vector says about a body; cursors are not among it.
#[derive(Debug, Default, Eq, PartialEq)]
struct Outcome {
    events: Vec<VectorEvent>,
    comments: Vec<String>,
    retry: Option<u64>,
    last_event_id: String,
}

static VECTORS: LazyLock<Vec<(Vector, Vec<u8>)>> = LazyLock::new(|| {
    let file: File = serde_json::from_str(include_str!("../vectors/sse-vectors.json")).unwrap();
    let with_body = |vector: Vector| {
        let body = STANDARD.decode(&vector.input_b64).unwrap();
        (vector, body)
    };
    file.vectors.into_iter().map(with_body).collect()
});

impl Vector {
    fn expected(&self) -> Outcome {
        Outcome {
            events: self.events.clone(),
            comments: self.comments.clone(),
            retry: self.retry,
            last_event_id: self.last_event_id.clone(),
        }
    }

    fn check<'a>(&self, chunking: &str, chunks: impl IntoIterator<Item = &'a [u8]>) {
        let actual = outcome(decode(decoder_after(&self.start_last_event_id), chunks));
        assert_eq!(
            actual,
            self.expected(),
            "{} {chunking}: {}",
            self.name,
            self.input_repr
        );
    }
}

fn outcome((said, last_event_id): (Vec<Said>, String)) -> Outcome {
    let mut outcome = Outcome {
        last_event_id,
        ..Outcome::default()
    };
    for item in said {
        match item {
            Said::Event {
                event_type,
                data,
                id,
            } => outcome.events.push(VectorEvent {
                event_type,
                data,
                id,
            }),
            Said::Comment(text) => outcome.comments.push(text),
            Said::Retry(millis) => outcome.retry = Some(millis),
            Said::Cursor(_) => {}
            Said::TooLong => panic!("no vector is too long"),
        }
    }
    outcome
}

#[test]
fn sse_25_every_vector_is_there() {
    assert_eq!(VECTORS.len(), 135);
}

#[test]
fn sse_25_vectors_hold_for_the_oracle() {
    for (vector, body) in VECTORS.iter() {
        let actual = outcome(standard::interpret(body, &vector.start_last_event_id));
        assert_eq!(
            actual,
            vector.expected(),
            "{}: {}",
            vector.name,
            vector.input_repr
        );
    }
}

#[test]
fn sse_25_vectors_hold_whole() {
    for (vector, body) in VECTORS.iter() {
        vector.check("whole", [body.as_slice()]);
    }
}

#[test]
fn sse_25_vectors_hold_in_small_chunks() {
    for (vector, body) in VECTORS.iter() {
        for size in [1, 2, 3, 5, 7] {
            vector.check(&format!("by {size}"), body.chunks(size));
        }
    }
}

#[test]
fn sse_25_vectors_hold_cut_in_two_anywhere() {
    for (vector, body) in VECTORS.iter() {
        for place in two_way_cuts(body.len()) {
            let (head, tail) = body.split_at(place);
            vector.check(&format!("cut at {place}"), [head, tail]);
        }
    }
}

/// Every place; of a long body the first and last 64, and 500 spread without a pattern.
fn two_way_cuts(len: usize) -> Vec<usize> {
    if len < 2_000 {
        return (0..=len).collect();
    }
    let mut state = 0x9E37_79B9_usize;
    let spread = std::iter::repeat_with(move || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (state >> 33) % len
    });
    (0..64)
        .chain(len - 63..=len)
        .chain(spread.take(500))
        .collect()
}

#[test]
fn sse_07_vectors_are_ready_at_their_byte() {
    for (vector, body) in VECTORS.iter() {
        let mut decoder = decoder_after(&vector.start_last_event_id);
        let mut ready_at = Vec::new();
        for (index, byte) in body.chunks(1).enumerate() {
            let mut items = decoder.feed(byte);
            while let Some(item) = items.next() {
                if let Said::Event { .. } = item.into() {
                    ready_at.push(index + 1);
                }
            }
        }
        assert_eq!(
            ready_at, vector.ready_at,
            "{}: {}",
            vector.name, vector.input_repr
        );
    }
}

proptest! {
    #[test]
    fn sse_25_vectors_hold_at_random_cuts(index in any::<Index>(), cuts in cuts()) {
        let (vector, body) = index.get(VECTORS.as_slice());
        vector.check("at random cuts", cut(body, &cuts));
    }
}
