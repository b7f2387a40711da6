//! The topics that only the hub itself may publish to: those inside its own URL space.

use url::Url;

/// Whether `topic`, resolved as a browser would on the hub's own URL, is inside `hub_path`.
///
/// Presence events are published there, and a subscriber must be able to trust them (D1-P9, S18).
/// A test for a prefix or a substring would miss `mercure/x`, `%6Dercure` and `\`, and would refuse
/// topics that merely mention the path.
pub(crate) fn is_reserved(hub_path: &str, topic: &str) -> bool {
    // Scheme and host do not count, so any will do.
    let hub = Url::parse("https://hub.invalid").and_then(|origin| origin.join(hub_path));
    let Ok(resolved) = hub.and_then(|hub| hub.join(topic)) else {
        return false;
    };
    let path = decode_unreserved(resolved.path());
    path.strip_prefix(hub_path)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Decodes every `%XX` that stands for an unreserved character (RFC 3986 §2.3), nothing else.
fn decode_unreserved(path: &str) -> String {
    let mut decoded = String::with_capacity(path.len());
    let mut rest = path;
    while let Some((before, after)) = rest.split_once('%') {
        decoded.push_str(before);
        let digits = after.get(..2).unwrap_or_default();
        let byte = u8::from_str_radix(digits, 16).unwrap_or_default();
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            decoded.push(char::from(byte));
            rest = after.get(2..).unwrap_or_default();
        } else {
            decoded.push('%');
            rest = after;
        }
    }
    decoded + rest
}

#[cfg(test)]
mod tests;
