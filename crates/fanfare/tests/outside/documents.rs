//! The commands that the documents show do what is said of them.

use std::fs;
use std::path::Path;

use crate::dev_hub::{DevHub, until};
use crate::program::Program;

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

#[test]
fn readme_needs_two_commands_and_no_other_set_up() {
    let mut commands = shown("README.md");
    commands.retain(|line| !line.starts_with("curl "));
    let expected = ["cargo run --release -- serve --dev", "cargo xtask test"];
    assert_eq!(commands, expected);
}

#[tokio::test]
async fn readme_can_be_pasted() {
    paste("README.md").await;
}

#[tokio::test]
async fn first_events_can_be_pasted() {
    paste("docs/start/first-events.md").await;
}

/// Runs what a document shows: those who listen each in a terminal, then all else in one.
async fn paste(document: &str) {
    let hub = DevHub::start();
    let program = Path::new(env!("CARGO_BIN_EXE_fanfare"));
    let terminal = format!(
        "set -e; export PATH='{}':\"$PATH\" FANFARE_URL={} TOKEN={token} FANFARE_TOKEN={token}",
        program.parent().unwrap().display(),
        hub.url,
        token = hub.token
    );
    let here = |line: &str| {
        line.replace("http://127.0.0.1:3000", &hub.url)
            .replace("curl ", "curl -s --fail-with-body ")
            .replace("cargo run --release --", "fanfare")
            // A hub runs already; what another would be given is judged alone.
            .replace("fanfare serve", "fanfare check-config")
    };
    let (streams, others): (Vec<_>, Vec<_>) = shown(document)
        .iter()
        .filter(|line| !has_own_test(line))
        .map(|line| here(line))
        .partition(|line| line.contains(" -N ") || line.contains(" subscribe "));
    let listen = |line| Program::paste(&format!("{terminal}\nexec {line}"));
    let listening: Vec<Program> = streams.iter().map(listen).collect();
    assert!(!listening.is_empty(), "{document} shows how to listen");
    until("all listen", async || hub.subscribers() == streams.len()).await;

    let done = Program::paste(&format!("{terminal}\n{}", others.join("\n"))).wait();
    assert_eq!(done.code, Some(0), "{done:?}");
    hub.publish("demo", "the end");
    for subscriber in listening {
        subscriber.line_that(|line| line.contains("hello"));
        subscriber.line_that(|line| line.contains("the end"));
    }
}

/// The commands in a document: its blocks of `sh`, and what stands behind a prompt.
fn shown(document: &str) -> Vec<String> {
    let text = fs::read_to_string(Path::new(ROOT).join(document)).unwrap();
    let mut commands = Vec::new();
    for block in text.split("```").skip(1).step_by(2) {
        let (language, lines) = block.split_once('\n').unwrap();
        let command = |line| match language {
            "sh" => Some(line),
            "console" => str::strip_prefix(line, "$ "),
            _ => None,
        };
        commands.extend(lines.lines().filter_map(command).map(str::to_owned));
    }
    commands
}

/// What builds, and the example that listens on a port of its own.
fn has_own_test(line: &str) -> bool {
    let own = [
        "cargo xtask ",
        "cargo install ",
        "cargo run -p embed-axum",
        "127.0.0.1:8080",
    ];
    own.iter().any(|part| line.contains(part))
}
