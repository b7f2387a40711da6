use std::fs;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, UNIX_EPOCH};

use futures_util::FutureExt;
use futures_util::future::join_all;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::super::test_keys::Pair;
use super::super::{Algorithm, SigningKey, TokenError, Verifier};
use super::document::Keys;
use super::{Fetched, InvalidKeySet, KeySet, Limits, State};

/// However slow the machine is, what takes longer than this does not happen.
const DEADLINE: Duration = Duration::from_secs(30);

/// A server that answers each request as it is told to, and counts them.
struct Issuer {
    url: String,
    answer: Arc<Mutex<Answer>>,
    fetches: Arc<AtomicUsize>,
    _serving: JoinSet<()>,
}

#[derive(Clone)]
enum Answer {
    Text(String),
    /// Nothing, ever.
    Silence,
    /// 100 MB, as fast as they are taken.
    Huge(Arc<AtomicUsize>),
}

impl Answer {
    fn keys(keys: &[Value]) -> Self {
        Self::document(&json!({ "keys": keys }).to_string())
    }

    fn document(text: &str) -> Self {
        Self::Text(format!(
            "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        ))
    }

    fn status(status: &str) -> Self {
        Self::Text(format!(
            "HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
        ))
    }
}

impl Issuer {
    async fn start(answer: Answer) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/keys", listener.local_addr().unwrap());
        let answer = Arc::new(Mutex::new(answer));
        let fetches = Arc::new(AtomicUsize::new(0));
        let mut serving = JoinSet::new();
        let (told, count) = (Arc::clone(&answer), Arc::clone(&fetches));
        serving.spawn(async move {
            let mut connections = JoinSet::new();
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let answer = told.lock().unwrap().clone();
                connections.spawn(answer_to(stream, answer));
            }
        });
        Self {
            url,
            answer,
            fetches,
            _serving: serving,
        }
    }

    fn answers(&self, answer: Answer) {
        *self.answer.lock().unwrap() = answer;
    }

    fn fetches(&self) -> usize {
        self.fetches.load(Ordering::SeqCst)
    }

    fn verifier(&self, limits: Limits) -> Verifier {
        Verifier::of(KeySet::new(&self.url, None, limits).unwrap())
    }
}

async fn answer_to(mut stream: TcpStream, answer: Answer) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut bytes = [0; 1024];
        let Ok(count @ 1..) = stream.read(&mut bytes).await else {
            return;
        };
        request.extend_from_slice(&bytes[..count]);
    }
    match answer {
        // The peer may have hung up, which is no matter of this test.
        Answer::Text(text) => _ = stream.write_all(text.as_bytes()).await,
        Answer::Silence => std::future::pending().await,
        Answer::Huge(written) => {
            let head = "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n";
            let mut part = head.as_bytes().to_vec();
            while written.load(Ordering::SeqCst) < 100_000_000 {
                let Ok(()) = stream.write_all(&part).await else {
                    return;
                };
                written.fetch_add(part.len(), Ordering::SeqCst);
                part = vec![b' '; 64 << 10];
            }
        }
    }
}

async fn verify(verifier: &Verifier, token: &str) -> Result<(), TokenError> {
    let verified = timeout(DEADLINE, verifier.verify(token, UNIX_EPOCH)).await;
    verified.expect("verified in time").map(drop)
}

/// Verifies again and again until it comes out as `expected`.
async fn verify_until(verifier: &Verifier, token: &str, expected: Result<(), TokenError>) {
    let deadline = Instant::now() + DEADLINE;
    loop {
        let verified = verify(verifier, token).await;
        if verified == expected {
            return;
        }
        assert!(Instant::now() < deadline, "{verified:?}, not {expected:?}");
        tokio::task::yield_now().await;
    }
}

/// Fetches as often as it can.
fn eager() -> Limits {
    Limits {
        refresh_after: Duration::ZERO,
        unknown_key_pause: Duration::ZERO,
        retry_after_min: Duration::from_millis(1),
        retry_after_max: Duration::from_millis(1),
        ..Limits::default()
    }
}

