//! Keys for tests, made anew in each.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{self, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::EncodingKey;
use jsonwebtoken::jwk::{AlgorithmParameters, Jwk};
use serde_json::{Value, json};

use super::algorithm::Kind;
use super::{Algorithm, Secret, SigningKey, Verifier};

/// A key that signs, and what the hub gets to know of it.
pub(super) struct Pair {
    pub(super) algorithm: Algorithm,
    pub(super) private: Secret,
    /// For HS* the same secret.
    pub(super) public: Secret,
    /// The public key as a member of a JWK Set, without `kid` and `alg`.
    pub(super) jwk: Value,
}

impl Pair {
    pub(super) fn generate(algorithm: Algorithm) -> Self {
        let ecdsa = |signing, curve: &str| {
            let key = EcdsaKeyPair::generate(signing).unwrap();
            let point = key.public_key().as_ref()[1..].to_vec();
            let (x, y) = point.split_at(point.len() / 2);
            let jwk = json!({ "kty": "EC", "crv": curve, "x": encoded(x), "y": encoded(y) });
            let public = AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()).unwrap();
            Self::new(
                algorithm,
                key.to_pkcs8v1().unwrap().as_ref(),
                public.as_ref(),
                jwk,
            )
        };
        match algorithm.kind() {
            Kind::Secret => {
                let secret = Secret::random();
                let jwk = json!({ "kty": "oct", "k": encoded(secret.reveal().as_bytes()) });
                Self {
                    algorithm,
                    private: secret.clone(),
                    public: secret,
                    jwk,
                }
            }
            Kind::Rsa => Self::rsa(algorithm, KeySize::Rsa2048),
            Kind::P256 => ecdsa(&signature::ECDSA_P256_SHA256_FIXED_SIGNING, "P-256"),
            Kind::P384 => ecdsa(&signature::ECDSA_P384_SHA384_FIXED_SIGNING, "P-384"),
            Kind::P521 => ecdsa(&signature::ECDSA_P521_SHA512_FIXED_SIGNING, "P-521"),
            Kind::Ed25519 => {
                let key = Ed25519KeyPair::generate().unwrap();
                let x = encoded(key.public_key().as_ref());
                let jwk = json!({ "kty": "OKP", "crv": "Ed25519", "x": x });
                let public = AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()).unwrap();
                Self::new(
                    algorithm,
                    key.to_pkcs8v1().unwrap().as_ref(),
                    public.as_ref(),
                    jwk,
                )
            }
        }
    }

    fn rsa(algorithm: Algorithm, size: KeySize) -> Self {
        let key = RsaKeyPair::generate(size).unwrap();
        let private = AsDer::<Pkcs8V1Der<'_>>::as_der(&key).unwrap();
        let public = AsDer::<PublicKeyX509Der<'_>>::as_der(key.public_key()).unwrap();
        let private_pem = pem("PRIVATE KEY", private.as_ref());
        let encoding = EncodingKey::from_rsa_pem(private_pem.reveal().as_bytes()).unwrap();
        let jwk = Jwk::from_encoding_key(&encoding, jsonwebtoken::Algorithm::RS256).unwrap();
        let AlgorithmParameters::RSA(parameters) = jwk.algorithm else {
            panic!("an RSA key");
        };
        let jwk = json!({ "kty": "RSA", "n": parameters.n, "e": parameters.e });
        Self::new(algorithm, private.as_ref(), public.as_ref(), jwk)
    }

    fn new(algorithm: Algorithm, private: &[u8], public: &[u8], jwk: Value) -> Self {
        Self {
            algorithm,
            private: pem("PRIVATE KEY", private),
            public: pem("PUBLIC KEY", public),
            jwk,
        }
    }

    pub(super) fn signing(&self) -> SigningKey {
        SigningKey::new(&self.private, self.algorithm).unwrap()
    }

    pub(super) fn verifier(&self) -> Verifier {
        Verifier::new(&self.public, self.algorithm).unwrap()
    }

    /// The public key as a member of a JWK Set, by this name.
    pub(super) fn named(&self, kid: &str) -> Value {
        let mut jwk = self.jwk.clone();
        jwk["kid"] = kid.into();
        jwk
    }

    /// A token of these claims, whose header has `kid` and no more than it needs.
    pub(super) fn token(&self, kid: Option<&str>, claims: &Value) -> String {
        let mut header = json!({ "alg": self.algorithm.name() });
        if let Some(kid) = kid {
            header["kid"] = kid.into();
        }
        let signed = self
            .signing()
            .sign(&header.to_string(), &claims.to_string());
        signed.unwrap()
    }
}

/// `der` in PEM.
pub(super) fn pem(label: &str, der: &[u8]) -> Secret {
    pem::encode(&pem::Pem::new(label, der)).parse().unwrap()
}

fn encoded(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
