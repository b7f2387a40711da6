//! `fanfare history export`: every event as a line of JSON.

use std::fs::OpenOptions;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow};
use fanfare_sqlite::Inspector;

use super::super::ConfigFile;
use super::super::exit::{Exit, Failure};
use super::line::Exported;
use super::{inspector, unusable};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Where to write it, a file that does not exist yet; without it, or `-`: to stdout
    #[arg(value_name = "FILE")]
    pub(super) target: Option<PathBuf>,

    #[command(flatten)]
    pub(super) file: ConfigFile,
}

pub(super) fn run(directory: &Path, target: Option<&Path>) -> Result<(), Failure> {
    let inspector = inspector(directory)?;
    let missing = match target.filter(|target| *target != Path::new("-")) {
        None => export(&inspector, io::stdout().lock())?,
        Some(target) => {
            let mut options = OpenOptions::new();
            let file = options.write(true).create_new(true).open(target);
            let file = file.with_context(|| format!("cannot make {}", target.display()))?;
            let missing = export(&inspector, &file)?;
            file.sync_all()?;
            missing
        }
    };
    if missing > 0 {
        return Err(Failure::new(
            Exit::Failed,
            anyhow!(
                "{missing} events cannot be read and are not among the lines; `fanfare history \
                 verify` names them"
            ),
        ));
    }
    Ok(())
}

/// Writes all lines; returns how many events could not be read.
fn export(inspector: &Inspector, target: impl Write) -> Result<u64, Failure> {
    let mut target = BufWriter::new(target);
    let mut missing = 0;
    let mut next = 0;
    loop {
        let page = inspector.records(next).map_err(unusable)?;
        if page.next == next || (page.records.is_empty() && page.missing.is_empty()) {
            break;
        }
        for record in &page.records {
            serde_json::to_writer(&mut target, &Exported::new(record)).map_err(io::Error::from)?;
            target.write_all(b"\n")?;
        }
        missing += page
            .missing
            .iter()
            .map(|hole| hole.end - hole.start)
            .sum::<u64>();
        next = page.next;
    }
    target.flush()?;
    Ok(missing)
}
