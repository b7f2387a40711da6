use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

const HUB: &str = "/.well-known/mercure";

fn is_reserved(topic: &str) -> bool {
    super::is_reserved(HUB, topic)
}

#[test]
fn d1_p9_reserved_topics() {
    for topic in [
        "https://any.host/.well-known/mercure/x",
        "/.well-known/mercure",
        "mercure/subscriptions/foo",
        "./mercure/x",
        "mercure",
        "https://e.com/.well-known/%6Dercure/x",
        "https://e.com\\.well-known\\mercure\\x",
        "https://e.com/.well-known/mercure/../mercure/x",
        "https://e.com/.well-known/%2e/mercure/x",
        "foo:/.well-known/mercure/x",
        "//h/.well-known/mercure",
        "",
        "?x=1",
        "#f",
    ] {
        assert!(is_reserved(topic), "{topic:?}");
    }
}

#[test]
fn d1_p9_free_topics() {
    for topic in [
        "https://example.com/foo/.well-known/mercure/bar",
        "https://example.com/.well-known/mercureXXX",
        "subscriptions/foo",
        "bar",
        "a topic with spaces",
        "urn:example:mercure",
        "../mercure/x",
        "https://e.com/.well-known/mercure%2Fx",
        "http://[bad",
        "https://example.com/?next=/.well-known/mercure",
        "100%",
        "%6",
        "%é",
    ] {
        assert!(!is_reserved(topic), "{topic:?}");
    }
}

/// One way to write a topic: where its path begins, and its segments, each after a separator.
#[derive(Clone, Debug)]
struct Spelling {
    start: Start,
    segments: Vec<(char, String)>,
    end: &'static str,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Start {
    /// After a scheme and perhaps an authority; `special` ones read `\` as `/`.
    Absolute {
        written: &'static str,
        special: bool,
    },
    /// At the root of the hub's URL.
    Root,
    /// Behind the last slash of the hub's URL.
    Folder,
}

impl Spelling {
    fn topic(&self) -> String {
        let mut topic = String::new();
        if let Start::Absolute { written, .. } = self.start {
            topic.push_str(written);
        }
        for (index, (separator, segment)) in self.segments.iter().enumerate() {
            if index > 0 || self.start != Start::Folder {
                topic.push(*separator);
            }
            topic.push_str(segment);
        }
        topic + self.end
    }

    /// Rule D1-P9, one step after the other, for all that spellings are made of.
    fn is_reserved(&self) -> bool {
        let mut path = Vec::new();
        if self.start == Start::Folder {
            path.push(".well-known".to_owned());
        }
        for (index, segment) in self.split().iter().enumerate() {
            let is_last = index + 1 == self.split().len();
            match segment.replace("%2e", ".").replace("%2E", ".").as_str() {
                ".." => _ = path.pop(),
                "." => {}
                _ => {
                    path.push(unescaped(segment));
                    continue;
                }
            }
            // What ends in a dot segment ends in a slash.
            if is_last {
                path.push(String::new());
            }
        }
        path.len() >= 2 && path[0] == ".well-known" && path[1] == "mercure"
    }

    /// The segments as this scheme separates them.
    fn split(&self) -> Vec<String> {
        let slash_only = matches!(self.start, Start::Absolute { special: false, .. });
        let mut segments: Vec<String> = Vec::new();
        for (separator, segment) in &self.segments {
            match segments
                .last_mut()
                .filter(|_| slash_only && *separator == '\\')
            {
                Some(last) => *last = format!("{last}\\{segment}"),
                None => segments.push(segment.clone()),
            }
        }
        segments
    }
}

/// `segment` with each escape of an unreserved character replaced.
fn unescaped(segment: &str) -> String {
    let unreserved = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let mut text = segment.to_owned();
    for byte in (b'!'..=b'~').filter(unreserved) {
        for escape in [format!("%{byte:02x}"), format!("%{byte:02X}")] {
            text = text.replace(&escape, &char::from(byte).to_string());
        }
    }
    text
}

fn segment() -> impl Strategy<Value = String> {
    let plain = vec![
        ".well-known",
        "mercure",
        "mercureX",
        "Mercure",
        ".",
        "..",
        "...",
        "",
        "subscriptions",
    ];
    // Some of its characters are escaped.
    let escaped = (select(plain), vec(0..6, 16)).prop_map(|(plain, ways)| {
        let written = plain.chars().zip(ways).map(|(character, way)| match way {
            0 => format!("%{:02x}", u32::from(character)),
            1 => format!("%{:02X}", u32::from(character)),
            _ => character.to_string(),
        });
        written.collect()
    });
    let fixed = vec![
        ".well-known",
        "mercure",
        "mercure%2Fx",
        "%256Dercure",
        "%",
        "mercure%",
    ];
    prop_oneof![3 => escaped, 2 => select(fixed).prop_map(str::to_owned)]
}

fn spelling() -> impl Strategy<Value = Spelling> {
    let absolute = |written, special| Start::Absolute { written, special };
    let start = select(vec![
        absolute("https://e.com", true),
        absolute("HTTP://u:p@e.com:8080", true),
        absolute("wss://[::1]", true),
        absolute("//e.com", true),
        absolute(r"\\e.com", true),
        absolute("foo://e.com", false),
        absolute("foo:", false),
        Start::Root,
        Start::Folder,
    ]);
    let separator = select(vec!['/', '/', '/', '\\']);
    let segments = vec((separator, segment()), 1..6);
    let end = select(vec![
        "",
        "",
        "?x=/.well-known/mercure",
        "#/.well-known/mercure",
    ]);
    (start, segments, end).prop_map(|(start, mut segments, end)| {
        let (separator, segment) = &mut segments[0];
        // Otherwise what follows would be an authority, or no path at all.
        if segment.is_empty() {
            *segment = ".".to_owned();
        }
        if matches!(start, Start::Absolute { special: false, .. }) {
            *separator = '/';
        }
        Spelling {
            start,
            segments,
            end,
        }
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(5_000) })]

    #[test]
    fn d1_p9_every_spelling_is_judged_by_where_it_leads(spelling in spelling()) {
        let topic = spelling.topic();
        prop_assert_eq!(is_reserved(&topic), spelling.is_reserved(), "{:?}", topic);
    }

    #[test]
    fn d1_p9_whatever_is_inside_is_reserved(text in any::<String>()) {
        is_reserved(&text);
        // Without dot segments nothing leads out.
        let inside = format!("https://e.com{HUB}/{}", text.replace(['.', '%'], ""));
        prop_assert!(is_reserved(&inside), "{:?}", inside);
    }
}
