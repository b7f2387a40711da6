//! The commands that README shows do what is said of them.

use std::fs;

use crate::dev_hub::DevHub;
use crate::program::Program;

const README: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md");

/// The lines of README's shell blocks that begin with `program`.
fn shown(program: &str) -> Vec<String> {
    let readme = fs::read_to_string(README).unwrap();
    let blocks = readme.split("```").skip(1).step_by(2);
    let shell = blocks.filter_map(|block| block.strip_prefix("sh\n"));
    let lines = shell
        .flat_map(str::lines)
        .filter(|line| line.starts_with(program));
    lines.map(str::to_owned).collect()
}

#[test]
fn two_commands_are_all_the_set_up() {
    let commands = shown("cargo");
    for command in ["cargo run --release -- serve --dev", "cargo xtask test"] {
        assert!(
            commands.iter().any(|line| line.starts_with(command)),
            "{command}: {commands:?}"
        );
    }
}

#[test]
fn curl_lines_publish_and_subscribe_as_they_stand() {
    let hub = DevHub::start();
    let here = |line: &String| {
        line.replace("http://127.0.0.1:3000", &hub.url)
            .replace("$TOKEN", &hub.token)
    };
    let (streams, posts): (Vec<_>, Vec<_>) = shown("curl")
        .iter()
        .map(here)
        .partition(|line| line.starts_with("curl -N"));
    assert!(
        !streams.is_empty() && !posts.is_empty(),
        "README shows how to do both"
    );
    for stream in streams {
        let subscriber = Program::paste(&format!("exec {stream} -s"));
        subscriber.line_that(|line| line.starts_with("retry: "));
        for post in &posts {
            let posted = Program::paste(&format!("exec {post} -s --fail-with-body")).wait();
            assert_eq!(posted.code, Some(0), "{post}: {posted:?}");
            subscriber.line_that(|line| line.starts_with("data: "));
        }
    }
}
