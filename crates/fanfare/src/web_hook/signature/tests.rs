use super::{InvalidSigningKey, SigningKey};
use crate::auth::Secret;

fn key(text: &str) -> Result<SigningKey, InvalidSigningKey> {
    SigningKey::new(&text.parse::<Secret>().unwrap())
}

/// The vector that the libraries of Standard Webhooks test themselves with.
#[test]
fn standard_webhooks_vector() {
    let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let signature = key.sign(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1_614_265_330,
        r#"{"test": 2432232314}"#,
    );
    assert_eq!(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
}

/// Expected value from Python's `hmac`.
#[test]
fn a_key_without_the_prefix_is_its_bytes() {
    let key = key("a key of plain bytes").unwrap();
    assert_eq!(
        key.sign("id-7", 1_614_265_330, "{}"),
        "v1,g8zAVXk14uT9V/FNU1YqdujttksiU+yC9qFI6yp0OZo="
    );
}

#[test]
fn a_bad_key_behind_the_prefix_is_refused_and_none_is_shown() {
    for bad in ["whsec_", "whsec_*", "whsec_MfK", "whsec_ MfKQ"] {
        assert_eq!(key(bad).unwrap_err(), InvalidSigningKey, "{bad}");
    }
    let shown = format!("{:?}", key("a key of plain bytes").unwrap());
    assert_eq!(shown, "[redacted]");
}
