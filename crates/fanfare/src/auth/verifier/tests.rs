use std::time::UNIX_EPOCH;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{KeyPair, RsaKeyPair};
use futures_util::FutureExt;
use jsonwebtoken::{DecodingKey, EncodingKey, crypto};
use serde_json::json;

use super::super::test_keys::{Pair, pem};
use super::super::{Algorithm, InvalidKey, Secret, SigningKey, TokenError};
use super::Verifier;

fn verify(verifier: &Verifier, token: &str) -> Result<(), TokenError> {
    let verified = verifier.verify(token, UNIX_EPOCH).now_or_never();
    verified.expect("a fixed key does not wait").map(drop)
}

fn message_of(token: &str) -> (&str, &str) {
    token.rsplit_once('.').unwrap()
}

/// PS* by PEM too, where the reference wants a JWK Set.
#[test]
fn d0_a4_every_algorithm_with_a_fixed_key() {
    for algorithm in Algorithm::ALL {
        let pair = Pair::generate(algorithm);
        let token = pair.token(None, &json!({}));
        assert_eq!(verify(&pair.verifier(), &token), Ok(()), "{algorithm}");

        let stranger = Pair::generate(algorithm).verifier();
        assert_eq!(
            verify(&stranger, &token),
            Err(TokenError::Signature),
            "{algorithm}"
        );
        let (signed, signature) = message_of(&token);
        let changed = format!("{signed}x.{signature}");
        assert_eq!(
            verify(&pair.verifier(), &changed),
            Err(TokenError::Signature),
            "{algorithm}"
        );
        let unsigned = format!("{signed}.");
        assert_eq!(
            verify(&pair.verifier(), &unsigned),
            Err(TokenError::Signature),
            "{algorithm}"
        );
    }
}

/// What another implementation signs and verifies, which knows all of them but ES512.
#[test]
fn d0_a4_agrees_with_another_implementation() {
    for algorithm in Algorithm::ALL {
        let Ok(theirs) = algorithm.name().parse::<jsonwebtoken::Algorithm>() else {
            assert_eq!(algorithm, Algorithm::Es512);
            continue;
        };
        let pair = Pair::generate(algorithm);
        let (private, public) = (pair.private.reveal(), pair.public.reveal());
        let (private, public) = (private.as_bytes(), public.as_bytes());
        let (signing, verifying) = match algorithm.name().get(..2) {
            Some("HS") => (
                EncodingKey::from_secret(private),
                DecodingKey::from_secret(public),
            ),
            Some("RS" | "PS") => (
                EncodingKey::from_rsa_pem(private).unwrap(),
                DecodingKey::from_rsa_pem(public).unwrap(),
            ),
            Some("ES") => (
                EncodingKey::from_ec_pem(private).unwrap(),
                DecodingKey::from_ec_pem(public).unwrap(),
            ),
            _ => (
                EncodingKey::from_ed_pem(private).unwrap(),
                DecodingKey::from_ed_pem(public).unwrap(),
            ),
        };
        let ours = pair.token(None, &json!({}));
        let (signed, signature) = message_of(&ours);
        let genuine = crypto::verify(signature, signed.as_bytes(), &verifying, theirs);
        assert!(genuine.unwrap(), "{algorithm}");
        let signature = crypto::sign(signed.as_bytes(), &signing, theirs).unwrap();
        let token = format!("{signed}.{signature}");
        assert_eq!(verify(&pair.verifier(), &token), Ok(()), "{algorithm}");
    }
}

#[test]
fn d0_a4_algorithm_is_exactly_the_configured_one() {
    // The same key could verify the first two; the token does not choose (S3).
    let pair = Pair::generate(Algorithm::Rs256);
    let public = &pair.public;
    for configured in [Algorithm::Rs512, Algorithm::Ps256] {
        let verifier = Verifier::new(public, configured).unwrap();
        let refused = verify(&verifier, &pair.token(None, &json!({})));
        let allowed = vec![configured];
        assert_eq!(refused, Err(TokenError::Algorithm { allowed }));
    }
}

/// The attack: the public key, which everybody knows, taken as the secret of HMAC.
#[test]
fn s3_hs256_signed_with_the_public_key_is_refused() {
    for algorithm in [Algorithm::Rs256, Algorithm::Es256, Algorithm::EdDsa] {
        let pair = Pair::generate(algorithm);
        let forger = SigningKey::hs256(&pair.public);
        let header = r#"{"alg":"HS256"}"#;
        let claims = r#"{"mercure":{"publish":["*"]}}"#;
        let forged = forger.sign(header, claims).unwrap();
        let allowed = vec![algorithm];
        assert_eq!(
            verify(&pair.verifier(), &forged),
            Err(TokenError::Algorithm { allowed })
        );
        // And where the header lies about it.
        let header = json!({ "alg": algorithm.name() }).to_string();
        let forged = forger.sign(&header, claims).unwrap();
        assert_eq!(
            verify(&pair.verifier(), &forged),
            Err(TokenError::Signature)
        );
    }
}

