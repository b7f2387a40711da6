//! The process's environment, read once.

use std::collections::BTreeMap;
use std::ffi::OsString;

use super::loaded::{Assignment, InvalidSetting, Source, key_of, nearest};

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

    /// The settings among the variables. An empty variable counts as not set.
    ///
    /// `others` are variables of ours that are no settings.
    pub(super) fn assignments(
        &self,
        table: &clap::Command,
        others: &[String],
    ) -> Result<Vec<Assignment>, InvalidSetting> {
        let variables: BTreeMap<String, String> = table
            .get_arguments()
            .map(|setting| (variable_of(key_of(setting)), key_of(setting).to_owned()))
            .collect();

        let mut assignments = Vec::new();
        for (name, value) in self.0.iter().filter(|(_, value)| !value.is_empty()) {
            if let Some(key) = variables
                .get(name)
                .or_else(|| variables.get(drop_in(name)?))
            {
                let Some(value) = value.to_str() else {
                    return Err(InvalidSetting::NotText { name: name.clone() });
                };
                let assignment = Assignment {
                    key: key.clone(),
                    values: vec![value.to_owned()],
                    source: Source::Variable(name.clone()),
                };
                // `FANFARE_…` sorts before `MERCURE_…` and wins.
                if !assignments.iter().any(|a: &Assignment| a.key == *key) {
                    assignments.push(assignment);
                }
            } else if is_unknown(name) && !others.contains(name) {
                let known = variables.keys().chain(others).map(String::as_str);
                return Err(InvalidSetting::UnknownVariable {
                    nearest: nearest(name, known),
                    name: name.clone(),
                });
            }
        }
        Ok(assignments)
    }
}

/// The variable of a setting: `stall-timeout` is `FANFARE_STALL_TIMEOUT`.
pub(crate) fn variable_of(key: &str) -> String {
    format!("FANFARE_{}", key.to_ascii_uppercase().replace('-', "_"))
}

/// The variable of ours that one of Mercure's stands for; its users have it set already.
fn drop_in(name: &str) -> Option<&'static str> {
    match name {
        "MERCURE_PUBLISHER_JWT_KEY" => Some("FANFARE_PUBLISHER_JWT_KEY"),
        "MERCURE_SUBSCRIBER_JWT_KEY" => Some("FANFARE_SUBSCRIBER_JWT_KEY"),
        _ => None,
    }
}

/// Whether a variable that is no setting looks like one.
///
/// For a service called `fanfare`, Kubernetes sets `FANFARE_PORT`, `FANFARE_PORT_3000_TCP` and
/// `FANFARE_SERVICE_HOST` in every container of the namespace; nobody typed those.
fn is_unknown(name: &str) -> bool {
    name.strip_prefix("FANFARE_").is_some_and(|rest| {
        rest != "PORT" && !rest.starts_with("PORT_") && !rest.starts_with("SERVICE_")
    })
}
