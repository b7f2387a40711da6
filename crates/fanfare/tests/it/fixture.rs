//! A server of its own for each test, and the few requests that most tests make.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fanfare::auth::{Issuer, NewToken, Secret, SigningKey, Verifier, mint};
use fanfare::server::{Config, run};
use fanfare_broker::{Broker, MemoryBroker, memory};
use fanfare_hub::{Drained, Hub};
use fanfare_testkit::raw_http::{Answer, DEADLINE, RawPeer, ask};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

pub(crate) const HUB: &str = "/.well-known/mercure";

/// A running server; it is cut when dropped.
pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    pub(crate) hub: Hub,
    stop: Option<oneshot::Sender<()>>,
    running: JoinSet<Drained>,
}

/// Starts a server with keys for both roles that lets anonymous subscribers in.
///
/// Streams begin without the random reconnection time, so that their bytes are known.
pub(crate) async fn serve(change: impl FnOnce(&mut Config)) -> Server {
    serve_hub(fanfare_hub::Config::default(), change).await
}

pub(crate) async fn serve_hub(
    hub: fanfare_hub::Config,
    change: impl FnOnce(&mut Config),
) -> Server {
    let broker = Arc::new(MemoryBroker::new(memory::Config::default()));
    serve_broker(broker, hub, change).await
}

pub(crate) async fn serve_broker(
    broker: Arc<dyn Broker>,
    mut hub: fanfare_hub::Config,
    change: impl FnOnce(&mut Config),
) -> Server {
    hub.shards = 2;
    let hub = Hub::start(broker, hub).await.unwrap();
    let mut config = Config::default();
    config.publisher = Some(Verifier::hs256(&key()));
    config.subscriber = Some(Verifier::hs256(&key()));
    config.anonymous = true;
    config.retry_hint = false;
    change(&mut config);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let mut running = JoinSet::new();
    let served = hub.clone();
    running.spawn(async move {
        let shutdown = async { stopped.await.unwrap_or_default() };
        run(listener, served, config, shutdown).await
    });
    Server {
        address,
        hub,
        stop: Some(stop),
        running,
    }
}

impl Server {
    pub(crate) async fn connect(&self) -> RawPeer {
        RawPeer::connect(self.address).await
    }

    /// Sends `request` on a connection of its own.
    pub(crate) async fn ask(&self, request: impl AsRef<[u8]>) -> Answer {
        ask(self.address, request).await
    }

    pub(crate) async fn get(&self, target: &str) -> Answer {
        self.ask(get(target, "")).await
    }

    /// Posts a form to the hub's URL with a token that may publish everything.
    pub(crate) async fn publish(&self, form: &str) -> Answer {
        let bearer = bearer(&token(&["*"], &[]));
        self.ask(post_form(HUB, &bearer, form)).await
    }

    /// Posts JSON to `path` with a token that may publish everything.
    pub(crate) async fn post_json(&self, path: &str, json: &str) -> Answer {
        let bearer = bearer(&token(&["*"], &[]));
        self.ask(post(path, &bearer, "application/json", json))
            .await
    }

    /// Opens a stream; its head is taken, its body is not.
    pub(crate) async fn stream(&self, target: &str, fields: &str) -> (Answer, RawPeer) {
        let mut peer = self.connect().await;
        peer.send(get(target, fields)).await;
        let head = peer.read_head().await;
        assert_eq!(head.status, 200, "{}", head.head);
        (head, peer)
    }

    /// Opens a stream on the hub's URL, from whose body the first comment is taken.
    pub(crate) async fn subscribe(&self, query: &str, fields: &str) -> RawPeer {
        let (_, mut peer) = self.stream(&format!("{HUB}?{query}"), fields).await;
        assert_eq!(peer.read_chunk().await, ":\n");
        peer
    }

    /// Waits until the hub has `count` subscribers.
    pub(crate) async fn wait_for_subscribers(&self, count: u64) {
        let deadline = Instant::now() + DEADLINE;
        while self.hub.counts().subscribers != count {
            assert!(
                Instant::now() < deadline,
                "{count} subscribers, not as in {:?}",
                self.hub.counts()
            );
            tokio::task::yield_now().await;
        }
    }

