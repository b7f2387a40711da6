//! Names of files and of what others can use.

use std::path::Path;

use super::Fault;
use crate::tree::Tree;

/// Words that hide what a thing is, in the names of source files and of public items.
pub(super) fn faults(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, text) in tree.ending(".rs") {
        let stem = Path::new(path).file_stem().unwrap_or_default();
        let stem = stem.to_string_lossy();
        for word in words(&stem).filter(|word| is_banned(word) || FILE_WORDS.contains(&&**word)) {
            faults.push(Fault::in_file(
                path,
                format!("no file is named for `{word}`"),
            ));
        }
        for (index, line) in text.lines().enumerate() {
            if let Some(what) = public_item(line).and_then(|item| item.fault()) {
                faults.push(Fault::at_line(path, index, what));
            }
        }
    }
    faults
}

/// The declaration of something that others can use.
#[derive(Debug)]
struct Item<'a> {
    kind: &'a str,
    name: &'a str,
}

impl Item<'_> {
    fn fault(&self) -> Option<String> {
        let name = self.name;
        // Storing is what a broker does; it is the noun that has a better word.
        let is_verb = |word: &str| self.kind == "fn" && word == "store";
        if let Some(word) = words(name).find(|word| is_banned(word) && !is_verb(word)) {
            return Some(format!(
                "`{name}`: the vocabulary has a better word than `{word}`"
            ));
        }
        let verb = VERBS.iter().find(|verb| name.starts_with(**verb));
        // A collection's `get_mut` has its name from the standard library.
        if let Some(verb) = verb.filter(|_| self.kind == "fn" && name != "get_mut") {
            return Some(format!("`{name}`: `{verb}` says nothing"));
        }
        let ending = TYPE_ENDINGS.iter().find(|ending| name.ends_with(**ending));
        let is_type = matches!(self.kind, "struct" | "enum" | "trait" | "type");
        ending
            .filter(|_| is_type)
            .map(|ending| format!("`{name}`: everything is `{ending}`"))
    }
}

/// The item that `line` declares as public, in its crate or beyond.
fn public_item(line: &str) -> Option<Item<'_>> {
    let rest = line.trim_start().strip_prefix("pub")?;
    let rest = match rest.strip_prefix('(') {
        Some(rest) => rest.split_once(')')?.1,
        None => rest,
    };
    let mut words = rest.strip_prefix(' ')?.split(' ');
    let kind = words.by_ref().find(|word| !QUALIFIERS.contains(word))?;
    // `const` is a qualifier too, before `fn`.
    let (kind, name) = match (kind, words.next()) {
        (kind, Some(name)) if KINDS.contains(&kind) => (kind, name),
        (field, _) if field.ends_with(':') => ("field", field),
        (constant, _) => ("const", constant),
    };
    let end = name.find(|c: char| !c.is_alphanumeric() && c != '_');
    let (name, _) = name.split_at_checked(end.unwrap_or(name.len()))?;
    Some(Item { kind, name })
}

const QUALIFIERS: [&str; 5] = ["async", "const", "unsafe", "extern", "\"C\""];
const KINDS: [&str; 8] = [
    "fn", "struct", "enum", "trait", "type", "mod", "static", "union",
];

/// The words of `likeThis`, `LikeThis`, `like_this` and `LIKE_THIS`, in lower case.
fn words(name: &str) -> impl Iterator<Item = String> {
    let mut words = vec![String::new()];
    let mut after_lower = false;
    for c in name.chars() {
        if c == '_' || (c.is_uppercase() && after_lower) {
            words.push(String::new());
        }
        if let Some(word) = words.last_mut().filter(|_| c != '_') {
            word.extend(c.to_lowercase());
        }
        after_lower = c.is_lowercase();
    }
    words.into_iter()
}

fn is_banned(word: &str) -> bool {
    let singular = word.strip_suffix('s').unwrap_or(word);
    WORDS.contains(&word) || WORDS.contains(&singular)
}

/// The vocabulary has better ones: event, topic, connection, broker.
const WORDS: [&str; 9] = [
    "channel", "handler", "helper", "manager", "message", "provider", "session", "store", "util",
];

/// A file is named for its noun.
const FILE_WORDS: [&str; 5] = ["common", "info", "misc", "mod", "types"];

const VERBS: [&str; 4] = ["get_", "do_", "process_", "validate_"];
const TYPE_ENDINGS: [&str; 2] = ["Data", "Info"];
