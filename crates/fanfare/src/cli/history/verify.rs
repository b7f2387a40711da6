//! `fanfare history verify`: every event and every way to it.

use std::path::Path;

use anyhow::anyhow;
use fanfare_sqlite::{Finding, Inspector, OpenError, Stats};
use serde_json::{Value, json};

use super::super::ConfigFile;
use super::super::exit::{Exit, Failure};
use super::super::output;
use super::unusable;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    pub(super) file: ConfigFile,

    /// Print one JSON object for each finding, and one at the end
    #[arg(long)]
    pub(super) json: bool,
}

pub(super) fn run(directory: &Path, json: bool) -> Result<(), Failure> {
    let mut findings = 0_u64;
    let mut printed = Ok(());
    let mut found = |finding: Finding| {
        findings += 1;
        if printed.is_ok() {
            let text = match json {
                true => as_json(&finding).to_string(),
                false => in_words(&finding),
            };
            printed = output::line(&output::printable(&text));
        }
    };
    let stats = match verify(directory, &mut found) {
        Ok(stats) => Some(stats),
        Err(OpenError::Damaged { what }) => {
            found(Finding::Database { what });
            None
        }
        Err(error) => return Err(unusable(error)),
    };
    printed?;
    let looked_at = stats.map_or(0, |stats| (stats.head + 1).saturating_sub(stats.first));
    if json {
        let end = json!({"whole": findings == 0, "findings": findings, "records": looked_at});
        output::line(&end.to_string())?;
    }
    if findings > 0 {
        return Err(Failure::new(
            Exit::Failed,
            anyhow!(
                "the history is damaged in {findings} places; `fanfare history export` saves what \
                 can be read"
            ),
        ));
    }
    if !json {
        output::line(&format!("{looked_at} events, all as they were written"))?;
    }
    Ok(())
}

fn verify(directory: &Path, found: &mut impl FnMut(Finding)) -> Result<Stats, OpenError> {
    let inspector = Inspector::open(directory)?;
    inspector.verify(found)?;
    inspector.stats()
}

fn in_words(finding: &Finding) -> String {
    match finding {
        Finding::Records { first, last } if first == last => {
            format!("the event at offset {first} cannot be read")
        }
        Finding::Records { first, last } => {
            format!("the events at offsets {first} to {last} cannot be read")
        }
        Finding::Index { offset } => {
            format!("a topic of the event at offset {offset} is not in the index")
        }
        Finding::Id { offset } => {
            format!("the event at offset {offset} is not found by its id")
        }
        Finding::Database { what } => format!("database: {what}"),
        Finding::Newest { last } => {
            format!("the newest events are gone: there were some up to offset {last}")
        }
        Finding::Postings | _ => "the index of topics has lost rows".to_owned(),
    }
}

fn as_json(finding: &Finding) -> Value {
    match finding {
        Finding::Records { first, last } => json!({"records": {"first": first, "last": last}}),
        Finding::Index { offset } => json!({"index": {"offset": offset}}),
        Finding::Id { offset } => json!({"id": {"offset": offset}}),
        Finding::Database { what } => json!({"database": what}),
        Finding::Newest { last } => json!({"newest": {"last": last}}),
        Finding::Postings | _ => json!({"postings": true}),
    }
}
