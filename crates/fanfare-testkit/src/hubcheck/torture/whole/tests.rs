//! Two short histories, and what is wrong between them.

use std::collections::HashSet;

use super::Whole;
use crate::hubcheck::line::EventKey;
use crate::hubcheck::verdict::{Verdict, Verdicts};

#[test]
fn a_history_that_has_changed_is_objected_to() {
    let check = |found: &[u32], retains, expected: &[Verdict]| {
        let keys =
            |numbers: &[u32]| -> Vec<_> { numbers.iter().map(|&n| EventKey { w: 1, n }).collect() };
        let whole = Whole {
            expected: &keys(&[1, 2, 3, 4]),
            late: &HashSet::from([EventKey { w: 1, n: 9 }]),
            found: &keys(found),
            retains,
        };
        let mut verdicts = Verdicts::default();
        whole.judge(&mut verdicts);
        let given: Vec<_> = verdicts.findings.into_keys().collect();
        assert_eq!(given, expected, "{found:?}");
    };
    check(&[1, 2, 3, 4], None, &[]);
    check(&[1, 2, 9, 3, 4], None, &[]);
    check(&[1, 2, 4], None, &[Verdict::Lost]);
    check(&[], None, &[Verdict::Lost]);
    check(&[1, 2, 2, 3, 4], None, &[Verdict::Double]);
    check(&[1, 3, 2, 4], None, &[Verdict::Reorder]);
    check(&[1, 2, 3, 8, 4], None, &[Verdict::Phantom]);
    check(&[3, 4], Some(2), &[]);
    check(&[3, 4], Some(3), &[Verdict::Lost]);
    check(&[2, 4], Some(2), &[Verdict::Lost]);
}
