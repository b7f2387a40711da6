//! `hubcheck`: holds a Mercure hub, any hub, to what it has promised, over plain HTTP.
//!
//! `docs/operate/hubcheck.md` says how to run it and how to read what it prints.
#![forbid(unsafe_code)]

use std::fs::{self, File};
use std::io::{self, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context, ensure};
use clap::{Args, Parser};
use fanfare_testkit::hubcheck::{
    Check, Credentials, Hub, HubProgram, Objection, Plan, Tampering, Torture, Verdicts,
    free_address, judge, recording, restart_then_resume, resume_in_long_history,
};

/// Holds a Mercure hub to what it has promised: nothing lost, doubled, reordered, skipped in
/// silence, or shown to the wrong people
#[derive(Debug, Parser)]
#[command(name = "hubcheck")]
enum Command {
    /// Check a running hub under load and cut connections
    Run(Run),
    /// Judge a recorded run again
    Judge {
        /// The recording
        file: PathBuf,
        /// Write the verdicts as JSON
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
    },
    /// Break a recorded run in every way, and see that the judge objects
    SelfTest {
        /// The recording of a run without objections
        file: PathBuf,
        /// Chooses the lines
        #[arg(long, value_name = "N", default_value_t = 0)]
        seed: u64,
    },
    /// Kill a hub under load, again and again
    Torture(TortureArgs),
    /// Restart a hub and resume before the first publish; resume in a long history
    Resume {
        #[command(flatten)]
        started: Started,
        #[command(flatten)]
        load: Load,
        /// Events in the long history
        #[arg(long, value_name = "COUNT", default_value_t = 30_000)]
        events: u64,
    },
}

