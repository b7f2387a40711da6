use super::*;

fn text(request: Vec<u8>) -> String {
    String::from_utf8(request).unwrap()
}

#[test]
fn a_bare_url_means_the_plain_endpoints() {
    let target = Target::resolve("http://127.0.0.1:3000", None).unwrap();
    assert_eq!(target.address, "127.0.0.1:3000".parse().unwrap());
    assert_eq!(
        text(target.subscribe("t", "")),
        "GET /events?topic=t HTTP/1.1\r\nHost: 127.0.0.1:3000\r\n\
         Accept: text/event-stream\r\n\r\n",
    );
    assert_eq!(
        text(target.publish("t", "x", false)),
        "POST /broadcast HTTP/1.1\r\nHost: 127.0.0.1:3000\r\n\
         Content-Type: application/json\r\nContent-Length: 24\r\n\r\n\
         {\"topic\":\"t\",\"data\":\"x\"}",
    );
}

#[test]
fn a_url_with_a_path_means_a_mercure_hub() {
    let token = HeaderValue::from_static("Bearer secret");
    let target = Target::resolve("http://[::1]/.well-known/mercure", Some(&token)).unwrap();
    assert_eq!(target.address, "[::1]:80".parse().unwrap());
    assert_eq!(
        text(target.subscribe("t", "urn:ff:1-2")),
        "GET /.well-known/mercure?topic=t HTTP/1.1\r\nHost: [::1]\r\n\
         Authorization: Bearer secret\r\nAccept: text/event-stream\r\n\
         Last-Event-ID: urn:ff:1-2\r\n\r\n",
    );
    assert_eq!(
        text(target.publish("t", "x", false)),
        "POST /.well-known/mercure HTTP/1.1\r\nHost: [::1]\r\n\
         Authorization: Bearer secret\r\n\
         Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 14\r\n\r\n\
         topic=t&data=x",
    );
}

#[test]
fn a_private_event_says_so() {
    let plain = Target::resolve("http://127.0.0.1:3000", None).unwrap();
    let request = text(plain.publish("t", "x", true));
    assert!(request.ends_with("{\"topic\":\"t\",\"data\":\"x\",\"private\":true}"));
    let mercure = Target::resolve("http://127.0.0.1:3000/hub", None).unwrap();
    let request = text(mercure.publish("t", "x", true));
    assert!(request.ends_with("topic=t&data=x&private"));
}

#[test]
fn a_token_is_not_debugged() {
    let token = HeaderValue::from_static("Bearer secret");
    let target = Target::resolve("http://127.0.0.1/", Some(&token)).unwrap();
    assert!(!format!("{target:?}").contains("secret"));
}

#[test]
fn what_cannot_be_a_target_is_refused() {
    let refusal = |url, token| Target::resolve(url, token).unwrap_err();
    assert!(matches!(refusal("localhost", None), InvalidTarget::Url(_)));
    assert!(matches!(
        refusal("ftp://127.0.0.1/", None),
        InvalidTarget::Scheme { .. }
    ));
    let token = HeaderValue::from_bytes(b"Bearer \xff").unwrap();
    assert!(matches!(
        refusal("http://127.0.0.1/", Some(&token)),
        InvalidTarget::Authorization
    ));
}
