use std::sync::Arc;

use fanfare_broker::{Entry, EntryChange, NodeId, Selector};
use serde_json::value::to_raw_value;
use url::Url;
use uuid::Uuid;

use super::{put, read};
use crate::interest::{Language, Wanted};
use crate::presence::roster::{Listed, Payload, Visitor};

fn visitor() -> Visitor {
    let base = Url::parse("https://hub.example/").unwrap();
    let listed = |selector, language, payload: Option<&str>| Listed {
        wanted: Wanted { selector, language },
        payload: payload.map(|it| Payload(to_raw_value(it).unwrap().into())),
    };
    Visitor {
        subscriber: Uuid::new_v4(),
        subscriptions: Arc::new(vec![
            listed(
                Selector::parse("https://example.com/{id}").unwrap(),
                Language::Template,
                Some("a \"name\""),
            ),
            listed(Selector::exact("{id}").unwrap(), Language::Exact, None),
            listed(
                Selector::url_pattern("/books/:id", &base).unwrap(),
                Language::UrlPattern,
                None,
            ),
        ]),
        holder: None,
        address: None,
    }
}

fn entry(change: EntryChange) -> Entry {
    let EntryChange::Put { key, value } = change else {
        panic!("not {change:?}");
    };
    let node = NodeId(1);
    Entry { node, key, value }
}

#[test]
fn pr1_what_one_node_writes_another_reads() {
    let written = visitor();
    let back = read(&entry(put(&written))).unwrap();
    assert_eq!(back.subscriber, written.subscriber);
    let shown = |visitor: &Visitor| {
        let listed = visitor.subscriptions.iter();
        let shown = listed.map(|it| {
            let payload = it
                .payload
                .as_ref()
                .map(|payload| payload.0.get().to_owned());
            let text = it.wanted.selector.as_str().to_owned();
            (text, it.wanted.language, payload)
        });
        shown.collect::<Vec<_>>()
    };
    assert_eq!(shown(&back), shown(&written));
}

#[test]
fn what_cannot_be_read_is_nobody() {
    let good = entry(put(&visitor()));
    for (key, value) in [
        (good.key.as_str(), &b"{}"[..]),
        (good.key.as_str(), b"\xff"),
        (
            good.key.as_str(),
            br#"{"subscriptions":[{"language":"greek","text":"a"}]}"#,
        ),
        ("no-uuid", &good.value),
    ] {
        let entry = Entry {
            node: NodeId(1),
            key: key.to_owned(),
            value: bytes::Bytes::copy_from_slice(value),
        };
        assert!(read(&entry).is_none(), "{entry:?}");
    }
}