#[test]
fn s3_key_of_another_kind_is_refused_at_the_start() {
    let kinds = [
        Algorithm::Rs256,
        Algorithm::Es256,
        Algorithm::Es384,
        Algorithm::Es512,
        Algorithm::EdDsa,
    ];
    for of in kinds {
        let pair = Pair::generate(of);
        for algorithm in kinds.into_iter().filter(|it| *it != of) {
            let refused = Verifier::new(&pair.public, algorithm).map(drop);
            assert_eq!(
                refused,
                Err(InvalidKey::WrongKind { algorithm }),
                "{algorithm} with a key for {of}"
            );
            let refused = SigningKey::new(&pair.private, algorithm).map(drop);
            assert_eq!(refused, Err(InvalidKey::WrongKind { algorithm }));
        }
    }
}

#[test]
fn cf_4_what_is_no_public_key_is_refused() {
    let algorithm = Algorithm::Es256;
    let refused = |key: &Secret| Verifier::new(key, algorithm).map(drop);
    let pair = Pair::generate(algorithm);
    assert_eq!(refused(&pair.private), Err(InvalidKey::Private));
    let secret = Secret::random();
    assert_eq!(refused(&secret), Err(InvalidKey::NotPem { algorithm }));
    let wrong = Err(InvalidKey::WrongKind { algorithm });
    assert_eq!(refused(&pem("PUBLIC KEY", b"damaged")), wrong);
    assert_eq!(refused(&pem("CERTIFICATE", b"another thing")), wrong);
    let refused = SigningKey::new(&pair.public, algorithm).map(drop);
    assert_eq!(refused, Err(InvalidKey::Public));
}

/// RSA keys also in the form that OpenSSL wrote for long (RFC 8017, appendix A.1).
#[test]
fn cf_4_pkcs1_keys_are_taken() {
    let key = RsaKeyPair::generate(KeySize::Rsa2048).unwrap();
    let pkcs8 = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap();
    // RFC 5208 §5: what comes before the key itself has 26 bytes for a key of 2048 bits.
    let private = pem("RSA PRIVATE KEY", &pkcs8.as_ref()[26..]);
    let public = pem("RSA PUBLIC KEY", key.public_key().as_ref());
    for algorithm in [Algorithm::Rs256, Algorithm::Ps384] {
        let signing = SigningKey::new(&private, algorithm).unwrap();
        let header = json!({ "alg": algorithm.name() }).to_string();
        let token = signing.sign(&header, "{}").unwrap();
        let verifier = Verifier::new(&public, algorithm).unwrap();
        assert_eq!(verify(&verifier, &token), Ok(()));
    }
}

/// RFC 7518 §3.3: RSA keys have 2048 bits or more. Made by `openssl genrsa 1024`.
#[test]
fn s3_short_rsa_key_is_refused() {
    let short = "-----BEGIN PUBLIC KEY-----\n\
        MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQC5fx7iKGY/MzMJH9Ep/re47puX\n\
        SKIxpRy5xdyEfL4F4VUQtEEi1OMzlIoBrDYuQO1eBztpa5J5Fe1FJ7juR2DZd6QK\n\
        bDOcggV9L3t6IKDGMMHQNslH2103L2x3+XmziGWikZ5/HNefWs8gKkucZ+9vSRlE\n\
        ZSAuuwEr4MG6GmYW8QIDAQAB\n\
        -----END PUBLIC KEY-----";
    let short: Secret = short.parse().unwrap();
    let algorithm = Algorithm::Rs256;
    let refused = Verifier::new(&short, algorithm).map(drop);
    assert_eq!(refused, Err(InvalidKey::WrongKind { algorithm }));
}

#[test]
fn algorithm_names_are_exact() {
    for algorithm in Algorithm::ALL {
        assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        assert!(
            algorithm
                .name()
                .to_lowercase()
                .parse::<Algorithm>()
                .is_err()
        );
    }
    assert!("none".parse::<Algorithm>().is_err());
    assert!("".parse::<Algorithm>().is_err());
}

#[test]
fn s19_keys_do_not_show() {
    let pair = Pair::generate(Algorithm::Es256);
    let shown = format!("{:?} {:?}", pair.verifier(), pair.signing());
    assert_eq!(shown, "Verifier([redacted]) SigningKey(ES256, [redacted])");
}
