use proptest::prelude::*;

use super::*;

fn selector(text: &str) -> Selector {
    Selector::parse(text).unwrap()
}

/// `selector` matches each of `yes`, its own text, and none of `no`.
#[track_caller]
fn check(selector: &str, yes: &[&str], no: &[&str]) {
    let selector = self::selector(selector);
    let own = selector.as_str();
    assert!(selector.matches_text(own), "{own:?} matches itself");
    for topic in yes {
        assert!(selector.matches_text(topic), "{own:?} matches {topic:?}");
    }
    for topic in no {
        let matched = selector.matches_text(topic);
        assert!(!matched, "{own:?} does not match {topic:?}");
    }
    if let Shape::Pattern { prefix } = selector.shape() {
        let all_begin = yes.iter().chain([&own]).all(|t| t.starts_with(prefix));
        assert!(all_begin, "what {own:?} matches begins with {prefix:?}");
    }
}

macro_rules! vectors {
    ($($name:ident: $selector:expr, yes $yes:expr, no $no:expr;)*) => {$(
        #[test]
        fn $name() {
            check($selector, &$yes, &$no);
        }
    )*};
}

vectors! {
    d0_m10_one_variable:
        "https://example.com/books/{id}",
        yes [
            "https://example.com/books/1",
            "https://example.com/books/",
            "https://example.com/books/a%2Fb",
            "https://example.com/books/a,b",
        ],
        no [
            "https://example.com/books/1/x",
            "https://example.com/books/a:b",
            "https://example.com/books/a b",
            "https://example.com/books/a=b",
            "https://example.com/books/%zz",
            "https://example.com/books/B\u{e9}t\u{e9}",
            "https://example.com/books/1\n",
        ];
    d0_m10_another_template_is_a_topic_like_any:
        "https://example.com/books/{other}",
        yes [], no ["https://example.com/books/{id}"];
    d0_m10_reserved:
        "https://example.com/{+path}",
        yes ["https://example.com/a/b?c=d#e", "https://example.com/"],
        no ["https://example.com/\u{e9}t\u{e9}"];
    d0_m10_query_of_one:
        "https://example.com/u/42/{?topic}",
        yes [
            "https://example.com/u/42/?topic=https%3A%2F%2Fx",
            "https://example.com/u/42/",
            "https://example.com/u/42/?other=1",
        ],
        no [
            "https://example.com/u/42/?a=1&b=2",
            "https://example.com/u/42/?topic=https://x",
        ];
    d0_m10_query_of_two:
        "https://example.com/u/42/{?a,b}",
        yes ["https://example.com/u/42/?a=1&b=2"],
        no ["https://example.com/u/42/?a=1&b=2&c=3"];
    d0_m10_query_exploded:
        "https://example.com/u/42/{?q*}",
        yes ["https://example.com/u/42/?a=1&b=2&c=3"], no [];
    d0_m10_optional_segments:
        "/.well-known/mercure/subscriptions{/topic}{/subscriber}",
        yes [
            "/.well-known/mercure/subscriptions",
            "/.well-known/mercure/subscriptions/a",
            "/.well-known/mercure/subscriptions/a/b",
        ],
        no ["/.well-known/mercure/subscriptions/a/b/c"];
    d0_m10_literal_slashes:
        "/.well-known/mercure/subscriptions/{topic}/{subscriber}",
        yes ["/.well-known/mercure/subscriptions/a/b"],
        no ["/.well-known/mercure/subscriptions"];
    d0_m10_variables_all_over:
        "{scheme}://{+host}/demo/books/{id}.jsonld",
        yes ["https://example.com:8443/demo/books/1.jsonld"], no [];
    d0_m10_prefix_length_is_ignored:
        "https://example.com/{a:3}", yes ["https://example.com/12345"], no [];
    d0_m10_segments_exploded:
        "https://example.com{/segs*}", yes ["https://example.com/a/b/c"], no [];
    d0_m10_two_segments:
        "https://example.com{/a,b}",
        yes ["https://example.com/1/2"],
        no ["https://example.com/1/2/3"];
    d0_m10_fragment:
        "x{#f}", yes ["x#a/b", "x"], no [];
    d0_m10_label:
        "x{.a}", yes ["x.b", "x.b.c"], no [];
    d0_m10_path_parameter:
        "x{;a}", yes ["x;a=1"], no [];
    d0_m10_exploded_takes_pairs:
        "x{a*}", yes ["xk=1,l=2"], no [];
    d0_m10_exploded_second_takes_pairs_second:
        "x{a,b*}", yes ["xk,l=2"], no ["xk=1"];
    d0_m10_literal_beyond_ascii:
        "\u{e9}{x}", yes ["\u{e9}1"], no ["e1", "1"];
    d0_m10_star_elsewhere:
        "https://example.com/*", yes [], no ["https://example.com/a"];
    d0_m10_unclosed_expression:
        "https://example.com/hub?topic=faulty{iri",
        yes [], no ["https://example.com/hub?topic=faulty1"];
    d0_m10_closing_brace_alone: "a}b{x}", yes [], no ["a}b", "a}b1"];
    d0_m10_space: "a b{x}", yes [], no ["a b", "a b1"];
    d0_m10_reserved_operator: "{=x}", yes [], no ["", "1", "=1"];
    d0_m10_doubled_dot: "{x..y}", yes [], no ["", "1"];
    d0_m10_length_zero: "{x:0}", yes [], no ["", "1"];
    d0_m10_length_of_five_digits: "{x:10000}", yes [], no ["", "1"];
    d0_m10_both_modifiers: "{x*:3}", yes [], no ["", "1"];
    d0_m10_empty_expression: "{}", yes [], no ["", "1"];

    d0_m1_star_alone_matches_all:
        "*", yes ["https://example.com/a", "{id}", "\u{e9}", "**"], no [];
    d0_m1_two_stars_are_text: "**", yes [], no ["*", "a"];
    d0_m2_equal_bytes: "https://example.com/a", yes [], no ["https://example.com/A", ""];
    d0_m9_literals_are_quoted: "a.b+c(d){x}", yes ["a.b+c(d)1"], no ["axb+c(d)1", "a.bbc(d)"];
    d0_m9_literals_after_an_expression_are_quoted:
        "{x}.b+[\u{e9}]{y}", yes ["1.b+[\u{e9}]2"], no ["1xb+[\u{e9}]2", "1.bb[\u{e9}]", "1.b+\u{e9}2"];
    d0_m9_following_class_of_the_first_exploded:
        "x{a*,b}", yes ["xk=1,l=2"], no ["xk=1;l"];
    d0_m9_separators_are_counted:
        "x{;a,b}", yes ["x;a=1;b=2", "x;a=1"], no ["x;a=1;b=2;c=3"];
    d0_m9_form_continuation:
        "x?q=1{&a,b}", yes ["x?q=1", "x?q=1&a=1&b=2"], no ["x?q=1&a&b&c", "x?q=1a"];
    d0_m9_a_dot_separates_labels:
        "x{.a*}", yes ["x", "x.a.b.c", "x.k=1.l=2"], no ["xa"];
    d0_m9_triplets_in_either_case:
        "x{a}", yes ["x%c3%A9"], no ["x%c", "x%", "x%cg"];
    d0_m9_every_variable_may_be_empty:
        "x{a,b}{c}y", yes ["xy", "x,y"], no ["x", "y"];
}

