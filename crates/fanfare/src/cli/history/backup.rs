//! `fanfare history backup`: a copy of one moment.

use std::path::{Path, PathBuf};

use super::super::ConfigFile;
use super::super::exit::Failure;
use super::super::output;
use super::{inspector, unusable};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The copy, a file that does not exist yet; as `fanfare.db` in a directory of its own it is a
    /// history to start a hub on
    #[arg(value_name = "FILE")]
    pub(super) target: PathBuf,

    #[command(flatten)]
    pub(super) file: ConfigFile,
}

pub(super) fn run(directory: &Path, target: &Path) -> Result<(), Failure> {
    inspector(directory)?.backup(target).map_err(unusable)?;
    let bytes = std::fs::metadata(target)?.len();
    let text = format!("{}: {bytes} bytes", target.display());
    Ok(output::line(&output::printable(&text))?)
}
