//! A way to the hub that can be cut.

use std::net::SocketAddr;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

/// Passes connections on, byte by byte.
pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    hub: String,
    /// The accepting task, which owns those of the connections.
    accepting: JoinSet<()>,
}

impl Proxy {
    /// Opens one on a free port, to the hub at `hub`.
    pub(crate) async fn open(hub: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut proxy = Self {
            address: listener.local_addr().unwrap(),
            hub: hub.to_owned(),
            accepting: JoinSet::new(),
        };
        proxy.accept(listener);
        proxy
    }

    /// Ends every connection at once, and refuses new ones.
    pub(crate) async fn cut(&mut self) {
        self.accepting.shutdown().await;
    }

    /// Passes connections on again.
    pub(crate) async fn mend(&mut self) {
        self.accept(TcpListener::bind(self.address).await.unwrap());
    }

    fn accept(&mut self, listener: TcpListener) {
        let hub = self.hub.clone();
        self.accepting.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((mut near, _)) = listener.accept().await {
                let hub = hub.clone();
                connections.spawn(async move {
                    // Whichever side ends it, the other sees the end.
                    if let Ok(mut far) = TcpStream::connect(hub).await {
                        _ = copy_bidirectional(&mut near, &mut far).await;
                    }
                });
            }
        });
    }
}
