//! O5: a publisher over a hub that fails in every way.

use std::time::Duration;

use fanfare_client::publisher::{self, Fault, Key, PublishError};
use fanfare_client::{Publication, Publisher};
use http::HeaderValue;
use tokio::join;

use crate::peer::{Peer, client};

fn publisher(peer: &Peer, change: impl FnOnce(&mut publisher::Config)) -> Publisher {
    let url = format!("http://{}/.well-known/mercure", peer.address);
    let mut config = publisher::Config::new(url.parse().unwrap());
    config.retry_max = Duration::from_millis(1);
    config
        .headers
        .insert("authorization", HeaderValue::from_static("Bearer t"));
    change(&mut config);
    client().publisher(config).unwrap()
}

fn answer(status: u16, body: &str) -> String {
    let length = body.len();
    format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}")
}

#[tokio::test]
async fn o5_every_publish_has_a_key_and_keeps_it_over_its_attempts() {
    let peer = Peer::listen().await;
    let publisher = publisher(&peer, |_| {});
    let publication = Publication::new("t", "hello");
    let serve = async {
        let mut keys = Vec::new();
        keys.push(peer.answer(answer(503, "")).await);
        keys.push(peer.answer(answer(429, "")).await);
        keys.push(peer.answer(answer(504, "")).await);
        let mut cut = peer.accept().await;
        cut.close().await;
        keys.push(cut);
        let replayed = "HTTP/1.1 200 OK\r\nIdempotent-Replayed: true\r\nContent-Length: 1\r\n\r\n7";
        keys.push(peer.answer(replayed).await);
        keys.push(peer.answer(answer(200, "8")).await);
        let key =
            |request: &crate::peer::Exchange| request.field("idempotency-key").map(str::to_owned);
        assert_eq!(keys[0].line(), "POST /.well-known/mercure");
        assert_eq!(keys[0].field("authorization"), Some("Bearer t"));
        assert_eq!(keys[0].body, "topic=t&data=hello");
        assert!(key(&keys[0]).unwrap().len() > 30);
        assert!(keys[..5].iter().all(|it| key(it) == key(&keys[0])));
        assert_ne!(key(&keys[5]), key(&keys[0]), "another publish, another key");
    };
    let publish = async {
        let receipt = publisher.publish(&publication).await.unwrap();
        assert_eq!((receipt.id.as_str(), receipt.replayed), ("7", true));
        let receipt = publisher.publish(&publication).await.unwrap();
        assert_eq!((receipt.id.as_str(), receipt.replayed), ("8", false));
    };
    join!(serve, publish);
}

#[tokio::test]
async fn o5_a_refusal_is_not_repeated() {
    let peer = Peer::listen().await;
    let publisher = publisher(&peer, |_| {});
    let body = "{\"status\":422,\"detail\":\"another publication has this key\"}";
    let publication = Publication::new("t", "");
    let (result, _) = join!(
        publisher.publish(&publication),
        peer.answer(answer(422, body))
    );
    match result.unwrap_err() {
        PublishError::Refused(Fault::Status { status, detail }) => {
            assert_eq!(status, 422);
            assert_eq!(detail, "another publication has this key");
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn o5_unknown_is_said_when_the_window_closes_and_names_the_key() {
    let peer = Peer::listen().await;
    let publisher = publisher(&peer, |config| config.window = Duration::ZERO);
    let mut publication = Publication::new("t", "");
    publication.key = Some(Key::parse("mine").unwrap());
    let (result, request) = join!(
        publisher.publish(&publication),
        peer.answer(answer(504, ""))
    );
    assert_eq!(request.field("idempotency-key"), Some("\"mine\""));
    match result.unwrap_err() {
        PublishError::Unknown { key, .. } => assert_eq!(key.as_str(), "mine"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn o5_silence_is_unknown_and_nobody_there_is_not_stored() {
    let peer = Peer::listen().await;
    let silent = publisher(&peer, |config| {
        config.window = Duration::ZERO;
        config.attempt_timeout = Duration::from_millis(50);
    });
    let publication = Publication::new("t", "");
    let (result, _exchange) = join!(silent.publish(&publication), peer.accept());
    let error = result.unwrap_err();
    let is_unknown = matches!(
        error,
        PublishError::Unknown {
            source: Fault::Silent,
            ..
        }
    );
    assert!(is_unknown, "{error:?}");

    let nobody = publisher(&peer, |config| config.window = Duration::ZERO);
    drop(peer);
    let error = nobody.publish(&publication).await.unwrap_err();
    assert!(
        matches!(error, PublishError::NotStored(Fault::Connection(_))),
        "{error:?}"
    );
}

#[tokio::test]
async fn o6_a_batch_repeats_only_what_that_helps() {
    let peer = Peer::listen().await;
    let publisher = publisher(&peer, |_| {});
    let batch = ["a", "b", "c"].map(|data| Publication::new("t", data));
    let serve = async {
        let lines = "{\"outcome\":\"stored\",\"id\":\"1\"}\n\
                     {\"outcome\":\"not_stored\",\"status\":503,\"detail\":\"full\"}\n\
                     {\"outcome\":\"not_stored\",\"status\":413,\"detail\":\"large\"}\n";
        let first = peer.answer(answer(207, lines)).await;
        assert_eq!(first.line(), "POST /publish");
        assert_eq!(first.field("content-type"), Some("application/x-ndjson"));
        assert_eq!(first.body.lines().count(), 3);
        let second = peer
            .answer(answer(200, "{\"outcome\":\"stored\",\"id\":\"2\"}\n"))
            .await;
        assert_eq!(second.body.trim_end(), first.body.lines().nth(1).unwrap());
    };
    let (results, ()) = join!(publisher.publish_batch(&batch), serve);
    assert_eq!(results[0].as_ref().unwrap().id.as_str(), "1");
    assert_eq!(results[1].as_ref().unwrap().id.as_str(), "2");
    assert!(matches!(results[2], Err(PublishError::Refused(_))));
    assert!(publisher.publish_batch(&[]).await.is_empty());
}

#[tokio::test]
async fn rc_32_debug_shows_no_token() {
    let peer = Peer::listen().await;
    let publisher = publisher(&peer, |config| {
        let token = HeaderValue::from_static("Bearer hunter2");
        config.headers.insert("authorization", token);
    });
    let text = format!("{publisher:?}");
    assert!(!text.contains("hunter2"), "{text}");
}
