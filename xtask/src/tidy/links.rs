//! Links of the documents into the tree.

use super::Fault;
use super::orphans::join;
use crate::tree::Tree;

/// Relative links that lead to no file, or to no heading of one.
pub(super) fn faults(tree: &Tree) -> Vec<Fault> {
    let mut faults = Vec::new();
    for (path, text) in tree.ending(".md") {
        let folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
        for (index, line) in prose(text) {
            for target in targets(line).filter(|target| !is_elsewhere(target)) {
                let (file, heading) = target.split_once('#').unwrap_or((target, ""));
                let file = match file {
                    "" => path.to_owned(),
                    relative => join(folder, relative),
                };
                let no_heading = || !has_heading(tree.text(&file).unwrap_or_default(), heading);
                if !file.is_empty() && !tree.contains(&file) {
                    let what = format!("`{target}` leads to no file");
                    faults.push(Fault::at_line(path, index, what));
                } else if !heading.is_empty() && no_heading() {
                    let what = format!("`{target}` leads to no heading");
                    faults.push(Fault::at_line(path, index, what));
                }
            }
        }
    }
    faults
}

/// The lines outside of code blocks, each with its place from 0.
fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut inside_block = false;
    text.lines().enumerate().filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        inside_block ^= fence;
        !inside_block && !fence
    })
}

/// Where the links of `line` lead; what stands between backticks is code.
fn targets(line: &str) -> impl Iterator<Item = &str> {
    let ends = line
        .match_indices("](")
        .map(|(start, open)| (start, start + open.len()));
    ends.filter_map(|(start, end)| {
        let (before, rest) = (line.get(..start)?, line.get(end..)?);
        let (target, _) = rest.split_once(')')?;
        // A whole span of code inside the link's own text has both of its backticks before it.
        before
            .matches('`')
            .count()
            .is_multiple_of(2)
            .then_some(target)
    })
}

fn is_elsewhere(target: &str) -> bool {
    ["https://", "http://", "mailto:"]
        .iter()
        .any(|scheme| target.starts_with(scheme))
}

fn has_heading(text: &str, anchor: &str) -> bool {
    let mut headings = prose(text).filter_map(|(_, line)| {
        let title = line.trim_start_matches('#');
        (title.len() < line.len()).then(|| anchor_of(title.trim()))
    });
    headings.any(|heading| heading == anchor)
}

/// The anchor that GitHub gives to a heading.
fn anchor_of(title: &str) -> String {
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    let lower = title.to_lowercase();
    let anchor = lower.chars().filter(kept);
    anchor.map(|c| if c == ' ' { '-' } else { c }).collect()
}
