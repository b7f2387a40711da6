//! `cargo xtask`: Fanfare's developer commands.
#![forbid(unsafe_code)]

mod command;
mod demo;
mod deploy;
mod test;
mod tidy;
mod tools;
mod torture;
mod tree;

use std::process::ExitCode;

use clap::Parser;

use command::Command;

/// Fanfare's developer commands
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
enum Task {
    /// Run everything that CI runs, cheapest first
    Test {
        /// A step (format, tidy, deploy, clippy, tests, conformance, faults, cluster, proxies, outside, web), or a part of the names of tests to run
        word: Option<String>,
    },
    /// Hold the tree against its own rules
    Tidy,
    /// Measure the hub beside the floor and a peer; without a name, on all workloads
    Bench {
        /// What the bench takes; `--help` tells
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Start two hubs on one Redis, and say what to try; Ctrl-C ends them
    Demo,
    /// Hold a Mercure hub, any hub, to the protocol's rules; `--serve` starts Fanfare for it
    Conformance {
        /// What the suite takes; `--help` tells
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Simulate the fan-out under seeds
    Sim(Seeds),
    /// Kill a hub under load, again and again: nothing may be lost, doubled or skipped in silence
    Torture(torture::Args),
}

#[derive(Debug, clap::Args)]
#[group(required = true, multiple = false)]
struct Seeds {
    /// Replay this one seed
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Run the seeds from 0 to N
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
}

fn main() -> ExitCode {
    let outcome = match Task::parse() {
        Task::Test { word } => test::run(word.as_deref()),
        Task::Tidy => tidy::run(),
        Task::Bench { arguments } => bench(&arguments),
        Task::Demo => demo::run(),
        Task::Conformance { arguments } => conformance(&arguments),
        Task::Sim(seeds) => simulate(&seeds),
        Task::Torture(args) => torture::run(&args),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            command::say(&format!("xtask failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn bench(arguments: &[String]) -> anyhow::Result<()> {
    // The bench itself builds the servers that it measures.
    Command::cargo(["run", "--release", "--package", "fanfare-bench", "--"])
        .arguments(arguments)
        .run()
}

fn conformance(arguments: &[String]) -> anyhow::Result<()> {
    if arguments.iter().any(|argument| argument == "--serve") {
        Command::cargo(["build", "--package", "fanfare"]).run()?;
    }
    Command::cargo(["run", "--quiet", "--package", "fanfare-conformance", "--"])
        .arguments(arguments)
        .run()
}

fn simulate(seeds: &Seeds) -> anyhow::Result<()> {
    let simulation = Command::cargo(["test", "--release", "--package", "fanfare-hub", "--lib"])
        .arguments(["sim::", "--", "--nocapture"]);
    match (seeds.seed, seeds.seeds) {
        (Some(seed), _) => simulation.variable("FANFARE_SIM_SEED", seed),
        (None, Some(last)) => simulation.variable("FANFARE_SIM_SEEDS", last),
        (None, None) => simulation,
    }
    .run()
}
