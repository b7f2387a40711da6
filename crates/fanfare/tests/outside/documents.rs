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
    goes_on_to_the_end(paste("README.md").await);
}

#[tokio::test]
async fn first_events_can_be_pasted() {
    goes_on_to_the_end(paste("docs/start/first-events.md").await);
}

#[tokio::test]
async fn guides_can_be_pasted() {
    let mut guides = Vec::new();
    for entry in fs::read_dir(Path::new(ROOT).join("docs/guides")).unwrap() {
        guides.push(entry.unwrap().file_name().into_string().unwrap());
    }
    assert_eq!(guides.len(), 9, "{guides:?}");
    for guide in guides {
        goes_on_to_the_end(paste(&format!("docs/guides/{guide}")).await);
    }
}

#[tokio::test]
async fn concepts_of_mercure_can_be_pasted() {
    let (_hub, listening) = paste("docs/concepts/mercure.md").await;
    let (queries, streams) = listening
        .into_iter()
        .partition::<Vec<_>, _>(|it| it.line.contains("QUERY"));
    assert_eq!((queries.len(), streams.len()), (1, 2));
    for stream in queries.iter().chain(&streams) {
        // Twice: each publisher reaches the subscribers of both generations.
        stream.program.line_that(|line| line == "data: hello");
        stream.program.line_that(|line| line == "data: hello");
    }
}

#[tokio::test]
async fn concepts_of_tokens_can_be_pasted() {
    let (_hub, listening) = paste("docs/concepts/tokens.md").await;
    for stream in listening {
        stream.program.line_that(|line| line == "data: hello");
    }
}

#[tokio::test]
async fn concepts_of_presence_can_be_pasted() {
    let (_hub, listening) = paste("docs/concepts/presence.md").await;
    let watching = |it: &Listening| it.line.contains("WATCH");
    for watcher in listening.iter().filter(|it| watching(it)) {
        watcher.program.line_that(|line| line.contains("Anna"));
    }
}

/// What a document shows of listening, while it goes on.
struct Listening {
    line: String,
    program: Program,
}

/// All who listen get what the document publishes, and what comes later.
fn goes_on_to_the_end((hub, listening): (DevHub, Vec<Listening>)) {
    hub.publish("demo", "the end");
    for Listening { program, .. } in listening {
        program.line_that(|line| line.contains("hello"));
        program.line_that(|line| line.contains("the end"));
    }
}

/// Runs what a document shows: those who listen each in a terminal, then all else in one, then
/// what shows the head of an answer.
async fn paste(document: &str) -> (DevHub, Vec<Listening>) {
    let hub = DevHub::start_with(&[
        "--listen=127.0.0.1:0",
        &format!("--publisher-jwt-key={KEY}"),
        &format!("--subscriber-jwt-key={KEY}"),
        "--admin-token=try-me",
    ]);
    let here = |line: &str| {
        line.replace("http://127.0.0.1:3000", &hub.url)
            // Who looks at the head wants to see a refusal too.
            .replace("curl -i ", "curl\t-si ")
            .replace("curl ", "curl -s --fail-with-body ")
            .replace("cargo run --release --", "fanfare")
            // A hub runs already; what another would be given is judged alone.
            .replace("fanfare serve", "fanfare check-config")
    };
    let lines = shown(document);
    let lines = lines.iter().filter(|line| !has_own_test(line));
    let (streams, others): (Vec<_>, Vec<_>) = lines
        .map(|line| here(line))
        .partition(|line| line.contains(" -N ") || line.contains(" subscribe "));
    let (heads, others): (Vec<_>, Vec<_>) =
        others.into_iter().partition(|line| line.contains("\t-si "));
    // What is set in one terminal is to be set in each.
    let set: Vec<_> = others
        .iter()
        .filter(|it| it.starts_with("export "))
        .collect();
    let set = set.into_iter().cloned().collect::<Vec<_>>().join("\n");
    let terminal = format!("{}\n{set}", terminal(&hub));

    let listen = |line: &String| Listening {
        line: line.clone(),
        program: Program::paste(&format!("{terminal}\nexec {line}")),
    };
    let listening: Vec<_> = streams.iter().map(listen).collect();
    assert!(!listening.is_empty(), "{document} shows how to listen");
    until("all listen", async || hub.subscribers() == streams.len()).await;

    let done = Program::paste(&format!("{terminal}\n{}", others.join("\n"))).wait();
    assert_eq!(done.code, Some(0), "{done:?}");
    let statuses = statuses_shown(document);
    assert_eq!(
        statuses.len(),
        heads.len(),
        "each head is shown with its answer"
    );
    for (line, status) in heads.iter().zip(statuses) {
        let answer = Program::paste(&format!("{terminal}\n{line}")).wait();
        assert_eq!(
            answer.stdout.lines().next(),
            Some(&*status),
            "{line}: {answer:?}"
        );
    }
    (hub, listening)
}

/// A terminal in which the documents' commands find the program and the hub.
fn terminal(hub: &DevHub) -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_fanfare"));
    format!(
        "set -e; cd '{}'; export PATH='{}':\"$PATH\" FANFARE_URL={} TOKEN={token} \
         FANFARE_TOKEN={token} FANFARE_KEY={KEY}",
        env!("CARGO_TARGET_TMPDIR"),
        program.parent().unwrap().display(),
        hub.url,
        token = hub.token
    )
}

const KEY: &str = "Nk2wS1vMvsNBTYFrUGTj6mGPcdKV0iHB";

/// The first lines of the answers that a document shows with their heads.
fn statuses_shown(document: &str) -> Vec<String> {
    let text = read(document);
    let heads = text.split("\n$ curl -i ").skip(1);
    let statuses = heads.map(|after| after.lines().nth(1).unwrap().to_owned());
    statuses.collect()
}

fn read(document: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(document)).unwrap()
}

/// The commands in a document: its blocks of `sh`, and what stands behind a prompt.
fn shown(document: &str) -> Vec<String> {
    let text = read(document);
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

/// What builds, the example that listens on a port of its own, and what the test does itself: it
/// chooses the hub's key, and cannot count on openssl.
fn has_own_test(line: &str) -> bool {
    let own = [
        "export FANFARE_KEY=",
        ".pem",
        "cargo xtask ",
        "cargo install ",
        "cargo run -p embed-axum",
        "127.0.0.1:8080",
    ];
    own.iter().any(|part| line.contains(part))
}
