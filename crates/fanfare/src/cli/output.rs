//! The one place that writes to stdout and stderr, logs apart.

use std::borrow::Cow;
use std::io::{self, Write};

/// Writes `text` and a line end to stdout, and sees to it that it is out.
///
/// # Errors
///
/// What writing to stdout gives; [`io::ErrorKind::BrokenPipe`] when nobody reads any more.
pub(super) fn line(text: &str) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    writeln!(stdout, "{text}")?;
    stdout.flush()
}

/// Tells a person on stderr what went wrong.
pub(super) fn complain(text: &str) {
    // Where stderr is closed there is nobody to tell.
    _ = writeln!(io::stderr().lock(), "fanfare: {}", printable(text));
}

/// Escapes control characters, line ends and tabs apart: what a stranger published must not move
/// the cursor of a terminal, nor change its title.
pub(super) fn printable(text: &str) -> Cow<'_, str> {
    let foreign = |c: char| c.is_control() && c != '\n' && c != '\t';
    if !text.contains(foreign) {
        return text.into();
    }
    let escaped = |c: char| match foreign(c) {
        true => c.escape_unicode().to_string(),
        false => c.to_string(),
    };
    text.chars().map(escaped).collect::<String>().into()
}
