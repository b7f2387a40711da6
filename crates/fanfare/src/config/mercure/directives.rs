//! Mercure's directives (§5.1 of its Caddyfile), each as the setting of ours that means the same.

use std::borrow::Cow;
use std::path::Path;

use url::Url;

use super::caddyfile::Directive;
use super::translation::Translation;
use crate::config::loaded::{InvalidSetting, Source, nearest, shown};

mod issuer;

/// Adds what `directives` mean to `translation`, over what variables have said.
///
/// # Errors
///
/// [`InvalidSetting`] names the line, and for an unknown directive the nearest one (CF-1).
pub(super) fn translate(
    directives: &[Directive],
    translation: &mut Translation,
) -> Result<(), InvalidSetting> {
    let mut issuers = issuer::Issuers::default();
    for directive in directives {
        let source = source(directive);
        let allows_block = ["issuer", "transport"].contains(&directive.name.as_str());
        if !allows_block && !directive.block.is_empty() {
            return Err(wrong(directive, "has no block"));
        }
        match directive.name.as_str() {
            "publisher_jwt" => jwt(directive, "publisher", translation)?,
            "subscriber_jwt" => jwt(directive, "subscriber", translation)?,
            "publisher_jwks_url" | "subscriber_jwks_url" | "resource_identifier" | "heartbeat" => {
                let key = key_of(&directive.name);
                translation.set(&key, [one(directive)?], &source);
            }
            "write_timeout" => translation.set("lifetime-max", [one(directive)?], &source),
            "cookie_name" => {
                // It names the cookie of the generation that the old hub spoke; we speak both.
                let name = one(directive)?;
                translation.set("cookie-name", [name], &source);
                translation.set("access-cookie-name", [name], &source);
            }
            "public_urls" | "cors_origins" | "publish_origins" => {
                let key = key_of(&directive.name);
                translation.add(key.trim_end_matches('s'), several(directive)?, &source);
            }
            "anonymous" | "subscriptions" => {
                none(directive)?;
                translation.set(&directive.name, ["true"], &source);
            }
            "issuer" => issuers.add(directive)?,
            "dispatch_timeout" => dispatch_timeout(directive, translation)?,
            "max_request_body_size" => body_size(directive, translation)?,
            "transport" => transport(directive, translation)?,
            "transport_url" => transport_url(one(directive)?, &source, translation)?,
            "protocol_version_compatibility" => compatibility(directive, translation)?,
            // Names one of several hubs, and sizes caches; here is one hub, without such caches.
            "name"
            | "topic_selector_cache"
            | "topic_matcher_cache"
            | "subscriber_list_cache_size" => {}
            "ui" | "demo" | "debugger" | "playground" => translation.warn(format!(
                "{source}: `{}` is not built here; `--dev` has a page to try things out",
                directive.name
            )),
            unknown => {
                return Err(InvalidSetting::UnknownDirective {
                    nearest: nearest(unknown, NAMES.into_iter()),
                    name: shown(unknown),
                    place: source,
                });
            }
        }
    }
    issuers.translate(translation);
    Ok(())
}

/// Every directive that is understood, to find the nearest to one that is not.
const NAMES: [&str; 27] = [
    "anonymous",
    "cookie_name",
    "cors_origins",
    "debugger",
    "demo",
    "dispatch_timeout",
    "heartbeat",
    "issuer",
    "max_request_body_size",
    "name",
    "playground",
    "protocol_version_compatibility",
    "public_urls",
    "publish_origins",
    "publisher_jwks_url",
    "publisher_jwt",
    "resource_identifier",
    "subscriber_jwks_url",
    "subscriber_jwt",
    "subscriber_list_cache_size",
    "subscriptions",
    "topic_matcher_cache",
    "topic_selector_cache",
    "transport",
    "transport_url",
    "ui",
    "write_timeout",
];

/// CF-2: `publisher_jwt KEY [ALG]`.
fn jwt(
    directive: &Directive,
    role: &str,
    translation: &mut Translation,
) -> Result<(), InvalidSetting> {
    let source = source(directive);
    let (key, algorithm) = key_and_algorithm(directive)?;
    // Said also where it is the default: one from a variable belonged to another key.
    let algorithm = algorithm.unwrap_or("HS256");
    translation.set(&format!("{role}-jwt-key"), [key], &source);
    translation.set(&format!("{role}-jwt-alg"), [algorithm], &source);
    Ok(())
}

/// A key, and the algorithm after it; a placeholder without a value stands for none.
fn key_and_algorithm(directive: &Directive) -> Result<(&str, Option<&str>), InvalidSetting> {
    match directive.arguments.as_slice() {
        [key] => Ok((key, None)),
        [key, algorithm] => Ok((key, Some(algorithm.as_str()).filter(|it| !it.is_empty()))),
        _ => Err(wrong(directive, "takes a key, and perhaps an algorithm")),
    }
}

/// CF-11. Without a deadline a dead peer would stay for ever; ours is at least a very long one.
fn dispatch_timeout(
    directive: &Directive,
    translation: &mut Translation,
) -> Result<(), InvalidSetting> {
    let source = source(directive);
    let text = one(directive)?;
    let off = is_zero(text);
    if off {
        translation.warn(format!(
            "{source}: `dispatch_timeout` cannot be off; the stall timeout is {LONG} instead"
        ));
    }
    translation.set("stall-timeout", [if off { LONG } else { text }], &source);
    Ok(())
}

const LONG: &str = "1d";

/// CF-20. There is always a limit.
fn body_size(directive: &Directive, translation: &mut Translation) -> Result<(), InvalidSetting> {
    let source = source(directive);
    let text = byte_count(one(directive)?);
    let off = is_zero(&text);
    if off {
        translation.warn(format!(
            "{source}: `max_request_body_size` cannot be off; the limit is {LARGE} instead"
        ));
    }
    translation.set("body-bytes-max", [if off { LARGE } else { &text }], &source);
    Ok(())
}

