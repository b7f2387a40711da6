//! `cargo xtask test`: the steps of CI, cheapest first; the first that fails ends it.

use std::time::Instant;

use crate::command::{Command, root, say};
use crate::{demo, deploy, tidy, tools};

/// Runs every step; with `word` the step of that name, or else the tests whose names contain it.
pub(crate) fn run(word: Option<&str>) -> anyhow::Result<()> {
    let named = |step: &&Step| word == Some(step.name);
    if let Some(step) = STEPS.iter().find(named) {
        return step.run("");
    }
    if let Some(word) = word {
        let with_tests = STEPS.iter().filter(|step| step.has_tests);
        return with_tests.into_iter().try_for_each(|step| step.run(word));
    }
    STEPS.iter().try_for_each(|step| step.run(""))
}

struct Step {
    name: &'static str,
    /// Whether a word can choose among its tests.
    has_tests: bool,
    work: fn(word: &str) -> anyhow::Result<()>,
}

const STEPS: &[Step] = &[
    Step {
        name: "format",
        has_tests: false,
        work: |_| Command::cargo(["fmt", "--all", "--check"]).run(),
    },
    Step {
        name: "tidy",
        has_tests: false,
        work: |_| tidy::run(),
    },
    Step {
        name: "deploy",
        has_tests: false,
        work: |_| deploy::check(),
    },
    Step {
        name: "clippy",
        has_tests: false,
        work: |_| clippy(),
    },
    Step {
        name: "tests",
        has_tests: true,
        work: tests,
    },
    Step {
        name: "conformance",
        has_tests: false,
        work: |_| conformance(),
    },
    Step {
        name: "faults",
        has_tests: true,
        work: faults,
    },
    Step {
        name: "cluster",
        has_tests: true,
        work: cluster,
    },
    Step {
        name: "proxies",
        has_tests: true,
        work: proxies,
    },
    Step {
        name: "outside",
        has_tests: true,
        work: outside,
    },
    Step {
        name: "web",
        has_tests: true,
        work: web,
    },
];

impl Step {
    #[expect(clippy::disallowed_methods, reason = "it tells people what takes long")]
    fn run(&self, word: &str) -> anyhow::Result<()> {
        let began = Instant::now();
        (self.work)(word)?;
        say(&format!(
            "{}: passed in {} s",
            self.name,
            began.elapsed().as_secs()
        ));
        Ok(())
    }
}

fn clippy() -> anyhow::Result<()> {
    Command::cargo(["clippy", "--workspace", "--all-targets"])
        .arguments(["--", "-D", "warnings"])
        .run()?;
    // Targets that a plain `cargo test` leaves out are not among "all".
    Command::cargo(["clippy", "--workspace"])
        .arguments(OUTSIDE)
        .arguments(FAULTS)
        .arguments(CLUSTER)
        .arguments(PROXIES)
        .arguments(["--", "-D", "warnings"])
        .run()?;
    // What the documentation links to is there, and is public.
    Command::cargo(["doc", "--workspace", "--no-deps"])
        .variable("RUSTDOCFLAGS", "-Dwarnings")
        .run()
}

/// Everything that needs no more than Rust, curl and servers.
fn tests(word: &str) -> anyhow::Result<()> {
    tools::need(&[tools::CURL, tools::NATS_SERVER])?;
    tools::need(&tools::SERVERS)?;
    Command::cargo(["test", "--workspace"])
        .arguments(Some(word).filter(|word| !word.is_empty()))
        .run()
}

/// Mercure's rules, both dialects of them, against the real program.
fn conformance() -> anyhow::Result<()> {
    build()?;
    Command::new(&built("fanfare-conformance"))
        .arguments(["--serve", "--strict", "--failures"])
        .run()
}

/// Builds every program as the step of tests does: chosen by name they have other features, and all
/// that they need is compiled once more.
fn build() -> anyhow::Result<()> {
    Command::cargo(["test", "--workspace", "--no-run", "--quiet"]).run()
}

