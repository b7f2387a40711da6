use std::time::{Duration, UNIX_EPOCH};

use fanfare_broker::{Selectors, Topic};
use futures_util::FutureExt;
use serde_json::json;
use url::Url;

use super::super::test_keys::Pair;
use super::super::{
    Algorithm, Audience, Issuer, Role, Secret, SigningKey, Token, verify_access_token,
};
use super::{MintError, NewAccessToken, NewMatcher, NewToken};

const HUB: &str = "https://hub.example/.well-known/mercure";

fn access_token() -> NewAccessToken {
    NewAccessToken {
        issuer: "https://issuer.example".to_owned(),
        audience: HUB.to_owned(),
        subject: "me".to_owned(),
        client_id: "tests".to_owned(),
        issued_at: UNIX_EPOCH + Duration::from_secs(1000),
        expires_at: UNIX_EPOCH + Duration::from_secs(2000),
        token_id: "17".to_owned(),
        publish: vec![NewMatcher::Exact("a".to_owned())],
        subscribe: vec![NewMatcher::UrlPattern("/books/:id".to_owned())],
        payload: Some(json!({ "team": "blue" })),
    }
}

#[test]
fn minted_access_token_is_verified() {
    for algorithm in Algorithm::ALL {
        let pair = Pair::generate(algorithm);
        let token = access_token().mint(&pair.signing()).unwrap();
        assert!(Token::parse(&token).unwrap().is_access_token());
        let issuer = Issuer {
            id: "https://issuer.example".to_owned(),
            publisher: Vec::new(),
            subscriber: vec![pair.verifier()],
            authorization_server: false,
        };
        let hub_url = Url::parse(HUB).unwrap();
        let audience = Audience {
            resource: HUB,
            hub_url: &hub_url,
        };
        let (issuers, now) = ([issuer], UNIX_EPOCH + Duration::from_secs(1999));
        let grant = verify_access_token(&issuers, Role::Subscriber, &token, &audience, now)
            .now_or_never()
            .unwrap()
            .unwrap();
        assert!(matches(grant.publish.as_ref(), "a"), "{algorithm}");
        assert!(matches(grant.subscribe.as_ref(), "/books/:id"));
        let payload = json!({ "team": "blue" });
        assert_eq!(grant.payload_for("/books/:id"), Some(&payload));
        assert_eq!(grant.subject.as_deref(), Some("me"));
        assert_eq!(grant.token_id.as_deref(), Some("17"));
    }
}

fn matches(selectors: Option<&Selectors>, topic: &str) -> bool {
    selectors.is_some_and(|it| it.matches(&Topic::parse(topic).unwrap()))
}

/// RFC 9068 §2.2: what issuers must fill.
#[test]
fn d1_a3_minted_access_token_has_all_claims() {
    let key = SigningKey::new(&Secret::random(), Algorithm::Hs384).unwrap();
    let token = access_token().mint(&key).unwrap();
    let claims: serde_json::Value = Token::parse(&token).unwrap().claims().unwrap();
    assert_eq!(
        claims,
        json!({
            "iss": "https://issuer.example",
            "aud": HUB,
            "sub": "me",
            "client_id": "tests",
            "iat": 1000,
            "exp": 2000,
            "jti": "17",
            "authorization_details": [
                {
                    "type": "https://mercure.rocks/authorization-detail",
                    "actions": ["publish"],
                    "topics": [{ "match": "a" }],
                },
                {
                    "type": "https://mercure.rocks/authorization-detail",
                    "actions": ["subscribe"],
                    "topics": [{ "match": "/books/:id", "match_type": "urlpattern" }],
                    "payload": { "team": "blue" },
                },
            ],
        })
    );
}

#[test]
fn minted_token_of_0_x_is_verified_with_every_algorithm() {
    for algorithm in Algorithm::ALL {
        let pair = Pair::generate(algorithm);
        let token = NewToken {
            publish: vec!["a".to_owned()],
            subject: Some("me".to_owned()),
            token_id: Some("17".to_owned()),
            ..NewToken::default()
        };
        let token = token.mint(&pair.signing()).unwrap();
        assert!(!Token::parse(&token).unwrap().is_access_token());
        let grant = pair.verifier().verify(&token, UNIX_EPOCH).now_or_never();
        let grant = grant.unwrap().unwrap();
        assert!(matches(grant.publish.as_ref(), "a"), "{algorithm}");
        assert_eq!(grant.subject.as_deref(), Some("me"));
        assert_eq!(grant.token_id.as_deref(), Some("17"));
    }
}

#[test]
fn no_time_before_1970() {
    let token = NewToken {
        expires_at: Some(UNIX_EPOCH - Duration::from_secs(1)),
        ..NewToken::default()
    };
    let key = SigningKey::new(&Secret::random(), Algorithm::Hs256).unwrap();
    assert_eq!(token.mint(&key), Err(MintError::BeforeTime));
}
