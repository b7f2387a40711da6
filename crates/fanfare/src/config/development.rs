//! What development presumes of settings that nobody gave.

use super::loaded::{Assignment, Source};

/// Everybody may read, see who is there, and publish from any page (CF-25). It lies below every
/// other source, so a setting that was given is never overruled.
///
/// Pages of any origin may publish with a cookie: in development they may anyhow, without one,
/// through `/broadcast`.
pub(super) fn presumed() -> impl Iterator<Item = Assignment> {
    let presumed = [
        ("anonymous", "true"),
        ("subscriptions", "true"),
        ("cors-origin", "*"),
        ("publish-origin", "*"),
    ];
    presumed.into_iter().map(|(key, value)| Assignment {
        key: key.to_owned(),
        values: vec![value.to_owned()],
        source: Source::Development,
    })
}