/// As much as the ring holds by default.
const LARGE: &str = "64MiB";

/// A number of bytes as Caddy takes it (`10MB`, `1mib`), as ours; what is neither stays as it is.
fn byte_count(text: &str) -> Cow<'_, str> {
    let end = text.find(|c: char| !c.is_ascii_digit());
    let (number, unit) = text.split_at(end.unwrap_or(text.len()));
    let unit = unit.trim().to_ascii_lowercase();
    let found = SIZES.iter().find(|(name, _)| *name == unit);
    let bytes = found.and_then(|(_, size)| number.parse::<u64>().ok()?.checked_mul(*size));
    bytes.map_or(Cow::Borrowed(text), |bytes| Cow::Owned(bytes.to_string()))
}

const SIZES: [(&str, u64); 8] = [
    ("", 1),
    ("b", 1),
    ("kb", 1000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
];

fn is_zero(text: &str) -> bool {
    text.starts_with('0') && text.chars().all(|c| matches!(c, '0') || c.is_alphabetic())
}

/// CF-14. Version 8 is spoken in any case, and 7 in all that is safe.
fn compatibility(
    directive: &Directive,
    translation: &mut Translation,
) -> Result<(), InvalidSetting> {
    if one(directive)? == "7" {
        translation.warn(format!(
            "{}: of version 7 the query parameter `Last-Event-ID` works; publishing to topics that \
             the token does not grant stays forbidden",
            source(directive)
        ));
    }
    Ok(())
}

/// CF-15, CF-16: `transport bolt { … }` and `transport local`.
fn transport(directive: &Directive, translation: &mut Translation) -> Result<(), InvalidSetting> {
    let source = source(directive);
    let (mut size, mut path) = (None, None);
    for option in &directive.block {
        match option.name.as_str() {
            "size" => size = Some(one(option)?),
            "path" => path = Some(one(option)?),
            "bucket_name" | "cleanup_frequency" => {}
            unknown => {
                let known = ["bucket_name", "cleanup_frequency", "path", "size"];
                return Err(InvalidSetting::UnknownDirective {
                    place: self::source(option),
                    nearest: nearest(unknown, known.into_iter()),
                    name: shown(unknown),
                });
            }
        }
    }
    keep(one(directive)?, path, size, &source, translation)
}

/// CF-17: `bolt://PATH?size=N`, `local://local`.
pub(super) fn transport_url(
    text: &str,
    source: &Source,
    translation: &mut Translation,
) -> Result<(), InvalidSetting> {
    let url = Url::parse(text).map_err(|_| InvalidSetting::Directive {
        place: source.clone(),
        reason: "a transport is a URL, such as local://local".to_owned(),
    })?;
    let mut pairs = url.query_pairs();
    let size = pairs.find(|(name, _)| name == "size");
    // `bolt://file.db` has its relative path where a host would be.
    let path = format!("{}{}", url.host_str().unwrap_or_default(), url.path());
    keep(
        url.scheme(),
        Some(&path),
        size.as_ref().map(|(_, size)| &**size),
        source,
        translation,
    )
}

/// Keeps events where the old database is, as many as `size` says; that the old ones are not read
/// is said aloud.
fn keep(
    transport: &str,
    path: Option<&str>,
    size: Option<&str>,
    source: &Source,
    translation: &mut Translation,
) -> Result<(), InvalidSetting> {
    match transport {
        "local" => {
            translation.set("broker", ["memory"], source);
            return Ok(());
        }
        "bolt" => {}
        other => {
            return Err(InvalidSetting::Directive {
                place: source.clone(),
                reason: format!("there is no transport `{other}`: there are `bolt` and `local`"),
            });
        }
    }
    let path = Path::new(path.unwrap_or_default());
    let data = path.with_file_name("fanfare-data");
    let broker = format!("sqlite:{}", data.display());
    translation.set("broker", [broker.as_str()], source);
    translation.warn(format!(
        "{source}: events are kept in {}; those in an old mercure.db are not read",
        data.display()
    ));
    // Zero means no limit there. Here bytes are limited in any case, so the default may stay.
    if let Some(size) = size.filter(|size| !is_zero(size)) {
        translation.set("history-count-max", [size], source);
    }
    Ok(())
}

/// `cors_origins` is `cors-origins`.
fn key_of(name: &str) -> String {
    name.replace('_', "-")
}

fn source(directive: &Directive) -> Source {
    Source::Directive {
        line: directive.line,
    }
}

fn one(directive: &Directive) -> Result<&str, InvalidSetting> {
    match directive.arguments.as_slice() {
        [argument] => Ok(argument),
        _ => Err(wrong(directive, "takes one value")),
    }
}

fn several(directive: &Directive) -> Result<impl Iterator<Item = &str>, InvalidSetting> {
    match directive.arguments.is_empty() {
        true => Err(wrong(directive, "takes at least one value")),
        false => Ok(directive.arguments.iter().map(String::as_str)),
    }
}

fn none(directive: &Directive) -> Result<(), InvalidSetting> {
    match directive.arguments.is_empty() {
        true => Ok(()),
        false => Err(wrong(
            directive,
            "takes no value: its name alone turns it on",
        )),
    }
}

/// It never repeats an argument, which may be a key.
fn wrong(directive: &Directive, reason: &str) -> InvalidSetting {
    InvalidSetting::Directive {
        place: source(directive),
        reason: format!("`{}` {reason}", directive.name),
    }
}

#[cfg(test)]
mod tests;
