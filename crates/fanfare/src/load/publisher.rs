//! One publisher: a kept-alive connection with one request under way at most.

use std::io::{self, Read, Write};
use std::net::SocketAddr;

use mio::net::TcpStream;

use super::LoadError;
use super::answer::{Head, Malformed};
use super::subscriber::{dial, is_early};
use super::wire::{Tls, Wire};

/// A publisher's connection.
#[derive(Debug)]
pub(crate) struct Publisher {
    wire: Wire,
    /// What is left to send of the request.
    request: Vec<u8>,
    /// What has come of the answer.
    answer: Vec<u8>,
    busy: bool,
    /// The hub has ended the connection while it was idle, as it may.
    ended: bool,
    /// The sequence number of its last event.
    pub(crate) sequence: u32,
}

impl Publisher {
    /// Begins to connect.
    pub(crate) fn connect(address: SocketAddr, tls: Option<&Tls>) -> Result<Self, LoadError> {
        Ok(Self {
            wire: Wire::new(dial(address, None)?, tls).map_err(LoadError::Connect)?,
            request: Vec::new(),
            answer: Vec::new(),
            busy: false,
            ended: false,
            sequence: 0,
        })
    }

    /// Begins to connect again if the hub has ended the idle connection.
    pub(crate) fn reconnect_if_ended(
        &mut self,
        address: SocketAddr,
        tls: Option<&Tls>,
    ) -> Result<Option<&mut TcpStream>, LoadError> {
        if !self.ended {
            return Ok(None);
        }
        self.wire = Wire::new(dial(address, None)?, tls).map_err(LoadError::Connect)?;
        self.ended = false;
        Ok(Some(&mut self.wire.socket))
    }

    /// The socket, for whoever registers it with a poll.
    pub(crate) fn socket_mut(&mut self) -> &mut TcpStream {
        &mut self.wire.socket
    }

    /// Whether the last request is answered.
    pub(crate) fn is_idle(&self) -> bool {
        !self.busy
    }

    /// Sends `request`; call only when idle.
    pub(crate) fn send(&mut self, request: Vec<u8>) -> Result<(), LoadError> {
        self.request = request;
        self.busy = true;
        self.write()
    }

    /// Goes on with the request and its answer; true if that has just come.
    pub(crate) fn ready(&mut self, scratch: &mut [u8]) -> Result<bool, LoadError> {
        self.write()?;
        loop {
            match self.wire.read(scratch) {
                Ok(0) => return self.end(io::ErrorKind::UnexpectedEof.into()),
                Ok(count) => self.answer.extend(scratch.iter().take(count)),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if is_early(&error) => break,
                Err(error) => return self.end(error),
            }
        }
        self.take_answer()
    }

    fn end(&mut self, error: io::Error) -> Result<bool, LoadError> {
        if self.busy {
            return Err(LoadError::Broken(error));
        }
        self.ended = true;
        Ok(false)
    }

    fn write(&mut self) -> Result<(), LoadError> {
        while !self.request.is_empty() {
            match self.wire.write(&self.request) {
                Ok(sent) => drop(self.request.drain(..sent)),
                Err(error) if is_early(&error) => return Ok(()),
                Err(error) => return Err(LoadError::Broken(error)),
            }
        }
        Ok(())
    }

    fn take_answer(&mut self) -> Result<bool, LoadError> {
        const MALFORMED: LoadError = LoadError::Malformed { what: "publish" };
        let head = Head::parse(&self.answer).map_err(|Malformed| MALFORMED)?;
        let Some(mut head) = head else {
            return Ok(false);
        };
        let mut rest = self.answer.get(head.bytes..).unwrap_or_default();
        let mut said = Vec::new();
        while let Some(data) = head.body.next(&mut rest).map_err(|_| MALFORMED)? {
            said.extend_from_slice(data);
        }
        if !head.body.ended() {
            return Ok(false);
        }
        self.answer.clear();
        self.busy = false;
        if !(200..300).contains(&head.status) {
            return Err(LoadError::Refused {
                what: "publish",
                status: head.status,
                said: String::from_utf8_lossy(&said).into_owned(),
            });
        }
        Ok(true)
    }
}
