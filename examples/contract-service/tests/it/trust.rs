//! RC-30: the client trusts whom the system trusts.

use std::env::temp_dir;
use std::fs;
use std::process;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::harness::{Harness, STREAM, event};

#[tokio::test]
async fn rc_30_a_root_of_the_system_is_trusted_and_no_other() {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let tls = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let stream = json!({ "streamUrl": format!("https://localhost:{port}/") });

    // Where OpenSSL and its kin look for the system's roots.
    let root = temp_dir().join(format!("contract-service-{}.pem", process::id()));
    let text = STANDARD.encode(cert.der());
    let pem = format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n");
    fs::write(&root, pem).unwrap();
    let variables = [("SSL_CERT_FILE", root.to_str().unwrap().to_owned())];

    let mut trusting = Harness::start_with(&variables).await;
    trusting.create(stream.clone()).await;
    let (socket, _) = listener.accept().await.unwrap();
    let mut socket = acceptor.accept(socket).await.unwrap();
    assert!(socket.read(&mut [0; 4096]).await.unwrap() > 0);
    let answer = format!("{STREAM}data: Hello\n\n");
    socket.write_all(answer.as_bytes()).await.unwrap();
    trusting.expect(&event("Hello")).await;
    fs::remove_file(root).unwrap();

    let mut others = Harness::start().await;
    others.create(stream).await;
    let (socket, _) = listener.accept().await.unwrap();
    assert!(acceptor.accept(socket).await.is_err());
    assert!(others.error().await.contains("certificate"));
}
