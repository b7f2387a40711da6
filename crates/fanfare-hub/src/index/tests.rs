use fanfare_broker::Selector;
use proptest::prelude::*;

use super::*;

const HUB_URLS: [&str; 3] = [
    "https://hub.example/.well-known/mercure",
    "https://hub.example/a/b",
    "http://a.example:8080/",
];

fn hub_url(which: usize) -> Url {
    Url::parse(HUB_URLS[which]).unwrap()
}

/// Selectors of all languages over a small alphabet, so that they meet topics often.
fn selector() -> impl Strategy<Value = Selector> {
    let plain = prop_oneof![
        Just("*".to_owned()),
        "[ab/]{1,4}",
        "[ab/]{0,3}\\{x\\}[ab/]{0,2}",
        "[ab/]{0,2}\\{\\+x\\}",
        "[ab]{1,2}\\{/x\\*\\}",
        topic(),
    ];
    prop_oneof![
        plain
            .clone()
            .prop_map(|text| Selector::parse(&text).unwrap()),
        plain.prop_map(|text| Selector::exact(&text).unwrap()),
        (url_pattern(), 0..HUB_URLS.len()).prop_filter_map("a pattern", |(text, which)| {
            Selector::url_pattern(&text, &hub_url(which)).ok()
        }),
    ]
}

fn url_pattern() -> impl Strategy<Value = String> {
    let origin = prop::sample::select(vec![
        "",
        "",
        "https://hub.example",
        "https://HUB.example:443",
        "https://*.example",
        "http{s}?://hub.example",
        "https://hub.example:*",
        "http://a.example:8080",
        "*://*:*",
        "foo://hub.example",
        "foo:",
        "file://",
        "https://u@hub.example",
        "https://b\u{fc}.example",
    ]);
    let path = prop::collection::vec(
        prop::sample::select(vec![
            "/", "a", "b", "/a", "/b", "/:x", "/*", "*", "{/:y}?", "/(a|b)", "/..", "/./", "%61",
            "\u{e9}", " ",
        ]),
        0..4,
    );
    let rest = prop::sample::select(vec!["", "", "?a", "\\?a=*", "?", "#a", "?*#:f"]);
    (origin, path, rest).prop_map(|(origin, path, rest)| format!("{origin}{}{rest}", path.concat()))
}

fn topic() -> impl Strategy<Value = String> {
    let origin = prop::sample::select(vec![
        "",
        "https://hub.example",
        "https://HUB.EXAMPLE",
        "https://hub.example:443",
        "https://hub.example:444",
        "https://u:p@hub.example",
        "https://:p@hub.example",
        "http://hub.example",
        "http://a.example:8080",
        "https://b\u{fc}.example",
        "https://xn--b-xha.example",
        "foo://hub.example",
        "foo:",
        "foo:/.//",
        "file://",
        "//a.example",
        "http://[bad",
    ]);
    let path = prop::collection::vec(
        prop::sample::select(vec![
            "/", "a", "b", "/a", "/b", "/..", "/.", "%61", "\u{e9}", " ", "\\",
        ]),
        0..5,
    );
    let rest = prop::sample::select(vec!["", "", "?a", "?a=b", "?", "#a", "#", "?b#a"]);
    prop_oneof![
        "[ab/]{1,6}",
        "[ab/]{0,3}\\{x\\}[ab/]{0,2}",
        (origin, path, rest)
            .prop_map(|(origin, path, rest)| format!("{origin}{}{rest}", path.concat()))
            .prop_filter("a topic has text", |text| !text.is_empty()),
    ]
}

