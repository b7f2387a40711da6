use std::time::Duration;

use clap::FromArgMatches;

use super::{Parts, Unfit};
use crate::config::{Settings, table};

const KEY: &str = "!ChangeThisMercureHubJWTSecretKey!";

fn parts(flags: &[&str]) -> Result<Parts, Unfit> {
    let matches = table().try_get_matches_from(flags).expect("valid flags");
    Parts::new(Settings::from_arg_matches(&matches).expect("valid settings"))
}

fn with_keys(flags: &[&str]) -> Parts {
    let publisher = format!("--publisher-jwt-key={KEY}");
    let subscriber = format!("--subscriber-jwt-key={KEY}");
    let mut all = vec![publisher.as_str(), &subscriber];
    all.extend_from_slice(flags);
    parts(&all).expect("a hub can be made of these")
}

#[test]
fn defaults_are_those_of_the_parts() {
    let parts = with_keys(&[]);
    let hub = fanfare_hub::Config::default();
    assert_eq!(format!("{:?}", parts.hub), format!("{hub:?}"));
    let memory = fanfare_broker::memory::Config::default();
    assert_eq!(format!("{:?}", parts.memory), format!("{memory:?}"));
    let mut server = parts.server;
    assert!(server.publisher.take().is_some());
    assert!(server.subscriber.take().is_some());
    let expected = fanfare::server::Config::default();
    assert_eq!(format!("{server:?}"), format!("{expected:?}"));
    assert_eq!(parts.warnings, Vec::<String>::new());
}

#[test]
fn every_setting_reaches_its_part() {
    let parts = with_keys(&[
        "--listen=[::1]:8080",
        "--anonymous",
        "--cors-origins=https://cors.example",
        "--publish-origins=https://publish.example",
        "--cookie-name=hub",
        "--heartbeat=11s",
        "--stall-timeout=12s",
        "--lifetime-max=13s",
        "--lagging-rate-min=14",
        "--subscribers-max=15",
        "--selectors-max=16",
        "--retry-hint=false",
        "--shards=17",
        "--ring-bytes-max=18MiB",
        "--ring-records-max=19",
        "--stream-bytes-max=20KiB",
        "--history-count-max=21",
        "--history-bytes-max=22MiB",
        "--dedupe-window=32s",
        "--dedupe-keys-max=33",
        "--unknown-cursor=all",
        "--connections-max=23",
        "--head-timeout=24s",
        "--head-bytes-max=25KiB",
        "--target-bytes-max=26KiB",
        "--body-timeout=27s",
        "--body-bytes-max=28MiB",
        "--batch-max=29",
        "--topics-max=30",
        "--drain=31s",
    ]);
    let seconds = Duration::from_secs;
    assert_eq!(parts.listen.to_string(), "[::1]:8080");
    let hub = parts.hub;
    assert_eq!(
        (hub.heartbeat, hub.stall_timeout),
        (seconds(11), seconds(12))
    );
    assert_eq!((hub.lifetime_max, hub.lagging_rate_min), (seconds(13), 14));
    assert_eq!((hub.subscribers_max, hub.shards), (15, 17));
    assert_eq!((hub.ring_bytes_max, hub.ring_records_max), (18 << 20, 19));
    assert_eq!(hub.stream_bytes_max, 20 << 10);
    assert_eq!(parts.memory.history_count_max, 21);
    assert_eq!(parts.memory.history_bytes_max, 22 << 20);
    assert_eq!(parts.memory.dedupe_window, seconds(32));
    assert_eq!(parts.memory.dedupe_keys_max, 33);
    assert_eq!(hub.unknown_cursor, fanfare_hub::UnknownCursor::All);
    let server = parts.server;
    assert!(server.anonymous && !server.retry_hint && server.dev.is_none());
    assert!(server.cors_origins.matches("https://cors.example"));
    assert!(!server.cors_origins.matches("https://publish.example"));
    assert!(server.publish_origins.matches("https://publish.example"));
    assert_eq!(server.cookie_name, "hub");
    assert_eq!((server.selectors_max, server.topics_max), (16, 30));
    assert_eq!((server.connections_max, server.batch_max), (23, 29));
    assert_eq!(
        (server.head_timeout, server.body_timeout),
        (seconds(24), seconds(27))
    );
    assert_eq!(
        (server.head_bytes_max, server.target_bytes_max),
        (25 << 10, 26 << 10)
    );
    assert_eq!(
        (server.body_bytes_max, server.drain),
        (28 << 20, seconds(31))
    );
}

#[test]
fn hub_that_lets_nobody_in_is_refused() {
    let missing = |flags: &[&str]| match parts(flags) {
        Err(Unfit::Incomplete { missing }) => missing.len(),
        Err(Unfit::OutOfRange { .. }) | Ok(_) => 0,
    };
    assert_eq!(missing(&[]), 2);
    assert_eq!(missing(&["--anonymous"]), 1);
    assert_eq!(missing(&["--publisher-jwt-key=k"]), 1);
    assert_eq!(missing(&["--subscriber-jwt-key=k"]), 1);
    assert!(parts(&["--publisher-jwt-key=k", "--anonymous"]).is_ok());
    assert!(parts(&["--publisher-jwt-key=k", "--subscriber-jwt-key=k"]).is_ok());
    assert!(parts(&["--dev"]).is_ok());
}

#[test]
fn number_out_of_range_is_named_as_it_was_typed() {
    let refused = parts(&["--dev", "--ring-bytes-max=5"]).expect_err("too small");
    let Unfit::OutOfRange { key, .. } = refused else {
        panic!("{refused}");
    };
    assert_eq!(key, "ring-bytes-max");
}

#[test]
fn development_lets_everybody_in() {
    let server = parts(&["--dev"]).expect("nothing else is needed").server;
    let token = server.dev.expect("a development hub").publisher_token;
    let now = std::time::UNIX_EPOCH;
    let grant = server.publisher.expect("a key").verify(&token, now);
    let publish = grant.expect("its own token").publish.expect("a publisher");
    assert!(publish.matches(&fanfare_broker::Topic::parse("anything").expect("a topic")));
    assert!(server.anonymous);
    assert!(server.cors_origins.any());
    assert!(server.publish_origins.is_empty());
}

#[test]
fn development_key_is_another_each_time() {
    let token = || {
        parts(&["--dev"])
            .expect("dev")
            .server
            .dev
            .map(|dev| dev.publisher_token)
    };
    assert_ne!(token(), token());
}

#[test]
fn what_may_not_be_meant_is_said() {
    let warnings = |flags: &[&str]| parts(flags).expect("a hub").warnings.len();
    assert_eq!(warnings(&["--dev"]), 0);
    assert_eq!(warnings(&["--dev", "--listen=0.0.0.0:3000"]), 1);
    assert_eq!(warnings(&["--publisher-jwt-key=short", "--anonymous"]), 1);
    let key = format!("--publisher-jwt-key={KEY}");
    assert_eq!(warnings(&[&key, "--anonymous", "--cors-origins=*"]), 1);
}