#[tokio::test]
async fn d0_a4_every_algorithm_by_a_key_set() {
    let asymmetric = Algorithm::ALL.into_iter().filter(|it| !it.is_symmetric());
    let pairs: Vec<Pair> = asymmetric.map(Pair::generate).collect();
    let keys = pairs.iter().map(|pair| pair.named(pair.algorithm.name()));
    let keys: Vec<Value> = keys.collect();
    let issuer = Issuer::start(Answer::keys(&keys)).await;
    let verifier = issuer.verifier(Limits::default());
    for pair in &pairs {
        let name = pair.algorithm.name();
        let token = pair.token(Some(name), &json!({}));
        assert_eq!(verify(&verifier, &token).await, Ok(()), "{name}");
        // Without a name all keys that fit are tried.
        let token = pair.token(None, &json!({}));
        assert_eq!(verify(&verifier, &token).await, Ok(()), "{name}");
    }
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn cf_4_only_the_algorithms_that_were_named() {
    let pair = Pair::generate(Algorithm::Rs256);
    let issuer = Issuer::start(Answer::keys(&[pair.named("a")])).await;
    let allowed = vec![Algorithm::Es256, Algorithm::Ps256];
    let set = KeySet::new(&issuer.url, Some(allowed.clone()), Limits::default()).unwrap();
    let refused = verify(&Verifier::of(set), &pair.token(Some("a"), &json!({}))).await;
    assert_eq!(refused, Err(TokenError::Algorithm { allowed }));
}

#[test]
fn cf_4_bad_key_sets_are_refused() {
    for url in [
        "",
        "keys.json",
        "/keys",
        "ftp://a/keys",
        "https:",
        "file://host/k",
        "data:,{}",
    ] {
        let refused = KeySet::new(url, None, Limits::default()).map(drop);
        assert_eq!(refused, Err(InvalidKeySet::Url), "{url}");
    }
    for algorithms in [vec![], vec![Algorithm::Es256, Algorithm::Hs256]] {
        let refused = Verifier::key_set("https://issuer.example/keys", Some(algorithms));
        assert_eq!(refused.map(drop), Err(InvalidKeySet::Algorithms));
    }
}

/// Who controls the document of a URL must not be able to hand out secrets: HS* never comes from
/// there, and an `oct` key is none for any other algorithm.
#[tokio::test]
async fn s3_secrets_in_a_key_set_are_ignored() {
    let secret = Pair::generate(Algorithm::Hs256);
    let issuer = Issuer::start(Answer::keys(&[secret.named("a")])).await;
    let verifier = issuer.verifier(Limits::default());
    let refused = verify(&verifier, &secret.token(Some("a"), &json!({}))).await;
    assert!(matches!(refused, Err(TokenError::Algorithm { .. })));
    let header = r#"{"alg":"ES256","kid":"a"}"#;
    let forged = secret.signing().sign(header, "{}").unwrap();
    assert_eq!(
        verify(&verifier, &forged).await,
        Err(TokenError::UnknownKey)
    );
}

#[tokio::test]
async fn s3_rs256_with_an_ec_key_is_refused() {
    let (ec, rsa) = (
        Pair::generate(Algorithm::Es256),
        Pair::generate(Algorithm::Rs256),
    );
    let issuer = Issuer::start(Answer::keys(&[ec.named("a"), rsa.named("b")])).await;
    let verifier = issuer.verifier(Limits::default());
    let refused = verify(&verifier, &rsa.token(Some("a"), &json!({}))).await;
    assert_eq!(refused, Err(TokenError::UnknownKey));
    let refused = verify(&verifier, &rsa.token(Some("../../dev/null"), &json!({}))).await;
    assert_eq!(refused, Err(TokenError::UnknownKey));
    // HMAC with the published key.
    let forger = SigningKey::hs256(&rsa.public);
    let forged = forger.sign(r#"{"alg":"RS256","kid":"b"}"#, "{}").unwrap();
    assert_eq!(verify(&verifier, &forged).await, Err(TokenError::Signature));
}

#[tokio::test]
async fn s5_sets_share_no_key() {
    let (a, b) = (
        Pair::generate(Algorithm::EdDsa),
        Pair::generate(Algorithm::EdDsa),
    );
    let first = Issuer::start(Answer::keys(&[a.named("same")])).await;
    let second = Issuer::start(Answer::keys(&[b.named("same")])).await;
    let (first, second) = (
        first.verifier(Limits::default()),
        second.verifier(Limits::default()),
    );
    let (a, b) = (
        a.token(Some("same"), &json!({})),
        b.token(Some("same"), &json!({})),
    );
    assert_eq!(verify(&first, &a).await, Ok(()));
    assert_eq!(verify(&second, &b).await, Ok(()));
    assert_eq!(verify(&first, &b).await, Err(TokenError::Signature));
    assert_eq!(verify(&second, &a).await, Err(TokenError::Signature));
}

#[tokio::test]
async fn s5_concurrent_requests_share_one_fetch() {
    let pair = Pair::generate(Algorithm::Es256);
    let issuer = Issuer::start(Answer::keys(&[pair.named("a")])).await;
    let verifier = issuer.verifier(Limits::default());
    let token = pair.token(Some("a"), &json!({}));
    let verified = join_all((0..200).map(|_| verify(&verifier, &token))).await;
    assert!(verified.iter().all(Result::is_ok));
    assert_eq!(issuer.fetches(), 1);
}

/// The issuer changes its keys while tokens keep coming: none of the old key is refused as long as
/// the issuer publishes it, the new key works at once, and the old one ends when it is withdrawn.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s5_rotation_under_load() {
    let (old, new) = (
        Pair::generate(Algorithm::Es256),
        Pair::generate(Algorithm::Rs256),
    );
    let issuer = Issuer::start(Answer::keys(&[old.named("old")])).await;
    let verifier = issuer.verifier(eager());
    let token = old.token(Some("old"), &json!({}));
    let mut load = JoinSet::new();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    for _ in 0..4 {
        let (verifier, token, stopped) = (verifier.clone(), token.clone(), stopped.clone());
        load.spawn(async move {
            let mut count = 0_u32;
            while !*stopped.borrow() {
                assert_eq!(verify(&verifier, &token).await, Ok(()));
                count += 1;
                tokio::task::yield_now().await;
            }
            assert!(count > 0);
        });
    }
    verify_until(&verifier, &token, Ok(())).await;

    issuer.answers(Answer::keys(&[old.named("old"), new.named("new")]));
    let fresh = new.token(Some("new"), &json!({}));
    verify_until(&verifier, &fresh, Ok(())).await;
    stop.send(true).unwrap();
    while let Some(ended) = load.join_next().await {
        ended.unwrap();
    }

    issuer.answers(Answer::keys(&[new.named("new")]));
    verify_until(&verifier, &token, Err(TokenError::UnknownKey)).await;
    assert_eq!(verify(&verifier, &fresh).await, Ok(()));
}

#[tokio::test]
async fn s5_unknown_key_is_fetched_once_without_waiting_for_the_refresh() {
    let (old, new) = (
        Pair::generate(Algorithm::EdDsa),
        Pair::generate(Algorithm::EdDsa),
    );
    let issuer = Issuer::start(Answer::keys(&[old.named("old")])).await;
    let verifier = issuer.verifier(Limits {
        unknown_key_pause: Duration::ZERO,
        ..Limits::default()
    });
    let token = old.token(Some("old"), &json!({}));
    assert_eq!(verify(&verifier, &token).await, Ok(()));
    issuer.answers(Answer::keys(&[old.named("old"), new.named("new")]));
    let token = new.token(Some("new"), &json!({}));
    assert_eq!(verify(&verifier, &token).await, Ok(()));
    assert_eq!(issuer.fetches(), 2);
}

#[tokio::test]
async fn s5_flood_of_unknown_keys_is_no_flood_for_the_issuer() {
    let pair = Pair::generate(Algorithm::EdDsa);
    let issuer = Issuer::start(Answer::keys(&[pair.named("a")])).await;
    let verifier = issuer.verifier(Limits::default());
    let unknown: Vec<String> = (0..1000)
        .map(|number| pair.token(Some(&number.to_string()), &json!({})))
        .collect();
    let verified = join_all(unknown.iter().map(|token| verify(&verifier, token))).await;
    let refused = |it: &Result<(), TokenError>| *it == Err(TokenError::UnknownKey);
    assert!(verified.iter().all(refused));
    // Meanwhile the known one works.
    let token = pair.token(Some("a"), &json!({}));
    assert_eq!(verify(&verifier, &token).await, Ok(()));
    assert_eq!(issuer.fetches(), 1);
}

fn state_with_keys(now: Instant) -> State {
    let keys = Keys::parse(br#"{"keys":[]}"#, &Algorithm::ALL).unwrap();
    State {
        keys: Some(Fetched {
            keys: Arc::new(keys),
            at: now,
        }),
        started_at: Some(now),
        ..State::default()
    }
}

#[tokio::test]
async fn s5_fetches_are_as_far_apart_as_promised() {
    let (limits, start) = (Limits::default(), Instant::now());
    let after = |seconds| start + Duration::from_secs(seconds);
    assert!(State::default().is_due(&limits, false, start));
    let state = state_with_keys(start);
    assert!(!state.is_due(&limits, false, after(29)));
    assert!(state.is_due(&limits, false, after(30)));
    assert!(!state.is_due(&limits, true, after(299)));
    assert!(state.is_due(&limits, true, after(300)));
}

#[tokio::test]
async fn s5_failures_back_off() {
    let (limits, now) = (Limits::default(), Instant::now());
    let mut state = state_with_keys(now);
    let mut pauses = Vec::new();
    for _ in 0..9 {
        state.fail(&limits, 0.0, now);
        pauses.push(state.retry_at.unwrap().duration_since(now).as_secs());
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 32, 60, 60, 60]);
    let late = now + Duration::from_secs(300);
    state.fail(&limits, 1.0, late);
    // At most half of it is left to chance.
    assert!(!state.is_due(&limits, false, late + Duration::from_secs(29)));
    assert!(state.is_due(&limits, false, late + Duration::from_secs(30)));

    let keys = Keys::parse(br#"{"keys":[]}"#, &Algorithm::ALL).unwrap();
    state.succeed(keys, late);
    state.fail(&limits, 0.0, late);
    let pause = state.retry_at.unwrap().duration_since(late);
    assert_eq!(pause, Duration::from_secs(1));
    for _ in 0..100 {
        state.fail(&limits, 0.5, late);
    }
}

#[tokio::test]
async fn s5_slow_issuer_is_given_up() {
    let pair = Pair::generate(Algorithm::Es256);
    let issuer = Issuer::start(Answer::Silence).await;
    let verifier = issuer.verifier(Limits {
        timeout: Duration::from_millis(50),
        ..eager()
    });
    let token = pair.token(Some("a"), &json!({}));
    let refused = verify(&verifier, &token).await;
    assert_eq!(refused, Err(TokenError::KeysUnavailable));
    issuer.answers(Answer::keys(&[pair.named("a")]));
    verify_until(&verifier, &token, Ok(())).await;
}

#[tokio::test]
async fn s5_huge_document_is_not_read_to_its_end() {
    let written = Arc::new(AtomicUsize::new(0));
    let issuer = Issuer::start(Answer::Huge(Arc::clone(&written))).await;
    let pair = Pair::generate(Algorithm::Es256);
    let token = pair.token(Some("a"), &json!({}));
    let verifier = issuer.verifier(Limits::default());
    let refused = verify(&verifier, &token).await;
    assert_eq!(refused, Err(TokenError::KeysUnavailable));
    // What the sockets of both sides hold is not ours to bound.
    let written = written.load(Ordering::SeqCst);
    assert!(written < 50_000_000, "{written} bytes were taken");
}

#[tokio::test]
async fn s5_redirect_is_not_followed() {
    let pair = Pair::generate(Algorithm::Es256);
    let inner = Issuer::start(Answer::keys(&[pair.named("a")])).await;
    let token = pair.token(Some("a"), &json!({}));
    for status in ["301 Moved", "302 Found", "303 See Other", "307 T", "308 P"] {
        let issuer = Issuer::start(Answer::status(&format!(
            "{status}\r\nLocation: {}",
            inner.url
        )))
        .await;
        let refused = verify(&issuer.verifier(Limits::default()), &token).await;
        assert_eq!(refused, Err(TokenError::KeysUnavailable), "{status}");
        assert_eq!(issuer.fetches(), 1);
    }
    assert_eq!(inner.fetches(), 0);
}

/// Who answers in the clear in place of an `https` issuer is not believed.
#[tokio::test]
async fn s5_https_is_not_answered_in_the_clear() {
    let pair = Pair::generate(Algorithm::Es256);
    let issuer = Issuer::start(Answer::keys(&[pair.named("a")])).await;
    let url = issuer.url.replace("http:", "https:");
    let verifier = Verifier::of(KeySet::new(&url, None, Limits::default()).unwrap());
    let refused = verify(&verifier, &pair.token(Some("a"), &json!({}))).await;
    assert_eq!(refused, Err(TokenError::KeysUnavailable));
    // It was asked, so it is the answer that was refused.
    assert_eq!(issuer.fetches(), 1);
}

#[tokio::test]
async fn s5_error_then_recovery() {
    let pair = Pair::generate(Algorithm::Es256);
    let token = pair.token(Some("a"), &json!({}));
    let issuer = Issuer::start(Answer::status("500 Internal Server Error")).await;
    let verifier = issuer.verifier(eager());
    for answer in [
        Answer::status("404 Not Found"),
        Answer::document("<html>"),
        Answer::document("[]"),
        Answer::document(r#"{"keys":{}}"#),
        Answer::Text("nonsense\r\n\r\n".to_owned()),
    ] {
        issuer.answers(answer);
        let refused = verify(&verifier, &token).await;
        assert_eq!(refused, Err(TokenError::KeysUnavailable));
    }
    issuer.answers(Answer::keys(&[pair.named("a")]));
    verify_until(&verifier, &token, Ok(())).await;
}

#[tokio::test]
async fn s5_dead_issuer_is_no_reason_not_to_start() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/keys", listener.local_addr().unwrap());
    drop(listener);
    let pair = Pair::generate(Algorithm::Es256);
    let verifier = Verifier::key_set(&url, None).unwrap();
    let refused = verify(&verifier, &pair.token(Some("a"), &json!({}))).await;
    assert_eq!(refused, Err(TokenError::KeysUnavailable));
}

#[tokio::test]
async fn s5_old_keys_are_used_while_the_issuer_fails_but_not_for_ever() {
    let pair = Pair::generate(Algorithm::Es256);
    let token = pair.token(Some("a"), &json!({}));
    let issuer = Issuer::start(Answer::keys(&[pair.named("a")])).await;
    let lasting = issuer.verifier(eager());
    assert_eq!(verify(&lasting, &token).await, Ok(()));
    let ending = issuer.verifier(Limits {
        usable_for: Duration::from_millis(200),
        ..eager()
    });
    verify_until(&ending, &token, Ok(())).await;
    issuer.answers(Answer::status("503 Service Unavailable"));
    verify_until(&ending, &token, Err(TokenError::KeysUnavailable)).await;
    assert_eq!(verify(&lasting, &token).await, Ok(()));
}

/// The fetch belongs to nobody in particular.
#[tokio::test]
async fn request_that_goes_away_does_not_end_the_fetch_of_others() {
    let pair = Pair::generate(Algorithm::Es256);
    let token = pair.token(Some("a"), &json!({}));
    let issuer = Issuer::start(Answer::keys(&[pair.named("a")])).await;
    let verifier = issuer.verifier(Limits::default());
    let gone = verifier.verify(&token, UNIX_EPOCH).now_or_never();
    assert!(gone.is_none());
    assert_eq!(verify(&verifier, &token).await, Ok(()));
    assert_eq!(issuer.fetches(), 1);
}

/// The runtime that a fetch was running on ends; the next one tries anew.
#[test]
fn fetch_that_was_cut_is_made_again() {
    let pair = Pair::generate(Algorithm::Es256);
    let token = pair.token(Some("a"), &json!({}));
    let runtime = || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        builder.enable_all().build().unwrap()
    };
    let serving = runtime();
    let issuer = serving.block_on(Issuer::start(Answer::keys(&[pair.named("a")])));
    let verifier = issuer.verifier(Limits::default());
    let first = runtime();
    let gone = first.block_on(async { verifier.verify(&token, UNIX_EPOCH).now_or_never() });
    assert!(gone.is_none());
    drop(first);
    let verified = serving.block_on(verify(&verifier, &token));
    assert_eq!(verified, Ok(()));
}

#[tokio::test]
async fn cf_3_key_set_in_a_file_is_read_again() {
    let (old, new) = (
        Pair::generate(Algorithm::Es256),
        Pair::generate(Algorithm::Es256),
    );
    let name = format!("fanfare-keys-{:032x}.json", rand::random::<u128>());
    let path = std::env::temp_dir().join(name);
    let write = |pair: &Pair, kid: &str| {
        // Renamed into place, as whoever reads at this moment must not see half of it.
        let part = path.with_extension("part");
        fs::write(&part, json!({ "keys": [pair.named(kid)] }).to_string()).unwrap();
        fs::rename(&part, &path).unwrap();
    };
    let url = url::Url::from_file_path(&path).unwrap();
    let set = KeySet::new(url.as_str(), None, eager()).unwrap();
    let verifier = Verifier::of(set);
    let token = old.token(Some("old"), &json!({}));
    let missing = verify(&verifier, &token).await;
    assert_eq!(missing, Err(TokenError::KeysUnavailable));
    write(&old, "old");
    verify_until(&verifier, &token, Ok(())).await;
    write(&new, "new");
    verify_until(&verifier, &token, Err(TokenError::UnknownKey)).await;
    let token = new.token(Some("new"), &json!({}));
    assert_eq!(verify(&verifier, &token).await, Ok(()));
    fs::write(&path, vec![b' '; 300 << 10]).unwrap();
    assert_eq!(verify(&verifier, &token).await, Ok(()));
    fs::remove_file(&path).unwrap();
}

fn count_of(keys: &[Value]) -> usize {
    let document = json!({ "keys": keys }).to_string();
    let keys = Keys::parse(document.as_bytes(), &[Algorithm::Es256, Algorithm::Rs256]);
    keys.unwrap().len()
}

#[test]
fn s3_keys_for_another_use_are_skipped() {
    let pair = Pair::generate(Algorithm::Es256);
    let with = |name: &str, value: Value| {
        let mut jwk = pair.named("a");
        jwk[name] = value;
        count_of(&[jwk])
    };
    assert_eq!(with("use", json!("sig")), 1);
    assert_eq!(with("use", json!("enc")), 0);
    assert_eq!(with("key_ops", json!(["verify"])), 1);
    assert_eq!(with("key_ops", json!(["sign", "verify"])), 1);
    assert_eq!(with("key_ops", json!(["encrypt"])), 0);
    assert_eq!(with("key_ops", json!([])), 0);
    assert_eq!(with("alg", json!("ES256")), 1);
    assert_eq!(with("alg", json!("ES384")), 0);
    assert_eq!(with("alg", json!("ECDH-ES")), 0);
    assert_eq!(with("x5c", json!(["MII"])), 1);
}

#[test]
fn s3_unusable_keys_are_skipped_and_spoil_nothing() {
    let (ec, rsa) = (
        Pair::generate(Algorithm::Es256),
        Pair::generate(Algorithm::Rs256),
    );
    let changed = |name: &str, value: Value| {
        let mut jwk = ec.named("a");
        jwk[name] = value;
        jwk
    };
    let unusable = [
        json!(7),
        json!(null),
        json!({}),
        json!([]),
        json!({ "kty": "oct", "k": "YQ" }),
        json!({ "kty": "AKP", "alg": "ML-DSA-44", "pub": "YQ" }),
        json!({ "kty": "RSA", "n": "YQ", "e": "AQAB" }),
        json!({ "kty": "RSA", "n": "", "e": "" }),
        changed("x", json!("YQ")),
        changed("x", json!("!")),
        changed("x", json!(7)),
        // Not on the curve.
        changed("y", ec.jwk["x"].clone()),
        changed("crv", json!("P-384")),
        changed("crv", json!("secp256k1")),
        changed("kty", json!("OKP")),
        Pair::generate(Algorithm::Es512).named("a"),
        Pair::generate(Algorithm::EdDsa).named("a"),
    ];
    for jwk in &unusable {
        assert_eq!(count_of(std::slice::from_ref(jwk)), 0, "{jwk}");
    }
    let mut keys = unusable.to_vec();
    keys.extend([ec.named("a"), rsa.named("b")]);
    assert_eq!(count_of(&keys), 2);
}

#[test]
fn s5_of_two_keys_with_one_name_the_first_counts() {
    let (a, b) = (
        Pair::generate(Algorithm::Es256),
        Pair::generate(Algorithm::Es256),
    );
    assert_eq!(count_of(&[a.named("x"), b.named("x")]), 1);
    assert_eq!(count_of(&[a.named("x"), b.named("y")]), 2);
    // RFC 7517 §4.5: keys of two types may have one name.
    let rsa = Pair::generate(Algorithm::Rs256);
    assert_eq!(count_of(&[a.named("x"), rsa.named("x")]), 2);
    assert_eq!(count_of(&[a.jwk.clone(), b.jwk.clone()]), 2);
}

#[test]
fn s5_number_of_keys_is_bounded() {
    let pair = Pair::generate(Algorithm::Es256);
    assert_eq!(count_of(&vec![pair.jwk.clone(); 101]), 100);
    let document = json!({ "keys": vec![pair.jwk.clone(); 100] }).to_string();
    let keys = Keys::parse(document.as_bytes(), &[Algorithm::Es256]).unwrap();
    assert_eq!(keys.candidates(None, Algorithm::Es256).len(), 8);
    // A key without a name may be the one that is meant.
    assert_eq!(keys.candidates(Some("a"), Algorithm::Es256).len(), 8);
    assert_eq!(keys.candidates(None, Algorithm::Es384).len(), 0);
}

/// RFC 7518 §6.3.1.1 has no zero before the number; some issuers do.
#[test]
fn zero_before_a_modulus_does_no_harm() {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    let pair = Pair::generate(Algorithm::Rs256);
    let modulus = pair.jwk["n"].as_str().unwrap();
    let modulus = URL_SAFE_NO_PAD.decode(modulus).unwrap();
    let mut jwk = pair.jwk.clone();
    jwk["n"] = URL_SAFE_NO_PAD.encode([&[0], &*modulus].concat()).into();
    assert_eq!(count_of(&[jwk]), 1);
}
