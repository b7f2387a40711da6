use std::fs;
use std::path::Path;

use super::{UNTESTED, ids, unseen};
use crate::cases;

#[test]
fn every_rule_has_a_case_or_a_reason_why_not() {
    let cases = cases::all();
    let is_proved = |id: &str| cases.iter().any(|case| case.rules.contains(&id));
    let open: Vec<_> = ids()
        .filter(|id| !is_proved(id) && unseen(id).is_none())
        .collect();
    assert_eq!(open, Vec::<String>::new());
}

#[test]
fn a_rule_with_a_case_has_no_excuse() {
    let excused: Vec<_> = cases::all()
        .iter()
        .flat_map(|case| case.rules)
        .filter(|id| unseen(id).is_some())
        .collect();
    assert_eq!(excused, Vec::<&&str>::new());
}

#[test]
fn cases_name_rules_that_exist() {
    let known: Vec<_> = ids().collect();
    let unknown: Vec<_> = cases::all()
        .iter()
        .flat_map(|case| case.rules)
        .filter(|id| !known.iter().any(|it| it == *id))
        .collect();
    assert_eq!(unknown, Vec::<&&str>::new());
}

/// A function's name holds the id, as `d0_g10_…` or with a zero, `cf_01_…`.
#[test]
fn a_rule_without_a_case_has_a_test_elsewhere() {
    let mut names = Vec::new();
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("../crates");
    functions(&crates, &mut names);
    let is_tested = |id: &str| {
        let (dialect, number) = id.split_once('-').expect("a rule's id");
        let letter = number.trim_end_matches(|c: char| c.is_ascii_digit());
        let digits = number.trim_start_matches(letter);
        [digits.to_owned(), format!("0{digits}")].iter().any(|it| {
            let id = format!("_{dialect}_{letter}{it}_").to_ascii_lowercase();
            names.iter().any(|name| name.contains(&id))
        })
    };
    let excused = |id: &str| UNTESTED.iter().any(|(ids, _)| ids.contains(&id));
    let open: Vec<_> = ids()
        .filter(|id| unseen(id).is_some() && !excused(id) && !is_tested(id))
        .collect();
    assert_eq!(open, Vec::<String>::new());
}

/// The names of all functions in the files below `folder`, each with `_` around it.
fn functions(folder: &Path, names: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            functions(&path, names);
        } else if path.extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(&path).expect("source text");
            let after_fn = text.split("fn ").skip(1);
            names.extend(after_fn.filter_map(|it| Some(format!("_{}_", it.split_once('(')?.0))));
        }
    }
}
