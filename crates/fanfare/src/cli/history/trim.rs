//! `fanfare history trim`: lets go of the oldest events.

use std::path::Path;

use fanfare_sqlite::Keep;

use super::super::ConfigFile;
use super::super::exit::Failure;
use super::super::output;
use super::{inspector, not_alone, unusable};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) file: ConfigFile,

    #[command(flatten)]
    pub(super) keep: KeepArgs,
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
pub(super) struct KeepArgs {
    /// Keep the events from this offset on; the newest stays in any case
    #[arg(long, value_name = "OFFSET")]
    before: Option<u64>,

    /// Keep so many of the newest events, at least one
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..))]
    keep: Option<u64>,
}

pub(super) fn run(directory: &Path, args: &KeepArgs) -> Result<(), Failure> {
    let before = inspector(directory)?.stats().map_err(unusable)?;
    let keep = match (args.before, args.keep) {
        (Some(offset), _) => Keep::From(offset),
        (None, count) => Keep::Newest(count.unwrap_or(u64::MAX)),
    };
    fanfare_sqlite::trim(directory, keep).map_err(|error| {
        let instead = "start it with a lower history-count-max";
        not_alone(error, "trim", instead)
    })?;
    let after = inspector(directory)?.stats().map_err(unusable)?;
    let gone = after.first.saturating_sub(before.first);
    let kept = (after.head + 1).saturating_sub(after.first);
    Ok(output::line(&format!(
        "{gone} events are gone, {kept} are kept; {} bytes on the disk, before {}",
        after.file_bytes, before.file_bytes
    ))?)
}
