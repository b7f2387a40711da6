use std::num::NonZeroU32;

use fanfare_broker::{Cursor, Epoch, Publication, Selector};
use fanfare_wire::Event;

use super::*;

fn selectors(texts: &[&str]) -> Selectors {
    Selectors::new(
        texts
            .iter()
            .map(|text| Selector::parse(text).unwrap())
            .collect(),
    )
}

fn kind(asked: &[&str], granted: &[&str]) -> Kind {
    Kind {
        selectors: selectors(asked),
        grant: selectors(granted),
        hidden: Selectors::default(),
        form: Form::Plain,
        gap_signal: GapSignal::Event,
        heartbeat: Heartbeat::Comment,
    }
}

fn topics(names: &[&str]) -> Vec<Topic> {
    names
        .iter()
        .map(|name| Topic::parse(name).unwrap())
        .collect()
}

#[test]
fn subscribers_of_equal_kind_share_a_group_whatever_the_order_of_their_selectors() {
    let mut groups = Groups::default();
    let one = groups.join(&kind(&["a", "b"], &[]));
    assert_eq!(groups.join(&kind(&["b", "a", "b"], &[])), one);
    assert_ne!(groups.join(&kind(&["a", "b"], &["a"])), one);
    assert_eq!(groups.get(one).unwrap().members, 2);
}

#[test]
fn the_last_to_leave_takes_the_group_away() {
    let mut groups = Groups::default();
    let id = groups.join(&kind(&["a"], &[]));
    groups.leave(id);
    assert!(groups.get(id).is_none());
    assert_eq!(groups.count(&topics(&["a"]), Audience::Public), 0);
}

#[test]
fn d0_a10_a_private_event_needs_a_grant_on_any_of_its_topics() {
    let mut groups = Groups::default();
    groups.join(&kind(&["a"], &[]));
    groups.join(&kind(&["a"], &["b"]));
    groups.join(&kind(&["b"], &["a"]));
    let both = topics(&["a", "b"]);
    assert_eq!(groups.count(&both, Audience::Public), 3);
    assert_eq!(groups.count(&both, Audience::Private), 2);
    assert_eq!(groups.count(&topics(&["a"]), Audience::Private), 0);
}

#[test]
fn a_hidden_topic_hides_private_events_alone() {
    let mut groups = Groups::default();
    let hiding = Kind {
        hidden: selectors(&["b"]),
        ..kind(&["*"], &["*"])
    };
    assert_ne!(groups.join(&hiding), groups.join(&kind(&["*"], &["*"])));
    let wants = |names: &[&str], private: bool| {
        let mut topics = topics(names).into_iter();
        let publication = Publication::new(topics.next().unwrap(), Event::new("x"));
        let publication = topics.fold(publication, Publication::also);
        hiding.wants(&if private {
            publication.private()
        } else {
            publication
        })
    };
    for (names, audience, count) in [
        (&["a"][..], Audience::Private, 2),
        (&["b"], Audience::Private, 1),
        (&["a", "b"], Audience::Private, 1),
        (&["a", "b"], Audience::Public, 2),
    ] {
        assert_eq!(groups.count(&topics(names), audience), count, "{names:?}");
        assert_eq!(
            wants(names, audience == Audience::Private),
            count == 2,
            "{names:?}"
        );
    }
}

#[test]
#[expect(clippy::disallowed_methods, reason = "any instant will do")]
fn a_group_hears_of_a_record_once_though_several_topics_and_selectors_meet() {
    let mut groups = Groups::default();
    let id = groups.join(&kind(&["a", "*", "b"], &[]));
    groups.get_mut(id).unwrap().live.push(0);
    let topic = |name| Topic::parse(name).unwrap();
    let publication = Publication::new(topic("a"), Event::new("x")).also(topic("b"));
    let cursor = Cursor {
        epoch: Epoch::new(NonZeroU32::MIN),
        offset: 1,
    };
    let mut touched = Vec::new();
    let record = Record::new(cursor, publication);
    groups.match_all(&[record], std::time::Instant::now(), &mut touched);
    assert_eq!(touched, [id]);
    let hits: Vec<u32> = groups.get_mut(id).unwrap().hits.drain().collect();
    assert_eq!(hits, [0]);
}

#[test]
fn q5_only_exact_selectors_are_topics_that_an_index_finds() {
    let exact = |kind: &Kind| {
        let mut topics: Vec<String> = kind.exact_topics()?.iter().map(Topic::to_string).collect();
        topics.sort_unstable();
        Some(topics)
    };
    let names = |names: &[&str]| Some(names.iter().map(|name| (*name).to_owned()).collect());
    // A text that is no template is a raw string, one without an expression matches itself alone.
    for (asked, expected) in [
        (&["b", "a"][..], names(&["a", "b"])),
        (
            &["https://example.com/a?b=%7B#c"],
            names(&["https://example.com/a?b=%7B#c"]),
        ),
        (&["a", "{"], names(&["a", "{"])),
        (&["a", "\u{1}"], names(&["a"])),
        (&[], names(&[])),
        (&["a", "*"], None),
        (&["a", "b/{c}"], None),
    ] {
        assert_eq!(exact(&kind(asked, &["*"])), expected, "{asked:?}");
    }
    let hub_url = url::Url::parse("https://example.com/.well-known/mercure").unwrap();
    let with = |selector: Selector| Kind {
        selectors: Selectors::new(vec![selector]),
        ..kind(&[], &[])
    };
    // The other dialect's exact text may look like a pattern; its pattern may look like a text.
    let raw = with(Selector::exact("b/{c}").unwrap());
    assert_eq!(exact(&raw), names(&["b/{c}"]));
    let pattern = with(Selector::url_pattern("https://example.com/a", &hub_url).unwrap());
    assert_eq!(exact(&pattern), None);
    let many: Vec<String> = (0..65).map(|number| number.to_string()).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(exact(&kind(&many[..64], &[])).unwrap().len(), 64);
    assert_eq!(exact(&kind(&many, &[])), None);
}
