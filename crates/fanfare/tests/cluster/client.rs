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
#[derive(Clone, Debug)]
pub(crate) struct Outage {
    pub(crate) lasted: Duration,
    pub(crate) told: Duration,
    /// What was answered to attempts in vain, and when: for whoever reads the failure.
    pub(crate) in_vain: Vec<(Duration, String)>,
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
    let mut away: Option<(Instant, Outage)> = None;
    while !stop.load(Ordering::SeqCst) {
        let mut said = String::new();
        let was_served = listen(hub, stop, &mut retry, &mut said, || {
            if let Some((since, mut outage)) = away.take() {
                outage.lasted = since.elapsed();
                outages.push(outage);
            }
        });
        match &mut away {
            Some((since, outage)) => outage.in_vain.push((since.elapsed(), said)),
            None if was_served => {
                let outage = Outage {
                    lasted: Duration::ZERO,
                    told: retry,
                    in_vain: Vec::new(),
                };
                away = Some((Instant::now(), outage));
            }
            None => {}
        }
        let until = Instant::now() + retry;
        while Instant::now() < until && !stop.load(Ordering::SeqCst) {
            thread::sleep(Duration::from_millis(10));
        }
    }
    // One that never came back is the worst of all.
    outages.extend(away.map(|(since, mut outage)| {
        outage.lasted = since.elapsed();
        outage
    }));
    outages
}

/// One stream, to its end; whether it was one, and not the advice to come back later. What is `said`
/// is all of it.
fn listen(
    hub: SocketAddr,
    stop: &AtomicBool,
    retry: &mut Duration,
    said: &mut String,
    mut served: impl FnMut(),
) -> bool {
    let Ok(mut socket) = TcpStream::connect(hub) else {
        return false;
    };
    _ = socket.set_read_timeout(Some(Duration::from_millis(200)));
    // A proxy that kept the connection would hide the end of an answer.
    let request = get(
        "/.well-known/mercure?topic=nothing",
        "Accept: text/event-stream\r\n",
    );
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
        said.push_str(&line);
        let text = line.trim_end();
        // The last chunk.
        if text == "0" {
            break;
        }
        // The first of a stream; the advice to come back has words after its colon.
        if text == ":" && !was_served {
            was_served = true;
            served();
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