    /// Sends the stop signal; the drain begins.
    pub(crate) fn stop(&mut self) {
        let _ = self.stop.take().unwrap().send(());
    }

    /// Waits for the end of the drain.
    pub(crate) async fn stopped(mut self) -> Drained {
        let ended = timeout(DEADLINE, self.running.join_next()).await;
        ended.expect("drained in time").unwrap().unwrap()
    }
}

pub(crate) fn key() -> Secret {
    "a key for tests, with enough bytes for HMAC"
        .parse()
        .unwrap()
}

pub(crate) fn token(publish: &[&str], subscribe: &[&str]) -> String {
    let all = |selectors: &[&str]| selectors.iter().map(ToString::to_string).collect();
    let token = NewToken {
        publish: all(publish),
        subscribe: all(subscribe),
        ..NewToken::default()
    };
    mint(&key(), token).unwrap()
}

#[expect(clippy::disallowed_methods, reason = "a token ends by the wall clock")]
pub(crate) fn token_for(subscribe: &[&str], lasts: Duration) -> String {
    let token = NewToken {
        subscribe: subscribe.iter().map(ToString::to_string).collect(),
        expires_at: Some(SystemTime::now() + lasts),
        ..NewToken::default()
    };
    mint(&key(), token).unwrap()
}

pub(crate) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// Who issues access tokens that [`serve_both`]'s hub trusts, and what for.
pub(crate) const ISSUER: &str = "https://issuer.example";
pub(crate) const RESOURCE: &str = "http://hub.example/.well-known/mercure";

/// Starts a server that verifies the tokens of both dialects, by the same key.
pub(crate) async fn serve_both(change: impl FnOnce(&mut Config)) -> Server {
    serve(|config| {
        config.issuers = vec![issuer(ISSUER, &key())];
        change(config);
    })
    .await
}

pub(crate) fn issuer(id: &str, key: &Secret) -> Issuer {
    Issuer {
        id: id.to_owned(),
        publisher: vec![Verifier::hs256(key)],
        subscriber: vec![Verifier::hs256(key)],
        authorization_server: false,
    }
}

/// An access token whose header is usual and whose claims are `change`d before they are signed.
pub(crate) fn access_token(publish: &[&str], subscribe: &[&str]) -> String {
    claims_signed(|_| {}, publish, subscribe)
}

pub(crate) fn claims_signed(
    change: impl FnOnce(&mut Value),
    publish: &[&str],
    subscribe: &[&str],
) -> String {
    let mut details = Vec::new();
    for (action, selectors) in [("publish", publish), ("subscribe", subscribe)] {
        let topics: Vec<_> = selectors.iter().map(|it| json!({ "match": it })).collect();
        if !topics.is_empty() {
            details.push(json!({
                "type": "https://mercure.rocks/authorization-detail",
                "actions": [action],
                "topics": topics,
            }));
        }
    }
    let mut claims = json!({
        "iss": ISSUER,
        "aud": RESOURCE,
        "exp": 4_102_444_800_u64,
        "authorization_details": details,
    });
    change(&mut claims);
    signed(&json!({ "alg": "HS256", "typ": "at+jwt" }), &claims, &key())
}

pub(crate) fn signed(header: &Value, claims: &Value, key: &Secret) -> String {
    let key = SigningKey::hs256(key);
    key.sign(&header.to_string(), &claims.to_string()).unwrap()
}

/// A GET; `fields` are whole lines.
pub(crate) fn get(target: &str, fields: &str) -> String {
    format!("GET {target} HTTP/1.1\r\nHost: hub.example\r\n{fields}\r\n")
}

pub(crate) fn post(target: &str, fields: &str, content_type: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "POST {target} HTTP/1.1\r\nHost: hub.example\r\n{fields}Content-Type: {content_type}\r\n\
         Content-Length: {length}\r\n\r\n{body}"
    )
}

pub(crate) fn post_form(target: &str, fields: &str, form: &str) -> String {
    post(target, fields, "application/x-www-form-urlencoded", form)
}
