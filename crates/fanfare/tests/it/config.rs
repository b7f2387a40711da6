//! Where settings come from, which source wins, and what is said of those that are wrong.

use std::path::PathBuf;
use std::{env, fs, process};

use crate::program::{Ended, fanfare, fanfare_with, refused, setting};

/// A configuration file of its own for each test.
struct File(PathBuf);

impl File {
    fn new(name: &str, text: &str) -> Self {
        let path = env::temp_dir().join(format!("fanfare-{}-{name}.toml", process::id()));
        fs::write(&path, text).unwrap();
        Self(path)
    }

    fn path(&self) -> &str {
        self.0.to_str().unwrap()
    }
}

impl Drop for File {
    fn drop(&mut self) {
        _ = fs::remove_file(&self.0);
    }
}

#[track_caller]
fn check(ended: &Ended, key: &str, value: &str, source: &str) {
    assert_eq!(
        setting(ended, key),
        (value.to_owned(), source.to_owned()),
        "{key}"
    );
}

#[test]
fn flag_over_variable_over_file_over_default() {
    let file = File::new(
        "precedence",
        "dev = true\nheartbeat = \"1s\"\nstall-timeout = \"2s\"\ndrain = \"3s\"\n",
    );
    let variables = [
        ("FANFARE_CONFIG", file.path()),
        ("FANFARE_HEARTBEAT", "4s"),
        ("FANFARE_STALL_TIMEOUT", "5s"),
    ];
    let ended = fanfare_with(&variables, &["check-config", "--heartbeat", "6s"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    check(&ended, "heartbeat", "6s", "command line");
    check(&ended, "stall-timeout", "5s", "FANFARE_STALL_TIMEOUT");
    check(&ended, "drain", "3s", &format!("{}, line 4", file.path()));
    check(&ended, "head-timeout", "10s", "default");
    check(&ended, "dev", "true", &format!("{}, line 1", file.path()));
}

#[test]
fn development_is_the_last_to_be_asked() {
    let file = File::new("development", "dev = true\nanonymous = false\n");
    let variables = [("FANFARE_SUBSCRIPTIONS", "false")];
    let flags = ["check-config", "--config", file.path()];
    let ended = fanfare_with(&variables, &flags);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let line = format!("{}, line 2", file.path());
    check(&ended, "anonymous", "false", &line);
    check(&ended, "subscriptions", "false", "FANFARE_SUBSCRIPTIONS");
    check(&ended, "cors-origin", "*", "dev");
    check(&ended, "publish-origin", "*", "dev");
}

#[test]
fn flag_names_the_file_over_the_variable() {
    let file = File::new("flag", "dev = true\n");
    let variables = [("FANFARE_CONFIG", "/nowhere.toml")];
    let ended = fanfare_with(&variables, &["check-config", "--config", file.path()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
}

#[test]
fn file_takes_text_numbers_booleans_and_lists() {
    let file = File::new(
        "types",
        "dev = true\nshards = 2\nretry-hint = false\nbody-bytes-max = 4096\n\
         cors-origins = [\"https://a.example\", \"https://b.example\"]\n",
    );
    let ended = fanfare(&["check-config", "--config", file.path()]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    assert_eq!(setting(&ended, "shards").0, "2");
    assert_eq!(setting(&ended, "retry-hint").0, "false");
    assert_eq!(setting(&ended, "body-bytes-max").0, "4096");
    // By its other name; it is shown by its own.
    assert_eq!(
        setting(&ended, "cors-origin").0,
        "https://a.example,https://b.example"
    );
}

#[test]
fn other_names_are_as_good_in_all_three_places() {
    let file = File::new("alias", "dev = true\nwrite-timeout = \"1h30m\"\n");
    let variables = [("FANFARE_DISPATCH_TIMEOUT", "5s")];
    let flags = [
        "check-config",
        "--config",
        file.path(),
        "--cors-origins=https://a.example",
        "--cors-origin=https://b.example",
    ];
    let ended = fanfare_with(&variables, &flags);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let line = format!("{}, line 2", file.path());
    check(&ended, "lifetime-max", "1h30m", &line);
    check(&ended, "stall-timeout", "5s", "FANFARE_DISPATCH_TIMEOUT");
    let origins = "https://a.example,https://b.example";
    check(&ended, "cors-origin", origins, "command line");
}

#[test]
fn setting_given_by_two_names_at_once_is_refused() {
    let file = File::new("twice", "lifetime-max = \"1s\"\nwrite-timeout = \"2s\"\n");
    let ended = fanfare(&["check-config", "--dev", "--config", file.path()]);
    refused(&ended, 2, &["`lifetime-max`", "line 1", "line 2"]);
    let variables = [
        ("FANFARE_CORS_ORIGIN", "*"),
        ("FANFARE_CORS_ORIGINS", "null"),
    ];
    let ended = fanfare_with(&variables, &["check-config", "--dev"]);
    refused(
        &ended,
        2,
        &[
            "`cors-origin`",
            "FANFARE_CORS_ORIGIN ",
            "FANFARE_CORS_ORIGINS",
        ],
    );
    let flags = ["--write-timeout=1s", "--lifetime-max=2s"];
    refused(
        &fanfare(&[&["check-config", "--dev"][..], &flags].concat()),
        2,
        &["--lifetime-max"],
    );
}

#[test]
fn unknown_key_names_the_nearest() {
    let file = File::new("unknown", "dev = true\nheartbeet = \"1s\"\n");
    for command in ["check-config", "serve"] {
        let ended = fanfare(&[command, "--config", file.path()]);
        refused(
            &ended,
            2,
            &[file.path(), "line 2", "`heartbeet`", "`heartbeat`"],
        );
    }
    let file = File::new("section", "[limits]\nheartbeat = \"1s\"\n");
    let ended = fanfare(&["check-config", "--config", file.path()]);
    refused(&ended, 2, &["line 1", "`limits`"]);
}

#[test]
fn unknown_variable_names_the_nearest() {
    let ended = fanfare_with(&[("FANFARE_HARTBEAT", "1s")], &["serve", "--dev"]);
    refused(&ended, 2, &["FANFARE_HARTBEAT", "FANFARE_HEARTBEAT"]);
}

#[test]
fn unknown_flag_names_the_nearest() {
    refused(
        &fanfare(&["serve", "--hartbeat", "1s"]),
        2,
        &["--hartbeat", "--heartbeat"],
    );
}

/// A service called `fanfare` made the hub in the same namespace refuse to start, because
/// Kubernetes sets these variables in every container.
#[test]
fn variables_that_kubernetes_sets_are_let_pass() {
    let variables = [
        ("FANFARE_PORT", "tcp://10.0.0.1:3000"),
        ("FANFARE_PORT_3000_TCP_ADDR", "10.0.0.1"),
        ("FANFARE_SERVICE_HOST", "10.0.0.1"),
    ];
    assert_eq!(
        fanfare_with(&variables, &["check-config", "--dev"]).code,
        Some(0)
    );
}

#[test]
fn variables_of_the_other_commands_are_let_pass() {
    let variables = [
        ("FANFARE_URL", "http://127.0.0.1:1"),
        ("FANFARE_TOKEN", "t"),
        ("FANFARE_KEY", "k"),
    ];
    assert_eq!(
        fanfare_with(&variables, &["check-config", "--dev"]).code,
        Some(0)
    );
}

#[test]
fn empty_variable_is_not_set() {
    let ended = fanfare_with(&[("FANFARE_HEARTBEAT", "")], &["check-config", "--dev"]);
    check(&ended, "heartbeat", "15s", "default");
}

#[test]
fn keys_are_never_shown() {
    let file = File::new("secret", "publisher-jwt-key = \"hunter2\"\n");
    let variables = [("FANFARE_SUBSCRIBER_JWT_KEY", "hunter2")];
    let ended = fanfare_with(&variables, &["check-config", "--config", file.path()]);
    assert_eq!(ended.code, Some(0));
    assert!(!format!("{ended:?}").contains("hunter2"), "{ended:?}");

    let file = File::new("broken", "publisher-jwt-key = \"hunter2\" hunter2\n");
    let ended = fanfare(&["check-config", "--config", file.path()]);
    refused(&ended, 2, &["line 1"]);
    assert!(!format!("{ended:?}").contains("hunter2"), "{ended:?}");

    let help = fanfare_with(&variables, &["serve", "--help"]);
    assert!(!help.stdout.contains("hunter2"));
}

#[test]
fn password_of_a_broker_is_never_shown() {
    let variables = [("FANFARE_BROKER", "redis://me:hunter2@127.0.0.1:1?ack=fsync")];
    let ended = fanfare_with(&variables, &["check-config", "--dev"]);
    assert_eq!(ended.code, Some(0), "{ended:?}");
    let shown = "redis://me:[redacted]@127.0.0.1:1?hub=main&ack=fsync&fence=run_id";
    check(&ended, "broker", shown, "FANFARE_BROKER");

    // Nor by a start that cannot reach its server, or that is told something else.
    let flags = ["serve", "--dev", "--listen", "127.0.0.1:0"];
    let flags = [&flags[..], &["--broker-start-patience", "50ms"]].concat();
    assert!(!format!("{ended:?}").contains("hunter2"), "{ended:?}");
    for (scheme, ack) in [("redis", "fsync"), ("nats", "relaxed")] {
        for (ack, code) in [(ack, 5), ("no", 2)] {
            let broker = format!("{scheme}://me:hunter2@127.0.0.1:1?ack={ack}");
            let ended = fanfare_with(&[("FANFARE_BROKER", broker.as_str())], &flags);
            assert_eq!(ended.code, Some(code), "{ended:?}");
            assert!(!format!("{ended:?}").contains("hunter2"), "{ended:?}");
        }
    }
}

#[test]
fn bad_value_in_the_file_names_file_line_and_key() {
    for (text, reason) in [
        ("heartbeat = 15", "15s"),
        ("heartbeat = \"15 seconds\"", "15s"),
        ("broker = \"redis\"", "memory"),
        ("retry-hint = \"perhaps\"", "boolean"),
        ("cors-origin = [\"https://a.example/\"]", "not even `/`"),
        ("cookie-name = \"a b\"", "letters"),
        ("listen = \"3000\"", "127.0.0.1:3000"),
        ("publisher-jwt-key = \"\"", "empty"),
        ("publisher-jwt-alg = \"none\"", "RS256"),
        ("publisher-jwt-alg = \"\"", "RS256"),
        ("publisher-jwks-url = \"ftp://a.example/\"", "file URL"),
        ("issuer = \"a.example\"", "absolute URL"),
        ("resource-identifier = \"hub\"", "absolute URL"),
        ("public-url = \"https://a.example/path\"", "host"),
        ("hub-path = \"/events\"", "route of its own"),
        ("dialect = \"d2\"", "both, d0, d1"),
        ("web-hook = \"/hook\"", "http"),
        ("shards = [1, 2]", "one value"),
        ("shards = 1.5", "float"),
        ("heartbeat = 1979-05-27", "datetime"),
    ] {
        let file = File::new("bad", &format!("# a comment\n\n{text}\n"));
        let key = text.split(' ').next().unwrap();
        let ended = fanfare(&["check-config", "--config", file.path()]);
        refused(
            &ended,
            2,
            &[file.path(), "line 3", &format!("`{key}`"), reason],
        );
    }
}

#[test]
fn bad_value_in_a_variable_names_it() {
    let ended = fanfare_with(&[("FANFARE_HEARTBEAT", "15")], &["check-config", "--dev"]);
    refused(&ended, 2, &["FANFARE_HEARTBEAT", "15s"]);
}

#[test]
fn unknown_broker_lists_the_known() {
    refused(
        &fanfare(&["serve", "--dev", "--broker", "kafka"]),
        2,
        &["kafka", "memory"],
    );
}

#[test]
fn number_out_of_range_is_refused_before_the_start() {
    for command in ["check-config", "serve"] {
        let ended = fanfare(&[command, "--dev", "--ring-bytes-max", "1KiB"]);
        refused(&ended, 2, &["`ring-bytes-max`", "1 MiB"]);
    }
}

#[test]
fn missing_file_is_named() {
    let ended = fanfare(&["serve", "--config", "/nowhere/fanfare.toml"]);
    refused(&ended, 2, &["/nowhere/fanfare.toml", "No such file"]);
}

#[test]
fn check_config_says_that_keys_are_missing() {
    let ended = fanfare(&["check-config"]);
    refused(
        &ended,
        3,
        &["publisher-jwt-key", "subscriber-jwt-key", "--dev"],
    );
    check(&ended, "heartbeat", "15s", "default");
}

/// Run `cargo run -- reference configuration > docs/reference/configuration.md`, and the same for
/// `exit-codes`, after a change to the settings or the exit codes.
#[test]
fn reference_is_up_to_date() {
    for page in ["configuration", "exit-codes"] {
        let path = format!(
            "{}/../../docs/reference/{page}.md",
            env!("CARGO_MANIFEST_DIR")
        );
        let written = fs::read_to_string(&path).unwrap();
        let ended = fanfare(&["reference", page]);
        assert_eq!(ended.code, Some(0), "{ended:?}");
        assert!(
            written == ended.stdout,
            "{page}.md is not what the program says"
        );
    }
}

/// What enabling the keys of 0.x admits has to be known before (DX-15).
#[test]
fn dx_15_reference_says_what_keys_of_0_x_let_in() {
    let reference = fanfare(&["reference", "configuration"]).stdout;
    let text = reference.split_whitespace().collect::<Vec<_>>().join(" ");
    let warning = "also takes 0.x tokens, which need neither `exp` nor `aud`";
    assert!(text.contains(warning), "{text}");
}