fn found(index: &Index, topics: &[Topic]) -> Vec<GroupId> {
    let mut found = Vec::new();
    index.find(topics, |group| found.push(group));
    found.sort_unstable();
    found.dedup();
    found
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn the_index_finds_what_naive_matching_finds(
        groups in prop::collection::vec(prop::collection::vec(selector(), 1..4), 0..12),
        gone in prop::collection::vec(any::<bool>(), 12),
        topics in prop::collection::vec(topic(), 1..4),
    ) {
        let groups: Vec<Selectors> = groups.into_iter().map(Selectors::new).collect();
        let topics: Vec<Topic> = topics.iter().map(|text| Topic::parse(text).unwrap()).collect();
        let mut index = Index::default();
        for (id, selectors) in (0..).zip(&groups) {
            index.insert(id, selectors);
        }
        let mut expected = Vec::new();
        for ((id, selectors), gone) in (0..).zip(&groups).zip(gone) {
            if gone {
                index.remove(id, selectors);
            } else if topics
                .iter()
                .any(|topic| selectors.iter().any(|selector| selector.matches(topic)))
            {
                expected.push(id);
            }
        }
        prop_assert_eq!(found(&index, &topics), expected);
    }
}

#[test]
fn an_index_that_everybody_left_is_empty() {
    let parsed = ["*", "a", "a{x}", "b{x}"].map(|text| Selector::parse(text).unwrap());
    let patterns = [0, 1].map(|which| Selector::url_pattern("/a/:x", &hub_url(which)).unwrap());
    let selectors = Selectors::new(parsed.into_iter().chain(patterns).collect());
    let mut index = Index::default();
    for id in 0..3 {
        index.insert(id, &selectors);
    }
    for id in 0..3 {
        index.remove(id, &selectors);
    }
    assert!(index.exact.is_empty() && index.patterns.is_empty());
    assert!(index.url_patterns.is_empty() && index.any.is_empty());
}

/// How many URL patterns are run to find who asks for `topic`.
fn tried(index: &Index, topic: &str) -> usize {
    let topic = Topic::parse(topic).unwrap();
    let mut tried = 0;
    for (hub_url, patterns) in &index.url_patterns {
        let topic = ResolvedTopic::resolve(&topic, hub_url).unwrap();
        let matches = |selector: &Selector| {
            tried += 1;
            selector.matches_resolved(&topic)
        };
        patterns.find(topic.as_str(), matches, |_| {});
    }
    tried
}

#[test]
fn s12_ten_thousand_patterns_are_not_tried_for_each_topic() {
    let mut index = Index::default();
    let urls = [
        |i: u32| format!("https://hub.example/u/{i}/:event"),
        |i: u32| format!("/feed?user={i}&kind=:kind"),
        |i: u32| format!("https://tenant{i}.example/*"),
        |i: u32| format!("/exactly/{i}"),
    ];
    for id in 0..10_000 {
        let text = urls[id as usize % urls.len()](id);
        let selector = Selector::url_pattern(&text, &hub_url(0)).unwrap();
        index.insert(id, &Selectors::new(vec![selector]));
    }
    for (topic, expected) in [
        ("/u/4000/login", 4000),
        ("https://hub.example/feed?user=4001&kind=a", 4001),
        ("https://tenant4002.example/a/b", 4002),
        ("/exactly/4003", 4003),
    ] {
        assert_eq!(found(&index, &[Topic::parse(topic).unwrap()]), [expected]);
        // `/exactly/4` and `/exactly/40` begin like `/exactly/4003`, so they are tried as well.
        assert!(tried(&index, topic) <= 4, "{topic}");
    }
    assert_eq!(tried(&index, "https://hub.example/nobody"), 0);
}

/// A selector that cannot be compiled is refused before it comes near the index, and what is in it
/// matches on.
#[test]
fn d0_m7_a_bad_pattern_fails_nobody_elses_look_up() {
    let mut index = Index::default();
    let good = Selector::url_pattern("/a/:x", &hub_url(0)).unwrap();
    index.insert(0, &Selectors::new(vec![good]));
    for bad in ["{", "https://]/", "/((?:a{99}){99})", &"/*".repeat(99)] {
        Selector::url_pattern(bad, &hub_url(0)).unwrap_err();
    }
    assert_eq!(found(&index, &[Topic::parse("/a/1").unwrap()]), [0]);
    assert!(found(&index, &[Topic::parse("http://[bad").unwrap()]).is_empty());
}
