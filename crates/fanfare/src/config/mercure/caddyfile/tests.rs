use super::{Directive, parse};
use crate::config::environment::Environment;
use crate::config::loaded::{InvalidSetting, Source};

fn read(text: &str) -> Vec<Directive> {
    let environment = Environment::from([("KEY", "a \"key\" {env.KEY}"), ("EMPTY", "")]);
    parse(text, &environment).expect(text)
}

/// Name, arguments and line of each directive.
fn flat(directives: &[Directive]) -> Vec<(&str, Vec<&str>, usize)> {
    directives
        .iter()
        .map(|it| {
            let arguments = it.arguments.iter().map(String::as_str).collect();
            (it.name.as_str(), arguments, it.line)
        })
        .collect()
}

#[test]
fn words_quotes_comments_and_joined_lines() {
    let directives = read(
        "# a comment\n\nanonymous # and another\n  cors_origins https://a.example \\\n  \
         https://b.example\r\nname \"a \\\"b\\\" # {\" `c\\d`\nlast a#b\n",
    );
    assert_eq!(
        flat(&directives),
        [
            ("anonymous", vec![], 3),
            (
                "cors_origins",
                vec!["https://a.example", "https://b.example"],
                4
            ),
            ("name", vec!["a \"b\" # {", "c\\d"], 6),
            ("last", vec!["a#b"], 7),
        ]
    );
    assert_eq!(read(""), []);
    assert_eq!(read("# only"), []);
}

#[test]
fn quotes_may_hold_lines() {
    let directives = read("jwt \"-----BEGIN\nMCow\n-----END\" RS256\nanonymous");
    assert_eq!(
        flat(&directives),
        [
            ("jwt", vec!["-----BEGIN\nMCow\n-----END", "RS256"], 1),
            ("anonymous", vec![], 4),
        ]
    );
}

#[test]
fn blocks_nest() {
    let directives = read(
        "before\nissuer https://a.example {\n\tauthorization_server\n\tpublisher {\n\t\tjwt k\n\t}\n\
         }\nempty {\n}\nafter",
    );
    assert_eq!(
        flat(&directives),
        [
            ("before", vec![], 1),
            ("issuer", vec!["https://a.example"], 2),
            ("empty", vec![], 8),
            ("after", vec![], 10),
        ]
    );
    assert_eq!(
        flat(&directives[1].block),
        [
            ("authorization_server", vec![], 3),
            ("publisher", vec![], 4)
        ]
    );
    assert_eq!(flat(&directives[1].block[1].block), [("jwt", vec!["k"], 5)]);
}

#[test]
fn cf_02_placeholders_take_their_values_from_the_environment() {
    let arguments = |text: &str| read(text)[0].arguments.clone();
    // The value is one word, and not expanded again.
    assert_eq!(arguments("jwt {env.KEY}"), ["a \"key\" {env.KEY}"]);
    assert_eq!(
        arguments("jwt {$KEY} {$NONE:HS512}"),
        ["a \"key\" {env.KEY}", "HS512"]
    );
    assert_eq!(arguments("jwt {env.NONE} x{env.EMPTY}y"), ["", "xy"]);
    assert_eq!(arguments("jwt a{b}c {\"x\":1}"), ["a{b}c", "{\"x\":1}"]);

    let path = std::env::temp_dir().join(format!("fanfare-{}-placeholder", std::process::id()));
    std::fs::write(&path, "from a file\n").expect("a file");
    let read = arguments(&format!("jwt {{file.{}}}", path.display()));
    std::fs::remove_file(&path).expect("the same file");
    assert_eq!(read, ["from a file"]);
}

#[test]
fn faults_name_their_line() {
    for (text, expected) in [
        ("a\n}", 2),
        ("a\nb {\nc", 2),
        ("a {\n} b", 2),
        ("a { b }", 1),
        ("a\n\"b", 2),
        ("a <<END\nb\nEND", 1),
        ("a\n{", 2),
        ("a {system.hostname}", 1),
        ("a\nb {file./nowhere}", 2),
    ] {
        let refused = parse(text, &Environment::default()).expect_err(text);
        let InvalidSetting::Directive { place, .. } = refused else {
            panic!("{text:?}: {refused}");
        };
        assert_eq!(place, Source::Directive { line: expected }, "{text:?}");
    }
}

#[test]
fn depth_costs_no_stack() {
    let deep = "a {\n".repeat(100_000);
    assert!(parse(&deep, &Environment::default()).is_err());
}
