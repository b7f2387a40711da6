//! Passwords and TLS.

use std::fs;

use fanfare_broker::Broker;
use fanfare_redis::{Address, Config, ConnectError, RedisBroker};
use fanfare_testkit::redis_server::{RedisServer, free_port};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use tempfile::TempDir;

use crate::sample::{Follower, connect_as, history, run, store};

#[test]
fn password_and_database_are_used() {
    run(async {
        let server = RedisServer::start(&["requirepass hunter2"]);
        let address = format!("redis://:hunter2@127.0.0.1:{}/3?hub=other", server.port());
        let broker = connect_as(&address, Config::default()).await;
        store(&broker, 0..1).await;
        let sizes = server.command(&["INFO", "keyspace"]);
        assert!(sizes.contains("db3:"), "{sizes}");
        assert!(!sizes.contains("db0:"), "{sizes}");
    });
}

#[test]
fn user_of_the_servers_list_is_used() {
    run(async {
        let server = RedisServer::start(&["user hub on >p%40ss ~fanfare:* +@all"]);
        // The password is `p%40ss`; in an address its `%` is written `%25`.
        let address = format!("redis://hub:p%2540ss@127.0.0.1:{}", server.port());
        let broker = connect_as(&address, Config::default()).await;
        store(&broker, 0..1).await;
    });
}

/// A certificate for 127.0.0.1, and whoever vouches for it.
fn certificates() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, kind: &str, der: &[u8]| {
        let text = pem::encode(&pem::Pem::new(kind, der));
        fs::write(folder.path().join(name), text).unwrap();
    };
    let mut authority = CertificateParams::new(Vec::new()).unwrap();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let root = authority.self_signed(&authority_key).unwrap();
    write("ca.pem", "CERTIFICATE", root.der());
    let issuer = Issuer::new(authority, authority_key);
    let key = KeyPair::generate().unwrap();
    let server = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let certificate = server.signed_by(&key, &issuer).unwrap();
    write("server.pem", "CERTIFICATE", certificate.der());
    write("server.key", "PRIVATE KEY", key.serialized_der());
    folder
}

#[test]
fn tls_is_spoken_and_the_server_is_verified() {
    run(async {
        let files = certificates();
        let path = |name: &str| files.path().join(name).display().to_string();
        let port = free_port();
        let settings = [
            format!("tls-port {port}"),
            format!("tls-cert-file {}", path("server.pem")),
            format!("tls-key-file {}", path("server.key")),
            format!("tls-ca-cert-file {}", path("ca.pem")),
            "tls-auth-clients no".to_owned(),
        ];
        let settings: Vec<_> = settings.iter().map(String::as_str).collect();
        let _server = RedisServer::start(&settings);
        let address = format!("rediss://127.0.0.1:{port}?ca={}", path("ca.pem"));
        let broker = connect_as(&address, Config::default()).await;
        let told = store(&broker, 0..10).await;
        let mut follower = Follower::attach(&broker, None);
        follower.reach(told[9].cursor).await;
        assert_eq!(history(&broker).await.len(), 10);
        assert!(broker.presence().is_some());

        let mut config = Config::default();
        config.broker_start_patience = std::time::Duration::from_millis(100);
        let stranger: Address = format!("rediss://127.0.0.1:{port}").parse().unwrap();
        let error = RedisBroker::connect(stranger, config.clone()).await;
        assert!(error.is_err(), "nobody vouches for its certificate");
        let nowhere = format!("rediss://127.0.0.1:{port}?ca={}", path("none.pem"));
        let error = RedisBroker::connect(nowhere.parse().unwrap(), config).await;
        let certificates = matches!(error, Err(ConnectError::Certificates { .. }));
        assert!(certificates, "{:?}", error.err());
    });
}
