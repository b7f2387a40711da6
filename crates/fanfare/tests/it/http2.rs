//! HTTP/2 without TLS, by prior knowledge.

use bytes::Bytes;
use fanfare_testkit::raw_http::DEADLINE;
use http::{Request, Response, Version};
use http_body_util::{BodyExt, Empty};
use hyper::body::Incoming;
use hyper::client::conn::http2::{SendRequest, handshake};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::fixture::{HUB, Server, serve};

type Client = SendRequest<Empty<Bytes>>;

async fn connect(server: &Server, tasks: &mut JoinSet<()>) -> Client {
    let socket = TcpStream::connect(server.address).await.unwrap();
    let (client, connection) = handshake(TokioExecutor::new(), TokioIo::new(socket))
        .await
        .unwrap();
    tasks.spawn(async move {
        connection.await.unwrap();
    });
    client
}

async fn send(client: &mut Client, method: &str, target: &str) -> Response<Incoming> {
    let request = Request::builder()
        .method(method)
        .uri(format!("http://hub.example{target}"))
        .body(Empty::new())
        .unwrap();
    let answer = timeout(DEADLINE, client.send_request(request)).await;
    answer.expect("an answer in time").unwrap()
}

async fn read_until(answer: &mut Response<Incoming>, end: &str) -> String {
    let mut text = String::new();
    while !text.ends_with(end) {
        let frame = timeout(DEADLINE, answer.body_mut().frame()).await;
        let frame = frame.expect("a frame in time").expect("no end").unwrap();
        text.push_str(str::from_utf8(frame.data_ref().unwrap()).unwrap());
    }
    text
}

#[tokio::test]
async fn d0_u8_srv_20_http_2_carries_the_same_bytes_without_connection_fields() {
    let server = serve(|_| {}).await;
    let mut tasks = JoinSet::new();
    let mut client = connect(&server, &mut tasks).await;
    let mut answer = send(&mut client, "GET", &format!("{HUB}?topic=t")).await;
    assert_eq!(
        (answer.status().as_u16(), answer.version()),
        (200, Version::HTTP_2)
    );
    assert_eq!(answer.headers()["content-type"], "text/event-stream");
    assert_eq!(answer.headers().get("connection"), None);
    server.wait_for_subscribers(1).await;
    server.publish("topic=t&id=1&data=x").await;
    assert_eq!(
        read_until(&mut answer, "data: x\n\n").await,
        ":\nid: 1\ndata: x\n\n"
    );
    drop(answer);
    server.wait_for_subscribers(0).await;
}

#[tokio::test]
async fn srv_20_one_stalled_stream_does_not_stop_its_siblings() {
    let server = serve(|_| {}).await;
    let mut tasks = JoinSet::new();
    let mut client = connect(&server, &mut tasks).await;
    let stalled = send(&mut client, "GET", "/events?topic=big").await;
    let mut lively = send(&mut client, "GET", "/events?topic=small").await;
    read_until(&mut lively, "established\n").await;
    server.wait_for_subscribers(2).await;
    let big = "x".repeat(100_000);
    for _ in 0..20 {
        assert_eq!(
            server
                .publish(&format!("topic=big&data={big}"))
                .await
                .status,
            200
        );
    }
    server.publish("topic=small&id=1").await;
    assert_eq!(read_until(&mut lively, "\n\n").await, "id: 1\ndata: \n\n");
    drop(stalled);
    server.wait_for_subscribers(1).await;
}

#[tokio::test]
async fn many_streams_on_one_connection_and_other_requests_between() {
    let server = serve(|config| config.connection_streams_max = 1000).await;
    let mut tasks = JoinSet::new();
    let mut client = connect(&server, &mut tasks).await;
    let mut streams = Vec::new();
    for _ in 0..300 {
        streams.push(send(&mut client, "GET", "/events").await);
    }
    server.wait_for_subscribers(300).await;
    assert_eq!(send(&mut client, "GET", "/healthz").await.status(), 200);
    assert_eq!(send(&mut client, "HEAD", "/events").await.status(), 200);
    assert_eq!(send(&mut client, "GET", "/nowhere").await.status(), 404);
    server.publish("topic=broadcast&id=1").await;
    for stream in &mut streams {
        let text = read_until(stream, "\n\n").await;
        assert!(text.ends_with("id: 1\ndata: \n\n"), "{text}");
    }
    drop(client);
    drop(streams);
    server.wait_for_subscribers(0).await;
}

#[tokio::test]
async fn n10_a_stream_past_the_limit_waits_until_another_ends() {
    let server = serve(|_| {}).await;
    let mut tasks = JoinSet::new();
    let mut client = connect(&server, &mut tasks).await;
    let mut streams = Vec::new();
    for _ in 0..256 {
        streams.push(send(&mut client, "GET", "/events").await);
    }
    let mut waiting = client.clone();
    tasks.spawn(async move {
        send(&mut waiting, "GET", "/events?topic=late").await;
    });
    server.publish("topic=broadcast&id=1").await;
    for stream in &mut streams {
        read_until(stream, "id: 1\ndata: \n\n").await;
    }
    assert_eq!(server.hub.counts().subscribers, 256);
    drop(streams.pop());
    timeout(DEADLINE, async {
        while server.hub.counts().subscribers_total < 257 {
            tokio::task::yield_now().await;
        }
    })
    .await
    .expect("the one that waited is let in");
}
