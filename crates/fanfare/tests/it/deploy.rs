//! The files that a hub is deployed with: every setting in them exists, and is one that it takes.

use std::fs;
use std::path::Path;

use crate::program::{fanfare_with, setting};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");

/// Those that start a hub.
const FILES: [&str; 5] = [
    "deploy/Dockerfile",
    "deploy/compose.nats.yaml",
    "deploy/compose.redis.yaml",
    "deploy/fanfare.service",
    "deploy/kubernetes.yaml",
];

/// Variables of other commands than `serve`.
const OF_COMMANDS: [&str; 2] = ["FANFARE_KEY", "FANFARE_URL"];

const KEY: &str = "Nk2wS1vMvsNBTYFrUGTj6mGPcdKV0iHB";

#[test]
fn variables_in_deploy_are_in_the_reference() {
    let reference = read("docs/reference/configuration.md");
    let exists = |name: &str| {
        OF_COMMANDS.contains(&name) || reference.contains(&format!("Variable `{name}`"))
    };
    for path in files_in("deploy") {
        let text = read(&path);
        let unknown = variables(&text).find(|name| !exists(name));
        assert_eq!(unknown, None, "{path}");
    }
}

#[test]
fn flags_of_deploy_are_in_the_reference() {
    let reference = read("docs/reference/configuration.md");
    let mut seen = 0;
    for path in [files_in("deploy"), files_in("docs/deploy")].concat() {
        let text = read(&path);
        let serving = text.lines().filter(|line| line.contains("fanfare serve"));
        for flag in serving.flat_map(flags) {
            let heading = format!("### `{flag}`");
            assert!(reference.contains(&heading), "--{flag} in {path}");
            seen += 1;
        }
    }
    assert!(seen > 0, "the documents show no flag");
}

#[test]
fn settings_of_deploy_pass_check_config() {
    for path in FILES {
        let text = read(path);
        let settings: Vec<_> = settings(&text).collect();
        assert!(!settings.is_empty(), "{path} has no settings");
        // Those that a file leaves to its user.
        let keys = [
            ("FANFARE_PUBLISHER_JWT_KEY", KEY),
            ("FANFARE_SUBSCRIBER_JWT_KEY", KEY),
        ];
        let variables = [&keys[..], &settings].concat();
        let ended = fanfare_with(&variables, &["check-config"]);
        assert_eq!(ended.code, Some(0), "{path}: {ended:?}");
        let listen = setting(&ended, "listen");
        assert_eq!(listen.1, "FANFARE_LISTEN", "{path}: {ended:?}");
    }
}

#[test]
fn n8_drain_ends_before_whoever_waits_for_it() {
    for (path, grace, before) in [
        ("deploy/compose.nats.yaml", "stop_grace_period: ", ""),
        ("deploy/compose.redis.yaml", "stop_grace_period: ", ""),
        ("deploy/fanfare.service", "TimeoutStopSec=", ""),
        (
            "deploy/kubernetes.yaml",
            "terminationGracePeriodSeconds: ",
            "sleep: {seconds: ",
        ),
    ] {
        let text = read(path);
        let before = Some(before).filter(|it| !it.is_empty());
        let before = before.map_or(0, |mark| seconds(&text, mark));
        let drain: u32 = settings(&text)
            .filter(|(name, _)| ["FANFARE_DRAIN", "FANFARE_PREDRAIN"].contains(name))
            .map(|(_, value)| value.trim_end_matches('s').parse::<u32>().unwrap())
            .sum();
        assert!(drain > 0, "{path}");
        // With room to finish publishes and to leave the history clean.
        assert!(seconds(&text, grace) >= before + drain + 10, "{path}");
    }
}

/// The whole number behind the only `mark`.
fn seconds(text: &str, mark: &str) -> u32 {
    let (_, after) = text.split_once(mark).expect(mark);
    let end = after.find(|c: char| !c.is_ascii_digit()).unwrap();
    after[..end].parse().unwrap()
}

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(ROOT).join(path)).unwrap()
}

/// The files of a folder, by their paths from the root.
fn files_in(folder: &str) -> Vec<String> {
    let entries = fs::read_dir(Path::new(ROOT).join(folder)).unwrap();
    let name = |entry: fs::DirEntry| entry.file_name().into_string().unwrap();
    let paths = entries.map(|entry| format!("{folder}/{}", name(entry.unwrap())));
    paths.collect()
}

/// What is set in a Dockerfile, a unit of systemd, or YAML: one variable on each line.
fn settings(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| {
        let line = line.trim();
        let line = line.strip_prefix("ENV ").unwrap_or(line);
        let line = line.strip_prefix("Environment=").unwrap_or(line);
        let end = line.find(|c: char| !is_of_name(c))?;
        let (name, value) = line.split_at(end);
        let value = value.strip_prefix('=').or(value.strip_prefix(": "))?;
        // `${FANFARE_KEY:?…}` is what compose asks its user for.
        let value = if value.starts_with("${") { KEY } else { value };
        name.starts_with("FANFARE_")
            .then_some((name, value.trim_matches('"')))
    })
}

/// The names of variables, wherever they stand.
fn variables(text: &str) -> impl Iterator<Item = &str> {
    let words = text.split(|c: char| !is_of_name(c));
    words.filter(|word| word.starts_with("FANFARE_") && word.len() > "FANFARE_".len())
}

fn is_of_name(c: char) -> bool {
    c.is_ascii_uppercase() || c == '_'
}

/// The names of the long flags in `line`.
fn flags(line: &str) -> impl Iterator<Item = &str> {
    line.split(" --").skip(1).map(|rest| {
        let end = rest.find(|c: char| !c.is_ascii_lowercase() && c != '-');
        &rest[..end.unwrap_or(rest.len())]
    })
}
