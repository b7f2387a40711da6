//! `fanfare history stats`.

use std::path::Path;

use serde_json::json;

use super::super::ConfigFile;
use super::super::exit::Failure;
use super::super::output;
use super::{inspector, moment, unusable};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) file: ConfigFile,

    /// Print one JSON object; times are milliseconds since 1970
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(directory: &Path, json: bool) -> Result<(), Failure> {
    let stats = inspector(directory)?.stats().map_err(unusable)?;
    let records = (stats.head + 1).saturating_sub(stats.first);
    if json {
        let stats = json!({
            "directory": directory.display().to_string(),
            "records": records,
            "first": stats.first,
            "head": stats.head,
            "oldest_ms": stats.oldest_ms,
            "newest_ms": stats.newest_ms,
            "bytes": stats.bytes,
            "file_bytes": stats.file_bytes,
            "epochs": stats.epochs,
            "keys": stats.keys,
            "started_ms": stats.started_ms,
            "durability": stats.durability,
            "clean": stats.clean,
        });
        return Ok(output::line(&stats.to_string())?);
    }
    let offsets = match records {
        0 => format!("0, the next is offset {}", stats.head + 1),
        _ => format!("{records}, offsets {} to {}", stats.first, stats.head),
    };
    let time = |unix_ms: Option<u64>| unix_ms.map_or("-".to_owned(), moment);
    let last_run = match (stats.started_ms, stats.clean) {
        (0, _) => "none yet".to_owned(),
        (began, true) => format!("began {}, ended in order", moment(began)),
        (began, false) => format!("began {}; it still runs, or was cut off", moment(began)),
    };
    let rows = [
        ("directory", directory.display().to_string()),
        ("events", offsets),
        ("oldest", time(stats.oldest_ms)),
        ("newest", time(stats.newest_ms)),
        (
            "bytes",
            format!("{}, as history-bytes-max counts", stats.bytes),
        ),
        ("on the disk", format!("{} bytes", stats.file_bytes)),
        ("epochs", stats.epochs.to_string()),
        ("idempotency keys", stats.keys.to_string()),
        ("durability", stats.durability),
        ("last run", last_run),
    ];
    for (name, value) in rows {
        output::line(&output::printable(&format!("{name:16}  {value}")))?;
    }
    Ok(())
}
