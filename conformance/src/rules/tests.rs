use super::{ids, unseen};
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
