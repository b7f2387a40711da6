//! `cargo xtask torture`: kills a hub under load, and holds it to what it had promised.

use std::fs;

use anyhow::Context;

use crate::command::{Command, root};
use crate::test::CLUSTER;
use crate::tools;

/// How long, and what.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// How often the hub is killed
    #[arg(long, value_name = "N", default_value_t = 20)]
    rounds: u32,

    /// Nodes that are restarted, and killed, one after the other behind proxies: 2 or 3; without it
    /// one hub is killed
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u8).range(2..=3))]
    nodes: Option<u8>,

    /// Chooses the moments
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,

    /// Events a second; 0: as fast as they are answered
    #[arg(long, value_name = "N", default_value_t = 2000)]
    rate: u32,

    /// Where the hub keeps its events; `memory` forgets them, which is found out
    #[arg(long, value_name = "BROKER", default_value = "sqlite")]
    broker: String,
}

/// Runs the tests of rolling restarts for as many rounds.
fn roll(nodes: u8, rounds: u32) -> anyhow::Result<()> {
    tools::need(&tools::CLUSTER)?;
    let name = if nodes == 2 {
        "two_nodes"
    } else {
        "three_nodes"
    };
    Command::cargo(["test", "--package", "fanfare"])
        .arguments(CLUSTER)
        .arguments([name, "--", "--nocapture", "--test-threads", "1"])
        .variable("FANFARE_CLUSTER_ROUNDS", rounds)
        .run()
}

/// Builds the release hub, tortures it, and then has it resume in a long history.
pub(crate) fn run(args: &Args) -> anyhow::Result<()> {
    if let Some(nodes) = args.nodes {
        return roll(nodes, args.rounds);
    }
    Command::cargo(["build", "--release"])
        .arguments(["--package", "fanfare", "--package", "fanfare-testkit"])
        .run()?;
    let data = root().join(DATA);
    if data.exists() {
        fs::remove_dir_all(&data).with_context(|| format!("cannot remove {DATA}"))?;
    }
    let broker: &[&str] = match args.broker.as_str() {
        "sqlite" => &[
            "--broker",
            "sqlite:{data}/history",
            "--durability",
            "always",
        ],
        other => &["--broker", other],
    };
    hubcheck("torture")
        .arguments(["--rounds", &args.rounds.to_string()])
        .arguments(["--seed", &args.seed.to_string()])
        .arguments(["--rate", &args.rate.to_string()])
        .arguments(["--keyed", "2", "--retains", RETAINS])
        .arguments(["--data", &format!("{DATA}/torture")])
        .arguments(SERVE)
        .arguments(broker)
        .run()?;
    hubcheck("resume")
        .arguments(["--data", &format!("{DATA}/resume")])
        .arguments(SERVE)
        .arguments(broker)
        .run()
}

fn hubcheck(command: &str) -> Command {
    Command::new("target/release/hubcheck").arguments([command, "--ready", "fanfare is ready on"])
}

/// Made anew by each run, and left behind for whoever wants to look.
const DATA: &str = "target/torture";

/// Every broker keeps so many events if nothing else is set.
const RETAINS: &str = "100000";

const SERVE: [&str; 9] = [
    "--",
    "target/release/fanfare",
    "serve",
    "--listen",
    "{address}",
    "--publisher-jwt-key",
    KEY,
    "--subscriber-jwt-key",
    KEY,
];

/// What `hubcheck` takes for a hub's key if it is not told another.
const KEY: &str = "!ChangeThisMercureHubJWTSecretKey!";
