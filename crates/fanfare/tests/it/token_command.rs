//! `fanfare token`: what it makes, and what it finds out about a token.

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::json;

use crate::program::{FakeHub, Program, dead_address, fanfare, fanfare_reading, fanfare_with};

const KEY: &str = "!ChangeThisMercureHubJWTSecretKey!";

#[test]
fn cf_26_token_is_minted_and_inspected() {
    let minted = fanfare_with(
        &[("FANFARE_KEY", KEY)],
        &[
            "token",
            "--publish",
            "a",
            "--publish",
            "b",
            "--subscribe",
            "c",
            "--ttl",
            "1h",
            "--payload",
            r#"{"x":1}"#,
        ],
    );
    assert_eq!(minted.code, Some(0), "{}", minted.stderr);
    let token = minted.stdout.trim();

    let good = fanfare(&["token", "inspect", token, "--key", KEY]);
    assert_eq!(good.code, Some(0), "{}", good.stderr);
    for part in [
        "\"HS256\"",
        "\"x\": 1",
        "valid",
        "may publish to: a, b",
        "private events of: c",
    ] {
        assert!(good.stdout.contains(part), "no {part} in {}", good.stdout);
    }
    let piped = fanfare_reading(&minted.stdout, &["token", "inspect", "-", "--key", KEY]);
    assert_eq!(piped.stdout, good.stdout);
    assert_eq!(fanfare(&["token", "inspect", token]).code, Some(0));
}

#[test]
fn token_inspect_says_why_it_fails() {
    let token = |arguments: &[&str]| {
        let ended = fanfare(&[&["token", "--key", KEY], arguments].concat());
        ended.stdout.trim().to_owned()
    };
    let why = |token: &str, key: &str| {
        let ended = fanfare(&["token", "inspect", token, "--key", key]);
        assert_eq!(ended.code, Some(1), "{ended:?}");
        ended.stderr
    };
    assert!(why(&token(&[]), "another key").contains("signature"));
    assert!(why(&token(&["--ttl", "0"]), KEY).contains("expired"));
    assert!(why("nonsense", KEY).contains("header.payload.signature"));
    // RFC 7519 §6.1, an unsecured token.
    let unsigned = "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UifQ.";
    assert!(why(unsigned, KEY).contains("HS256"));
}

#[test]
fn cf_26_token_with_issuer_and_audience_is_of_1_0() {
    let minted = |arguments: &[&str]| {
        let parties = [
            "--iss",
            "https://issuer.example",
            "--aud",
            "https://hub.example/hub",
        ];
        let ended = fanfare(&[&["token", "--key", KEY], &parties[..], arguments].concat());
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        ended.stdout.trim().to_owned()
    };
    let token = minted(&[
        "--publish",
        "https://example.com/a",
        "--publish-urlpattern",
        "/books/:id",
        "--subscribe-urlpattern",
        "/authors/:id",
        "--payload",
        r#"{"team":"blue"}"#,
        "--jti",
        "17",
    ]);
    let good = fanfare(&["token", "inspect", &token, "--key", KEY]);
    assert_eq!(good.code, Some(0), "{}", good.stderr);
    for part in [
        "\"at+jwt\"",
        "\"urlpattern\"",
        "\"jti\": \"17\"",
        "dialect: Mercure 1.0",
        // Without --ttl it lasts an hour.
        "valid: ends in 3",
        "may publish to: /books/:id, https://example.com/a",
        "private events of: /authors/:id",
    ] {
        assert!(good.stdout.contains(part), "no {part} in {}", good.stdout);
    }
    let bad = fanfare(&["token", "inspect", &minted(&["--ttl", "0"]), "--key", KEY]);
    assert_eq!(bad.code, Some(1));
    assert!(bad.stderr.contains("expired"), "{}", bad.stderr);
}

#[test]
fn token_is_signed_by_a_private_key() {
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap();
    let private = key.to_pkcs8v1().unwrap();
    let public = AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()).unwrap();
    let pem = |label: &str, der: &[u8]| pem::encode(&pem::Pem::new(label, der));
    let (private, public) = (
        pem("PRIVATE KEY", private.as_ref()),
        pem("PUBLIC KEY", public.as_ref()),
    );
    let minted = fanfare_with(&[("FANFARE_KEY", &private)], &["token", "--alg", "ES256"]);
    assert_eq!(minted.code, Some(0), "{}", minted.stderr);
    let token = minted.stdout.trim();
    let inspect = [
        "token", "inspect", token, "--key", &public, "--alg", "ES256",
    ];
    assert_eq!(fanfare(&inspect).code, Some(0));
    // A key in PEM is never a secret (CF-4), and never one of another kind.
    for (key, alg) in [(&public, "HS256"), (&private, "ES256"), (&public, "RS256")] {
        let ended = fanfare(&["token", "inspect", token, "--key", key, "--alg", alg]);
        assert_eq!(ended.code, Some(2), "{alg}: {ended:?}");
    }
}

