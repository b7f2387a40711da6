//! `cargo xtask tidy`: facts about the tree that a reader relies on, and no matters of taste.

mod arrows;
mod links;
mod names;
mod orphans;
mod pages;
mod phrases;

use std::fmt;

use anyhow::ensure;

use crate::command::{root, say};
use crate::tree::Tree;
use arrows::Package;

/// Holds the checkout against every rule, and lists the files that may hide a second noun.
///
/// # Errors
///
/// A rule does not hold, or the tree cannot be read.
pub(crate) fn run() -> anyhow::Result<()> {
    let tree = Tree::read(root())?;
    for (path, lines) in long_files(&tree) {
        say(&format!("note: {path} has {lines} lines"));
    }
    let faults = faults(&tree)?;
    for fault in &faults {
        say(&fault.to_string());
    }
    ensure!(faults.is_empty(), "{} faults in the tree", faults.len());
    Ok(())
}

/// Everything in `tree` that breaks a rule.
///
/// # Errors
///
/// A manifest is not TOML.
fn faults(tree: &Tree) -> anyhow::Result<Vec<Fault>> {
    let packages = Package::all(tree)?;
    let checks = [
        arrows::faults(&packages),
        names::faults(tree),
        orphans::faults(tree, &packages),
        pages::faults(tree, &packages),
        phrases::faults(tree),
        links::faults(tree),
    ];
    Ok(checks.into_iter().flatten().collect())
}

/// Source files of more than [`LINES_MAX`] lines.
fn long_files(tree: &Tree) -> impl Iterator<Item = (&str, usize)> {
    tree.ending(".rs")
        .map(|(path, text)| (path, text.lines().count()))
        .filter(|(_, lines)| *lines > LINES_MAX)
}

/// A smell, not a law.
const LINES_MAX: usize = 500;

/// A place where a rule does not hold.
#[derive(Debug, Eq, PartialEq)]
struct Fault {
    path: String,
    /// From 1; `None`: the file as a whole.
    line: Option<usize>,
    what: String,
}

impl Fault {
    fn in_file(path: &str, what: String) -> Self {
        Self {
            path: path.to_owned(),
            line: None,
            what,
        }
    }

    /// `index` counts from 0.
    fn at_line(path: &str, index: usize, what: String) -> Self {
        Self {
            line: Some(index + 1),
            ..Self::in_file(path, what)
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "{}:{line}: {}", self.path, self.what),
            None => write!(f, "{}: {}", self.path, self.what),
        }
    }
}

#[cfg(test)]
mod tests;
