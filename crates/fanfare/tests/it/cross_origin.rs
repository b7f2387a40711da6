//! CORS on real answers; its decisions have unit tests.

use fanfare::origins::Origins;

use crate::fixture::{HUB, get, post_form, serve};

const FROM: &str = "Origin: https://app.example\r\n";

fn app() -> Origins {
    Origins::new(vec!["https://app.example".parse().unwrap()])
}

#[tokio::test]
async fn srv_18_every_answer_to_an_allowed_origin_can_be_read() {
    let server = serve(|config| config.cors_origins = app()).await;
    let target = format!("{HUB}?topic=a&lastEventID=earliest");
    let answers = [
        server.stream(&target, FROM).await.0,
        server.stream("/events", FROM).await.0,
        server.ask(get(HUB, FROM)).await,
        server.ask(get("/nowhere", FROM)).await,
        server.ask(post_form(HUB, FROM, "topic=a")).await,
        server.ask(post_form("/events", FROM, "")).await,
    ];
    for answer in answers {
        let head = &answer.head;
        let allowed = answer.field("access-control-allow-origin");
        assert_eq!(allowed, Some("https://app.example"), "{head}");
        assert_eq!(
            answer.field("access-control-allow-credentials"),
            Some("true")
        );
        assert_eq!(answer.field("vary"), Some("Origin"));
        let exposed = answer.field("access-control-expose-headers").unwrap();
        assert!(exposed.contains("Last-Event-ID"), "d0_g9: {exposed}");
    }
}

#[tokio::test]
async fn d0_c4_other_origins_are_served_without_the_headers() {
    let server = serve(|config| config.cors_origins = app()).await;
    for fields in ["", "Origin: https://evil.example\r\n", "Origin: null\r\n"] {
        let (head, _) = server.stream("/events", fields).await;
        assert_eq!(head.field("access-control-allow-origin"), None);
        assert_eq!(head.field("vary"), Some("Origin"));
    }
}

#[tokio::test]
async fn d0_c3_preflight_is_204() {
    let server = serve(|config| config.cors_origins = app()).await;
    for path in [HUB, "/events", "/broadcast", "/nowhere"] {
        let request = format!(
            "OPTIONS {path} HTTP/1.1\r\nHost: x\r\n{FROM}Access-Control-Request-Method: POST\r\n\
             Access-Control-Request-Headers: authorization,content-type\r\n\r\n"
        );
        let answer = server.ask(request).await;
        assert_eq!(answer.status, 204, "{path}");
        assert_eq!(answer.field("access-control-allow-methods"), Some("POST"));
        let fields = answer.field("access-control-allow-headers");
        assert_eq!(fields, Some("authorization,content-type"));
        assert_eq!(
            answer.field("access-control-allow-origin"),
            Some("https://app.example")
        );
        assert!(answer.field("access-control-max-age").is_some());
    }
    let plain = format!("OPTIONS {HUB} HTTP/1.1\r\nHost: x\r\n{FROM}\r\n");
    assert_eq!(server.ask(plain).await.status, 405);
}
