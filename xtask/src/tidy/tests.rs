//! Each rule on a small tree that breaks it, and all of them on this checkout.

use super::*;

#[track_caller]
fn check(files: &[(&str, &str)], expected: &[&str]) {
    let found = faults(&Tree::of(files)).unwrap();
    let found: Vec<_> = found.iter().map(ToString::to_string).collect();
    let told = expected
        .iter()
        .all(|part| found.iter().any(|it| it.contains(part)));
    assert!(
        told && found.len() == expected.len(),
        "{expected:?}, not {found:#?}"
    );
}

const MAP: (&str, &str) = (
    "ARCHITECTURE.md",
    "`crates/fanfare-wire/` `crates/fanfare-hub/`",
);

fn manifest(name: &str, rest: &str) -> String {
    format!("[package]\nname = \"{name}\"\n[lints]\nworkspace = true\n{rest}")
}

#[test]
fn this_checkout_is_tidy() {
    let tree = Tree::read(root()).unwrap();
    assert_eq!(faults(&tree).unwrap(), []);
}

#[test]
fn arrows_point_one_way() {
    let check = |name, rest: &str, expected: &[&str]| {
        let path = format!("crates/{name}/Cargo.toml");
        check(&[MAP, (&path, &manifest(name, rest))], expected);
    };
    check(
        "fanfare-hub",
        "[dependencies]\nfanfare-wire.workspace = true",
        &[],
    );
    check(
        "fanfare-hub",
        "[dev-dependencies]\nfanfare-testkit.workspace = true",
        &[],
    );
    check(
        "fanfare-wire",
        "[dependencies]\nfanfare-hub.workspace = true",
        &["`fanfare-wire` must not know `fanfare-hub`"],
    );
    check(
        "fanfare-wire",
        "[dev-dependencies]\nfanfare-hub.workspace = true",
        &["tests of `fanfare-wire` must not know `fanfare-hub`"],
    );
    check(
        "fanfare-wire",
        "[dependencies]\ntokio-util = \"1\"",
        &["`tokio-util` is not the business of `fanfare-wire`"],
    );
}

#[test]
fn package_has_lints_a_folder_of_its_name_arrows_and_a_line_on_the_map() {
    check(
        &[MAP, ("crates/x/Cargo.toml", "[package]\nname = \"y\"")],
        &[
            "needs `[lints] workspace = true`",
            "the folder of `y` must have its name",
            "`y` has no arrows",
            "has no line about `crates/x/`",
        ],
    );
}

#[test]
fn names_come_from_the_vocabulary() {
    let check = |line, expected: &[&str]| {
        let path = "crates/fanfare-wire/Cargo.toml";
        let wire = manifest("fanfare-wire", "");
        check(
            &[MAP, (path, &wire), ("crates/fanfare-wire/src/lib.rs", line)],
            expected,
        );
    };
    check("pub struct Topic;", &[]);
    check("struct SessionManager;", &[]);
    check("pub fn store(&self) {", &[]);
    check("    pub data: String,", &[]);
    check("pub struct EventManager;", &["lib.rs:1: `EventManager`"]);
    check(
        "\npub(crate) async fn send_messages() {",
        &["lib.rs:2: `send_messages`"],
    );
    check("pub const STORE_MAX: usize = 1;", &["`STORE_MAX`"]);
    check("    pub(super) session: u8,", &["`session`"]);
    check("pub const fn get_topic<'a>() {", &["`get_` says nothing"]);
    check("pub enum EventInfo {", &["everything is `Info`"]);
}

#[test]
fn file_is_reached_and_named_for_its_noun() {
    let wire = manifest("fanfare-wire", "");
    check(
        &[
            MAP,
            ("crates/fanfare-wire/Cargo.toml", &wire),
            ("crates/fanfare-wire/src/lib.rs", "pub(crate) mod event;\n"),
            (
                "crates/fanfare-wire/src/event.rs",
                "#[cfg(test)]\nmod tests;\n",
            ),
            ("crates/fanfare-wire/src/event/tests.rs", ""),
            ("crates/fanfare-wire/src/event/lost.rs", ""),
            ("crates/fanfare-wire/src/event_utils.rs", ""),
            (
                "crates/fanfare-wire/tests/it/main.rs",
                "#[path = \"../shared/a.rs\"]\nmod a;\n",
            ),
            ("crates/fanfare-wire/tests/shared/a.rs", ""),
            ("crates/fanfare-wire/benches/codec.rs", ""),
        ],
        &[
            "event/lost.rs: no `mod` line leads here",
            "event_utils.rs: no `mod` line leads here",
            "event_utils.rs: no file is named for `utils`",
        ],
    );
}

#[test]
fn every_field_of_a_config_is_in_the_reference() {
    let text = "pub struct Config {\n    /// Bytes.\n    pub ring_bytes_max: usize,\n    \
                pub publisher: Option<Verifier>,\n}\n\npub struct Other {\n    pub free: u8,\n}\n";
    let hub = manifest("fanfare-hub", "");
    let check = |reference, expected: &[&str]| {
        check(
            &[
                MAP,
                ("docs/reference/configuration.md", reference),
                ("crates/fanfare-hub/Cargo.toml", &hub),
                ("crates/fanfare-hub/src/lib.rs", text),
            ],
            expected,
        );
    };
    check("### `ring-bytes-max`\n### `publisher-jwt-key`\n", &[]);
    check(
        "### `publisher-jwt-key`\n",
        &["lib.rs:3: `ring-bytes-max` is missing"],
    );
}

#[test]
fn work_is_put_off_with_its_issue_only() {
    let word = PUT_OFF;
    check(&[("a.md", &format!("{word}(#12): later"))], &[]);
    check(&[("a.md", &format!("{word}: later"))], &["a.md:1: a"]);
}

const PUT_OFF: &str = concat!("TO", "DO");

#[test]
fn nothing_is_unsafe() {
    let check = |line: &str, expected: &[&str]| check(&[("build.rs", line)], expected);
    let orphan = "build.rs: no `mod` line leads here";
    check("// unsafe { is a word here", &[orphan]);
    for line in [
        concat!("let a = uns", "afe { b };"),
        concat!("#[expect(uns", "afe_code)]"),
    ] {
        check(line, &[orphan, "build.rs:1: `unsafe` needs"]);
    }
}

#[test]
fn links_lead_somewhere() {
    let other = ("docs/b.md", "# The `big` picture\n");
    let check = |text, expected: &[&str]| check(&[("docs/a.md", text), other], expected);
    check(
        "[b](b.md) [b](../docs/b.md#the-big-picture) [b](..) [w](https://x.example)",
        &[],
    );
    check("```\n[b](c.md)\n```\n`[b](c.md)`", &[]);
    check("# A\n[b](c.md)", &["docs/a.md:2: `c.md` leads to no file"]);
    check("[b](b.md#small)", &["`b.md#small` leads to no heading"]);
}
