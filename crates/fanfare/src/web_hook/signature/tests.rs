use std::time::{Duration, UNIX_EPOCH};

use super::{InvalidSigningKey, SigningKey};
use crate::auth::Secret;
use crate::web_hook::notice::{Notice, State};

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

/// Its signature is from Python's `hmac`.
#[test]
fn the_example_of_the_reference_is_what_would_be_sent() {
    let notice = Notice {
        topic: "https://example.com/books/{id}".into(),
        state: State::Occupied,
        change: 17,
        changed_at: UNIX_EPOCH + Duration::from_micros(1_795_253_248_900_249),
    };
    let id = "04bba2ad68c34666bbb704970dc1b569-17";
    let key = key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
    let signature = key.sign(id, 1_795_253_248, &notice.body());
    let reference = include_str!("../../../../../docs/reference/web-hook.md");
    let shown = format!(
        "webhook-id: {id}\nwebhook-timestamp: 1795253248\nwebhook-signature: {signature}\n\n{}\n",
        notice.body()
    );
    assert!(reference.contains(&shown), "{shown}");
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
