//! Placeholders in a Caddyfile: `{env.NAME}`, `{$NAME}`, `{$NAME:default}` and `{file.PATH}`.

use super::fault;
use crate::config::environment::Environment;
use crate::config::loaded::InvalidSetting;

/// Puts values where `text` has placeholders. What a value holds is not expanded again.
pub(super) fn expand(
    text: &str,
    line: usize,
    environment: &Environment,
) -> Result<String, InvalidSetting> {
    let mut expanded = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        expanded.push_str(before);
        let value = match after.split_once('}') {
            Some((name, tail)) => value(name, line, environment)?.map(|value| (value, tail)),
            None => None,
        };
        match value {
            Some((value, tail)) => {
                expanded.push_str(&value);
                rest = tail;
            }
            None => {
                expanded.push('{');
                rest = after;
            }
        }
    }
    expanded.push_str(rest);
    Ok(expanded)
}

/// The value of what stands between braces; `None`: those are ordinary braces.
fn value(
    name: &str,
    line: usize,
    environment: &Environment,
) -> Result<Option<String>, InvalidSetting> {
    if let Some(name) = name.strip_prefix("env.") {
        return Ok(Some(environment.text(name)?.unwrap_or_default().to_owned()));
    }
    if let Some(name) = name.strip_prefix('$') {
        let (name, default) = name.split_once(':').unwrap_or((name, ""));
        return Ok(Some(environment.text(name)?.unwrap_or(default).to_owned()));
    }
    if let Some(path) = name.strip_prefix("file.") {
        let text = std::fs::read_to_string(path)
            .map_err(|error| fault(line, &format!("cannot read {path}: {error}")))?;
        // An editor's last line end is not part of a key.
        let text = text.strip_suffix('\n').unwrap_or(&text);
        return Ok(Some(text.strip_suffix('\r').unwrap_or(text).to_owned()));
    }
    // Taken as it stands, a placeholder could become a key that everybody can guess.
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    if name.contains('.') && name.chars().all(plain) {
        let reason = format!(
            "the placeholder {{{name}}} is not known here: there are {{env.NAME}}, {{$NAME}} and \
             {{file.PATH}}"
        );
        return Err(fault(line, &reason));
    }
    Ok(None)
}
