//! Clients that come back when they were told to, as browsers do, and measure how long they were away.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use crate::node::get;

/// Clients on threads of their own.
pub(crate) struct Clients {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<Vec<Outage>>>,
}

/// A time without service, and how long it was to wait before it came back.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outage {
    pub(crate) lasted: Duration,
    pub(crate) told: Duration,
}

impl Clients {
    pub(crate) fn start(count: usize, hub: SocketAddr) -> Self {
        let stop = Arc::<AtomicBool>::default();
        let client = |_| {
            let stop = Arc::clone(&stop);
            thread::spawn(move || live(hub, &stop))
        };
        Self {
            threads: (0..count).map(client).collect(),
            stop,
        }
    }

    /// Every time that one of them was without service.
    pub(crate) fn stop(self) -> Vec<Outage> {
        self.stop.store(true, Ordering::SeqCst);
        let joined = self.threads.into_iter().map(|it| it.join().unwrap());
        joined.flatten().collect()
    }
}

fn live(hub: SocketAddr, stop: &AtomicBool) -> Vec<Outage> {
    let mut outages = Vec::new();
    let mut retry = Duration::from_secs(3);
    // When service ended, and the wait that was known then.
    let mut away: Option<(Instant, Duration)> = None;
    while !stop.load(Ordering::SeqCst) {
        let served = |outages: &mut Vec<Outage>| {
            if let Some((since, told)) = away.take() {
                let lasted = since.elapsed();
                outages.push(Outage { lasted, told });
            }
        };
        let was_served = listen(hub, stop, &mut retry, served, &mut outages);
        if was_served {
            away = Some((Instant::now(), retry));
        }
        let until = Instant::now() + retry;
        while Instant::now() < until && !stop.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(10));
        }
    }
    // One that never came back is the worst of all.
    outages.extend(away.map(|(since, told)| Outage {
        lasted: since.elapsed(),
        told,
    }));
    outages
}

/// One stream, to its end; whether it was one, and not the advice to come back later.
fn listen(
    hub: SocketAddr,
    stop: &AtomicBool,
    retry: &mut Duration,
    mut served: impl FnMut(&mut Vec<Outage>),
    outages: &mut Vec<Outage>,
) -> bool {
    let Ok(mut socket) = TcpStream::connect(hub) else {
        return false;
    };
    _ = socket.set_read_timeout(Some(Duration::from_millis(200)));
    let request = get(
        "/.well-known/mercure?topic=nothing",
        "Accept: text/event-stream\r\n",
    );
    // It stays open.
    let request = request.replace("Connection: close\r\n", "");
    if socket.write_all(request.as_bytes()).is_err() {
        return false;
    }
    let mut lines = BufReader::new(socket);
    let (mut line, mut was_served) = (String::new(), false);
    while !stop.load(Ordering::SeqCst) {
        match lines.read_line(&mut line) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) if is_timeout(&error) => continue,
            Err(_) => break,
        }
        let text = line.trim_end();
        // The last chunk: a proxy keeps the connection.
        if text == "0" {
            break;
        }
        // The first of a stream; the advice to come back has words after its colon.
        if text == ":" && !was_served {
            was_served = true;
            served(outages);
        }
        if let Some(millis) = text.strip_prefix("retry: ").and_then(|it| it.parse().ok()) {
            *retry = Duration::from_millis(millis);
        }
        line.clear();
    }
    was_served
}

fn is_timeout(error: &std::io::Error) -> bool {
    matches!(
        error.kind(),
        std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut
    )
}
