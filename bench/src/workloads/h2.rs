//! `h2`: subscribers that share connections, as behind a proxy.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use bytes::Bytes;
use fanfare_wire::{Decoder, EventId, Item};
use http_body_util::{BodyExt, Empty, Full};
use hyper::body::Incoming;
use hyper::client::conn::{http1, http2};
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpStream;
use tokio::task::JoinSet;

use super::{millis, nanos_each};
use crate::figures::Figures;
use crate::server::{Program, Server};

const CONNECTIONS: usize = 50;
const STREAMS: usize = 100;
const SUBSCRIBERS: u64 = (CONNECTIONS * STREAMS) as u64;
const EVENTS: u64 = 50;

pub(super) fn run(run: u32, figures: &mut Figures) -> anyhow::Result<()> {
    let server = Server::start(Program::Fanfare)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(drive(&server, run, figures))
}

async fn drive(server: &Server, run: u32, figures: &mut Figures) -> anyhow::Result<()> {
    let mut connections = JoinSet::new();
    let mut streams = JoinSet::new();
    let cpu = server.cpu()?;
    for _ in 0..CONNECTIONS {
        let io = TokioIo::new(TcpStream::connect(&server.authority).await?);
        let (mut client, connection) = http2::handshake(TokioExecutor::new(), io).await?;
        connections.spawn(connection);
        for _ in 0..STREAMS {
            let url = format!("http://{}/events?topic=h2", server.authority);
            let answer = client
                .send_request(Request::get(url).body(Empty::<Bytes>::new())?)
                .await?;
            ensure!(
                answer.status() == StatusCode::OK,
                "refused with {}",
                answer.status()
            );
            let mut body = answer.into_body();
            first_bytes(&mut body).await?;
            streams.spawn(read_all(body));
        }
        // The connection lives as long as its streams do.
        drop(client);
    }
    let opened = server.cpu()? - cpu;

    let cpu = server.cpu()?;
    let began = now();
    publish_all(server).await?;
    let read = async {
        while let Some(stream) = streams.join_next().await {
            stream??;
        }
        anyhow::Ok(())
    };
    tokio::time::timeout(Duration::from_secs(60), read)
        .await
        .context("not every stream got every event within a minute")??;
    let elapsed = began.elapsed();
    let delivered = server.cpu()? - cpu;

    let mut add = |figure, value| figures.add("fanfare", run, figure, value);
    add("cpu_per_stream_ns", nanos_each(opened, SUBSCRIBERS));
    add(
        "cpu_per_delivery_ns",
        nanos_each(delivered, SUBSCRIBERS * EVENTS),
    );
    add("wall_ms", millis(elapsed));
    add("stream_errors", 0.0);
    Ok(())
}

async fn first_bytes(body: &mut Incoming) -> anyhow::Result<()> {
    let frame = body.frame().await.context("a stream ended at once")??;
    ensure!(frame.is_data(), "a stream began with trailers");
    Ok(())
}

/// Reads events 0 to [`EVENTS`], each once and in order.
async fn read_all(mut body: Incoming) -> anyhow::Result<()> {
    let mut decoder = Decoder::new(&EventId::default());
    let mut expected = 0;
    while expected < EVENTS {
        let frame = body.frame().await.context("a stream ended")??;
        let Ok(bytes) = frame.into_data() else {
            bail!("a stream ended with trailers");
        };
        let mut items = decoder.feed(&bytes);
        while let Some(item) = items.next() {
            if let Item::Event { data, .. } = item {
                let (number, _) = data.split_once('.').context("a foreign event")?;
                let number: u64 = number.parse()?;
                ensure!(number == expected, "event {number} in place of {expected}");
                expected += 1;
            }
        }
    }
    Ok(())
}

async fn publish_all(server: &Server) -> anyhow::Result<()> {
    let io = TokioIo::new(TcpStream::connect(&server.authority).await?);
    let (mut client, connection) = http1::handshake(io).await?;
    let mut connections = JoinSet::new();
    connections.spawn(connection);
    for number in 0..EVENTS {
        let body = format!(r#"{{"topic":"h2","data":"{number}.{:x>190}"}}"#, "");
        let request = Request::post("/broadcast")
            .header("Host", &server.authority)
            .header("Content-Type", "application/json")
            .body(Full::new(Bytes::from(body)))?;
        let answer = client.send_request(request).await?;
        ensure!(
            answer.status() == StatusCode::OK,
            "a publish was refused with {}",
            answer.status()
        );
        answer.into_body().collect().await?;
        client.ready().await?;
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "a stretch's begin is measured")]
fn now() -> Instant {
    Instant::now()
}
