use std::time::Duration;

use super::{Parts, Unfit};
use crate::config::{BrokerConfig, Environment, Loaded, OnHistoryFailure, table};

const KEY: &str = "a key for tests, with enough bytes for HMAC";
const DEMO_KEY: &str = "!ChangeThisMercureHubJWTSecretKey!";

fn parts(flags: &[&str]) -> Result<Parts, Unfit> {
    let matches = table().try_get_matches_from(flags).expect("valid flags");
    let loaded = Loaded::load(&matches, &Environment::default(), &[], None);
    Parts::new(loaded.expect("valid settings").settings)
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
    let BrokerConfig::Sqlite(directory, history) = parts.broker else {
        panic!("{:?}", parts.broker);
    };
    assert_eq!(directory.to_str(), Some("fanfare-data"));
    let expected = fanfare_sqlite::Config::default();
    assert_eq!(format!("{history:?}"), format!("{expected:?}"));
    assert_eq!(parts.on_history_failure, OnHistoryFailure::Exit);
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
        "--cors-origin=https://cors.example",
        "--publish-origin=https://publish.example",
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
fn every_setting_of_the_protocol_reaches_the_server() {
    let server = with_keys(&[
        "--access-cookie-name=access",
        "--hub-path=/hub",
        "--public-url=https://hub.example",
        "--resource-identifier=https://hub.example/hub",
        "--dialect=d0",
        "--subscriptions",
        "--admin-token=the admin's",
        "--revocations-max=34",
        "--web-hook=https://hook.example/topics",
        "--web-hook-key=the hook's",
        "--matchers-max=35",
        "--subscribers-per-address-max=36",
        "--subscribers-per-subject-max=37",
    ])
    .server;
    assert_eq!(server.access_cookie_name, "access");
    assert_eq!(server.hub_path, "/hub");
    assert_eq!(
        server.public_urls,
        ["https://hub.example".parse().expect("a URL")]
    );
    let identifier = server.resource_identifier.as_deref();
    assert_eq!(identifier, Some("https://hub.example/hub"));
    assert_eq!(server.dialects, fanfare::dialect::Dialects::D0);
    assert!(server.subscriptions);
    let secret = |text: &str| Some(text.parse().expect("a secret"));
    assert_eq!(server.admin_token, secret("the admin's"));
    let hook = server.web_hook.as_ref().expect("a web hook");
    assert!(format!("{hook:?}").contains("hook.example"));
    assert_eq!((server.revocations_max, server.matchers_max), (34, 35));
    let limits = (
        server.subscribers_per_address_max,
        server.subscribers_per_subject_max,
    );
    assert_eq!(limits, (36, 37));
}

#[test]
fn op_01_other_names_mean_the_same() {
    let hub = with_keys(&["--write-timeout=10m0s", "--dispatch-timeout=5s"]).hub;
    assert_eq!(
        (hub.lifetime_max, hub.stall_timeout),
        (Duration::from_secs(600), Duration::from_secs(5))
    );
    let flags = [
        "--max-request-body-size=2MiB",
        "--cors-origins=https://a.example",
        "--cors-origin=https://b.example",
        "--publish-origins=https://c.example",
        "--public-urls=https://hub.example",
    ];
    let server = with_keys(&flags).server;
    assert_eq!(server.body_bytes_max, 2 << 20);
    for origin in ["https://a.example", "https://b.example"] {
        assert!(server.cors_origins.matches(origin), "{origin}");
    }
    assert!(server.publish_origins.matches("https://c.example"));
    assert_eq!(server.public_urls.len(), 1);
}

#[test]
fn cf_20_there_is_always_a_limit_on_bodies() {
    let refused = parts(&["--dev", "--max-request-body-size=0"]).expect_err("no limit");
    assert!(matches!(refused, Unfit::OutOfRange { key, .. } if key == "body-bytes-max"));
}

#[test]
fn web_hook_key_alone_is_refused() {
    let refused = parts(&["--dev", "--web-hook-key=k"]).expect_err("nothing to sign");
    assert!(matches!(refused, Unfit::HookKeyAlone));
}

#[test]
fn d0_u3_role_may_be_missing_and_both_may_not() {
    let missing = |flags: &[&str]| match parts(flags) {
        Err(Unfit::Incomplete { missing }) => missing.len(),
        Ok(parts) => parts
            .warnings
            .iter()
            .filter(|it| it.contains("role"))
            .count(),
        Err(other) => panic!("{other}"),
    };
    assert_eq!(missing(&[]), 2);
    assert_eq!(missing(&["--anonymous"]), 1);
    assert_eq!(missing(&["--publisher-jwt-key=k"]), 1);
    assert_eq!(missing(&["--subscriber-jwt-key=k"]), 1);
    assert!(parts(&["--publisher-jwt-key=k", "--anonymous"]).is_ok());
    assert!(parts(&["--publisher-jwt-key=k", "--subscriber-jwt-key=k"]).is_ok());
    assert!(parts(&["--dev"]).is_ok());
    // An issuer with keys is enough for a role, and one without is not.
    let issuer = "--issuer=https://a.example";
    assert_eq!(missing(&[issuer]), 2);
    assert_eq!(missing(&[issuer, "--issuer-publisher-key=k"]), 1);
    assert_eq!(
        missing(&[issuer, "--issuer-publisher-key=k", "--anonymous"]),
        0
    );
    assert_eq!(
        missing(&[issuer, "--publisher-jwt-key=k", "--issuer-publisher-key=-"]),
        1
    );
}

#[test]
fn number_out_of_range_is_named_as_it_was_typed() {
    let refused = parts(&["--dev", "--ring-bytes-max=5"]).expect_err("too small");
    let Unfit::OutOfRange { key, .. } = refused else {
        panic!("{refused}");
    };
    assert_eq!(key, "ring-bytes-max");
}

#[tokio::test]
async fn cf_25_development_lets_everybody_in() {
    let server = parts(&["--dev"]).expect("nothing else is needed").server;
    let token = server.dev.expect("a development hub").publisher_token;
    let now = std::time::UNIX_EPOCH;
    let grant = server.publisher.expect("a key").verify(&token, now).await;
    let publish = grant.expect("its own token").publish.expect("a publisher");
    assert!(publish.matches(&fanfare_broker::Topic::parse("anything").expect("a topic")));
    assert!(server.anonymous);
    assert!(server.cors_origins.any());
    assert!(server.publish_origins.any());
    assert!(server.subscriptions);
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
fn development_goes_with_each_dialect_and_with_given_origins() {
    for flags in [&["--dev", "--dialect=d0"], &["--dev", "--dialect=d1"]] {
        assert!(parts(flags).is_ok(), "{flags:?}");
    }
    let given = parts(&["--dev", "--publish-origin=https://a.example"]).expect("a hub");
    assert!(!given.server.publish_origins.any());
}

#[test]
fn development_gives_way_to_whatever_is_set() {
    let flags = [
        "--dev",
        "--subscriptions=false",
        "--anonymous=false",
        "--cors-origin=https://a.example",
    ];
    let server = parts(&flags).expect("a hub").server;
    assert!(!server.subscriptions);
    assert!(!server.anonymous);
    assert!(!server.cors_origins.any());
    assert!(server.publish_origins.any());
}

#[test]
fn cf_24_demo_key_is_taken_and_warned_of() {
    let publisher = format!("--publisher-jwt-key={DEMO_KEY}");
    let subscriber = format!("--subscriber-jwt-key={DEMO_KEY}");
    let warnings = parts(&[&publisher, &subscriber]).expect("a hub").warnings;
    let [warning] = warnings.as_slice() else {
        panic!("{warnings:?}");
    };
    assert!(warning.contains("everybody knows"), "{warning}");
    assert!(warning.contains("publisher-jwt-key and subscriber-jwt-key"));
    assert!(!format!("{warnings:?}").contains(DEMO_KEY));
    let dev = parts(&[&publisher, &subscriber, "--dev"]).expect("a hub");
    assert_eq!(dev.warnings, Vec::<String>::new());
    let issuer = format!("--issuer-publisher-key={DEMO_KEY}");
    let place = "--public-url=https://hub.example";
    let flags = ["--issuer=https://a.example", "--anonymous", &issuer, place];
    assert_eq!(parts(&flags).expect("a hub").warnings.len(), 1);
}

#[test]
fn what_may_not_be_meant_is_said() {
    let warnings = |flags: &[&str]| parts(flags).expect("a hub").warnings.len();
    assert_eq!(warnings(&["--dev"]), 0);
    assert_eq!(warnings(&["--dev", "--listen=0.0.0.0:3000"]), 1);
    assert_eq!(warnings(&["--publisher-jwt-key=short", "--anonymous"]), 1);
    let key = "--publisher-jwt-key=a key that is long enough for anybody";
    let issuer = ["--issuer=https://a.example", key, "--anonymous"];
    assert_eq!(warnings(&issuer), 1, "what tokens must name");
    let key = format!("--publisher-jwt-key={KEY}");
    assert_eq!(warnings(&[&key, "--anonymous", "--cors-origin=*"]), 1);
}

#[test]
fn every_setting_of_the_memory_broker_reaches_it() {
    let parts = with_keys(&[
        "--broker=memory",
        "--history-count-max=21",
        "--history-bytes-max=22MiB",
        "--dedupe-window=32s",
        "--dedupe-keys-max=33",
    ]);
    let BrokerConfig::Memory(memory) = parts.broker else {
        panic!("{:?}", parts.broker);
    };
    assert_eq!(memory.history_count_max, 21);
    assert_eq!(memory.history_bytes_max, 22 << 20);
    assert_eq!(memory.dedupe_window, Duration::from_secs(32));
    assert_eq!(memory.dedupe_keys_max, 33);
}

#[test]
fn every_setting_of_a_history_reaches_it() {
    let parts = with_keys(&[
        "--broker=sqlite:/var/lib/fanfare",
        "--durability=interval:250",
        "--history-max-events=21",
        "--history-max-age=2d",
        "--history-max-bytes=22MiB",
        "--dedupe-window=32s",
        "--disk-free-min=0",
        "--on-damage=refuse",
        "--on-history-failure=stay",
    ]);
    assert_eq!(parts.on_history_failure, OnHistoryFailure::Stay);
    let BrokerConfig::Sqlite(directory, history) = parts.broker else {
        panic!("{:?}", parts.broker);
    };
    assert_eq!(directory.to_str(), Some("/var/lib/fanfare"));
    let mut expected = fanfare_sqlite::Config::default();
    expected.durability = fanfare_sqlite::Durability::Interval(Duration::from_millis(250));
    expected.history_count_max = 21;
    expected.history_age_max = Duration::from_secs(2 * 86_400);
    expected.history_bytes_max = 22 << 20;
    expected.dedupe_window = Duration::from_secs(32);
    expected.disk_free_min = 0;
    expected.on_damage = fanfare_sqlite::OnDamage::Refuse;
    assert_eq!(format!("{history:?}"), format!("{expected:?}"));
}
