//! What people read: the table of results, the closing lines, the list of rules.

use crate::case::Case;
use crate::hub::Dialect;
use crate::rules;
use crate::suite::Outcome;

/// The table: a row for each case, or for those that have not passed.
pub(crate) fn table(cases: &[Case], outcomes: &[Outcome], without_passed: bool) -> String {
    let widths = cases.iter().map(|case| case.rules.join(" ").len());
    let width = widths.max().unwrap_or_default();
    let row = |rules: &str, level: &str, result: &str, case: &str| {
        let row = format!("{rules:<width$}  {level:<6} {result:<8} {case}");
        format!("{}\n", row.trim_end())
    };
    let mut table = row("RULES", "LEVEL", "RESULT", "CASE");
    for (case, outcome) in cases.iter().zip(outcomes) {
        if without_passed && matches!(outcome, Outcome::Passed) {
            continue;
        }
        let result = match outcome {
            Outcome::Passed => "passed",
            Outcome::Failed { .. } if case.level.binds() => "FAILED",
            Outcome::Failed { .. } => "differs",
            Outcome::Skipped(_) => "skipped",
        };
        let rules = case.rules.join(" ");
        table.push_str(&row(&rules, &case.level.to_string(), result, &case.name));
        match outcome {
            Outcome::Passed => {}
            Outcome::Failed { expected, got } => {
                table.push_str(&row("", "", "", &format!("  expected: {expected}")));
                table.push_str(&row("", "", "", &format!("  got:      {got}")));
            }
            Outcome::Skipped(reason) => table.push_str(&row("", "", "", &format!("  {reason}"))),
        }
    }
    table
}

/// How many cases of a dialect ended how.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Tally {
    passed: usize,
    failed: usize,
    /// Failed cases of rules that the specification leaves open.
    differing: usize,
    skipped: usize,
}

impl Tally {
    /// Counts what came of the cases of `dialect`. If `strict`, whatever differs has failed.
    pub(crate) fn of(dialect: Dialect, cases: &[Case], outcomes: &[Outcome], strict: bool) -> Self {
        let mut tally = Self::default();
        let all = cases.iter().zip(outcomes);
        for (case, outcome) in all.filter(|(case, _)| case.dialect == dialect) {
            match outcome {
                Outcome::Passed => tally.passed += 1,
                Outcome::Failed { .. } if strict || case.level.binds() => tally.failed += 1,
                Outcome::Failed { .. } => tally.differing += 1,
                Outcome::Skipped(_) => tally.skipped += 1,
            }
        }
        tally
    }

    pub(crate) fn has_failed(self) -> bool {
        self.failed > 0
    }

    /// The closing line.
    pub(crate) fn line(self, dialect: Dialect) -> String {
        let mut line = format!(
            "conformance {}: {} passed, {} failed, {} skipped",
            dialect.name(),
            self.passed,
            self.failed,
            self.skipped
        );
        if self.differing > 0 {
            line.push_str(&format!(
                ", {} differ where the specification leaves it open",
                self.differing
            ));
        }
        line
    }
}

/// Every rule, with its cases or the reason why it has none.
pub(crate) fn list(cases: &[Case]) -> String {
    let mut list = String::new();
    for id in rules::ids() {
        let proving = cases
            .iter()
            .filter(|case| case.rules.contains(&id.as_str()));
        let mut lines: Vec<_> = proving
            .map(|case| format!("{} ({}, {})", case.name, case.level, case.dialect.name()))
            .collect();
        if let Some(reason) = rules::unseen(&id) {
            lines.push(format!("no case: {reason}"));
        }
        for (index, line) in lines.iter().enumerate() {
            let id = if index == 0 { id.as_str() } else { "" };
            list.push_str(&format!("{id:<8} {line}\n"));
        }
    }
    list
}
