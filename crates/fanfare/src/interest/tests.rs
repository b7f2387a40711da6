use http::Method;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use url::Url;

use super::{Language, Wanted, dialect_of, matchers, topics};
use crate::dialect::{Dialect, Dialects};
use crate::error::Refusal;
use crate::form::Form;
use crate::protocol_string;

fn hub() -> Url {
    "https://hub.example.com/.well-known/mercure"
        .parse()
        .unwrap()
}

fn asked(query: &str) -> Result<Option<Dialect>, Refusal> {
    dialect_of(Dialects::Both, &Method::GET, &Form::from_query(query))
}

fn matched(query: &str) -> Result<Vec<Wanted>, Refusal> {
    matchers(&Form::from_query(query), 100, &hub())
}

#[test]
fn dx_1_to_dx_4_names_tell_the_dialect() {
    let two = |matcher: &str| {
        let matcher = matcher.to_owned();
        Err(Refusal::TwoDialects { matcher })
    };
    for (query, dialect) in [
        ("topic=a", Ok(Some(Dialect::D0))),
        ("topic=a&lastEventID=x&Topic=b", Ok(Some(Dialect::D0))),
        ("match=a", Ok(Some(Dialect::D1))),
        ("match_urlpattern=a", Ok(Some(Dialect::D1))),
        ("MATCHING=a", Ok(Some(Dialect::D1))),
        ("ma%74ch=a", Ok(Some(Dialect::D1))),
        ("topic=a&match=b", two("match")),
        ("topic&Matches", two("Matches")),
        ("", Ok(None)),
        ("mat=a&tOpic=b", Ok(None)),
    ] {
        assert_eq!(asked(query), dialect, "{query}");
    }
    let query = Method::from_bytes(b"QUERY").unwrap();
    let of = |form| dialect_of(Dialects::Both, &query, &Form::from_query(form));
    assert_eq!(of(""), Ok(Some(Dialect::D1)));
    assert_eq!(of("topic=a"), two("QUERY"));
}

#[test]
fn dx_pinned_hub_hears_one_dialect_only() {
    for query in ["topic=a", "match=a", "topic=a&match=a", ""] {
        let form = Form::from_query(query);
        let zero = dialect_of(Dialects::D0, &Method::GET, &form);
        assert_eq!(zero, Ok(Some(Dialect::D0)));
        let one = dialect_of(Dialects::D1, &Method::GET, &form);
        assert_eq!(one, Ok(Some(Dialect::D1)));
    }
}

#[test]
fn d1_s3_unknown_name_that_begins_with_match_is_refused() {
    for name in [
        "Match",
        "matchURLPattern",
        "match_regexp",
        "matching",
        "MATCH_EXACT",
    ] {
        let refused = matched(&format!("match=a&{name}=b"));
        let name = name.to_owned();
        assert_eq!(refused, Err(Refusal::UnknownMatcher { name }));
    }
    assert_eq!(matched("match=a&other=b&mat=c").unwrap().len(), 1);
}

#[test]
fn d1_s4_matcher_is_a_protocol_string_and_a_valid_pattern() {
    assert_eq!(matched("x=1"), Err(Refusal::NoSelector));
    for bad in ["a%00", "a%0a", "%7f", "%c2%85", "%e2%80%8b"] {
        let refused = matched(&format!("match={bad}"));
        assert!(matches!(refused, Err(Refusal::Matcher(_))), "{bad}");
    }
    let refused = matched("match=%ff");
    assert!(matches!(refused, Err(Refusal::Form(_))));
    let refused = matched("match_urlpattern=%7Bunclosed");
    assert!(matches!(refused, Err(Refusal::Selector(_))));
    assert!(matched("match=%7Bunclosed").is_ok());
}

