//! What publishers wait at: it is open, closed, or open for so many events.

use std::sync::{Condvar, Mutex};
use std::time::Duration;

#[derive(Debug, Default)]
pub(super) struct Gate {
    mode: Mutex<Mode>,
    changed: Condvar,
}

#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Mode {
    #[default]
    Closed,
    Open,
    /// For so many more events.
    OpenFor(u64),
    /// No event is published any more.
    Ended,
}

impl Gate {
    pub(super) fn open(&self) {
        self.turn(Mode::Open);
    }

    pub(super) fn open_for(&self, count: u64) {
        self.turn(Mode::OpenFor(count));
    }

    pub(super) fn close(&self) {
        self.turn(Mode::Closed);
    }

    pub(super) fn end(&self) {
        self.turn(Mode::Ended);
    }

    fn turn(&self, mode: Mode) {
        let mut now = self.mode.lock().unwrap();
        if *now != Mode::Ended {
            *now = mode;
        }
        self.changed.notify_all();
    }

    /// Waits to be let through with a new event; false at the end.
    pub(super) fn pass(&self) -> bool {
        let waits = |mode: &mut Mode| matches!(mode, Mode::Closed | Mode::OpenFor(0));
        let mode = self.mode.lock().unwrap();
        let mut mode = self.changed.wait_while(mode, waits).unwrap();
        if let Mode::OpenFor(count) = &mut *mode {
            *count -= 1;
        }
        *mode != Mode::Ended
    }

    /// Waits to be let through with an event that was sent before.
    pub(super) fn pass_again(&self) {
        let waits = |mode: &mut Mode| *mode == Mode::Closed;
        let mode = self.mode.lock().unwrap();
        drop(self.changed.wait_while(mode, waits).unwrap());
    }

    /// Whether all that it was opened for have passed.
    pub(super) fn is_passed(&self) -> bool {
        *self.mode.lock().unwrap() == Mode::OpenFor(0)
    }

    /// Waits for `time`, or until the end.
    pub(super) fn pause(&self, time: Duration) {
        let mode = self.mode.lock().unwrap();
        let waits = |mode: &mut Mode| *mode != Mode::Ended;
        drop(self.changed.wait_timeout_while(mode, time, waits).unwrap());
    }

    /// Waits for `time`, whatever happens.
    pub(super) fn rest(&self, time: Duration) {
        let mode = self.mode.lock().unwrap();
        drop(
            self.changed
                .wait_timeout_while(mode, time, |_| true)
                .unwrap(),
        );
    }
}
