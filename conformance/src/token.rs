//! Tokens, good and bad: a JWS is put together by hand, so that every part of it can be wrong.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::clock;

/// A token before it is signed.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) header: Value,
    pub(crate) claims: Value,
    key: Vec<u8>,
}

impl Token {
    /// The older dialect's: whatever grants it has stand in the claim `mercure`.
    pub(crate) fn d0(key: &str, mercure: Value) -> Self {
        Self {
            header: json!({"alg": "HS256", "typ": "JWT"}),
            claims: json!({}),
            key: key.as_bytes().to_vec(),
        }
        .claim("mercure", mercure)
    }

    /// The newer dialect's, an access token after RFC 9068 (D1-A1, D1-A3).
    pub(crate) fn d1(key: &str, issuer: &str, audience: &str, details: Value) -> Self {
        Self {
            header: json!({"alg": "HS256", "typ": "at+jwt"}),
            claims: json!({
                "iss": issuer,
                "aud": audience,
                "exp": clock::seconds() + 3600,
                "iat": clock::seconds(),
                "sub": "conformance",
                "client_id": "conformance",
                "jti": uuid::Uuid::new_v4().to_string(),
            }),
            key: key.as_bytes().to_vec(),
        }
        .claim("authorization_details", details)
    }

    /// With another value of a claim.
    pub(crate) fn claim(mut self, name: &str, value: Value) -> Self {
        if let Some(claims) = self.claims.as_object_mut() {
            claims.insert(name.to_owned(), value);
        }
        self
    }

    pub(crate) fn without(mut self, claim: &str) -> Self {
        if let Some(claims) = self.claims.as_object_mut() {
            claims.remove(claim);
        }
        self
    }

    /// With another value in the header.
    pub(crate) fn header(mut self, name: &str, value: Value) -> Self {
        if let Some(header) = self.header.as_object_mut() {
            header.insert(name.to_owned(), value);
        }
        self
    }

    /// Signed by another key.
    pub(crate) fn key(mut self, key: &str) -> Self {
        self.key = key.as_bytes().to_vec();
        self
    }

    /// The compact form. The algorithm is the header's; one that is none of HMAC leaves the
    /// signature empty.
    pub(crate) fn sign(&self) -> String {
        let encoded = |part: &Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
        let text = format!("{}.{}", encoded(&self.header), encoded(&self.claims));
        let algorithm = match self.header.get("alg").and_then(Value::as_str) {
            Some("HS256") => hmac::HMAC_SHA256,
            Some("HS384") => hmac::HMAC_SHA384,
            Some("HS512") => hmac::HMAC_SHA512,
            _ => return format!("{text}."),
        };
        let signature = hmac::sign(&hmac::Key::new(algorithm, &self.key), text.as_bytes());
        format!("{text}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }
}
