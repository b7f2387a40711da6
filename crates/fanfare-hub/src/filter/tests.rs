use fanfare_broker::{Form, Selector};
use fanfare_wire::Event;
use url::Url;

use super::*;
use crate::subscription::{GapSignal, Heartbeat};

fn templates(texts: &[&str]) -> Selectors {
    let parse = |text: &&str| Selector::parse(text).unwrap();
    Selectors::new(texts.iter().map(parse).collect())
}

fn url_patterns(texts: &[&str]) -> Selectors {
    let hub_url = Url::parse("https://example.com/.well-known/mercure").unwrap();
    let parse = |text: &&str| Selector::url_pattern(text, &hub_url).unwrap();
    Selectors::new(texts.iter().map(parse).collect())
}

fn filter(selectors: Selectors, grant: Selectors, hidden: Selectors) -> (Filter, Arc<AtomicUsize>) {
    let kind = Kind {
        selectors,
        grant,
        hidden,
        form: Form::Plain,
        gap_signal: GapSignal::Event,
        heartbeat: Heartbeat::Comment,
    };
    let total = Arc::default();
    (Filter::new(&Arc::new(kind), &total), total)
}

fn evaluations(judge: &Judge) -> Option<usize> {
    Some(judge.verdicts.as_ref()?.evaluations.load(Ordering::Relaxed))
}

fn topic(text: &str) -> Topic {
    Topic::parse(text).unwrap()
}

fn publication(text: &str) -> Publication {
    Publication::new(topic(text), Event::new("x"))
}

#[test]
fn q2_a_pattern_is_evaluated_once_for_each_topic() {
    let (filter, total) = filter(
        url_patterns(&["/books/:id"]),
        url_patterns(&["/books/*"]),
        Selectors::default(),
    );
    let mut wanted = 0;
    for number in 0..10_000 {
        let publication = publication(&format!(
            "/{}/{}",
            ["books", "users"][number % 2],
            number % 20
        ));
        wanted += usize::from(filter.wants(&publication.private()));
    }
    assert_eq!(wanted, 5000);
    assert_eq!(evaluations(&filter.asked), Some(20));
    assert_eq!(evaluations(&filter.granted), Some(10));
    assert_eq!(total.load(Ordering::Relaxed), 30);
    drop(filter);
    assert_eq!(
        total.load(Ordering::Relaxed),
        0,
        "it gives back what it counted"
    );
}

#[test]
fn q2_what_costs_less_than_a_look_is_not_remembered() {
    let nine: Vec<String> = (0..9).map(|number| format!("{number}/{{id}}")).collect();
    let nine: Vec<&str> = nine.iter().map(String::as_str).collect();
    assert!(is_expensive(&templates(&nine)));
    assert!(is_expensive(&url_patterns(&["/a/:b"])));
    assert!(!is_expensive(&templates(&nine[..8])));
    let exact: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let exact: Vec<&str> = exact.iter().map(String::as_str).collect();
    assert!(!is_expensive(&templates(&exact)));
    assert!(!is_expensive(&templates(&["*"])));
    assert!(!is_expensive(&Selectors::default()));
}

#[test]
fn q2_verdicts_are_bounded_and_those_forgotten_are_found_again() {
    let (filter, total) = filter(
        url_patterns(&["/books/:id"]),
        Selectors::default(),
        Selectors::default(),
    );
    for number in 0..=VERDICTS_MAX {
        assert!(filter.wants(&publication(&format!("/books/{number}"))));
    }
    assert_eq!(
        total.load(Ordering::Relaxed),
        1,
        "all were forgotten for the last one"
    );
    total.store(VERDICTS_TOTAL_MAX, Ordering::Relaxed);
    let before = evaluations(&filter.asked).unwrap();
    assert!(!filter.wants(&publication("/users/1")));
    assert!(!filter.wants(&publication("/users/1")));
    assert_eq!(
        evaluations(&filter.asked),
        Some(before + 2),
        "there was no room for it"
    );
    total.store(1, Ordering::Relaxed);
}

/// The verdicts change nothing but the cost, for hidden topics too.
#[test]
fn l10_a_filter_wants_what_its_group_wants() {
    let sets = || {
        [
            Selectors::default(),
            templates(&["/a/1"]),
            url_patterns(&["/a/*"]),
            url_patterns(&["/:x/1"]),
        ]
    };
    let names = ["/a/1", "/a/2", "/b/1", "c"];
    for asked in sets() {
        for granted in sets() {
            for hidden in sets() {
                let (filter, _) = filter(asked.clone(), granted.clone(), hidden);
                for (first, second) in names.iter().flat_map(|one| names.map(|two| (one, two))) {
                    let public = publication(first).also(topic(second));
                    for publication in [public.clone(), public.private()] {
                        let expected = filter.kind.wants(&publication);
                        assert_eq!(filter.wants(&publication), expected, "{publication:?}");
                        assert_eq!(filter.wants(&publication), expected, "once more");
                    }
                }
            }
        }
    }
}
