use fanfare_broker::Selector;
use proptest::prelude::*;

use super::*;

/// Selectors and topics over a small alphabet, so that they meet often.
fn selector() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("*".to_owned()),
        "[ab/]{1,4}",
        "[ab/]{0,3}\\{x\\}[ab/]{0,2}",
        "[ab/]{0,2}\\{\\+x\\}",
        "[ab]{1,2}\\{/x\\*\\}",
    ]
}

fn topic() -> impl Strategy<Value = String> {
    prop_oneof!["[ab/]{1,6}", "[ab/]{0,3}\\{x\\}[ab/]{0,2}"]
}

fn selectors(texts: &[String]) -> Selectors {
    Selectors::new(
        texts
            .iter()
            .map(|text| Selector::parse(text).unwrap())
            .collect(),
    )
}

fn found(index: &Index, topics: &[Topic]) -> Vec<GroupId> {
    let mut found = Vec::new();
    index.find(topics, |group| found.push(group));
    found.sort_unstable();
    found.dedup();
    found
}

proptest! {
    #[test]
    fn the_index_finds_what_naive_matching_finds(
        groups in prop::collection::vec(prop::collection::vec(selector(), 1..4), 0..12),
        gone in prop::collection::vec(any::<bool>(), 12),
        topics in prop::collection::vec(topic(), 1..4),
    ) {
        let groups: Vec<Selectors> = groups.iter().map(|texts| selectors(texts)).collect();
        let topics: Vec<Topic> = topics.iter().map(|text| Topic::parse(text).unwrap()).collect();
        let mut index = Index::default();
        for (id, selectors) in (0..).zip(&groups) {
            index.insert(id, selectors);
        }
        let mut expected = Vec::new();
        for ((id, selectors), gone) in (0..).zip(&groups).zip(gone) {
            if gone {
                index.remove(id, selectors);
            } else if topics.iter().any(|topic| selectors.matches(topic)) {
                expected.push(id);
            }
        }
        prop_assert_eq!(found(&index, &topics), expected);
    }
}

#[test]
fn an_index_that_everybody_left_is_empty() {
    let texts = ["*", "a", "a{x}", "b{x}"].map(str::to_owned);
    let mut index = Index::default();
    for id in 0..3 {
        index.insert(id, &selectors(&texts));
    }
    for id in 0..3 {
        index.remove(id, &selectors(&texts));
    }
    assert!(index.exact.is_empty() && index.patterns.is_empty());
    assert!(index.url_patterns.is_empty() && index.any.is_empty());
}
