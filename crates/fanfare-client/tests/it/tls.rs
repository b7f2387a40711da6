//! RC-30: who is trusted, and which version of HTTP is spoken over TLS.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use fanfare_client::error::Cause;
use fanfare_client::item::End;
use fanfare_client::network::Proxy;
use fanfare_client::{Client, EventSource, Network};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::join;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use crate::peer::{STREAM, config, ended, event};

/// A server with a certificate of its own for `name`, and that certificate.
async fn listen(name: &str, alpn: &[&str]) -> (TcpListener, TlsAcceptor, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed([name.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let mut server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    server.alpn_protocols = alpn.iter().map(|it| it.as_bytes().to_vec()).collect();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    (
        listener,
        TlsAcceptor::from(Arc::new(server)),
        pem(cert.der()),
    )
}

fn pem(der: &[u8]) -> String {
    let text = STANDARD.encode(der);
    format!("-----BEGIN CERTIFICATE-----\n{text}\n-----END CERTIFICATE-----\n")
}

fn source(listener: &TcpListener, root: Option<String>) -> EventSource {
    let mut network = Network::default();
    network.proxy = Proxy::None;
    network.tls.roots.extend(root);
    let port = listener.local_addr().unwrap().port();
    let config = config(&format!("https://localhost:{port}/stream"));
    Client::new(&network).unwrap().event_source(config).unwrap()
}

#[tokio::test]
async fn rc_30_an_added_root_is_trusted_over_http_1() {
    let (listener, acceptor, root) = listen("localhost", &["http/1.1"]).await;
    let mut source = source(&listener, Some(root));
    let serve = async {
        let (socket, _) = listener.accept().await.unwrap();
        let mut socket = acceptor.accept(socket).await.unwrap();
        let mut request = [0; 4096];
        let read = socket.read(&mut request).await.unwrap();
        assert!(request[..read].starts_with(b"GET /stream HTTP/1.1\r\n"));
        let answer = format!("{STREAM}data: a\n\n");
        socket.write_all(answer.as_bytes()).await.unwrap();
        socket
    };
    let (event, _socket) = join!(event(&mut source), serve);
    assert_eq!(event.data, "a");
}

#[tokio::test]
async fn http_2_is_spoken_where_it_is_offered() {
    let (listener, acceptor, root) = listen("localhost", &["h2", "http/1.1"]).await;
    let mut source = source(&listener, Some(root));
    let serve = async {
        let (socket, _) = listener.accept().await.unwrap();
        let socket = acceptor.accept(socket).await.unwrap();
        assert_eq!(socket.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        let mut server = h2::server::handshake(socket).await.unwrap();
        let (_, mut respond) = server.accept().await.unwrap().unwrap();
        let head = http::Response::builder().header("content-type", "text/event-stream");
        let mut send = respond
            .send_response(head.body(()).unwrap(), false)
            .unwrap();
        send.send_data(Bytes::from_static(b"data: a\n\n"), false)
            .unwrap();
        while let Some(Ok(_)) = server.accept().await {}
    };
    let read = async {
        assert_eq!(event(&mut source).await.data, "a");
        drop(source);
    };
    join!(read, serve);
}

#[tokio::test]
async fn rc_30_a_certificate_that_nobody_vouches_for_is_final() {
    let (listener, acceptor, _) = listen("localhost", &[]).await;
    let mut source = source(&listener, None);
    let serve = async {
        let (socket, _) = listener.accept().await.unwrap();
        assert!(acceptor.accept(socket).await.is_err());
    };
    let (end, ()) = join!(ended(&mut source), serve);
    assert!(matches!(end, End::Failed(Cause::Certificate(_))), "{end:?}");
}

#[tokio::test]
async fn rc_30_a_certificate_for_another_name_is_final() {
    let (listener, acceptor, root) = listen("other.example", &[]).await;
    let mut source = source(&listener, Some(root));
    let serve = async {
        let (socket, _) = listener.accept().await.unwrap();
        assert!(acceptor.accept(socket).await.is_err());
    };
    let (end, ()) = join!(ended(&mut source), serve);
    let End::Failed(Cause::Certificate(cause)) = end else {
        panic!("{end:?}");
    };
    let mut error: &dyn std::error::Error = &*cause;
    let mut text = error.to_string();
    while let Some(source) = error.source() {
        text += &source.to_string();
        error = source;
    }
    assert!(
        text.contains("other.example"),
        "says which name it is for: {text}"
    );
}
