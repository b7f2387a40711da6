use serde_json::value::RawValue;

use super::Envelope;
use crate::draft::Draft;
use crate::error::Refusal;

fn read(json: &str) -> Result<Draft, Refusal> {
    let value: &RawValue = serde_json::from_str(json).unwrap();
    Envelope::read(value)?.into_draft()
}

fn to_everybody(data: &str) -> Draft {
    Draft {
        topics: vec!["broadcast".to_owned()],
        data: data.to_owned(),
        ..Draft::default()
    }
}

#[test]
fn a_bare_value_is_the_data() {
    for (json, data) in [
        ("\"h\\u00e9\\n\"", "hé\n"),
        ("7", "7"),
        ("12345678901234567890123", "12345678901234567890123"),
        ("null", "null"),
        ("[1, 2]", "[1, 2]"),
        ("{\"z\":1,\"a\":2}", "{\"z\":1,\"a\":2}"),
        ("{\"id\":5,\"name\":\"x\"}", "{\"id\":5,\"name\":\"x\"}"),
    ] {
        assert_eq!(read(json), Ok(to_everybody(data)), "{json}");
    }
}

#[test]
fn an_envelope_says_what_and_to_whom() {
    let json = r#"{"event":"price","data":{"b":1,"a":2.50},"id":7,"retry":5000,"topic":"t"}"#;
    let expected = Draft {
        topics: vec!["t".to_owned()],
        data: r#"{"b":1,"a":2.50}"#.to_owned(),
        id: Some("7".to_owned()),
        event_type: Some("price".to_owned()),
        retry: Some("5000".to_owned()),
        ..Draft::default()
    };
    assert_eq!(read(json), Ok(expected));
    assert_eq!(read(r#"{"data":null}"#), Ok(to_everybody("null")));
    assert_eq!(read(r#"{"data":"x","event":null}"#), Ok(to_everybody("x")));
}

#[test]
fn a_user_id_makes_it_private() {
    let draft = read(r#"{"data":"x","userId":42}"#).unwrap();
    assert_eq!(draft.topics, ["user/42"]);
    assert!(draft.private);
    let draft = read(r#"{"data":"x","userId":"a","topic":["t","u"]}"#).unwrap();
    assert_eq!(draft.topics, ["t", "u", "user/a"]);
    assert!(draft.private);
}

#[test]
fn what_looks_like_an_envelope_is_read_strictly() {
    for (json, says) in [
        (r#"{"topic":"t","dta":"x"}"#, "`data` is missing"),
        (r#"{"data":"x","userID":"5"}"#, "did you mean `userId`"),
        (r#"{"data":"x","colour":"red"}"#, "there are event, data"),
        (r#"{"data":"x","id":1.5}"#, "`id`: expected a string"),
        (r#"{"data":"x","topic":{}}"#, "`topic`: expected a string"),
        (r#"{"data":"x","userId":"{a}"}"#, "userId"),
    ] {
        let refusal = read(json).unwrap_err().to_string();
        assert!(refusal.contains(says), "{json}: {refusal}");
    }
}

/// The last one counted, so a proxy that reads the first saw another event.
#[test]
fn a_field_that_is_there_twice_is_refused() {
    for json in [
        r#"{"data":1,"data":2}"#,
        r#"{"data":1,"userId":"alice","userId":"bob"}"#,
        r#"{"data":1,"userId":"alice","user\u0049d":"bob"}"#,
        r#"{"data":1,"topic":"a","topic":"a"}"#,
    ] {
        let Err(Refusal::Json(text)) = read(json) else {
            panic!("{json} was taken");
        };
        assert!(text.ends_with("is there twice"), "{text}");
    }
    // Data is its sender's own.
    for json in [r#"{"a":1,"a":2}"#, r#"{"id":1,"id":2}"#] {
        assert_eq!(read(json), Ok(to_everybody(json)));
    }
    assert!(read(r#"{"data":{"a":1,"a":2}}"#).is_ok());
}