#[test]
fn d0_m2_a_template_is_found_under_its_own_text_by_prefix() {
    let text = "https://example.com/{id}";
    let prefix = "https://example.com/";
    assert_eq!(selector(text).shape(), Shape::Pattern { prefix });
    assert!(text.starts_with(prefix));
}

#[test]
fn d0_m5_without_a_brace_a_text_is_exact() {
    assert_eq!(selector("a b").shape(), Shape::Exact("a b"));
    assert_eq!(
        selector("https://a/%41").shape(),
        Shape::Exact("https://a/%41")
    );
    assert_eq!(selector("").shape(), Shape::Exact(""));
}

#[test]
fn d0_m6_a_bad_template_is_exact() {
    assert_eq!(selector("a{b").shape(), Shape::Exact("a{b"));
}

#[test]
fn d0_m7_length_is_bounded() {
    let longest = format!("{}{{x}}", "a".repeat(Selector::BYTES_MAX - 3));
    check(&longest, &[&longest.replace("{x}", "1")], &[]);
    let too_long = format!("a{longest}");
    let error = Selector::parse(&too_long).unwrap_err();
    assert_eq!(error, InvalidSelector::TooLong { bytes: 4097 });
}

#[test]
fn d0_m7_variables_are_bounded() {
    let variables = |count: usize| "{x}".repeat(count);
    check(&variables(32), &["", "abc"], &["/"]);
    let error = Selector::parse(&variables(33)).unwrap_err();
    assert_eq!(error, InvalidSelector::TooComplex);
    let list = |count: usize| format!("{{/{}x}}", "x,".repeat(count - 1));
    check(&list(32), &["", &"/a".repeat(32)], &[&"/a".repeat(33)]);
    let error = Selector::parse(&list(33)).unwrap_err();
    assert_eq!(error, InvalidSelector::TooComplex);
}

