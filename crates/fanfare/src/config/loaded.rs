//! The settings of all sources laid over each other, each with where it came from.

use std::any::TypeId;
use std::collections::BTreeMap;
use std::error::Error;
use std::fmt;
use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgMatches, Args, Command, FromArgMatches};
use fanfare::auth::Secret;

use super::environment::Environment;
use super::{Settings, file};

/// What holds: flags over variables over the file over defaults.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    /// The values.
    pub(crate) settings: Settings,
    /// Every setting as text, in the order of the table.
    pub(crate) rows: Vec<Row>,
}

/// One setting, for people to read.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Row {
    /// Its key.
    pub(crate) key: String,
    /// Its value as it was typed, `[redacted]` for a key; `None`: it has none.
    pub(crate) value: Option<String>,
    /// Where the value came from.
    pub(crate) source: Source,
}

impl Loaded {
    /// Lays `flags` over `environment` over the file at `path`.
    ///
    /// `others` are variables of ours that are no settings.
    pub(crate) fn load(
        flags: &ArgMatches,
        environment: &Environment,
        others: &[String],
        path: Option<&Path>,
    ) -> Result<Self, InvalidSetting> {
        let table = table();
        let mut layers = match path {
            Some(path) => file::read(path, &table)?,
            None => Vec::new(),
        };
        layers.extend(environment.assignments(&table, others)?);
        layers.extend(typed(flags, &table));
        Self::lay(layers, table)
    }

    /// Lays later assignments over earlier ones.
    pub(super) fn lay(layers: Vec<Assignment>, table: Command) -> Result<Self, InvalidSetting> {
        let winners: BTreeMap<String, Assignment> =
            layers.into_iter().map(|it| (it.key.clone(), it)).collect();

        // One by one first, for then it is known whose value it is that fails.
        for assignment in winners.values() {
            let parsed = table.clone().try_get_matches_from(assignment.flags());
            parsed.map_err(|error| assignment.refused(&error))?;
        }
        let rows = table.get_arguments().map(|setting| row(setting, &winners));
        let rows = rows.collect();
        let flags = winners.values().flat_map(Assignment::flags);
        let settings = table
            .try_get_matches_from(flags)
            .and_then(|matches| Settings::from_arg_matches(&matches))
            .map_err(|error| InvalidSetting::Together(error.to_string()))?;
        Ok(Self { settings, rows })
    }
}

/// The table of settings, as a command line of its own.
pub(crate) fn table() -> Command {
    let command = Command::new("settings")
        .no_binary_name(true)
        .disable_help_flag(true);
    Settings::augment_args(command)
}

/// A setting's key.
pub(super) fn key_of(setting: &Arg) -> &str {
    setting.get_long().unwrap_or_default()
}

/// A setting and what some source says it shall be.
#[derive(Clone, Debug)]
pub(super) struct Assignment {
    pub(super) key: String,
    /// More than one only for a setting that is a list.
    pub(super) values: Vec<String>,
    pub(super) source: Source,
}

impl Assignment {
    fn flags(&self) -> Vec<String> {
        let flag = |value| format!("--{}={value}", self.key);
        self.values.iter().map(flag).collect()
    }

    fn refused(&self, error: &clap::Error) -> InvalidSetting {
        // The type's own parser says it best. A list of choices has none, and clap knows them.
        let reason = match (error.source(), error.get(ContextKind::ValidValue)) {
            (Some(source), _) => source.to_string(),
            (None, Some(ContextValue::Strings(choices))) => {
                format!("it must be one of: {}", choices.join(", "))
            }
            (None, _) => "it takes one value".to_owned(),
        };
        InvalidSetting::Value {
            place: self.source.clone(),
            key: self.key.clone(),
            reason,
        }
    }
}

/// Where a value came from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Source {
    Default,
    File { path: PathBuf, line: usize },
    Variable(String),
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Flag => f.write_str("command line"),
        }
    }
}

/// Why the settings of a source cannot be taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InvalidSetting {
    #[error("cannot read {}", path.display())]
    Unreadable {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{place}: this is not TOML: {reason}")]
    Syntax { place: Source, reason: String },
    #[error("{place}: there is no setting `{key}`; did you mean `{nearest}`?")]
    UnknownKey {
        place: Source,
        key: String,
        nearest: String,
    },
    #[error("there is no variable {name}; did you mean {nearest}?")]
    UnknownVariable { name: String, nearest: String },
    #[error("{name} is not UTF-8")]
    NotText { name: String },
    #[error("{place}: bad value for `{key}`: {reason}")]
    Value {
        place: Source,
        key: String,
        reason: String,
    },
    #[error("the settings do not fit together: {0}")]
    Together(String),
}

/// The one of `known` that takes the fewest keystrokes to make of `typed`.
pub(super) fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> String {
    known
        .min_by_key(|known| strsim::damerau_levenshtein(typed, known))
        .unwrap_or_default()
        .to_owned()
}

/// What was typed on the command line.
fn typed(flags: &ArgMatches, table: &Command) -> Vec<Assignment> {
    let given = |setting: &&Arg| {
        let source = flags.value_source(setting.get_id().as_str());
        source == Some(ValueSource::CommandLine)
    };
    let assignment = |setting: &Arg| {
        let raw = flags.get_raw(setting.get_id().as_str());
        Assignment {
            key: key_of(setting).to_owned(),
            // The command line was parsed already, so every value is UTF-8.
            values: raw
                .into_iter()
                .flatten()
                .map(|it| it.to_string_lossy().into())
                .collect(),
            source: Source::Flag,
        }
    };
    table
        .get_arguments()
        .filter(given)
        .map(assignment)
        .collect()
}

fn row(setting: &Arg, winners: &BTreeMap<String, Assignment>) -> Row {
    let key = key_of(setting).to_owned();
    let (values, source) = match winners.get(&key) {
        Some(winner) => (winner.values.clone(), winner.source.clone()),
        None => {
            let defaults = setting.get_default_values().iter();
            let texts = defaults.map(|it| it.to_string_lossy().into_owned());
            (texts.collect(), Source::Default)
        }
    };
    let secret = setting.get_value_parser().type_id() == TypeId::of::<Secret>();
    let value = (!values.is_empty()).then(|| match secret {
        true => "[redacted]".to_owned(),
        false => values.join(","),
    });
    Row { key, value, source }
}
