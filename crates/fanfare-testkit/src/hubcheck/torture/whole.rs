//! The whole history after all rounds against what each round had read of it.

use std::collections::{HashMap, HashSet};

use crate::hubcheck::line::EventKey;
use crate::hubcheck::verdict::{Verdict, Verdicts};

/// What must not have changed since it was read.
#[derive(Debug)]
pub(super) struct Whole<'a> {
    /// What the rounds have read, one after the other.
    pub(super) expected: &'a [EventKey],
    /// What may have been stored after its round was over: its outcome is unknown.
    pub(super) late: &'a HashSet<EventKey>,
    /// What is there at the end.
    pub(super) found: &'a [EventKey],
    /// The newest events that the hub says it keeps; `None`: all.
    pub(super) retains: Option<u64>,
}

impl Whole<'_> {
    /// Objects to every difference.
    pub(super) fn judge(&self, verdicts: &mut Verdicts) {
        let places: HashMap<_, _> = self.expected.iter().zip(0_usize..).collect();
        let mut seen = HashSet::new();
        let mut before: Option<(usize, EventKey)> = None;
        for &key in self.found {
            if !seen.insert(key) {
                let says = format!("{key} is twice in the whole history");
                verdicts.object(Verdict::Double, None, [key], says);
                continue;
            }
            match (places.get(&key), before) {
                (Some(&place), Some((last, other))) if place < last => {
                    let says = format!("{key} once stood before {other}, and now behind it");
                    verdicts.object(Verdict::Reorder, None, [key, other], says);
                }
                (Some(&place), _) => before = Some((place, key)),
                (None, _) if self.late.contains(&key) => {}
                (None, _) => {
                    let says = format!("{key} has come into the history after its round");
                    verdicts.object(Verdict::Phantom, None, [key], says);
                }
            }
        }
        for &key in self.expected.iter().skip(self.trimmed(&places)) {
            if !seen.contains(&key) {
                let says = format!("{key} was in the history of its round, and is there no more");
                verdicts.object(Verdict::Lost, None, [key], says);
            }
        }
    }

    /// How many may be missing at the front.
    fn trimmed(&self, places: &HashMap<&EventKey, usize>) -> usize {
        let is_full = |retains| self.found.len() as u64 >= retains;
        if !self.retains.is_some_and(is_full) {
            return 0;
        }
        let mut first = self.found.iter().filter_map(|key| places.get(key));
        first.next().copied().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests;