#[test]
fn d0_m7_the_program_is_bounded() {
    let error = Selector::parse(&format!("{{x}}{}", "a".repeat(4000))).unwrap_err();
    assert_eq!(error, InvalidSelector::TooComplex);
}

#[test]
fn s12_a_hundred_expressions_and_8_kib_are_refused() {
    let hundred = "{a}".repeat(100);
    let eight_kib = "{+a}b".repeat(1639);
    for bomb in [hundred, eight_kib] {
        Selector::parse(&bomb).unwrap_err();
    }
}

/// The slowest shapes that are let through, on the longest topic, stay far below a bound that a
/// back-tracking engine would not reach in years.
#[test]
#[expect(clippy::disallowed_methods, reason = "the bound is in time")]
fn s12_the_worst_template_matches_in_bounded_time() {
    let started = std::time::Instant::now();
    let topic = format!("{} ", "-".repeat(Topic::BYTES_MAX - 1));
    for worst in ["{a}-", "{a}", "{a*}-{b}", "{.a}", "{/a,b*}-"] {
        let variables = worst.matches([',', '{']).count();
        let bomb = selector(&worst.repeat(32 / variables));
        assert!(!bomb.matches_text(&topic));
    }
    assert!(started.elapsed() < std::time::Duration::from_secs(2));
}

#[test]
fn selectors_are_sorted_and_without_doubles() {
    let set = |texts: &[&str]| Selectors::new(texts.iter().map(|text| selector(text)).collect());
    assert_eq!(set(&["b", "a{x}", "b"]), set(&["a{x}", "b"]));
    assert!(set(&["b", "a{x}"]).matches(&Topic::parse("a1").unwrap()));
    assert!(!set(&["b", "a{x}"]).matches(&Topic::parse("c").unwrap()));
    assert!(!set(&[]).matches(&Topic::parse("a").unwrap()));
    assert!(set(&[]).is_empty());
}

/// A part of a template, and a text that it stands for.
fn part() -> impl Strategy<Value = (String, String)> {
    let literal = "[a-z./?&;,=-]{1,4}".prop_map(|text| (text.clone(), text));
    let simple = (
        "[a-z_]{1,3}(:[1-9][0-9]{0,3})?",
        "([a-z0-9,._~-]|%[0-9a-fA-F]{2}){0,4}",
    )
        .prop_map(|(name, value)| (format!("{{{name}}}"), value));
    let opened = (
        0..7_usize,
        prop::bool::ANY,
        prop::collection::vec("[a-z0-9_~-]{0,3}", 0..4),
    )
        .prop_map(|(operator, explode, values)| opened_part(operator, explode, &values));
    prop_oneof![literal, simple, opened]
}

/// An expression with an operator of D0-M9's table, expanded with `values`.
fn opened_part(operator: usize, explode: bool, values: &[String]) -> (String, String) {
    let (operator, opener, separator) = [
        ("+", "", ","),
        ("#", "#", ","),
        (".", ".", "."),
        ("/", "/", "/"),
        (";", ";", ";"),
        ("?", "?", "&"),
        ("&", "&", "&"),
    ][operator];
    let list = if explode {
        "x*".to_owned()
    } else {
        vec!["x"; values.len().max(1)].join(",")
    };
    let text = match values {
        [] => String::new(),
        values => format!("{opener}{}", values.join(separator)),
    };
    (format!("{{{operator}{list}}}"), text)
}

proptest! {
    #[test]
    fn d0_m3_every_expansion_matches(parts in prop::collection::vec(part(), 1..6)) {
        let (template, topic): (String, String) = parts.into_iter().unzip();
        let selector = selector(&template);
        prop_assert!(selector.matches_text(&topic), "{template:?} {topic:?}");
        if let Shape::Pattern { prefix } = selector.shape() {
            prop_assert!(topic.starts_with(prefix));
            prop_assert!(template.starts_with(prefix));
        }
    }

    #[test]
    fn d0_m6_any_text_within_bounds_is_a_selector(text in "[{}*:,.%a/?\u{e9} ]{0,24}") {
        let selector = selector(&text);
        prop_assert!(selector.matches_text(&text));
    }
}
