//! Source files that no `mod` line leads to: nobody compiles them, so nobody knows that they rot.

use std::collections::BTreeSet;

use super::Fault;
use super::arrows::Package;
use crate::tree::Tree;

pub(super) fn faults(tree: &Tree, packages: &[Package]) -> Vec<Fault> {
    let mut reached = BTreeSet::new();
    for (path, _) in tree.ending(".rs") {
        if packages
            .iter()
            .any(|package| is_root(path, &package.folder))
        {
            reach(tree, path, folder_of(path), &mut reached);
        }
    }
    tree.ending(".rs")
        .filter(|(path, _)| !reached.contains(*path))
        .map(|(path, _)| Fault::in_file(path, "no `mod` line leads here".to_owned()))
        .collect()
}

/// Whether Cargo takes `path` as the root of a crate of the package in `folder`.
fn is_root(path: &str, folder: &str) -> bool {
    let inside = path
        .strip_prefix(folder)
        .and_then(|it| it.strip_prefix('/'));
    let parts: Vec<_> = inside.unwrap_or_default().split('/').collect();
    match parts.as_slice() {
        ["build.rs"] | ["src", "main.rs" | "lib.rs"] | ["src", "bin", _] => true,
        [kind] | [kind, _] | [kind, _, "main.rs"] => ROOT_FOLDERS.contains(kind),
        _ => false,
    }
}

const ROOT_FOLDERS: [&str; 4] = ["tests", "benches", "examples", "targets"];

/// Adds `path`, and what its `mod` lines lead to: files in `folder`.
fn reach(tree: &Tree, path: &str, folder: &str, reached: &mut BTreeSet<String>) {
    let Some(text) = tree.text(path) else {
        // The compiler says so.
        return;
    };
    reached.insert(path.to_owned());
    let mut elsewhere = None;
    for line in text.lines().map(str::trim) {
        if let Some(path_attribute) = line.strip_prefix("#[path = \"") {
            elsewhere = path_attribute.strip_suffix("\"]");
            continue;
        }
        let Some(name) = declared(line) else {
            continue;
        };
        let child = match elsewhere.take() {
            // It is given from the folder of the file that says it.
            Some(relative) => join(folder_of(path), relative),
            None => join(folder, &format!("{name}.rs")),
        };
        let below = child.trim_end_matches(".rs").to_owned();
        reach(tree, &child, &below, reached);
    }
}

/// The module that `line` says to be in a file of its own.
fn declared(line: &str) -> Option<&str> {
    let line = line.strip_suffix(';')?;
    let (visibility, name) = line.rsplit_once("mod ")?;
    let visible = visibility.is_empty() || visibility.starts_with("pub");
    Some(name).filter(|_| visible)
}

fn folder_of(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// `folder` and then `relative`, which may climb with `..`.
pub(super) fn join(folder: &str, relative: &str) -> String {
    let mut parts: Vec<_> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in relative.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}