#[test]
fn token_for_trying_out_is_taken_with_the_key_of_the_documentation() {
    let token = fanfare(&["token", "--dev"]).stdout;
    let good = fanfare(&["token", "inspect", token.trim(), "--key", KEY]);
    assert!(good.stdout.contains("may publish to: *"), "{good:?}");
    let token = fanfare(&["token", "--dev", "--subscribe", "a"]).stdout;
    let good = fanfare(&["token", "inspect", token.trim(), "--key", KEY]);
    assert!(good.stdout.contains("may publish to: nothing"), "{good:?}");
}

#[test]
fn token_inspect_asks_the_hub() {
    let key = format!("--publisher-jwt-key={KEY}");
    let other = format!("--subscriber-jwt-key={KEY}");
    let (_hub, url) = Program::serve(&[&key, &other]);
    let inspect = |arguments: &[&str]| {
        let token = fanfare(&[&["token"], arguments].concat()).stdout;
        fanfare(&["token", "inspect", token.trim(), "--hub", &url])
    };
    let good = inspect(&["--key", KEY, "--publish", "*"]);
    assert_eq!(good.code, Some(0), "{good:?}");
    for part in ["as a subscriber: taken", "as a publisher: taken"] {
        assert!(good.stdout.contains(part), "no {part} in {}", good.stdout);
    }
    let half = inspect(&["--key", KEY, "--subscribe", "*"]);
    assert_eq!(half.code, Some(0), "{half:?}");
    for part in [
        "as a subscriber: taken",
        "as a publisher: refused",
        "401",
        "no right to publish",
    ] {
        assert!(half.stdout.contains(part), "no {part} in {}", half.stdout);
    }
    for (arguments, why) in [
        (
            &["--key", KEY, "--publish", "*", "--ttl", "0"][..],
            "expired",
        ),
        (&["--key", "another key", "--publish", "*"], "hub's key"),
    ] {
        let bad = inspect(arguments);
        assert_eq!(bad.code, Some(1), "{bad:?}");
        assert!(bad.stdout.contains("as a subscriber: refused"), "{bad:?}");
        assert!(bad.stdout.contains(why), "no {why} in {}", bad.stdout);
    }
    let dead = format!("http://{}", dead_address());
    let unreachable = fanfare(&["token", "inspect", "a.b.c", "--hub", &dead]);
    assert_eq!(unreachable.code, Some(5), "{unreachable:?}");
}

/// What a hub of 1.0 publishes about itself says why it refuses.
#[test]
fn token_inspect_finds_reasons_from_outside() {
    let metadata = json!({
        "resource": "https://hub.example/.well-known/mercure",
        "authorization_servers": ["https://issuer.example"],
    })
    .to_string();
    let refused = "HTTP/1.1 401 Unauthorized\r\nDate: Sat, 06 Nov 2094 08:49:37 GMT\r\n\
        WWW-Authenticate: Bearer error=\"invalid_token\"\r\nContent-Length: 0\r\n\r\n";
    let length = metadata.len();
    let document = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{metadata}");
    let hub = FakeHub::answering(&[refused, refused, &document]);
    let token = fanfare(&[
        "token",
        "--dev",
        "--iss",
        "https://stranger.example",
        "--aud",
        "https://other.example/hub",
    ]);
    let ended = fanfare(&["token", "inspect", token.stdout.trim(), "--hub", &hub.url]);
    assert_eq!(ended.code, Some(1), "{ended:?}");
    for part in [
        "as a subscriber: refused (the hub answered 401 Unauthorized, Bearer error=",
        "as a publisher: refused",
        "it expired",
        "ahead of this machine's",
        "its `aud` is \"https://other.example/hub\"",
        "the hub is \"https://hub.example/.well-known/mercure\"",
        "authorization servers: \"https://issuer.example\"",
    ] {
        assert!(ended.stdout.contains(part), "no {part} in {}", ended.stdout);
    }
    assert!(
        hub.request()
            .starts_with("HEAD /.well-known/mercure?match=")
    );
    // Without a topic nothing can be published.
    let publish = hub.request();
    assert!(publish.starts_with("POST /.well-known/mercure HTTP/1.1\r\n"));
    assert!(publish.ends_with("\r\n\r\ndata="), "{publish}");
    let path = "/.well-known/oauth-protected-resource/.well-known/mercure";
    let metadata = hub.request();
    assert!(metadata.starts_with(&format!("GET {path} HTTP/1.1\r\n")));
    assert!(!metadata.contains("Bearer"), "{metadata}");
}

#[test]
fn token_without_a_key_is_wrong_usage() {
    assert_eq!(fanfare(&["token", "--publish", "*"]).code, Some(2));
    assert_eq!(fanfare(&["token", "--key", ""]).code, Some(2));
    assert_eq!(
        fanfare(&["token", "--key", KEY, "--payload", "{"]).code,
        Some(2)
    );
    for arguments in [
        &["--iss", "a"][..],
        &["--aud", "a"],
        &["--publish-urlpattern", "/:a"],
        &["--subscribe-urlpattern", "/:a"],
        &["--alg", "none"],
        &["--alg", "hs256"],
    ] {
        let ended = fanfare(&[&["token", "--key", KEY], arguments].concat());
        assert_eq!(ended.code, Some(2), "{arguments:?}");
    }
    let ended = fanfare(&["token", "--key", KEY, "--alg", "ES257"]);
    assert!(ended.stderr.contains("ES256, ES384, ES512"), "{ended:?}");
}
