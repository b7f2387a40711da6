//! `fanfare check-config`: what holds, and where it came from.

use super::exit::Failure;
use super::output;
use crate::config::{Loaded, Parts};

/// Prints every setting, then says whether `serve` would start with them.
pub(super) fn run(loaded: Loaded) -> Result<(), Failure> {
    let key_width = loaded
        .rows
        .iter()
        .map(|row| row.key.len())
        .max()
        .unwrap_or_default();
    for row in &loaded.rows {
        let value = row.value.as_deref().unwrap_or("-");
        let text = format!("{:key_width$}  {value:24}  {}", row.key, row.source);
        output::line(&output::printable(&text))?;
    }
    if loaded.settings.dev {
        output::line(DEVELOPMENT)?;
    }
    let parts = Parts::new(loaded.settings).map_err(Failure::unfit)?;
    for warning in loaded.warnings.iter().chain(&parts.warnings) {
        output::complain(warning);
    }
    Ok(())
}

const DEVELOPMENT: &str = "\
dev is on: what is not set of these is made up at the start: keys at random, issuer as \
https://localhost";
