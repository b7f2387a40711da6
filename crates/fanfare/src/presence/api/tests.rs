use std::sync::Arc;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use url::Url;
use uuid::Uuid;

use super::Asked;
use crate::dialect::{Dialect, Dialects};
use crate::error::Refusal;
use crate::form::Form;
use crate::interest::{Wanted, matchers};
use crate::presence::document::{Document, encoded};
use crate::presence::roster::{Listed, Visitor};

fn topic(topic: &str, subscriber: Option<&str>) -> Result<Asked, Refusal> {
    Ok(Asked::Topic {
        topic: topic.to_owned(),
        subscriber: subscriber.map(str::to_owned),
    })
}

fn matched(
    match_type: &'static str,
    matched: &str,
    subscriber: Option<&str>,
) -> Result<Asked, Refusal> {
    Ok(Asked::Match {
        match_type,
        matched: matched.to_owned(),
        subscriber: subscriber.map(str::to_owned),
    })
}

#[test]
fn dx_8_first_segment_and_their_number_tell_the_shape() {
    let match_type = |name: &str| {
        Err(Refusal::MatchType {
            name: name.to_owned(),
        })
    };
    let none = || Err(Refusal::NoSubscription);
    for (path, both, zero, one) in [
        ("", Ok(Asked::All), Ok(Asked::All), Ok(Asked::All)),
        ("/a", topic("a", None), topic("a", None), none()),
        ("/exact", topic("exact", None), topic("exact", None), none()),
        (
            "/a/b",
            topic("a", Some("b")),
            topic("a", Some("b")),
            match_type("a"),
        ),
        (
            "/exact/b",
            matched("exact", "b", None),
            topic("exact", Some("b")),
            matched("exact", "b", None),
        ),
        (
            "/urlpattern/b/c",
            matched("urlpattern", "b", Some("c")),
            none(),
            matched("urlpattern", "b", Some("c")),
        ),
        (
            "/Exact/b/c",
            match_type("Exact"),
            none(),
            match_type("Exact"),
        ),
        ("/exact/b/c/d", none(), none(), none()),
    ] {
        assert_eq!(Asked::parse(Dialects::Both, path), both, "{path}");
        assert_eq!(Asked::parse(Dialects::D0, path), zero, "{path}");
        assert_eq!(Asked::parse(Dialects::D1, path), one, "{path}");
    }
}

#[test]
fn d0_u5_segments_are_split_before_they_are_decoded() {
    let both = |path| Asked::parse(Dialects::Both, path);
    assert_eq!(both("/a%2Fb/c%2Fd"), topic("a/b", Some("c/d")));
    assert_eq!(both("/exact/a%2Fb"), matched("exact", "a/b", None));
    assert_eq!(both("/a%2Bb+c"), topic("a+b c", None));
    assert_eq!(both("/exact/a+b"), matched("exact", "a+b", None));
}

#[test]
fn d1_r8_bad_escapes_are_refused() {
    for bad in ["/exact/%", "/exact/%z1", "/exact/%ff", "/%", "/a/%8"] {
        assert_eq!(
            Asked::parse(Dialects::Both, bad),
            Err(Refusal::BadEscape),
            "{bad}"
        );
    }
}

/// Who has all these subscriptions.
fn visitor(wanted: Vec<Wanted>) -> Visitor {
    let listed = wanted.into_iter().map(|wanted| Listed {
        wanted,
        payload: None,
    });
    Visitor {
        subscriber: Uuid::new_v4(),
        subscriptions: Arc::new(listed.collect()),
        holder: None,
        address: None,
    }
}

fn text() -> impl Strategy<Value = String> {
    let names = vec![
        "exact",
        "urlpattern",
        "*",
        "",
        ".",
        "..",
        "a b+c",
        "%2F",
        "/a/:b",
        "a{x}",
        "https://e.com/*",
    ];
    prop_oneof![
        select(names).prop_map(str::to_owned),
        any::<String>(),
        "[a-z{}*/%+ .:]{0,12}"
    ]
}

/// A path below that of all subscriptions, seldom one of ours.
fn path() -> impl Strategy<Value = String> {
    let segment = prop_oneof![
        select(vec![
            "exact",
            "urlpattern",
            "Exact",
            "",
            "a",
            "a+b",
            "%41",
            "%2F",
            "%",
            "%4",
            "%zz",
            "%FF",
            "%c3%a9",
            ".."
        ])
        .prop_map(str::to_owned),
        "[!-~&&[^/?#]]{0,8}",
    ];
    vec(segment, 0..5).prop_map(|segments| segments.iter().map(|it| format!("/{it}")).collect())
}

/// The same path, as the hub itself would write it.
fn written(asked: &Asked) -> String {
    let (start, name, subscriber) = match asked {
        Asked::All => return String::new(),
        Asked::Topic { topic, subscriber } => (String::new(), topic, subscriber),
        Asked::Match {
            match_type,
            matched,
            subscriber,
        } => (format!("/{match_type}"), matched, subscriber),
    };
    let subscriber = subscriber.as_deref().map(|it| format!("/{}", encoded(it)));
    format!(
        "{start}/{}{}",
        encoded(name),
        subscriber.unwrap_or_default()
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    /// The path that an event tells leads to the subscription that it tells of, and to no other.
    #[test]
    fn d0_r10_d1_r7_the_path_of_a_document_leads_to_its_subscription(texts in vec(text(), 1..4)) {
        let hub = Url::parse("https://hub.example/.well-known/mercure").unwrap();
        let zero: Vec<_> = texts.iter().map(|text| Wanted::template(text).unwrap()).collect();
        let one = texts.iter().flat_map(|text| {
            let text: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
            let of = |name| matchers(&Form::from_query(&format!("{name}={text}")), 1, &hub).ok();
            [of("match"), of("match_urlpattern")]
        });
        let one: Vec<_> = one.flatten().flatten().collect();
        for (dialect, wanted) in [(Dialect::D0, zero), (Dialect::D1, one)] {
            let dialects = match dialect {
                Dialect::D0 => Dialects::D0,
                Dialect::D1 => Dialects::Both,
            };
            let visitor = visitor(wanted);
            for listed in &*visitor.subscriptions {
                let document = Document::of("", dialect, &visitor, listed, true).unwrap();
                let asked = Asked::parse(dialects, document.id()).unwrap();
                prop_assert!(asked.is_one());
                for other in &*visitor.subscriptions {
                    let (one, other_one) = (&listed.wanted, &other.wanted);
                    let same = one.selector.as_str() == other_one.selector.as_str()
                        && (dialect == Dialect::D0 || one.match_type() == other_one.match_type());
                    prop_assert_eq!(asked.wants(&visitor, other), same, "{:?}", document.id());
                }
                let stranger = Visitor { subscriber: Uuid::new_v4(), ..visitor.clone() };
                prop_assert!(!asked.wants(&stranger, listed));
            }
        }
    }

    /// Refused, or read; and what was read has one path, which reads as the same.
    #[test]
    fn dx_8_every_path_is_judged(path in path()) {
        for dialects in [Dialects::Both, Dialects::D0, Dialects::D1] {
            if let Ok(asked) = Asked::parse(dialects, &path) {
                prop_assert_eq!(Asked::parse(dialects, &written(&asked)), Ok(asked));
            }
        }
    }
}
