//! The web hook, from subscribers that come and go to what its receiver gets.

use std::net::SocketAddr;

use fanfare::web_hook::WebHook;
use fanfare_testkit::raw_http::RawPeer;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::fixture::serve;

/// A receiver that answers each request with 204.
struct Receiver {
    listener: TcpListener,
    address: SocketAddr,
}

impl Receiver {
    async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        Self { listener, address }
    }

    /// The next notice, on a connection of its own: its type, and its topic.
    async fn notice(&self) -> (String, String) {
        let (socket, _) = self.listener.accept().await.unwrap();
        let mut peer = RawPeer::from_socket(socket);
        let head = peer.read_until("\r\n\r\n").await;
        assert!(head.starts_with("POST /hook "), "{head}");
        let length = head
            .lines()
            .find_map(|it| it.strip_prefix("content-length: "));
        let body = peer.read_exactly(length.unwrap().parse().unwrap()).await;
        peer.send("HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n")
            .await;
        let body: Value = serde_json::from_slice(&body).unwrap();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        (text(&body["type"]), text(&body["data"]["topic"]))
    }
}

#[tokio::test]
async fn first_subscriber_of_a_topic_and_the_end_of_the_last_are_told() {
    let receiver = Receiver::start().await;
    let url = format!("http://{}/hook", receiver.address).parse().unwrap();
    let hook = WebHook::open(url, None).unwrap();
    let server = serve(|config| config.web_hook = Some(hook)).await;

    let occupied = |topic: &str| ("topic.occupied".to_owned(), topic.to_owned());
    let first = server.subscribe("topic=a", "").await;
    assert_eq!(receiver.notice().await, occupied("a"));
    let second = server.subscribe("match=a&match_urlpattern=/b/:c", "").await;
    assert_eq!(
        receiver.notice().await,
        occupied("/b/:c"),
        "not `a` a second time"
    );

    drop(first);
    drop(second);
    let mut left = [receiver.notice().await, receiver.notice().await];
    left.sort();
    let vacated = |topic: &str| ("topic.vacated".to_owned(), topic.to_owned());
    assert_eq!(left, [vacated("/b/:c"), vacated("a")]);
    let metrics = server.get("/metrics").await.body;
    assert!(
        metrics.contains("fanfare_web_hook_delivered_total "),
        "{metrics}"
    );
}
