use http::{Request, Version};

use super::stream_head;
use crate::subscribe::StreamRoute;

#[test]
fn srv_20_connection_by_version() {
    let connection = |version, asked: &'static str| {
        let request = Request::builder()
            .version(version)
            .header("connection", asked);
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let head = stream_head(StreamRoute::Events, &parts, None);
        let value = head.headers().get("connection").cloned();
        value.map(|value| value.to_str().unwrap().to_owned())
    };
    for (version, asked, expected) in [
        (Version::HTTP_11, "", Some("keep-alive")),
        (Version::HTTP_11, "Keep-Alive", Some("keep-alive")),
        (Version::HTTP_11, "x, Close", Some("close")),
        (Version::HTTP_10, "keep-alive", Some("close")),
        (Version::HTTP_2, "", None),
    ] {
        assert_eq!(connection(version, asked).as_deref(), expected, "{asked}");
    }
}