#[test]
fn d1_s5_count_and_length_are_limited() {
    let many = |count: usize| vec!["match=a"; count].join("&");
    assert_eq!(matched(&many(100)).unwrap().len(), 100);
    let count_max = 100;
    assert_eq!(
        matched(&many(101)),
        Err(Refusal::TooManySelectors { count_max })
    );
    let long = |bytes: usize| matched(&format!("match={}", "a".repeat(bytes)));
    assert!(long(4096).is_ok());
    assert!(matches!(long(4097), Err(Refusal::Selector(_))));
}

#[test]
fn d1_s2_name_without_a_value_has_the_empty_value() {
    let wanted = matched("match").unwrap();
    assert_eq!(wanted.first().unwrap().selector.as_str(), "");
}

#[test]
fn d1_s6_order_is_by_name_and_then_the_requests() {
    let wanted =
        matched("match_urlpattern=/z&match_exact=b&match=d&match_exact=a&match=c").unwrap();
    let texts: Vec<_> = wanted.iter().map(|it| it.selector.as_str()).collect();
    assert_eq!(texts, ["d", "c", "b", "a", "/z"]);
    assert_eq!(wanted.last().unwrap().language, Language::UrlPattern);
}

#[test]
fn d0_s2_a_thousand_topics_and_no_more() {
    let form = |count| Form::from_query(&vec!["topic=a"; count].join("&"));
    assert_eq!(topics(&form(1000), 1000).unwrap().len(), 1000);
    let count_max = 1000;
    assert_eq!(
        topics(&form(1001), 1000),
        Err(Refusal::TooManySelectors { count_max })
    );
}

#[test]
fn dx_14_exact_selectors_translate_and_patterns_do_not() {
    let zero = |text| {
        topics(&Form::from_query(&format!("topic={text}")), 1)
            .unwrap()
            .remove(0)
    };
    let one = |query| matched(query).unwrap().remove(0);
    for (wanted, of_zero, match_type) in [
        (zero("a"), true, Some("exact")),
        (zero("*"), true, Some("exact")),
        (zero("a%7Bx%7D"), true, None),
        (zero("a%7B"), true, Some("exact")),
        (one("match=a"), true, Some("exact")),
        (one("match=*"), true, Some("exact")),
        // As a selector of 0.x it would be a template.
        (one("match=a%7Bx%7D"), false, Some("exact")),
        (one("match_urlpattern=/a/:b"), false, Some("urlpattern")),
        (one("match_urlpattern=*"), true, Some("urlpattern")),
    ] {
        assert_eq!(
            (wanted.is_of_zero(), wanted.match_type()),
            (of_zero, match_type),
            "{wanted:?}"
        );
    }
}

/// A parameter's name as it is, and as it is written: some of its bytes escaped.
fn name() -> impl Strategy<Value = (Vec<u8>, String)> {
    let known = vec![
        "topic",
        "Topic",
        "topics",
        "match",
        "Match",
        "MATCH",
        "match_exact",
        "match_urlpattern",
        "match_regexp",
        "matchURLPattern",
        "mat",
        "rematch",
        "lastEventID",
        "mätch",
        "",
    ];
    let name = prop_oneof![
        4 => select(known).prop_map(|name| name.as_bytes().to_vec()),
        1 => vec(any::<u8>(), 0..8),
    ];
    (name, vec(any::<bool>(), 32)).prop_map(|(name, plain)| {
        let written = name.iter().zip(plain).map(|(&byte, plain)| match plain {
            true if byte.is_ascii_alphanumeric() || byte == b'_' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        });
        let written = written.collect();
        (name, written)
    })
}

