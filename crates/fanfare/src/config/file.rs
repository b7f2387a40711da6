//! The configuration file: TOML, one key for each setting, no sections.

use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::loaded::{
    Assignment, InvalidSetting, Source, key_of, names_of, nearest, setting_called,
};

/// Reads the settings in the file at `path`.
pub(super) fn read(path: &Path, table: &clap::Command) -> Result<Vec<Assignment>, InvalidSetting> {
    let text = std::fs::read_to_string(path).map_err(|source| InvalidSetting::Unreadable {
        path: path.to_owned(),
        source,
    })?;
    parse(&text, path, table)
}

/// Takes `text` as the file at `path`.
pub(super) fn parse(
    text: &str,
    path: &Path,
    table: &clap::Command,
) -> Result<Vec<Assignment>, InvalidSetting> {
    let place = |offset: usize| Source::File {
        path: path.to_owned(),
        line: line_at(text, offset),
    };
    // Its message only: with the line itself, a key could reach the log.
    let file = DeTable::parse(text).map_err(|error| InvalidSetting::Syntax {
        place: place(error.span().map_or(0, |span| span.start)),
        reason: error.message().to_owned(),
    })?;

    let mut assignments: Vec<Assignment> = Vec::new();
    for (key, value) in file.get_ref() {
        let source = place(key.span().start);
        let key: &str = key.get_ref();
        let Some(setting) = setting_called(key, table) else {
            return Err(InvalidSetting::UnknownKey {
                place: source,
                nearest: nearest(key, table.get_arguments().flat_map(names_of)),
                key: key.to_owned(),
            });
        };
        let key = key_of(setting);
        if let Some(first) = assignments.iter().find(|it| it.key == key) {
            return Err(InvalidSetting::Twice {
                key: key.to_owned(),
                first: first.source.clone(),
                second: source,
            });
        }
        let Some(values) = texts(value) else {
            return Err(InvalidSetting::Value {
                place: source,
                key: key.to_owned(),
                reason: format!(
                    "it must be text, a number, a boolean or a list of texts, not {}",
                    value.get_ref().type_str()
                ),
            });
        };
        assignments.push(Assignment {
            key: key.to_owned(),
            values,
            source,
        });
    }
    Ok(assignments)
}

/// A value as the texts that a command line would have.
fn texts(value: &Spanned<DeValue<'_>>) -> Option<Vec<String>> {
    let one = |value: &Spanned<DeValue<'_>>| match value.get_ref() {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(number) => Some(number.to_string()),
        DeValue::Boolean(yes) => Some(yes.to_string()),
        DeValue::Float(_) | DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    };
    match value.get_ref().as_array() {
        Some(list) => list.iter().map(one).collect(),
        None => Some(vec![one(value)?]),
    }
}

/// The line that the byte at `offset` is on, from 1.
fn line_at(text: &str, offset: usize) -> usize {
    let before = text.as_bytes().get(..offset).unwrap_or_default();
    1 + before.iter().filter(|&&byte| byte == b'\n').count()
}
