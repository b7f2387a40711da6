//! What comes of a Mercure hub's environment: settings of ours, and words of warning.

use crate::config::loaded::{Assignment, Source};

/// Settings and warnings, in the order in which they were read.
#[derive(Clone, Debug, Default)]
pub(in crate::config) struct Translation {
    pub(in crate::config) assignments: Vec<Assignment>,
    pub(in crate::config) warnings: Vec<String>,
}

impl Translation {
    /// Sets `key` to `values`, whatever it was set to before.
    pub(super) fn set<'a>(
        &mut self,
        key: &str,
        values: impl IntoIterator<Item = &'a str>,
        source: &Source,
    ) {
        self.assignments.retain(|it| it.key != key);
        self.add(key, values, source);
    }

    /// Adds `values` to what a directive has given to the list `key` already.
    pub(super) fn add<'a>(
        &mut self,
        key: &str,
        values: impl IntoIterator<Item = &'a str>,
        source: &Source,
    ) {
        let values = values.into_iter().map(str::to_owned);
        let by_directive =
            |it: &&mut Assignment| it.key == key && matches!(it.source, Source::Directive { .. });
        if let Some(list) = self.assignments.iter_mut().find(by_directive) {
            list.values.extend(values);
            return;
        }
        self.assignments.retain(|it| it.key != key);
        self.assignments.push(Assignment {
            key: key.to_owned(),
            values: values.collect(),
            source: source.clone(),
        });
    }

    pub(super) fn warn(&mut self, warning: String) {
        self.warnings.push(warning);
    }
}
