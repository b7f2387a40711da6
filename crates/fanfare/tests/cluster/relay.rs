//! A way to a broker that can be stalled, cut, and led elsewhere.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// Passes bytes on between whoever connects and its target.
#[derive(Clone)]
pub(crate) struct Relay {
    pub(crate) address: SocketAddr,
    state: Arc<State>,
}

struct State {
    target: Mutex<SocketAddr>,
    /// Bytes get in and none get out, and nobody is told.
    black_hole: AtomicBool,
    open: Mutex<Vec<TcpStream>>,
}

impl Relay {
    pub(crate) fn open(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            target: Mutex::new(target),
            black_hole: AtomicBool::new(false),
            open: Mutex::default(),
        });
        let relay = Self {
            address,
            state: Arc::clone(&state),
        };
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                state.connect(&near);
            }
        });
        relay
    }

    /// Swallows everything from now on, without a word; `false`: passes it on.
    pub(crate) fn black_hole(&self, on: bool) {
        self.state.black_hole.store(on, Ordering::SeqCst);
    }

    /// Leads elsewhere from now on, and cuts what is open.
    pub(crate) fn lead_to(&self, target: SocketAddr) {
        *self.state.target.lock().unwrap() = target;
        self.cut();
    }

    pub(crate) fn cut(&self) {
        for socket in self.state.open.lock().unwrap().drain(..) {
            _ = socket.shutdown(Shutdown::Both);
        }
    }
}

impl State {
    fn connect(self: &Arc<Self>, near: &TcpStream) {
        let target = *self.target.lock().unwrap();
        let Ok(far) = TcpStream::connect(target) else {
            return;
        };
        let mut open = self.open.lock().unwrap();
        for (from, to) in [(near, &far), (&far, near)] {
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            open.push(from.try_clone().unwrap());
            let state = Arc::clone(self);
            thread::spawn(move || state.copy(&from, &to));
        }
    }

    fn copy(&self, mut from: &TcpStream, mut to: &TcpStream) {
        let mut bytes = vec![0; 64 << 10];
        loop {
            let count = from.read(&mut bytes).unwrap_or_default();
            while self.black_hole.load(Ordering::SeqCst) {
                thread::sleep(Duration::from_millis(10));
            }
            if count == 0 || to.write_all(&bytes[..count]).is_err() {
                break;
            }
        }
        _ = to.shutdown(Shutdown::Both);
        _ = from.shutdown(Shutdown::Both);
    }
}
