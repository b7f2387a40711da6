//! A subscriber's connection with a bounded buffer, as a sink.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;

use bytes::Bytes;

use crate::sink::Sink;

/// What both ends of a connection see.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    /// Bytes on the way.
    pub(super) bytes: Vec<u8>,
    pub(super) capacity: usize,
    /// The hub was told "would block", and is owed a readiness.
    pub(super) blocked: bool,
    /// The hub ended the stream cleanly.
    pub(super) ended: bool,
    /// The hub closed its side.
    pub(super) closed: bool,
    /// The client is gone.
    pub(super) gone: bool,
}

/// The hub's end.
#[derive(Debug)]
pub(super) struct SimSink(pub(super) Rc<RefCell<Pipe>>);

impl Sink for SimSink {
    fn write(&mut self, bytes: &Bytes) -> io::Result<usize> {
        let mut pipe = self.0.borrow_mut();
        if pipe.gone {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        let taken = bytes
            .len()
            .min(pipe.capacity.saturating_sub(pipe.bytes.len()));
        pipe.blocked |= taken < bytes.len();
        if taken == 0 && !bytes.is_empty() {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        pipe.bytes.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn is_open(&mut self) -> bool {
        !self.0.borrow().gone
    }

    fn end(&mut self) {
        self.0.borrow_mut().ended = true;
    }
}

impl Drop for SimSink {
    fn drop(&mut self) {
        self.0.borrow_mut().closed = true;
    }
}
