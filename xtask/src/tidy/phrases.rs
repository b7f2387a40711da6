//! Text that may not stand anywhere: work put off without an issue, and `unsafe`.

use super::Fault;
use crate::tree::Tree;

pub(super) fn faults(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, text) in TEXT_ENDINGS.iter().flat_map(|ending| tree.ending(ending)) {
        for (index, line) in text.lines().enumerate() {
            let put_off = PUT_OFF.iter().find(|word| has_word(line, word));
            if let Some(word) = put_off.filter(|_| !names_issue(line)) {
                let what = format!("a {word} needs the number of its issue, such as #12");
                faults.push(Fault::at_line(path, index, what));
            }
        }
    }
    for (path, text) in tree.ending(".rs") {
        if UNSAFE_FILES.contains(&path) {
            continue;
        }
        for (index, line) in text.lines().enumerate() {
            if is_unsafe(line) {
                let what = "`unsafe` needs a decision record, a test, and a place in the list of \
                            xtask/src/tidy/phrases.rs";
                faults.push(Fault::at_line(path, index, what.to_owned()));
            }
        }
    }
    faults
}

const TEXT_ENDINGS: [&str; 6] = [".rs", ".md", ".toml", ".html", ".js", ".css"];

/// Put together here, so that this file has none itself.
const PUT_OFF: [&str; 3] = [
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("HA", "CK"),
];

/// Files in which `unsafe` is allowed. None.
const UNSAFE_FILES: [&str; 0] = [];

fn has_word(line: &str, word: &str) -> bool {
    line.split(|c: char| !c.is_alphanumeric() && c != '_')
        .any(|part| part == word)
}

/// Whether there is a `#` with a number after it.
fn names_issue(line: &str) -> bool {
    let mut after_hash = line.split('#').skip(1);
    after_hash.any(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Whether the line opens something unsafe, or lifts the lint against it.
fn is_unsafe(line: &str) -> bool {
    let code = line.split("//").next().unwrap_or_default();
    let mut parts = code.split(UNSAFE);
    let mut before = parts.next().unwrap_or_default();
    for after in parts {
        let lifts = before.ends_with("allow(") || before.ends_with("expect(");
        let opens = OPENERS.iter().any(|opener| after.starts_with(opener));
        if opens || lifts && after.starts_with("_code") || before.ends_with("#[") {
            return true;
        }
        before = after;
    }
    false
}

/// Put together here, for the same reason.
const UNSAFE: &str = concat!("un", "safe");
const OPENERS: [&str; 6] = [" {", " fn ", " impl ", " impl<", " extern ", " trait "];
