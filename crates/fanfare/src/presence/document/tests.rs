use std::sync::Arc;

use proptest::prelude::*;
use url::Url;
use uuid::Uuid;

use super::{Document, encoded};
use crate::dialect::Dialect;
use crate::form::Form;
use crate::interest::{Wanted, matchers};
use crate::presence::roster::{Listed, Visitor};

const ROOT: &str = "/.well-known/mercure/subscriptions";

#[test]
fn d1_r1_variables_are_encoded_once_and_as_a_whole() {
    for (text, expected) in [
        (
            "https://example.com/b/1",
            "https%3A%2F%2Fexample.com%2Fb%2F1",
        ),
        ("a b", "a%20b"),
        ("100%", "100%25"),
        ("%20", "%2520"),
        ("AZaz09-._~", "AZaz09-._~"),
        ("{id}?*", "%7Bid%7D%3F%2A"),
        ("é", "%C3%A9"),
    ] {
        assert_eq!(encoded(text), expected);
    }
}

/// Who subscribes to `wanted` alone.
fn visitor(wanted: Wanted) -> Visitor {
    let payload = None;
    Visitor {
        subscriber: Uuid::new_v4(),
        subscriptions: Arc::new(vec![Listed { wanted, payload }]),
        holder: None,
        address: None,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(1_000) })]

    /// A presence event is published, whatever the selector is, and says what it is.
    #[test]
    fn d0_r1_d1_r1_every_selector_has_a_path_and_a_document(
        text in prop_oneof![any::<String>(), "[a-z{}*/%+ .:]{0,20}"],
    ) {
        let hub = Url::parse("https://hub.example/.well-known/mercure").unwrap();
        let query: String = form_urlencoded::byte_serialize(text.as_bytes()).collect();
        let one = matchers(&Form::from_query(&format!("match={query}")), 1, &hub);
        let zero = (Dialect::D0, Wanted::template(&text).unwrap());
        let one = one.unwrap_or_default().into_iter().map(|one| (Dialect::D1, one));
        for (dialect, wanted) in one.chain([zero]) {
            let visitor = visitor(wanted);
            let document = Document::of(ROOT, dialect, &visitor, &visitor.subscriptions[0], true);
            let document = document.expect("a dialect can say its own");
            let publication = document.publication().expect("a topic");
            let path = publication.topics()[0].as_str();
            prop_assert!(path.bytes().all(|byte| byte.is_ascii_graphic()), "{}", path);
            let json: serde_json::Value = serde_json::from_str(&publication.event.data).unwrap();
            let (of_type, name) = match dialect {
                Dialect::D0 => ("Subscription", "topic"),
                Dialect::D1 => ("subscription", "match"),
            };
            prop_assert_eq!(&json["id"], path);
            prop_assert_eq!(&json["type"], of_type);
            prop_assert_eq!(&json[name], &text);
            prop_assert_eq!(&json["subscriber"], &visitor.subscriber.urn().to_string());
        }
    }
}