/// What selectors are made of.
fn text() -> impl Strategy<Value = String> {
    let fragments = vec![
        "*", "{", "}", "{id}", "{+path}", "{?a,b*}", "{x:0}", ":id", "(", ")", "(.*)", "[a-z]",
        "\\", "/", "https://", "e.com", "?", "#", "%41", "%", "\0", "\u{200b}", "é", "a", "\n",
    ];
    let fragment = prop_oneof![
        6 => select(fragments).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    vec(fragment, 0..10).prop_map(|fragments| fragments.concat())
}

fn escaped(text: &str) -> String {
    form_urlencoded::byte_serialize(text.as_bytes()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    /// The table of DX-1 to DX-4, by the names alone.
    #[test]
    fn dx_1_to_dx_4_the_names_of_a_request_tell_its_dialect(
        names in vec(name(), 0..5), is_query in prop::bool::weighted(0.2),
    ) {
        let written: Vec<_> = names.iter().map(|(_, written)| format!("{written}=x")).collect();
        let form = Form::from_query(&written.join("&"));
        let method = if is_query { "QUERY" } else { "GET" };
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        let topic = names.iter().any(|(name, _)| name == b"topic");
        let matcher = is_query || names.iter().any(|(name, _)| {
            name.to_ascii_lowercase().starts_with(b"match")
        });
        let found = dialect_of(Dialects::Both, &method, &form);
        match (topic, matcher) {
            (true, false) => prop_assert_eq!(found, Ok(Some(Dialect::D0))),
            (false, true) => prop_assert_eq!(found, Ok(Some(Dialect::D1))),
            (true, true) => {
                let refused = matches!(found, Err(Refusal::TwoDialects { .. }));
                prop_assert!(refused);
            }
            (false, false) => prop_assert_eq!(found, Ok(None)),
        }
    }

    /// D0-M6: what is no template is a text, so it can only be too long.
    #[test]
    fn d0_m6_every_topic_of_zero_is_a_selector(texts in vec(text(), 1..4)) {
        let query: Vec<_> = texts.iter().map(|text| format!("topic={}", escaped(text))).collect();
        let wanted = topics(&Form::from_query(&query.join("&")), 10).unwrap();
        let read: Vec<_> = wanted.iter().map(|it| it.selector.as_str()).collect();
        prop_assert_eq!(read, texts);
    }

    /// D1-S3 to D1-S6: refused, or read as they were written, by name and then in their order.
    #[test]
    fn d1_s6_every_matcher_is_read_as_it_was_written(pairs in vec((0..3_usize, text()), 1..4)) {
        const NAMES: [&str; 3] = ["match", "match_exact", "match_urlpattern"];
        let written = pairs.iter().map(|(name, text)| (NAMES[*name], escaped(text)));
        let query: Vec<_> = written.map(|(name, text)| format!("{name}={text}")).collect();
        let mut sorted = pairs.clone();
        sorted.sort_by_key(|(name, _)| *name);
        let found = matched(&query.join("&"));
        let texts_alone = pairs.iter().all(|(name, _)| *name < 2);
        let characters = pairs.iter().all(|(_, text)| protocol_string::check(text).is_ok());
        match found {
            Ok(wanted) => {
                let read: Vec<_> = wanted.iter().map(|it| it.selector.as_str()).collect();
                let written: Vec<_> = sorted.iter().map(|(_, text)| text).collect();
                prop_assert_eq!(read, written);
                prop_assert!(characters);
            }
            Err(Refusal::Matcher(_)) => prop_assert!(!characters),
            Err(refusal) => {
                prop_assert!(matches!(refusal, Refusal::Selector(_)), "{:?}", refusal);
                prop_assert!(!texts_alone);
            }
        }
    }

    #[test]
    fn d1_s3_whatever_the_names_and_values_are_they_are_judged(
        query in any::<String>(), pairs in vec((name(), any::<Vec<u8>>()), 0..4),
    ) {
        let pairs: Vec<_> = pairs.iter().map(|((_, name), value)| {
            let value: String = form_urlencoded::byte_serialize(value).collect();
            format!("{name}={value}")
        }).collect();
        for query in [query, pairs.join("&")] {
            let form = Form::from_query(&query);
            _ = topics(&form, 3);
            _ = matchers(&form, 3, &hub());
        }
    }
}
