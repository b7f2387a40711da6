//! Pages that list what the tree holds: the code map, and the configuration reference.

use super::Fault;
use super::arrows::Package;
use crate::tree::Tree;

/// Packages that ARCHITECTURE.md leaves out, and fields of a `Config` that the reference does.
pub(super) fn faults(tree: &Tree, packages: &[Package]) -> Vec<Fault> {
    let mut faults = Vec::new();
    let map = tree.text(MAP).unwrap_or_default();
    for package in packages {
        let folder = format!("`{}/`", package.folder);
        if !map.contains(&folder) {
            faults.push(Fault::in_file(MAP, format!("has no line about {folder}")));
        }
    }
    let reference = tree.text(REFERENCE).unwrap_or_default();
    let keys: Vec<_> = reference.lines().filter_map(key).collect();
    let of_hub = |path: &str| !NO_HUB.iter().any(|other| path.starts_with(other));
    for (path, text) in tree.ending(".rs").filter(|(path, _)| of_hub(path)) {
        for (index, field) in config_fields(text) {
            let key = field.replace('_', "-");
            // `publisher` is the verifier that is made from `publisher-jwt-key`.
            let begins = format!("{key}-");
            // `issuers` are those of every `issuer` that was given.
            let single = key.strip_suffix('s').unwrap_or(&key);
            let is_about = |it: &&str| *it == key || *it == single || it.starts_with(&begins);
            if !keys.iter().any(is_about) {
                let what = format!("`{key}` is missing in {REFERENCE}");
                faults.push(Fault::at_line(path, index, what));
            }
        }
    }
    faults
}

const MAP: &str = "ARCHITECTURE.md";
const REFERENCE: &str = "docs/reference/configuration.md";

/// Where a `Config` is not a hub's: the command line of `fanfare bench`, and the client library,
/// whose reference is its own documentation.
const NO_HUB: [&str; 2] = ["crates/fanfare/src/load.rs", "crates/fanfare-client/"];

/// The key that a heading of the reference is about.
fn key(line: &str) -> Option<&str> {
    line.strip_prefix("### `")?.strip_suffix('`')
}

/// The public fields of every `struct Config` and `struct Settings` in `text`, with their lines.
fn config_fields(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut inside = false;
    text.lines().enumerate().filter_map(move |(index, line)| {
        if line.starts_with('}') {
            inside = false;
        } else if line.starts_with("pub") {
            inside = line.ends_with("struct Config {") || line.ends_with("struct Settings {");
        }
        let field = line.strip_prefix("    pub").filter(|_| inside)?;
        let (name, _) = field.split_once(": ")?;
        Some((index, name.rsplit(' ').next()?))
    })
}
