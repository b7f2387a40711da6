use std::net::{TcpListener as StdListener, TcpStream as StdStream};
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpListener;

use super::{patience, tune, tune_if_older};

fn listener() -> TcpListener {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    TcpListener::from_std(listener).unwrap()
}

#[cfg(target_os = "linux")]
const PATIENCE: Duration = Duration::from_secs(14);

#[test]
fn n4_a_peer_may_be_silent_for_two_heartbeats() {
    assert_eq!(patience(Duration::from_secs(7)), PATIENCE);
    assert!(
        !patience(Duration::ZERO).is_zero(),
        "zero would be the system's default"
    );
}

fn assert_tuned(socket: &SockRef<'_>) {
    assert!(socket.tcp_nodelay().unwrap());
    assert!(socket.keepalive().unwrap());
    assert_eq!(
        socket.tcp_keepalive_time().unwrap(),
        Duration::from_secs(30)
    );
    assert_eq!(
        socket.tcp_keepalive_interval().unwrap(),
        Duration::from_secs(10)
    );
    assert_eq!(socket.tcp_keepalive_retries().unwrap(), 3);
    let user_timeout = socket.tcp_user_timeout().unwrap();
    assert_eq!(user_timeout, Some(PATIENCE));
    assert_eq!(socket.tcp_notsent_lowat().unwrap(), 16 << 10);
    // Linux doubles what is asked for, for its own bookkeeping.
    assert_eq!(socket.send_buffer_size().unwrap(), 128 << 10);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn n4_n5_accepted_sockets_inherit_the_listeners_options() {
    let listener = listener();
    tune(&SockRef::from(&listener), PATIENCE).unwrap();
    let _peer = StdStream::connect(listener.local_addr().unwrap()).unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    assert_tuned(&SockRef::from(&accepted));
}

/// A slow reader got megabytes of kernel memory: it had connected between `bind` and the first
/// `accept`, and its socket had inherited nothing.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn n5_connections_older_than_the_options_get_them_too() {
    let listener = listener();
    let _peer = StdStream::connect(listener.local_addr().unwrap()).unwrap();
    tune(&SockRef::from(&listener), PATIENCE).unwrap();
    let (accepted, _) = listener.accept().await.unwrap();
    tune_if_older(&accepted, PATIENCE);
    assert_tuned(&SockRef::from(&accepted));
}
