//! A port that leads to one server, and then to another: what a failover looks like from outside.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex};

use fanfare_testkit::redis_server::RedisServer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

pub(crate) struct Gate {
    port: u16,
    target: watch::Sender<u16>,
    /// Ends with the gate.
    _task: JoinSet<()>,
}

impl Gate {
    pub(crate) async fn open(server: &RedisServer) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (target, seen) = watch::channel(server.port());
        let mut task = JoinSet::new();
        task.spawn(async move {
            let connections = Arc::new(Mutex::new(JoinSet::new()));
            while let Ok((client, _)) = listener.accept().await {
                let task = lead(client, seen.clone());
                connections.lock().unwrap().spawn(task);
            }
        });
        Self {
            port,
            target,
            _task: task,
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Cuts every connection; new ones lead to `server`.
    pub(crate) fn move_to(&self, server: &RedisServer) {
        self.target.send_replace(server.port());
    }
}

async fn lead(mut client: TcpStream, mut target: watch::Receiver<u16>) {
    let port = *target.borrow_and_update();
    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else {
        return;
    };
    tokio::select! {
        _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
        _ = target.changed() => {}
    }
}
