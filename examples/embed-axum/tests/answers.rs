//! The example does what its first lines say.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, Command};
use std::time::Duration;

/// The example, stopped at the end of the test.
struct Example {
    process: Child,
    address: SocketAddr,
}

impl Example {
    fn start() -> Self {
        // The port is free again when the listener is dropped, at the end of this statement.
        let address = TcpListener::bind("127.0.0.1:0")
            .unwrap()
            .local_addr()
            .unwrap();
        let program = env!("CARGO_BIN_EXE_embed-axum");
        let process = Command::new(program)
            .arg(address.to_string())
            .spawn()
            .unwrap();
        Self { process, address }
    }

    /// Connects as soon as the example listens.
    fn connect(&mut self) -> TcpStream {
        loop {
            if let Ok(socket) = TcpStream::connect(self.address) {
                socket
                    .set_read_timeout(Some(Duration::from_secs(20)))
                    .unwrap();
                return socket;
            }
            assert!(
                self.process.try_wait().unwrap().is_none(),
                "the example ended"
            );
            std::thread::yield_now();
        }
    }
}

impl Drop for Example {
    fn drop(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

#[test]
fn what_is_posted_is_streamed() {
    let mut example = Example::start();
    let mut subscriber = example.connect();
    subscriber
        .write_all(b"GET / HTTP/1.1\r\nHost: example\r\n\r\n")
        .unwrap();
    let mut lines = BufReader::new(subscriber).lines().map(Result::unwrap);
    assert!(lines.any(|line| line == "content-type: text/event-stream"));
    assert!(lines.any(|line| line == ": welcome"));

    let mut publisher = example.connect();
    let request =
        b"POST / HTTP/1.1\r\nHost: example\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello";
    publisher.write_all(request).unwrap();
    let mut answer = String::new();
    publisher.read_to_string(&mut answer).unwrap();
    let (_, id) = answer.split_once("\r\n\r\n").unwrap();
    assert!(id.starts_with("urn:ff:"), "{answer}");

    assert!(lines.any(|line| line == format!("id: {id}")));
    assert_eq!(lines.next().unwrap(), "data: hello");
}
