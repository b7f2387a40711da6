//! New connections: accepted, counted, and given to a task, or refused where there is no room.

use std::convert::Infallible;
use std::fs::File;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::FutureExt;
use socket2::{SockRef, TcpKeepalive};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep_until};

use crate::connection::{self, Room};
use crate::error::{Refusal, Style};
use crate::greeting::come_back;
use crate::head::write_last;
use crate::server::Server;

/// The loop that takes connections from the listener. It owns the listener until it is dropped.
#[derive(Debug)]
pub(crate) struct Acceptor {
    listener: TcpListener,
    server: Arc<Server>,
    router: Router,
    /// A descriptor to give up when no other is left, so that a waiting connection can be taken
    /// and told why it is refused. Otherwise it would wait for ever, and the loop would spin on it.
    reserve: Option<File>,
}

/// The other end of a connection, as an extension of its requests.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Peer(pub(crate) SocketAddr);

impl Acceptor {
    pub(crate) fn new(listener: TcpListener, server: Arc<Server>, router: Router) -> Self {
        let patience = patience(server.hub.config().heartbeat);
        if let Err(error) = tune(&SockRef::from(&listener), patience) {
            tracing::warn!(%error, "connections keep the system's socket options");
        }
        Self {
            listener,
            server,
            router,
            reserve: open_reserve(),
        }
    }

    /// Takes connections for ever.
    pub(crate) async fn run(mut self) -> Infallible {
        loop {
            match self.listener.accept().await {
                Ok((socket, peer)) => self.admit(socket, peer),
                Err(error) if is_out_of_descriptors(&error) => self.refuse_one().await,
                Err(error) if is_about_one_connection(&error) => {}
                Err(error) => {
                    tracing::warn!(%error, "accept failed");
                    pause().await;
                }
            }
        }
    }

    fn admit(&self, socket: TcpStream, peer: SocketAddr) {
        self.server.metrics.accepted();
        let open = self.server.connections_open();
        let open_max = u64::try_from(self.server.config.connections_max).unwrap_or(u64::MAX);
        let room = if open < open_max {
            Room::Free
        } else if open < open_max.saturating_add(REFUSING_MAX) {
            Room::Full
        } else {
            self.refuse(socket, "connections");
            return;
        };
        tune_if_older(&socket, patience(self.server.hub.config().heartbeat));
        let held = self.server.metrics.hold_connection();
        let (server, router) = (Arc::clone(&self.server), self.router.clone());
        let connection = connection::serve(server, router, socket, Peer(peer), room);
        self.server.connections.spawn(async move {
            connection.await;
            drop(held);
        });
    }

    /// Takes the connection that waits, with the reserve's descriptor, and refuses it.
    async fn refuse_one(&mut self) {
        if self.reserve.take().is_none() {
            // Somebody else took the descriptor meanwhile: only time can help.
            pause().await;
        } else if let Some(Ok((socket, _))) = self.listener.accept().now_or_never() {
            self.refuse(socket, "descriptors");
        }
        self.reserve = open_reserve();
    }

    /// Says that there is no room, without waiting for anything.
    fn refuse(&self, socket: TcpStream, reason: &'static str) {
        tracing::debug!(reason, "connection refused");
        self.server.metrics.refused(reason);
        if self.server.config.tls.is_some() {
            // Without a handshake, for which there is no room either, it can be told nothing (N6).
            return;
        }
        // The peer may be gone already; then there is nobody to tell.
        let _ = socket.into_std().and_then(|socket| tell_full(&socket));
    }
}

/// Connections beyond the limit that are read at least, so that browsers get the answer after
/// which they come back. Beyond these too, what has arrived by then must do.
const REFUSING_MAX: u64 = 256;

const PAUSE: Duration = Duration::from_millis(100);

async fn pause() {
    sleep_until(Instant::now() + PAUSE).await;
}

fn open_reserve() -> Option<File> {
    File::open("/dev/null").ok()
}

fn is_out_of_descriptors(error: &io::Error) -> bool {
    let number = error
        .raw_os_error()
        .map(rustix::io::Errno::from_raw_os_error);
    matches!(
        number,
        Some(rustix::io::Errno::MFILE | rustix::io::Errno::NFILE)
    )
}

/// The connection that was to be accepted failed; the listener is well.
fn is_about_one_connection(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::Interrupted
    )
}

fn tell_full(mut socket: &std::net::TcpStream) -> io::Result<()> {
    let mut head = [0; 4096];
    let read = socket.read(&mut head).unwrap_or(0);
    let head = head.get(..read).unwrap_or_default();
    let browser = head
        .windows(EVENT_STREAM.len())
        .any(|window| window == EVENT_STREAM);
    let refusal = Refusal::TooManyConnections;
    let response = if browser {
        come_back(&refusal, false)
    } else {
        refusal.response(Style::Problem, None)
    };
    let answer = write_last(&response);
    socket.write_all(&answer)?;
    socket.shutdown(Shutdown::Write)
}

const EVENT_STREAM: &[u8] = b"text/event-stream";

/// How long bytes may stay unacknowledged: twice the heartbeat, so that a peer that vanished, or
/// that advertises no window, is gone by then (N4).
fn patience(heartbeat: Duration) -> Duration {
    if heartbeat.is_zero() {
        Duration::from_secs(30)
    } else {
        2 * heartbeat
    }
}

/// Sets the options that every connection gets; accepted sockets inherit them from the listener.
fn tune(socket: &SockRef<'_>, patience: Duration) -> io::Result<()> {
    // What is written is due at once (N5, SRV-25).
    socket.set_tcp_nodelay(true)?;
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(30))
        .with_interval(Duration::from_secs(10))
        .with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    tune_for_dead_peers(socket, patience)?;
    // Left to itself the kernel grows a slow reader's buffer to megabytes (N5).
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)
}

/// Tunes a connection that was in the queue before the listener was tuned: by a listener that the
/// service manager kept open over a restart, there can be many.
fn tune_if_older(socket: &TcpStream, patience: Duration) {
    let socket = SockRef::from(socket);
    // One look instead of seven settings, for almost all have inherited them.
    if !socket.tcp_nodelay().unwrap_or(true) {
        // Without them the connection still works, and the listener's failure was told.
        let _ = tune(&socket, patience);
    }
}

/// Bytes the kernel may keep for one connection.
const SEND_BUFFER_BYTES: usize = 64 << 10;

#[cfg(target_os = "linux")]
fn tune_for_dead_peers(socket: &SockRef<'_>, patience: Duration) -> io::Result<()> {
    socket.set_tcp_user_timeout(Some(patience))?;
    // Keeps the kernel's backlog small, so that "would block" means a slow peer (N5).
    socket.set_tcp_notsent_lowat(16 << 10)
}

#[cfg(not(target_os = "linux"))]
fn tune_for_dead_peers(_: &SockRef<'_>, _: Duration) -> io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests;
