//! Tokens of Mercure 0.x, signed with HMAC and SHA-256.

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::json;

use super::selector::Selector;

/// A token without an end that may publish to and see these.
pub(super) fn mint(key: &str, publish: &[Selector], subscribe: &[Selector]) -> String {
    let encoded = |part: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(part.to_string());
    let header = encoded(json!({"alg": "HS256", "typ": "JWT"}));
    let claims = encoded(json!({"mercure": {"publish": publish, "subscribe": subscribe}}));
    let signed = format!("{header}.{claims}");
    let key = hmac::Key::new(hmac::HMAC_SHA256, key.as_bytes());
    let signature = hmac::sign(&key, signed.as_bytes());
    format!("{signed}.{}", BASE64_URL_SAFE_NO_PAD.encode(signature))
}
