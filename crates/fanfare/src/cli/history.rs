//! `fanfare history`: a look at what a hub keeps on its disk, copies of it, and cuts.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use anyhow::anyhow;
use clap::Arg;
use fanfare_sqlite::{Inspector, OpenError};

use super::ConfigFile;
use super::exit::{Exit, Failure};
use crate::config::{BrokerAddress, HISTORY, Loaded};

mod backup;
mod export;
mod import;
mod line;
mod stats;
mod trim;
mod verify;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, clap::Subcommand)]
enum Action {
    /// Print what is kept: how much, since when, in how many bytes
    ///
    /// Works beside a running hub.
    Stats(stats::Args),
    /// Look at every event and every way to it; ends with 1 if something is damaged
    ///
    /// Works beside a running hub, whose log grows until it has ended.
    Verify(verify::Args),
    /// Print every event that is kept, oldest first, as one JSON object a line
    ///
    /// Works beside a running hub, and ends with what is kept when it gets there.
    Export(export::Args),
    /// Store the events of an export, or of what POST /publish takes, one JSON object a line
    ///
    /// Not beside a running hub. What is there already is not stored twice; ids that a hub made
    /// (`urn:ff:…`) are made anew.
    Import(import::Args),
    /// Let go of the oldest events
    ///
    /// Not beside a running hub.
    Trim(trim::Args),
    /// Write a copy of the history, as it is at one moment, to a new file
    ///
    /// Works beside a running hub, whose log grows until it has ended.
    Backup(backup::Args),
}

/// Whether the command called `name` takes `setting`: which history it is about, and how `import`
/// is to keep what it stores.
pub(super) fn takes(name: &str, setting: &Arg) -> bool {
    let keeps = name == "import" && setting.get_help_heading() == Some(HISTORY);
    setting.get_long() == Some("broker") || keeps
}

pub(super) fn run(
    args: Args,
    load: impl Fn(ConfigFile) -> Result<Loaded, Failure>,
) -> Result<(), Failure> {
    match args.action {
        Action::Stats(args) => stats::run(&directory(&load(args.file)?)?, args.json),
        Action::Verify(args) => verify::run(&directory(&load(args.file)?)?, args.json),
        Action::Export(args) => export::run(&directory(&load(args.file)?)?, args.target.as_deref()),
        Action::Import(args) => import::run(&load(args.file)?, args.source.as_deref()),
        Action::Trim(args) => trim::run(&directory(&load(args.file)?)?, &args.keep),
        Action::Backup(args) => backup::run(&directory(&load(args.file)?)?, &args.target),
    }
}

/// Where the history is.
fn directory(loaded: &Loaded) -> Result<PathBuf, Failure> {
    match &loaded.settings.broker {
        BrokerAddress::Sqlite(directory) => Ok(directory.clone()),
        BrokerAddress::Memory => Err(Failure::new(
            Exit::Usage,
            anyhow!(
                "the memory broker keeps nothing that could be looked at; name a history by \
                 --broker sqlite:DIRECTORY"
            ),
        )),
        BrokerAddress::Nats(_) => Err(Failure::new(
            Exit::Usage,
            anyhow!("a history on NATS is looked at with the tools of NATS, such as `nats stream`"),
        )),
        BrokerAddress::Redis(_) => Err(Failure::new(
            Exit::Usage,
            anyhow!(
                "these commands are for an SQLite history; name one by --broker sqlite:DIRECTORY"
            ),
        )),
    }
}

fn inspector(directory: &Path) -> Result<Inspector, Failure> {
    Inspector::open(directory).map_err(unusable)
}

/// The history cannot be opened, or not be read any more.
fn unusable(error: OpenError) -> Failure {
    Failure::new(Exit::Data, error)
}

/// The same for a command that wants the history to itself; `instead` is what can be done while a
/// hub has it.
fn not_alone(error: OpenError, command: &str, instead: &str) -> Failure {
    let OpenError::InUse { directory, pid } = error else {
        return unusable(error);
    };
    Failure::new(
        Exit::Data,
        anyhow!(
            "data directory {} is in use by process {pid}, and `history {command}` wants it to \
             itself; stop that hub first, or {instead}",
            directory.display()
        ),
    )
}

/// A moment for people, from milliseconds since 1970.
fn moment(unix_ms: u64) -> String {
    let time = UNIX_EPOCH.checked_add(Duration::from_millis(unix_ms));
    // HTTP's form of a date ends with its year 9999.
    match time.filter(|_| unix_ms < 253_402_300_800_000) {
        Some(time) => httpdate::fmt_http_date(time),
        None => format!("{unix_ms} ms after 1970"),
    }
}
