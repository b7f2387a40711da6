//! The environment of a Mercure hub, and the command lines that the case list is run with.

use rustix::process::Signal;

use crate::program::{
    Ended, Program, READY, dead_address, fanfare, fanfare_with, refused, setting,
};

const KEY: &str = "a key for tests, with enough bytes for HMAC";
const DEMO_KEY: &str = "!ChangeThisMercureHubJWTSecretKey!";

#[track_caller]
fn check(ended: &Ended, key: &str, value: &str, source: &str) {
    let expected = (value.to_owned(), source.to_owned());
    assert_eq!(setting(ended, key), expected, "{key}");
}

#[test]
fn cf_23_environment_of_a_mercure_hub_gives_the_settings() {
    let directives = "# as in the image\nanonymous\nsubscriptions\ncors_origins \
        https://a.example https://b.example\nwrite_timeout 600s\n\
        transport bolt {\n\tpath /data/mercure.db\n\tsize 5000\n}\n";
    let variables = [
        ("SERVER_NAME", ":80"),
        ("MERCURE_PUBLISHER_JWT_KEY", "theirs"),
        ("MERCURE_PUBLISHER_JWT_ALG", "HS256"),
        ("MERCURE_SUBSCRIBER_JWT_KEY", "theirs"),
        ("FANFARE_SUBSCRIBER_JWT_KEY", "ours"),
        ("FANFARE_HEARTBEAT", "9s"),
        ("MERCURE_EXTRA_DIRECTIVES", directives),
        ("GLOBAL_OPTIONS", "debug"),
        ("MERCURE_LICENSE", "theirs"),
    ];
    let ended = fanfare_with(&variables, &["check-config", "--drain=1h"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let line = |number| format!("MERCURE_EXTRA_DIRECTIVES, line {number}");
    let origins = "https://a.example,https://b.example";
    check(&ended, "listen", "0.0.0.0:80", "SERVER_NAME");
    let source = "MERCURE_PUBLISHER_JWT_KEY";
    check(&ended, "publisher-jwt-key", "[redacted]", source);
    let source = "MERCURE_PUBLISHER_JWT_ALG";
    check(&ended, "publisher-jwt-alg", "HS256", source);
    let source = "FANFARE_SUBSCRIBER_JWT_KEY";
    check(&ended, "subscriber-jwt-key", "[redacted]", source);
    let source = "MERCURE_TRUSTED_ISSUERS, not set";
    check(&ended, "issuer", "https://localhost", source);
    check(&ended, "anonymous", "true", &line(2));
    check(&ended, "subscriptions", "true", &line(3));
    check(&ended, "cors-origin", origins, &line(4));
    check(&ended, "lifetime-max", "600s", &line(5));
    check(&ended, "broker", "sqlite:/data/fanfare-data", &line(6));
    check(&ended, "history-count-max", "5000", &line(6));
    check(&ended, "heartbeat", "9s", "FANFARE_HEARTBEAT");
    check(&ended, "drain", "1h", "command line");
    for part in [
        "GLOBAL_OPTIONS",
        "MERCURE_LICENSE",
        "mercure.db are not read",
    ] {
        assert!(ended.stderr.contains(part), "no {part} in {}", ended.stderr);
    }
    assert!(!format!("{ended:?}").contains("theirs"), "{ended:?}");
}

#[test]
fn cf_01_unknown_directive_is_an_error_and_an_unknown_variable_is_not() {
    let variables = [("MERCURE_EXTRA_DIRECTIVES", "anonymous\nhartbeat 1s")];
    let ended = fanfare_with(&variables, &["check-config"]);
    let place = "MERCURE_EXTRA_DIRECTIVES, line 2";
    refused(&ended, 2, &[place, "`hartbeat`", "`heartbeat`"]);
    let variables = [("MERCURE_URL", "https://hub.example/.well-known/mercure")];
    let ended = fanfare_with(&variables, &["check-config", "--dev"]);
    refused(&ended, 0, &["MERCURE_URL"]);
}

#[test]
fn cf_09_bad_value_in_a_directive_names_its_line() {
    let variables = [("MERCURE_EXTRA_DIRECTIVES", "anonymous\nheartbeat 40")];
    let ended = fanfare_with(&variables, &["check-config"]);
    let place = "MERCURE_EXTRA_DIRECTIVES, line 2";
    refused(&ended, 2, &[place, "`heartbeat`", "15s"]);
}

#[test]
fn cf_10_directives_and_flags_by_either_name_lie_over_each_other() {
    let variables = [("MERCURE_EXTRA_DIRECTIVES", "write_timeout 600s")];
    for flag in ["--lifetime-max=1h", "--write-timeout=1h"] {
        let ended = fanfare_with(&variables, &["check-config", "--dev", flag]);
        check(&ended, "lifetime-max", "1h", "command line");
    }
}

#[test]
fn cf_04_issuer_of_a_caddyfile_reaches_the_settings() {
    let directives = "issuer https://a.example {\n\tauthorization_server\n\tpublisher {\n\
        \t\tjwt {env.PUBLISHER} HS256\n\t}\n\tsubscriber {\n\t\tjwt s\n\t}\n}";
    let variables = [
        ("PUBLISHER", "a key, with a comma"),
        ("MERCURE_EXTRA_DIRECTIVES", directives),
    ];
    let ended = fanfare_with(&variables, &["check-config"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let source = "MERCURE_EXTRA_DIRECTIVES, line 1";
    check(&ended, "issuer", "https://a.example", source);
    check(&ended, "authorization-server", "https://a.example", source);
    check(&ended, "issuer-publisher-key", "[redacted]", source);
    check(&ended, "issuer-publisher-alg", "HS256", source);
    assert!(!format!("{ended:?}").contains("comma"), "{ended:?}");
}

#[test]
fn cf_04_settings_that_do_not_fit_together_are_refused() {
    let pem = "--publisher-jwt-key=-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----";
    let issuer = "--issuer=https://a.example";
    let key = "--publisher-jwt-key=k";
    let server = "--authorization-server=https://b.example";
    let issuer_key = "--issuer-publisher-key=k";
    for (flags, parts) in [
        (&[pem, "--anonymous"][..], ["publisher-jwt-alg", "RS256"]),
        (&[key, issuer, issuer], ["https://a.example", "twice"]),
        (&[key, "--dialect=d1"], ["d1", "issuer"]),
        (&[key, issuer, "--dialect=d0"], ["d0", "issuer"]),
        (&[key, issuer_key], ["issuer-publisher-key", "no `issuer`"]),
        (
            &[key, issuer, server],
            ["authorization-server", "https://b.example"],
        ),
    ] {
        for command in ["check-config", "serve"] {
            let ended = fanfare(&[&[command][..], flags].concat());
            refused(&ended, 2, &parts);
            assert!(!ended.stderr.contains("MCow"), "{}", ended.stderr);
        }
    }
}

/// `--publisher-jwt-key $KEY --anonymous` with no `KEY` made a hub whose key was `--anonymous`.
#[test]
fn flag_in_the_place_of_a_key_is_refused() {
    let flags = ["check-config", "--publisher-jwt-key", "--anonymous"];
    let ended = fanfare(&flags);
    refused(&ended, 2, &["`publisher-jwt-key`", "missing"]);
    let pem = "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----";
    let flags = ["--publisher-jwt-key", pem, "--publisher-jwt-alg", "EdDSA"];
    let ended = fanfare(&[&["check-config", "--anonymous"], &flags[..]].concat());
    check(&ended, "publisher-jwt-key", "[redacted]", "command line");
}

#[test]
fn cf_24_demo_key_is_warned_of() {
    let variables = [
        ("MERCURE_PUBLISHER_JWT_KEY", DEMO_KEY),
        ("MERCURE_SUBSCRIBER_JWT_KEY", DEMO_KEY),
    ];
    let ended = fanfare_with(&variables, &["check-config"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let warnings = ended.stderr.matches("everybody knows").count();
    assert_eq!(warnings, 1, "{}", ended.stderr);
    let ended = fanfare_with(&variables, &["check-config", "--dev"]);
    let warnings = ended.stderr.matches("everybody knows").count();
    assert_eq!(warnings, 0, "{}", ended.stderr);
}

/// Every set-up of the case list is one command line.
#[test]
fn hub_starts_from_one_command_line() {
    let keys = [
        ["--publisher-jwt-key", DEMO_KEY],
        ["--publisher-jwt-alg", "HS256"],
        ["--subscriber-jwt-key", DEMO_KEY],
        ["--subscriber-jwt-alg", "HS256"],
        ["--cors-origin", "https://a.example"],
        ["--cors-origin", "https://b.example"],
        ["--publish-origin", "https://a.example"],
        ["--publish-origin", "https://b.example"],
        ["--heartbeat", "1m0s"],
    ];
    let issuers = [
        ["--issuer", "https://localhost"],
        ["--issuer", "https://b.example"],
        ["--issuer-publisher-key", "one"],
        ["--issuer-publisher-key", "-"],
        ["--issuer-subscriber-key", "both"],
        ["--authorization-server", "https://b.example"],
        [
            "--resource-identifier",
            "https://localhost/.well-known/mercure",
        ],
    ];
    let (keys, issuers) = (keys.as_flattened(), issuers.as_flattened());
    for (dialect, issuers) in [("both", issuers), ("d1", issuers), ("d0", &[])] {
        let rest = ["--anonymous", "--subscriptions", "--dialect", dialect];
        let (hub, url) = Program::serve(&[keys, issuers, &rest].concat());
        assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        hub.signal(Signal::TERM);
        let ended = hub.wait();
        assert_eq!(ended.code, Some(0), "{dialect}: {}", ended.stderr);
    }
}

/// The key of a Mercure hub's environment verifies here what it verified there.
#[test]
fn cf_23_hub_starts_from_the_environment_of_the_image() {
    let port = dead_address().port();
    let site = format!("http://localhost:{port}");
    let variables = [
        ("SERVER_NAME", site.as_str()),
        ("MERCURE_PUBLISHER_JWT_KEY", KEY),
        ("MERCURE_SUBSCRIBER_JWT_KEY", KEY),
        ("MERCURE_EXTRA_DIRECTIVES", "anonymous\ncors_origins *"),
    ];
    let hub = Program::start_with(&variables, &["serve"]);
    hub.line_that(|line| line == format!("{READY}http://0.0.0.0:{port}"));
    let token = fanfare(&["token", "--key", KEY, "--publish", "*"]);
    let hub_url = format!("http://127.0.0.1:{port}");
    let variables = [
        ("FANFARE_URL", hub_url.as_str()),
        ("FANFARE_TOKEN", token.stdout.trim()),
    ];
    let published = fanfare_with(&variables, &["publish", "topic", "data"]);
    assert_eq!(published.code, Some(0), "{published:?}");
    hub.signal(Signal::TERM);
    assert_eq!(hub.wait().code, Some(0));
}