/// Where [`build`] leaves a program.
fn built(program: &str) -> String {
    let path = root().join("target/debug").join(program);
    path.to_string_lossy().into_owned()
}

/// The real program with a disk that is full, calls that fail, a history that is damaged.
fn faults(word: &str) -> anyhow::Result<()> {
    tools::need(&tools::FAULTS)?;
    let tests = Command::cargo(["test", "--workspace"])
        .arguments(FAULTS)
        .arguments(Some(word).filter(|word| !word.is_empty()));
    if tools::can_mount()? {
        return tests.run();
    }
    tests.arguments(["--", "--skip", NEEDS_ROOT]).run()?;
    say(&format!(
        "SKIPPED: tests named {NEEDS_ROOT}, for file systems cannot be mounted here; they run as root"
    ));
    Ok(())
}

/// Several nodes with real brokers and proxies: restarted, killed, cut off.
fn cluster(word: &str) -> anyhow::Result<()> {
    tools::need(&tools::CLUSTER)?;
    Command::cargo(["test", "--workspace"])
        .arguments(CLUSTER)
        .arguments(Some(word).filter(|word| !word.is_empty()))
        // They wait more than they compute.
        .arguments(["--", "--test-threads", "4"])
        .run()
}

/// The real program behind nginx, HAProxy and Caddy.
fn proxies(word: &str) -> anyhow::Result<()> {
    tools::need(&tools::PROXIES)?;
    Command::cargo(["test", "--workspace"])
        .arguments(PROXIES)
        .arguments(Some(word).filter(|word| !word.is_empty()))
        // They wait for time-outs and heartbeats more than they work.
        .arguments(["--", "--test-threads=8"])
        .run()
}

/// The tests with a browser and other programs.
fn outside(word: &str) -> anyhow::Result<()> {
    tools::need(&tools::ALL)?;
    // The demo's, which is not to be waited for inside a test.
    build()?;
    let mut tests = Command::cargo(["test", "--workspace"])
        .variable(demo::PROGRAM, built("fanfare"))
        .arguments(OUTSIDE)
        .arguments(Some(word).filter(|word| !word.is_empty()));
    let can_cut = tools::can_make_networks();
    if !can_cut {
        tests = tests.arguments(["--", "--skip", NEEDS_NETWORK]);
    }
    tests.run()?;
    if !can_cut {
        say(&format!(
            "SKIPPED: tests named {NEEDS_NETWORK}, for `ip netns add` is not allowed here; \
             they run as root"
        ));
    }
    Ok(())
}

/// The browser module and the examples' pages, in node and in two browsers.
fn web(word: &str) -> anyhow::Result<()> {
    tools::need(&tools::WEB)?;
    tools::need(&tools::SERVERS)?;
    build()?;
    Command::new("npm")
        .arguments(["--prefix", "web", "ci"])
        .run()?;
    let pattern = (!word.is_empty()).then(|| format!("--test-name-pattern={word}"));
    let test = || {
        Command::new("npm")
            .arguments(["--prefix", "web", "test", "--"])
            .arguments(pattern.as_deref())
            .run()
    };
    // Two real browsers under load now and then take longer than any bound; what is wrong stays so.
    test().or_else(|failure| {
        say(&format!("{failure}; once more, for browsers have moods"));
        test()
    })
}

/// The test binaries that need other programs; `test = false` keeps them out of `cargo test`.
const OUTSIDE: [&str; 2] = ["--test", "outside"];
const FAULTS: [&str; 2] = ["--test", "faults"];
pub(crate) const CLUSTER: [&str; 2] = ["--test", "cluster"];
const PROXIES: [&str; 2] = ["--test", "proxies"];

/// Part of the names of tests that need a file system of their own, or to become somebody else.
const NEEDS_ROOT: &str = "as_root";

/// Part of the names of tests that need a network namespace of their own.
const NEEDS_NETWORK: &str = "in_its_own_network";
