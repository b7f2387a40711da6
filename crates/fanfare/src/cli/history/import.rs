//! `fanfare history import`: stores lines of JSON in a history that no hub uses.

use std::fs::File;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, anyhow};
use fanfare_broker::{Broker, Health, Publication};
use fanfare_sqlite::SqliteBroker;

use super::super::ConfigFile;
use super::super::exit::{Exit, Failure};
use super::super::output;
use super::line::{Imported, Now};
use super::{directory, not_alone};
use crate::config::{Loaded, sqlite_config};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The lines; without it, or `-`: from stdin
    #[arg(value_name = "FILE")]
    pub(super) source: Option<PathBuf>,

    #[command(flatten)]
    pub(super) file: ConfigFile,
}

pub(super) fn run(loaded: &Loaded, source: Option<&Path>) -> Result<(), Failure> {
    let directory = directory(loaded)?;
    let lines: Box<dyn BufRead> = match source.filter(|source| *source != Path::new("-")) {
        None => Box::new(io::stdin().lock()),
        Some(source) => {
            let file = File::open(source);
            let file = file.with_context(|| format!("cannot read {}", source.display()))?;
            Box::new(BufReader::new(file))
        }
    };
    let mut config = sqlite_config(&loaded.settings);
    config.dedupe_window = config.dedupe_window.max(REPEATABLE);
    let broker = SqliteBroker::open(directory, config)
        .map_err(|error| not_alone(error, "import", "publish to it instead, by POST /publish"))?;
    if let Health::Failed { why } = broker.health() {
        return Err(Failure::new(Exit::Data, anyhow!(why)));
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut import = Import {
        broker,
        batch: Vec::new(),
        batch_bytes: 0,
        first_stored: None,
        stored: 0,
        known: 0,
    };
    let outcome = runtime.block_on(async {
        let outcome = import.all(lines).await;
        #[expect(clippy::disallowed_methods, reason = "the end of the command")]
        import.broker.close(Instant::now() + CLOSE_TIMEOUT).await;
        outcome
    });
    let (stored, known) = (import.stored, import.known);
    let report = format!("{stored} events are stored, {known} were there already");
    match outcome {
        Ok(trimmed) => {
            output::line(&report)?;
            if trimmed > 0 {
                output::complain(&format!(
                    "of these, {trimmed} are gone again: they are more than history-count-max, \
                     history-bytes-max or history-age-max keep"
                ));
            }
            Ok(())
        }
        Err(error) => Err(Failure::new(
            Exit::Failed,
            error.context(format!(
                "{report}, and then it ended; importing the whole file again stores nothing twice"
            )),
        )),
    }
}

struct Import {
    broker: SqliteBroker,
    batch: Vec<Publication>,
    batch_bytes: usize,
    /// The offset of the first event that was stored.
    first_stored: Option<u64>,
    stored: u64,
    known: u64,
}

impl Import {
    /// Stores all of `lines`, in order; returns how many of them the limits let go again.
    async fn all(&mut self, lines: impl BufRead) -> anyhow::Result<u64> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the one time this command reads the clocks"
        )]
        let now = Now {
            wall: SystemTime::now(),
            instant: Instant::now(),
        };
        for (number, line) in (1_u64..).zip(lines.lines()) {
            let line = line.with_context(|| format!("line {number}"))?;
            if line.trim().is_empty() {
                continue;
            }
            let publication = Imported::publication(&line, number, now);
            let publication = match publication.with_context(|| format!("line {number}")) {
                Ok(publication) => publication,
                Err(error) => {
                    self.flush().await?;
                    return Err(error);
                }
            };
            self.batch_bytes += line.len();
            self.batch.push(publication);
            if self.batch.len() >= BATCH_MAX || self.batch_bytes >= BATCH_BYTES_MAX {
                self.flush().await?;
            }
        }
        self.flush().await?;
        let first = self.broker.bounds().await?.first;
        Ok(self
            .first_stored
            .map_or(0, |stored| first.saturating_sub(stored).min(self.stored)))
    }

    async fn flush(&mut self) -> anyhow::Result<()> {
        self.batch_bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        if batch.is_empty() {
            return Ok(());
        }
        for outcome in self.broker.publish(batch).await {
            let receipt = outcome?;
            if receipt.duplicate {
                self.known += 1;
            } else {
                self.stored += 1;
                self.first_stored.get_or_insert(receipt.cursor.offset);
            }
        }
        Ok(())
    }
}

/// How long an import can be repeated without storing anything twice.
const REPEATABLE: Duration = Duration::from_hours(7 * 24);

/// Events of one transaction, and bytes of their lines.
const BATCH_MAX: usize = 1000;
const BATCH_BYTES_MAX: usize = 1 << 20;

const CLOSE_TIMEOUT: Duration = Duration::from_secs(60);
