//! RC-07: arbitrary bytes as an answer, or as the body of a stream.
//!
//! ```sh
//! cargo fuzz run client_response
//! ```
#![no_main]

use std::cell::RefCell;

use fanfare_client::network::Proxy;
use fanfare_client::{Client, Config, Item, Network};
use futures_util::StreamExt;
use libfuzzer_sys::fuzz_target;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};

fuzz_target!(|data: &[u8]| {
    let Some((&kind, bytes)) = data.split_first() else {
        return;
    };
    let head: &[u8] = match kind % 4 {
        0 => b"",
        1 => b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n",
        _ => b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n",
    };
    PEER.with_borrow(|peer| peer.runtime.block_on(peer.answer(&[head, bytes].concat())));
});

/// A client, and the server that says to it what the fuzzer makes up.
struct Peer {
    runtime: Runtime,
    listener: TcpListener,
    client: Client,
}

thread_local! {
    static PEER: RefCell<Peer> = RefCell::new(Peer::new());
}

impl Peer {
    fn new() -> Self {
        let runtime = Builder::new_current_thread().enable_all().build();
        let runtime = runtime.expect("a runtime");
        let mut network = Network::default();
        network.proxy = Proxy::None;
        Self {
            listener: runtime
                .block_on(TcpListener::bind("127.0.0.1:0"))
                .expect("a free port"),
            client: Client::new(&network).expect("no setting is wrong"),
            runtime,
        }
    }

    /// A source gets `answer`; it must come to an end.
    async fn answer(&self, answer: &[u8]) {
        let address = self.listener.local_addr().expect("an address");
        let url = format!("http://{address}/");
        let mut config = Config::get(url.parse().expect("a URL"));
        config.comments = true;
        config.event_bytes_max = 1 << 10;
        config.redirects_max = 0;
        let mut source = self.client.event_source(config).expect("it is valid");
        let serve = async {
            let (mut socket, _) = self.listener.accept().await.expect("a connection");
            let _ = socket.read(&mut [0; 2048]).await;
            let _ = socket.write_all(answer).await;
            let _ = socket.shutdown().await;
        };
        let read = async {
            while let Some(item) = source.next().await {
                if matches!(item, Item::Lost { .. }) {
                    source.close();
                }
            }
        };
        tokio::join!(serve, read);
    }
}
