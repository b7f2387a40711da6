//! The macro bench: puts the same load on Fanfare, on the floor and on a peer in one run, and holds
//! the ratios against the budgets of the design.
//!
//! Servers run pinned to core 0, the load on core 1. `BENCHMARKING.md` says why it is fair.

mod broker;
mod figures;
mod server;
mod workloads;

use std::path::Path;
use std::process::{Command, ExitCode};

use anyhow::{Context, ensure};
use clap::Parser;
use rustix::thread::{CpuSet, sched_setaffinity};

use figures::{Figures, Origin};
use workloads::Workload;

/// Measures Fanfare beside the floor and a peer
#[derive(Debug, Parser)]
struct Args {
    /// Workloads to run; all of them if none is named
    workloads: Vec<Workload>,

    /// How often each server is measured, in turns
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    runs: u32,
}

fn main() -> ExitCode {
    match run(&Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("bench failed: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(args: &Args) -> anyhow::Result<()> {
    build()?;
    raise_descriptor_limit();
    let mut core = CpuSet::new();
    core.set(LOAD_CORE);
    sched_setaffinity(None, &core).context("the bench needs two cores")?;

    let workloads = match args.workloads.as_slice() {
        [] => Workload::ALL.to_vec(),
        named => named.to_vec(),
    };
    // Once, and first: the results that the first workload writes are changes to the tree.
    let origin = Origin::here()?;
    let mut verdicts = String::new();
    for workload in workloads {
        say(&format!("\n{workload}: {}", workload.situation()));
        let mut figures = Figures::new(workload.name());
        workload.run(args.runs, &mut figures)?;
        say(&figures.table());
        let path = Path::new(RESULTS).join(format!("{workload}.csv"));
        std::fs::write(&path, figures.csv(&origin))
            .with_context(|| format!("cannot write {}", path.display()))?;
        for verdict in workload.verdicts(&figures) {
            verdicts.push_str(&format!("{verdict}\n"));
        }
    }
    say(&format!("\n{verdicts}"));
    Ok(())
}

const LOAD_CORE: usize = 1;
const RESULTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/results");

/// Builds the servers, since `cargo run` builds this program alone.
fn build() -> anyhow::Result<()> {
    let status = Command::new("cargo")
        .args(["build", "--quiet", "--bins"])
        // A debug build of this program tries a workload out, with servers of its own kind.
        .args((!cfg!(debug_assertions)).then_some("--release"))
        .args(["-p", "fanfare", "-p", "fanfare-bench"])
        .status()
        .context("cannot run cargo")?;
    ensure!(status.success(), "the servers do not build");
    Ok(())
}

/// Fifteen thousand subscribers are as many descriptors.
fn raise_descriptor_limit() {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let raised = rustix::process::Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    // If it stays low, the crowd says so.
    _ = rustix::process::setrlimit(rustix::process::Resource::Nofile, raised);
}

#[expect(clippy::print_stdout, reason = "a bench reports to people")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}