#[derive(Debug, Args)]
struct Run {
    /// The hub, such as http://127.0.0.1:3000
    #[arg(long)]
    url: String,
    /// Key of publishers' and subscribers' tokens, for HMAC with SHA-256
    #[arg(long, default_value = KEY, conflicts_with_all = ["publisher_token", "subscriber_token"])]
    key: String,
    /// Token that may publish everything, instead of a key
    #[arg(long, value_name = "TOKEN", requires = "subscriber_token")]
    publisher_token: Option<String>,
    /// Token that may see everything, instead of a key
    #[arg(long, value_name = "TOKEN", requires = "publisher_token")]
    subscriber_token: Option<String>,
    /// How long events are published
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    seconds: u64,
    /// Chooses the moments at which connections are cut
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    #[command(flatten)]
    load: Load,
    /// Record the run, as NDJSON
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Write the verdicts as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct Load {
    /// Publishers
    #[arg(long, value_name = "COUNT", default_value_t = 4)]
    publishers: usize,
    /// How many of them repeat what is unknown, with the same `Idempotency-Key`
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    keyed: usize,
    /// Subscribers, of eight kinds in turn
    #[arg(long, value_name = "COUNT", default_value_t = 8)]
    subscribers: usize,
    /// Events a second of all publishers together; 0: as fast as they are answered
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    rate: u32,
    /// Seconds that a delivery may take
    #[arg(long, value_name = "SECONDS", default_value_t = 10)]
    bound: u64,
    /// The newest events that the hub promises to keep; without it, all
    #[arg(long, value_name = "COUNT")]
    retains: Option<u64>,
}

/// A hub that is started here.
#[derive(Debug, Args)]
struct Started {
    /// Directory for the hub's data and output; it is made if need be
    #[arg(long, value_name = "DIR", default_value = "target/hubcheck")]
    data: PathBuf,
    /// Key that the hub has for tokens
    #[arg(long, default_value = KEY)]
    key: String,
    /// Text of the line on stdout that says that the hub is ready; without it, the hub is once it
    /// takes connections
    #[arg(long, value_name = "TEXT")]
    ready: Option<String>,
    /// Program and arguments; `{address}` and `{data}` in them are filled in
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

#[derive(Debug, Args)]
struct TortureArgs {
    #[command(flatten)]
    started: Started,
    #[command(flatten)]
    load: Load,
    /// How often the hub is killed
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    rounds: u32,
    /// Chooses the moments
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Write the verdicts as JSON
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// The widespread key of demonstrations (CF-24).
const KEY: &str = "!ChangeThisMercureHubJWTSecretKey!";

fn main() -> ExitCode {
    let outcome = match Command::parse() {
        Command::Run(args) => run(&args),
        Command::Judge { file, json } => judge_again(&file, json.as_deref()),
        Command::SelfTest { file, seed } => self_test(&file, seed),
        Command::Torture(args) => torture(&args),
        Command::Resume {
            started,
            load,
            events,
        } => resume(&started, &load, events),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            say(&format!("hubcheck cannot run: {error:#}"));
            ExitCode::from(2)
        }
    }
}

/// Whether nothing was objected to; so do all commands.
fn run(args: &Run) -> anyhow::Result<bool> {
    let credentials = match (&args.publisher_token, &args.subscriber_token) {
        (Some(publisher), Some(subscriber)) => Credentials::Tokens {
            publisher: publisher.clone(),
            subscriber: subscriber.clone(),
        },
        _ => Credentials::Key(args.key.clone()),
    };
    let hub = Hub::new(&args.url, credentials)?;
    let recording = match &args.record {
        None => None,
        Some(path) => {
            let file = File::create(path);
            Some(file.with_context(|| format!("cannot write {}", path.display()))?)
        }
    };
    let check = Check::begin(&hub, &args.load.plan(), None, recording)?;
    check.publish_for(Duration::from_secs(args.seconds), args.seed);
    let run = check.finish()?;
    report(&judge(&run.lines), args.json.as_deref())
}

fn judge_again(file: &Path, json: Option<&Path>) -> anyhow::Result<bool> {
    report(&judge(&read(file)?), json)
}

fn self_test(file: &Path, seed: u64) -> anyhow::Result<bool> {
    let run = read(file)?;
    let verdicts = judge(&run);
    ensure!(
        verdicts.is_clean(),
        "the run is not clean, so it cannot be broken:\n{verdicts}"
    );
    let mut all_raised = true;
    for tampering in Tampering::ALL {
        let said = match tampering.hold(&run, seed) {
            Objection::Raised => "objected to",
            Objection::Inapplicable => "not possible in this run",
            Objection::Missing => {
                all_raised = false;
                "NOT OBJECTED TO"
            }
        };
        let verdict = tampering.verdict().name();
        say(&format!(
            "{:<15} {verdict:<10} {said}",
            format!("{tampering:?}")
        ));
    }
    Ok(all_raised)
}

fn torture(args: &TortureArgs) -> anyhow::Result<bool> {
    let (program, hub) = args.started.hub()?;
    let mut torture = Torture::new(program, hub, args.load.plan());
    torture.rounds = args.rounds;
    torture.seed = args.seed;
    torture.recordings = Some(args.started.data.clone());
    let outcome = torture.run(|round, verdicts| {
        let tally = &verdicts.tally;
        let judged = if verdicts.is_clean() {
            "clean"
        } else {
            "OBJECTED TO"
        };
        say(&format!(
            "round {round}: {} acknowledged, {} unknown, {} deliveries: {judged}",
            tally.acknowledged, tally.unknown, tally.deliveries
        ));
    })?;
    let is_clean = report(&outcome.verdicts, args.json.as_deref())?;
    say(&outcome.to_string());
    if !is_clean {
        say(&format!(
            "seed {}; data, output and recordings are in {}",
            args.seed,
            args.started.data.display()
        ));
    }
    Ok(is_clean)
}

fn resume(started: &Started, load: &Load, events: u64) -> anyhow::Result<bool> {
    let (program, hub) = started.hub()?;
    say("restart, then resume before the first publish");
    let restarted = report(&restart_then_resume(&program, &hub, &load.plan())?, None)?;
    say(&format!("\nresume in a history of {events} events"));
    let _process = program.start()?;
    let resumed = resume_in_long_history(&hub, &load.plan(), events)?;
    Ok(report(&resumed, None)? && restarted)
}

impl Load {
    fn plan(&self) -> Plan {
        let mut plan = Plan::new();
        plan.publishers = self.publishers;
        plan.keyed = self.keyed;
        plan.subscribers = self.subscribers;
        plan.rate = self.rate;
        plan.bound = Duration::from_secs(self.bound);
        plan.retains = self.retains;
        plan
    }
}

impl Started {
    fn hub(&self) -> anyhow::Result<(HubProgram, Hub)> {
        let data = &self.data;
        fs::create_dir_all(data).with_context(|| format!("cannot make {}", data.display()))?;
        let mut program = HubProgram::new(&self.command, free_address()?, data);
        if let Some(ready) = &self.ready {
            program = program.ready_by(ready);
        }
        let hub = Hub::new(&program.url(), Credentials::Key(self.key.clone()))?;
        Ok((program, hub))
    }
}

fn read(file: &Path) -> anyhow::Result<Vec<fanfare_testkit::hubcheck::Line>> {
    let opened = File::open(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(recording::read(BufReader::new(opened))?)
}

/// Prints the verdicts; whether there is nothing to object to.
fn report(verdicts: &Verdicts, json: Option<&Path>) -> anyhow::Result<bool> {
    say(&verdicts.to_string());
    if let Some(path) = json {
        let text = format!("{:#}\n", verdicts.to_json());
        fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(verdicts.is_clean())
}

fn say(text: &str) {
    // `| head -1` has had enough.
    _ = writeln!(io::stdout(), "{}", text.trim_end());
}
