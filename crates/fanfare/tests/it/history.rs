//! `fanfare history`: on a history that a hub uses, and on one that nobody does.

use std::path::Path;

use rustix::process::Signal;
use serde_json::{Value, json};
use tempfile::{TempDir, tempdir};

use crate::program::{Ended, Program, fanfare, fanfare_reading, fanfare_with, refused};

const KEY: &str = "Nk2wS1vMvsNBTYFrUGTj6mGPcdKV0iHB";

fn broker(directory: &Path) -> String {
    format!("--broker=sqlite:{}", directory.display())
}

fn history(directory: &Path, arguments: &[&str]) -> Ended {
    let broker = broker(directory);
    fanfare(&[&["history"], arguments, &[broker.as_str()]].concat())
}

fn import(directory: &Path, lines: &str) -> Ended {
    fanfare_reading(lines, &["history", "import", "-", &broker(directory)])
}

/// The events of an export.
fn events(ended: &Ended) -> Vec<Value> {
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let lines = ended.stdout.lines();
    lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// The events of an export, without their places.
fn contents(ended: &Ended) -> Vec<Value> {
    let mut events = events(ended);
    for event in &mut events {
        let event = event.as_object_mut().unwrap();
        event.remove("offset").unwrap();
        event.remove("cursor").unwrap();
    }
    events
}

/// A hub with three events, of every kind.
fn used() -> (TempDir, Program, String) {
    let folder = tempdir().unwrap();
    let key = format!("--publisher-jwt-key={KEY}");
    let (hub, url) = Program::serve(&["--anonymous", &key, &broker(folder.path())]);
    let token = fanfare(&["token", "--key", KEY, "--publish", "*"]).stdout;
    let publish = |arguments: &[&str]| {
        let own = ["publish", "--url", &url, "--token", token.trim()];
        let ended = fanfare(&[&own, arguments].concat());
        assert_eq!(ended.code, Some(0), "{ended:?}");
        ended.stdout.trim().to_owned()
    };
    let first = publish(&["a", "one\ntwo"]);
    publish(&[
        "b",
        "three",
        "--type",
        "greeting",
        "--id",
        "own-é",
        "--retry",
        "5",
        "--private",
    ]);
    publish(&["c", ""]);
    (folder, hub, first)
}

fn stop(hub: Program) {
    hub.signal(Signal::TERM);
    assert_eq!(hub.wait().code, Some(0));
}

#[test]
fn looks_work_beside_a_running_hub() {
    let (folder, hub, first) = used();
    let stats = history(folder.path(), &["stats", "--json"]);
    let stats: Value = serde_json::from_str(&stats.stdout).unwrap();
    for (name, value) in [
        ("records", json!(3)),
        ("first", json!(1)),
        ("head", json!(3)),
        ("epochs", json!(1)),
        ("durability", json!("always")),
        ("clean", json!(false)),
    ] {
        assert_eq!(stats[name], value, "{name} in {stats}");
    }
    let words = history(folder.path(), &["stats"]);
    assert!(words.stdout.contains("3, offsets 1 to 3"), "{words:?}");

    let verified = history(folder.path(), &["verify"]);
    assert_eq!(verified.code, Some(0), "{verified:?}");
    assert!(verified.stdout.contains("3 events"), "{verified:?}");
    let verified = history(folder.path(), &["verify", "--json"]);
    let end = json!({"whole": true, "findings": 0, "records": 3});
    assert_eq!(verified.stdout.trim(), end.to_string());

    let exported = events(&history(folder.path(), &["export"]));
    let cursor = |offset: usize| exported[offset - 1]["cursor"].as_str().unwrap();
    assert_eq!(
        exported,
        [
            json!({"offset": 1, "cursor": first, "topics": ["a"], "data": "one\ntwo"}),
            json!({
                "offset": 2, "cursor": cursor(2), "id": "own-é", "topics": ["b"],
                "type": "greeting", "retry": 5, "private": true, "data": "three"
            }),
            json!({"offset": 3, "cursor": cursor(3), "topics": ["c"], "data": ""}),
        ]
    );
    stop(hub);
    let stats = history(folder.path(), &["stats", "--json"]);
    let stats: Value = serde_json::from_str(&stats.stdout).unwrap();
    assert_eq!(stats["clean"], true);
}

#[test]
fn import_keeps_all_but_the_place_and_can_be_repeated() {
    let (folder, hub, _) = used();
    stop(hub);
    let target = folder.path().join("events.ndjson");
    let exported = history(folder.path(), &["export", target.to_str().unwrap()]);
    assert_eq!((exported.code, exported.stdout.as_str()), (Some(0), ""));
    let original = history(folder.path(), &["export"]);

    let moved = tempdir().unwrap();
    for (stored, known) in [(3, 0), (0, 3)] {
        let imported = history(moved.path(), &["import", target.to_str().unwrap()]);
        let report = format!("{stored} events are stored, {known} were there already\n");
        assert_eq!((imported.code, imported.stdout), (Some(0), report));
    }
    let copy = history(moved.path(), &["export"]);
    assert_eq!(contents(&copy), contents(&original));
    assert_ne!(events(&copy)[0]["cursor"], events(&original)[0]["cursor"]);
    // Under its own id it can be resumed from.
    let key = format!("--publisher-jwt-key={KEY}");
    let (hub, url) = Program::serve(&["--anonymous", &key, &broker(moved.path())]);
    let arguments = [
        "subscribe",
        "c",
        "--url",
        &url,
        "--json",
        "--last-event-id",
        "own-é",
    ];
    let next: Value = serde_json::from_str(&Program::start(&arguments).line()).unwrap();
    assert_eq!(next["data"], "");
    drop(hub);
}

#[test]
fn import_reads_what_publish_takes() {
    let folder = tempdir().unwrap();
    let lines = "\
        {\"topic\":\"a\",\"data\":{\"price\": 1.10},\"event\":\"tick\",\"id\":7,\"idempotencyKey\":\"k\"}\n\
        \n\
        {\"topic\":[\"a\",\"b\"],\"data\":\"text\",\"retry\":9,\"expires_ms\":4102444800000}\n\
        {\"data\":\"for all\"}\n\
        {\"userId\":42,\"data\":\"for one\",\"id\":\"urn:ff:1-1\"}\n";
    let imported = import(folder.path(), lines);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    assert_eq!(
        contents(&history(folder.path(), &["export"])),
        [
            json!({"topics": ["a"], "type": "tick", "id": "7", "data": "{\"price\": 1.10}"}),
            json!({
                "topics": ["a", "b"], "retry": 9, "expires_ms": 4_102_444_800_000_u64,
                "data": "text"
            }),
            json!({"topics": ["broadcast"], "data": "for all"}),
            json!({"topics": ["user/42"], "private": true, "data": "for one"}),
        ]
    );
    let again = import(folder.path(), lines);
    assert!(
        again.stdout.starts_with("0 events are stored, 4"),
        "{again:?}"
    );
}

#[test]
fn import_names_the_line_that_is_wrong_and_keeps_those_before_it() {
    for (line, why) in [
        ("{\"data\":", "EOF"),
        ("{\"topic\":\"a\"}", "data"),
        ("{\"topics\":[],\"data\":\"x\"}", "at least one"),
        ("{\"topic\":\"a\\nb\",\"data\":\"x\"}", "topic"),
        ("{\"topic\":\"a\",\"data\":\"x\",\"typo\":1}", "typo"),
        (
            "{\"topic\":\"a\",\"data\":\"x\",\"type\":\"fanfare-gap\"}",
            "reserved",
        ),
        (
            "{\"topic\":\"a\",\"data\":\"x\",\"id\":\"earliest\"}",
            "reserved",
        ),
    ] {
        let folder = tempdir().unwrap();
        let good = "{\"topic\":\"a\",\"data\":\"good\"}";
        let imported = import(folder.path(), &format!("{good}\n{good}\n{line}\n{good}\n"));
        refused(&imported, 1, &["line 3", why, "2 events are stored"]);
        assert_eq!(events(&history(folder.path(), &["export"])).len(), 2);
    }
}

#[test]
fn import_says_what_the_limits_let_go() {
    let folder = tempdir().unwrap();
    let lines: String = (0..10)
        .map(|n| format!("{{\"topic\":\"a\",\"data\":{n}}}\n"))
        .collect();
    let arguments = [
        "history",
        "import",
        "--history-count-max=4",
        &broker(folder.path()),
    ];
    let imported = fanfare_reading(&lines, &arguments);
    assert_eq!(imported.code, Some(0), "{imported:?}");
    assert!(imported.stderr.contains("6 are gone again"), "{imported:?}");
    let kept = events(&history(folder.path(), &["export"]));
    assert_eq!((kept.len(), &kept[0]["data"]), (4, &json!("6")));
}

#[test]
fn trim_lets_the_oldest_go() {
    let folder = tempdir().unwrap();
    let lines: String = (1..=300)
        .map(|n| format!("{{\"topic\":\"a\",\"data\":{n}}}\n"))
        .collect();
    assert_eq!(import(folder.path(), &lines).code, Some(0));
    for (arguments, gone, first, kept) in [
        (["--before", "101"], 100, 101, 200),
        (["--keep", "50"], 150, 251, 50),
        (["--keep", "1000"], 0, 251, 50),
        (["--before", "7"], 0, 251, 50),
        (["--before", "1000"], 49, 300, 1),
    ] {
        let trimmed = history(folder.path(), &[&["trim"], arguments.as_slice()].concat());
        assert_eq!(trimmed.code, Some(0), "{trimmed:?}");
        let report = format!("{gone} events are gone, {kept} are kept");
        assert!(trimmed.stdout.starts_with(&report), "{trimmed:?}");
        let left = events(&history(folder.path(), &["export"]));
        assert_eq!((left.len(), &left[0]["offset"]), (kept, &json!(first)));
        assert_eq!(history(folder.path(), &["verify"]).code, Some(0));
    }
    // Offsets go on where they were.
    assert_eq!(
        import(folder.path(), "{\"topic\":\"a\",\"data\":\"next\"}").code,
        Some(0)
    );
    let left = events(&history(folder.path(), &["export"]));
    assert_eq!(left.last().unwrap()["offset"], 301);
}

#[test]
fn backup_of_a_running_hub_is_a_history() {
    let (folder, hub, first) = used();
    let restored = tempdir().unwrap();
    let file = restored.path().join("fanfare.db");
    let file = file.to_str().unwrap();
    let copied = history(folder.path(), &["backup", file]);
    assert_eq!(copied.code, Some(0), "{copied:?}");
    assert_eq!(history(restored.path(), &["verify"]).code, Some(0));
    let copy = history(restored.path(), &["export"]);
    assert_eq!(copy.stdout, history(folder.path(), &["export"]).stdout);
    assert_eq!(events(&copy)[0]["cursor"], json!(first));
    refused(
        &history(folder.path(), &["backup", file]),
        8,
        &[file, "exists"],
    );
    drop(hub);
}

#[test]
fn what_cannot_be_looked_at_is_said() {
    let folder = tempdir().unwrap();
    let nowhere = folder.path().join("nowhere");
    let name = nowhere.to_str().unwrap();
    for command in [
        &["stats"][..],
        &["verify"],
        &["export"],
        &["trim", "--keep=1"],
        &["backup", "copy"],
    ] {
        refused(
            &history(&nowhere, command),
            8,
            &["there is no history in", name],
        );
        assert!(!nowhere.exists(), "{command:?} made it");
        let memory = fanfare(&[&["history"], command, &["--broker", "memory"]].concat());
        refused(&memory, 2, &["memory", "--broker sqlite:DIRECTORY"]);
    }
    for wrong in [
        &["trim"][..],
        &["trim", "--keep=0"],
        &["trim", "--keep=1", "--before=1"],
    ] {
        assert_eq!(history(folder.path(), wrong).code, Some(2), "{wrong:?}");
    }
}

#[test]
fn history_is_named_by_variable_and_file_as_for_serve() {
    let folder = tempdir().unwrap();
    assert_eq!(
        import(folder.path(), "{\"topic\":\"a\",\"data\":1}").code,
        Some(0)
    );
    let value = format!("sqlite:{}", folder.path().display());
    let stats = fanfare_with(&[("FANFARE_BROKER", &value)], &["history", "stats"]);
    assert!(stats.stdout.contains("1, offsets 1 to 1"), "{stats:?}");
    let file = folder.path().join("fanfare.toml");
    std::fs::write(&file, format!("broker = {value:?}\n")).unwrap();
    let stats = fanfare(&["history", "stats", "--config", file.to_str().unwrap()]);
    assert!(stats.stdout.contains("1, offsets 1 to 1"), "{stats:?}");
}
