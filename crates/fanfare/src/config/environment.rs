//! The process's environment, read once.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::loaded::{Assignment, InvalidSetting, Source, key_of, names_of, nearest};

/// The environment as it was when the program started.
#[derive(Clone, Debug, Default)]
pub(crate) struct Environment(BTreeMap<String, OsString>);

impl Environment {
    /// Reads the process's environment; a name that is not UTF-8 can be none of ours.
    pub(crate) fn read() -> Self {
        let named = |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value));
        Self(std::env::vars_os().filter_map(named).collect())
    }

    /// Whether the variable has a value that is not empty.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_empty())
    }

    /// The value of the variable; `None`: it has none, or an empty one.
    ///
    /// # Errors
    ///
    /// [`InvalidSetting::NotText`].
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, InvalidSetting> {
        let value = self.0.get(name).filter(|value| !value.is_empty());
        let not_text = || InvalidSetting::NotText {
            name: name.to_owned(),
        };
        value
            .map(|value| value.to_str().ok_or_else(not_text))
            .transpose()
    }

    /// The variables that have a value, whose names begin with `prefix`.
    pub(super) fn beginning_with(&self, prefix: &str) -> impl Iterator<Item = &str> {
        let variables = self.0.iter().filter(|(_, value)| !value.is_empty());
        let names = variables.map(|(name, _)| name.as_str());
        names.filter(move |name| name.starts_with(prefix))
    }

    /// The settings among the variables. An empty variable counts as not set.
    ///
    /// `others` are variables of ours that are no settings.
    pub(super) fn assignments(
        &self,
        table: &clap::Command,
        others: &[String],
    ) -> Result<Vec<Assignment>, InvalidSetting> {
        let variables: BTreeMap<String, &str> = table
            .get_arguments()
            .flat_map(|setting| names_of(setting).map(|name| (variable_of(name), key_of(setting))))
            .collect();

        let mut assignments: Vec<Assignment> = Vec::new();
        for name in self.beginning_with(OURS) {
            let Some(key) = variables.get(name) else {
                if is_unknown(name) && !others.iter().any(|other| other == name) {
                    let known = variables.keys().chain(others).map(String::as_str);
                    return Err(InvalidSetting::UnknownVariable {
                        nearest: nearest(name, known),
                        name: name.to_owned(),
                    });
                }
                continue;
            };
            let source = Source::Variable(name.to_owned());
            if let Some(first) = assignments.iter().find(|it| it.key == *key) {
                return Err(InvalidSetting::Twice {
                    key: (*key).to_owned(),
                    first: first.source.clone(),
                    second: source,
                });
            }
            let value = self.text(name)?.unwrap_or_default();
            assignments.push(Assignment {
                key: (*key).to_owned(),
                values: vec![value.to_owned()],
                source,
            });
        }
        Ok(assignments)
    }
}

const OURS: &str = "FANFARE_";

/// The variable of a setting: `stall-timeout` is `FANFARE_STALL_TIMEOUT`.
pub(crate) fn variable_of(key: &str) -> String {
    format!("{OURS}{}", key.to_ascii_uppercase().replace('-', "_"))
}

/// Whether a variable that is no setting looks like one.
///
/// For a service called `fanfare`, Kubernetes sets `FANFARE_PORT`, `FANFARE_PORT_3000_TCP` and
/// `FANFARE_SERVICE_HOST` in every container of the namespace; nobody typed those.
fn is_unknown(name: &str) -> bool {
    name.strip_prefix(OURS).is_some_and(|rest| {
        rest != "PORT" && !rest.starts_with("PORT_") && !rest.starts_with("SERVICE_")
    })
}

#[cfg(test)]
impl<const N: usize> From<[(&str, &str); N]> for Environment {
    fn from(variables: [(&str, &str); N]) -> Self {
        let owned = |(name, value): (&str, &str)| (name.to_owned(), value.into());
        Self(variables.map(owned).into())
    }
}
