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
use fanfare::bridge::Bridge;

use super::access::PerIssuer;
use super::broker::{BrokerAddress, without_secret};
use super::environment::Environment;
use super::{Settings, development, file, mercure};

/// What holds: flags over variables over the file over defaults.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    /// The values.
    pub(crate) settings: Settings,
    /// Every setting as text, in the order of the table.
    pub(crate) rows: Vec<Row>,
    /// What of a Mercure hub's environment does not mean here what it meant there.
    pub(crate) warnings: Vec<String>,
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
    /// Lays `flags` over `environment` over the file at `path`, and that over what development
    /// presumes.
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
        let theirs = mercure::translate(environment)?;
        layers.extend(theirs.assignments);
        layers.extend(environment.assignments(&table, others)?);
        layers.extend(typed(flags, &table)?);
        let implied = mercure::implied_issuer(&layers);
        layers.extend(implied);
        let mut loaded = Self::lay(layers.clone(), table.clone())?;
        if loaded.settings.dev {
            let presumed = development::presumed().chain(layers);
            loaded = Self::lay(presumed.collect(), table)?;
        }
        loaded.warnings = theirs.warnings;
        Ok(loaded)
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
        Ok(Self {
            settings,
            rows,
            warnings: Vec::new(),
        })
    }
}

/// The table of settings, as a command line of its own.
pub(crate) fn table() -> Command {
    let command = Command::new("settings")
        .no_binary_name(true)
        .disable_help_flag(true);
    Settings::augment_args(command)
}

/// The setting that `name` is the key of, or another name of.
pub(super) fn setting_called<'a>(name: &str, table: &'a Command) -> Option<&'a Arg> {
    table
        .get_arguments()
        .find(|setting| names_of(setting).any(|it| it == name))
}

/// A setting's key, and then its other names.
pub(super) fn names_of(setting: &Arg) -> impl Iterator<Item = &str> {
    let others = setting.get_visible_aliases().unwrap_or_default();
    std::iter::once(key_of(setting)).chain(others)
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
    Development,
    File { path: PathBuf, line: usize },
    Variable(String),
    Directive { line: usize },
    Flag,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => f.write_str("default"),
            Self::Development => f.write_str("dev"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Variable(name) => f.write_str(name),
            Self::Directive { line } => write!(f, "{DIRECTIVES}, line {line}"),
            Self::Flag => f.write_str("command line"),
        }
    }
}

/// The variable that holds directives of Mercure's Caddyfile.
pub(super) const DIRECTIVES: &str = "MERCURE_EXTRA_DIRECTIVES";

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
    #[error("{place}: there is no directive `{name}`; did you mean `{nearest}`?")]
    UnknownDirective {
        place: Source,
        name: String,
        nearest: String,
    },
    #[error("{place}: {reason}")]
    Directive { place: Source, reason: String },
    #[error("`{key}` is set twice: by {first} and by {second}")]
    Twice {
        key: String,
        first: Source,
        second: Source,
    },
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

/// A word of a source, for a message; what does not look like a name may be part of a key.
pub(super) fn shown(word: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    let is_name = word.len() <= 40 && word.bytes().all(plain);
    if is_name { word } else { "…" }.to_owned()
}

/// The one of `known` that takes the fewest keystrokes to make of `typed`.
pub(super) fn nearest<'a>(typed: &str, known: impl Iterator<Item = &'a str>) -> String {
    known
        .min_by_key(|known| strsim::damerau_levenshtein(typed, known))
        .unwrap_or_default()
        .to_owned()
}

/// What was typed on the command line.
fn typed(flags: &ArgMatches, table: &Command) -> Result<Vec<Assignment>, InvalidSetting> {
    let given = |setting: &&Arg| {
        let id = setting.get_id().as_str();
        // Some commands take a part of the table.
        let taken = flags.try_contains_id(id).is_ok();
        taken && flags.value_source(id) == Some(ValueSource::CommandLine)
    };
    let assignment = |setting: &Arg| {
        let raw = flags.get_raw(setting.get_id().as_str());
        // The command line was parsed already, so every value is UTF-8.
        let values = raw.into_iter().flatten();
        let values: Vec<String> = values.map(|it| it.to_string_lossy().into()).collect();
        let (key, source) = (key_of(setting).to_owned(), Source::Flag);
        // A PEM key begins with hyphens too. With an empty shell variable in a key's place, the
        // next flag would become a key that everybody can guess.
        if values.iter().any(|value| is_flag(value, table)) {
            return Err(InvalidSetting::Value {
                place: source,
                key,
                reason: "its value is missing; what follows is another flag".to_owned(),
            });
        }
        Ok(Assignment {
            key,
            values,
            source,
        })
    };
    table
        .get_arguments()
        .filter(given)
        .map(assignment)
        .collect()
}

fn is_flag(value: &str, table: &Command) -> bool {
    let name = value.strip_prefix("--").unwrap_or_default();
    let name = name.split('=').next().unwrap_or_default();
    name == "config" || setting_called(name, table).is_some()
}

fn shown_broker(text: &str) -> String {
    let address = text.parse::<BrokerAddress>();
    address.map_or_else(|_| "[redacted]".to_owned(), |it| it.to_string())
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
    let parsed = setting.get_value_parser().type_id();
    let secret = parsed == TypeId::of::<Secret>() || parsed == TypeId::of::<PerIssuer<Secret>>();
    let names_broker = parsed == TypeId::of::<BrokerAddress>();
    let value = (!values.is_empty()).then(|| match secret {
        true => "[redacted]".to_owned(),
        // As it shows itself: what was typed may hold a password.
        false if names_broker => values.iter().map(|text| shown_broker(text)).collect(),
        false if parsed == TypeId::of::<Bridge>() => without_secret(&values.join(",")),
        false => values.join(","),
    });
    Row { key, value, source }
}
