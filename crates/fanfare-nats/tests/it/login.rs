//! Passwords, tokens and TLS.

use std::fs;

use fanfare_nats::{Config, NatsBroker, OpenError};
use fanfare_testkit::nats_server::NatsServer;
use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::sample::{data, history, store};

async fn connect(address: &str) -> Result<NatsBroker, OpenError> {
    let mut config = Config::default();
    config.broker_start_patience = std::time::Duration::from_millis(300);
    NatsBroker::connect(address.parse().unwrap(), config).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_lets_in_and_a_wrong_one_is_refused() {
    let server = NatsServer::start_with("authorization { user: me, password: \"s@cret\" }");
    let host = server.host();
    let broker = connect(&format!("nats://me:s%40cret@{host}?ack=relaxed")).await;
    store(&broker.unwrap(), &["in"]).await;
    for login in ["", "me:wrong@", "s%40cret@"] {
        let refused = connect(&format!("nats://{login}{host}?ack=relaxed")).await;
        assert!(matches!(refused, Err(OpenError::Refused { .. })), "{login}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_lets_in() {
    let server = NatsServer::start_with("authorization { token: \"s@cret\" }");
    let address = format!("nats://s%40cret@{}?ack=relaxed", server.host());
    store(&connect(&address).await.unwrap(), &["in"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tls_trusts_the_given_authority_and_no_other() {
    let folder = tempfile::TempDir::new().unwrap();
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (cert_file, key_file) = (folder.path().join("c.pem"), folder.path().join("k.pem"));
    fs::write(&cert_file, pem("CERTIFICATE", cert.der())).unwrap();
    fs::write(&key_file, pem("PRIVATE KEY", &signing_key.serialize_der())).unwrap();
    let server = NatsServer::start_with(&format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\" }}",
        cert_file.display(),
        key_file.display()
    ));
    let host = server.host();
    let ca = cert_file.display();
    let broker = connect(&format!("tls://{host}?ack=relaxed&ca={ca}")).await;
    let broker = broker.unwrap();
    store(&broker, &["in"]).await;
    assert_eq!(data(&history(&broker).await), ["in"]);

    let stranger = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    fs::write(&cert_file, pem("CERTIFICATE", stranger.cert.der())).unwrap();
    let refused = connect(&format!("tls://{host}?ack=relaxed&ca={ca}")).await;
    assert!(matches!(refused, Err(OpenError::Unreachable { .. })));
}

fn pem(tag: &str, bytes: &[u8]) -> String {
    pem::encode(&pem::Pem::new(tag, bytes))
}

/// Debian's server cannot show how it syncs; a newer one without `always` shows that it does not.
#[tokio::test(flavor = "multi_thread")]
async fn na_08_what_cannot_be_shown_is_refused() {
    let server = NatsServer::start();
    let refused = connect(&format!("nats://{}", server.host())).await;
    assert!(matches!(refused, Err(OpenError::Unproven { .. })));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_is_no_history_is_refused() {
    let server = NatsServer::start();
    let client = async_nats::connect(server.host()).await.unwrap();
    let stream = async_nats::jetstream::stream::Config {
        name: "FANFARE_default".to_owned(),
        subjects: vec!["elsewhere".to_owned()],
        ..Default::default()
    };
    let jetstream = async_nats::jetstream::new(client);
    jetstream.create_stream(stream).await.unwrap();
    let refused = connect(&format!("nats://{}?ack=relaxed", server.host())).await;
    assert!(matches!(refused, Err(OpenError::Foreign { .. })));
}
