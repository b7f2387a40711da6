use http::HeaderName;
use http::HeaderValue;
use http::header::AUTHORIZATION;

use super::{Config, bearer};

#[test]
fn rc_32_debug_shows_no_secret() {
    let url = "https://user:hunter2@a.example/x?topic=t&authorization=hunter2&x=1";
    let mut config = Config::get(url.parse().unwrap());
    config
        .headers
        .insert(AUTHORIZATION, bearer("hunter2").unwrap());
    config
        .headers
        .insert("cookie", HeaderValue::from_static("hunter2"));
    config
        .headers
        .insert("x-key", HeaderValue::from_static("hunter2"));
    config
        .headers
        .insert("x-open", HeaderValue::from_static("shown"));
    config.secret_headers.push(HeaderName::from_static("x-key"));
    let source = crate::EventSource::new(config.clone()).unwrap();
    for text in [format!("{config:?}"), format!("{source:?}")] {
        assert!(!text.contains("hunter2"), "{text}");
        assert!(
            text.contains("topic=t&authorization=redacted&x=1"),
            "{text}"
        );
    }
    assert!(format!("{config:?}").contains("shown"));
}

#[test]
fn tokens_that_no_header_can_carry_are_refused() {
    assert!(bearer("a\nb").is_err());
    assert_eq!(bearer("a").unwrap(), "Bearer a");
}
