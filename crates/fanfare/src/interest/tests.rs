use http::Method;
use url::Url;

use super::{Language, Wanted, dialect_of, matchers, topics};
use crate::dialect::{Dialect, Dialects};
use crate::error::Refusal;
use crate::form::Form;

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
