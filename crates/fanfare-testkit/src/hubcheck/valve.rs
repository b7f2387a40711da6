//! What cuts a subscriber's connection from outside, and keeps it from coming back.

use std::net::{Shutdown, TcpStream};
use std::sync::{Condvar, Mutex};
use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct Valve {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    is_held: bool,
    is_ended: bool,
    socket: Option<TcpStream>,
}

impl Valve {
    /// Waits to be let through; false at the end.
    pub(super) fn pass(&self) -> bool {
        let state = self.state.lock().unwrap();
        let waits = |state: &mut State| state.is_held && !state.is_ended;
        !self.changed.wait_while(state, waits).unwrap().is_ended
    }

    /// Takes the socket of a new connection; false if it must not be used.
    pub(super) fn guard(&self, socket: TcpStream) -> bool {
        let mut state = self.state.lock().unwrap();
        state.socket = Some(socket);
        !state.is_held && !state.is_ended
    }

    /// Cuts the connection; the subscriber comes back at once.
    pub(super) fn cut(&self) {
        self.change(|_| {});
    }

    /// Cuts the connection and keeps the subscriber away.
    pub(super) fn hold(&self) {
        self.change(|state| state.is_held = true);
    }

    /// Lets the subscriber come back.
    pub(super) fn release(&self) {
        self.state.lock().unwrap().is_held = false;
        self.changed.notify_all();
    }

    pub(super) fn is_held(&self) -> bool {
        self.state.lock().unwrap().is_held
    }

    pub(super) fn end(&self) {
        self.change(|state| state.is_ended = true);
    }

    fn change(&self, what: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap();
        what(&mut state);
        if let Some(socket) = state.socket.take() {
            // It may be cut already.
            _ = socket.shutdown(Shutdown::Both);
        }
        self.changed.notify_all();
    }

    /// Waits for `time`, or until the end.
    pub(super) fn pause(&self, time: Duration) {
        let state = self.state.lock().unwrap();
        let waits = |state: &mut State| !state.is_ended;
        drop(self.changed.wait_timeout_while(state, time, waits).unwrap());
    }
}
