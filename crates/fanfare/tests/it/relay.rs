//! A TCP relay before a hub, which cuts connections and loses answers when it is told to.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// A relay; it is gone when dropped, and its connections with it.
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    orders: Arc<Mutex<Orders>>,
    /// Each change cuts what is connected.
    cut: watch::Sender<u64>,
    _running: JoinSet<()>,
}

struct Orders {
    upstream: SocketAddr,
    /// So many of the next answers are read, and not passed on.
    answers_to_lose: u32,
}

impl Relay {
    pub(crate) async fn before(upstream: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let orders = Arc::new(Mutex::new(Orders {
            upstream,
            answers_to_lose: 0,
        }));
        let (cut, cuts) = watch::channel(0);
        let mut running = JoinSet::new();
        let address = listener.local_addr().unwrap();
        running.spawn(accept(listener, Arc::clone(&orders), cuts));
        Self {
            address,
            orders,
            cut,
            _running: running,
        }
    }

    /// Cuts all connections; new ones are relayed.
    pub(crate) fn cut(&self) {
        self.cut.send_modify(|count| *count += 1);
    }

    /// Cuts all connections; new ones go to `upstream`.
    pub(crate) fn turn_to(&self, upstream: SocketAddr) {
        self.orders.lock().unwrap().upstream = upstream;
        self.cut();
    }

    pub(crate) fn lose_answers(&self, count: u32) {
        self.orders.lock().unwrap().answers_to_lose = count;
    }
}

async fn accept(listener: TcpListener, orders: Arc<Mutex<Orders>>, cuts: watch::Receiver<u64>) {
    let mut connections = JoinSet::new();
    loop {
        let (client, _) = listener.accept().await.unwrap();
        let mut cuts = cuts.clone();
        cuts.mark_unchanged();
        let orders = Arc::clone(&orders);
        connections.spawn(async move {
            tokio::select! {
                () = relay(client, &orders) => {}
                _ = cuts.changed() => {}
            }
        });
    }
}

async fn relay(mut client: TcpStream, orders: &Mutex<Orders>) {
    let (upstream, loses) = {
        let mut orders = orders.lock().unwrap();
        let loses = orders.answers_to_lose > 0;
        orders.answers_to_lose = orders.answers_to_lose.saturating_sub(1);
        (orders.upstream, loses)
    };
    let Ok(mut hub) = TcpStream::connect(upstream).await else {
        return;
    };
    if !loses {
        let _ = copy_bidirectional(&mut client, &mut hub).await;
        return;
    }
    // Until the hub has answered; then nobody hears of it.
    let mut request = [0; 4096];
    let mut answer = [0; 4096];
    loop {
        tokio::select! {
            read = client.read(&mut request) => match read {
                Ok(count @ 1..) => hub.write_all(&request[..count]).await.unwrap(),
                _ => return,
            },
            _ = hub.read(&mut answer) => return,
        }
    }
}
