use form_urlencoded::byte_serialize;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

use super::{BadForm, Form};

#[test]
fn pairs_are_decoded_in_order() {
    let form = Form::from_body(b"topic=a%2Fb&topic=c+d&x&&data=%C3%A9=1").unwrap();
    assert_eq!(form.all("topic"), Ok(vec!["a/b", "c d"]));
    assert_eq!(form.first("data"), Ok(Some("é=1")));
    assert_eq!(form.first("x"), Ok(None));
    assert!(form.has("x"));
    assert!(!form.has("y"));
}

#[test]
fn d0_s4_broken_pairs_of_a_query_are_dropped() {
    let form = Form::from_query("topic=%zz&topic=a;b&topic=%4&topic=ok&topic=%");
    assert_eq!(form.all("topic"), Ok(vec!["ok"]));
}

#[test]
fn d0_p12_broken_bodies_are_refused() {
    for (body, error) in [
        (&b"topic=a;b"[..], BadForm::Semicolon),
        (b"topic=%zz", BadForm::Percent),
        (b"topic=a%", BadForm::Percent),
        (b"%4=a", BadForm::Percent),
    ] {
        assert_eq!(Form::from_body(body), Err(error));
    }
}

#[test]
fn bad_utf_8_matters_only_where_it_is_read() {
    let form = Form::from_body(b"other=%FF&data=%ff&topic=a").unwrap();
    assert_eq!(form.all("topic"), Ok(vec!["a"]));
    assert_eq!(form.first("data"), Err(BadForm::NotUtf8 { name: "data" }));
}

/// What forms are made of, whole and broken.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let fragments: Vec<&[u8]> = vec![
        b"%",
        b"%4",
        b"%zz",
        b"%41",
        b"%3b",
        b"%26",
        b"%25",
        b"%c3%a9",
        b"%FF",
        b"%+1",
        b"+",
        b"&",
        b"=",
        b";",
        b"topic",
        "é".as_bytes(),
    ];
    let fragment = prop_oneof![
        4 => select(fragments).prop_map(<[u8]>::to_vec),
        1 => any::<u8>().prop_map(|byte| vec![byte]),
    ];
    vec(fragment, 0..24).prop_map(|fragments| fragments.concat())
}

fn encoded(pairs: &[(Vec<u8>, Vec<u8>)]) -> String {
    let half = |bytes: &[u8]| byte_serialize(bytes).collect::<String>();
    let pairs = pairs
        .iter()
        .map(|(name, value)| format!("{}={}", half(name), half(value)));
    pairs.collect::<Vec<_>>().join("&")
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    #[test]
    fn d1_s2_whatever_was_encoded_is_read(
        pairs in vec((vec(any::<u8>(), 0..8), vec(any::<u8>(), 0..16)), 0..6),
    ) {
        let text = encoded(&pairs);
        prop_assert_eq!(&Form::from_query(&text).0, &pairs);
        prop_assert_eq!(Form::from_body(text.as_bytes()).unwrap().0, pairs);
    }

    /// A query drops the pairs for which a body is refused, and no others.
    #[test]
    fn d0_s4_d0_p12_what_a_query_drops_a_body_is_refused_for(noise in noise()) {
        let text = String::from_utf8_lossy(&noise);
        let pairs = || text.split('&');
        let whole = |pair: &&str| Form::from_body(pair.as_bytes()).is_ok();
        let kept = pairs().filter(whole).collect::<Vec<_>>().join("&");
        let query = Form::from_query(&text);
        prop_assert_eq!(&Form::from_body(kept.as_bytes()).unwrap(), &query);
        prop_assert_eq!(Form::from_body(text.as_bytes()).is_ok(), pairs().all(|it| whole(&it)));
    }

    /// What is accepted means what it means to a browser, which is more lenient.
    #[test]
    fn d1_s2_what_is_accepted_is_read_as_browsers_read_it(noise in noise()) {
        let Ok(form) = Form::from_body(&noise) else {
            return Ok(());
        };
        let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let read: Vec<_> = form.0.iter().map(|(name, value)| (lossy(name), lossy(value))).collect();
        let expected: Vec<_> = form_urlencoded::parse(&noise).into_owned().collect();
        prop_assert_eq!(read, expected);
    }

    #[test]
    fn d0_p12_a_body_with_a_broken_escape_or_a_semicolon_is_refused(
        before in "[a-z=&+]{0,8}",
        broken in select(vec!["%", "%4", "%4g", "%g4", "%%41", ";", "%\u{e9}"]),
        after in "([g-z=&+][a-z=&+]{0,8})?",
    ) {
        let body = format!("{before}{broken}{after}");
        let expected = if broken == ";" { BadForm::Semicolon } else { BadForm::Percent };
        prop_assert_eq!(Form::from_body(body.as_bytes()), Err(expected));
    }
}
