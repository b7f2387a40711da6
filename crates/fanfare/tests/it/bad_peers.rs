//! Subscribers that do not read, hardly read, or vanish: the others do not notice, and they end.

use std::time::Duration;

use fanfare_testkit::raw_http::RawPeer;
use socket2::SockRef;
use tokio::net::TcpSocket;

use crate::fixture::{HUB, Server, get, serve, serve_hub};

const EVENTS: usize = 20;

/// Events that are far more than the buffers on the way hold.
async fn flood(server: &Server) {
    let data = "x".repeat(100_000);
    for id in 0..EVENTS {
        let form = format!("topic=t&id={id}&data={data}");
        assert_eq!(server.publish(&form).await.status, 200);
    }
}

async fn takes_all(peer: &mut RawPeer, from: usize) {
    for id in from..EVENTS {
        peer.read_until(&format!("id: {id}\ndata: ")).await;
    }
}

fn impatient() -> fanfare_hub::Config {
    let mut hub = fanfare_hub::Config::default();
    hub.stall_timeout = Duration::from_secs(1);
    hub
}

/// A subscriber that the network can hand only little ahead.
async fn narrow(server: &Server) -> RawPeer {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(32 << 10).unwrap();
    let mut peer = RawPeer::from_socket(socket.connect(server.address).await.unwrap());
    peer.send(get(&format!("{HUB}?topic=t"), "")).await;
    peer.read_head().await;
    peer
}

#[tokio::test]
async fn peer_that_never_reads_costs_nobody_and_is_gone_in_time() {
    let server = serve_hub(impatient(), |_| {}).await;
    let silent = narrow(&server).await;
    let mut lively = server.subscribe("topic=t", "").await;
    server.wait_for_subscribers(2).await;
    flood(&server).await;
    takes_all(&mut lively, 0).await;
    server.wait_for_subscribers(1).await;
    let metrics = server.get("/metrics").await.body;
    assert!(
        metrics.contains("fanfare_ended_total{reason=\"stalled\"} 1"),
        "{metrics}"
    );
    drop(silent);
}

#[tokio::test]
async fn peer_that_closes_in_the_middle_of_a_write_is_gone_at_once() {
    let server = serve(|_| {}).await;
    let mut leaving = narrow(&server).await;
    let mut lively = server.subscribe("topic=t", "").await;
    server.wait_for_subscribers(2).await;
    flood(&server).await;
    leaving.read_exactly(1000).await;
    drop(leaving);
    takes_all(&mut lively, 0).await;
    server.wait_for_subscribers(1).await;
}

#[tokio::test]
async fn peer_that_leaves_between_events_is_gone_at_once() {
    let server = serve(|_| {}).await;
    let leaving = server.subscribe("topic=t", "").await;
    server.wait_for_subscribers(1).await;
    drop(leaving);
    server.wait_for_subscribers(0).await;
    // By reset as well.
    let leaving = server.subscribe("topic=t", "").await;
    server.wait_for_subscribers(1).await;
    SockRef::from(leaving.socket())
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(leaving);
    server.wait_for_subscribers(0).await;
}

#[tokio::test]
async fn peer_that_reads_a_byte_at_a_time_costs_nobody() {
    let server = serve(|_| {}).await;
    let mut slow = narrow(&server).await;
    let mut lively = server.subscribe("topic=t", "").await;
    server.wait_for_subscribers(2).await;
    flood(&server).await;
    let mut begun = Vec::new();
    for _ in 0..100 {
        begun.extend(slow.read_exactly(1).await);
    }
    assert!(String::from_utf8(begun).unwrap().contains("id: 0\ndata: x"));
    takes_all(&mut lively, 0).await;
    // It still gets all of it, as fast as it likes.
    takes_all(&mut slow, 1).await;
}
