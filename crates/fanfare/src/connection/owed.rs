//! Answers that are owed to a peer which has said all that it has to say.
//!
//! A peer may end its half of the connection once its request is sent, and still wait for the
//! answer (RFC 9112 §9.6). To hyper that is a peer that has left, and it would drop the answer. So
//! hyper hears of the end only when no answer is owed; on a stream therefore at once, which is how
//! a subscriber's leaving is noticed.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::BoxError;
use bytes::Bytes;
use futures_util::task::AtomicWaker;
use hyper::body::{Body, Frame, SizeHint};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What a connection's two ends know of each other: its input, and the request it is at.
#[derive(Clone, Debug, Default)]
pub(super) struct Owed(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    /// A request has come, and the head of its answer has not gone.
    owed: AtomicBool,
    /// The peer has ended its half meanwhile.
    ended: AtomicBool,
    /// Who waits for more of the body.
    reader: AtomicWaker,
}

impl Owed {
    /// A request has come.
    pub(super) fn begin(&self) {
        self.0.owed.store(true, Ordering::Release);
    }

    /// Its answer is there.
    pub(super) fn settle(&self) {
        self.0.owed.store(false, Ordering::Release);
    }

    fn end(&self) {
        self.0.ended.store(true, Ordering::Release);
        self.0.reader.wake();
    }
}

/// A socket of which some bytes were read already. What its peer sends has no end as long as an
/// answer is owed.
#[derive(Debug)]
pub(super) struct Input<S> {
    /// What was read and not used.
    known: Bytes,
    socket: S,
    owed: Owed,
}

impl<S> Input<S> {
    pub(super) fn new(known: Bytes, socket: S, owed: Owed) -> Self {
        Self {
            known,
            socket,
            owed,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Input<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let (filled, room) = (buffer.filled().len(), buffer.remaining());
        if !self.known.is_empty() {
            let count = room.min(self.known.len());
            buffer.put_slice(&self.known.split_to(count));
            if self.known.is_empty() {
                // Gives its memory back, which may be a whole head's.
                self.known = Bytes::new();
            }
            return Poll::Ready(Ok(()));
        }
        ready!(Pin::new(&mut self.socket).poll_read(cx, buffer))?;
        let ended = room > 0 && buffer.filled().len() == filled;
        if ended && self.owed.0.owed.load(Ordering::Acquire) {
            // Nothing need wake this task: the answer does, and then hyper reads again.
            self.owed.end();
            return Poll::Pending;
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Input<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}

/// The body of a request that is being answered. It breaks off where its peer does, of which hyper
/// does not hear.
#[derive(Debug)]
pub(super) struct Question<B> {
    body: B,
    owed: Owed,
}

impl<B> Question<B> {
    pub(super) fn new(body: B, owed: Owed) -> Self {
        Self { body, owed }
    }
}

impl<B> Body for Question<B>
where
    B: Body<Data = Bytes, Error: Into<BoxError>> + Unpin,
{
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.owed.0.reader.register(cx.waker());
        // Asked before the body, to which hyper has by then given all that came before the end.
        let ended = self.owed.0.ended.load(Ordering::Acquire);
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(frame) => Poll::Ready(frame.map(|it| it.map_err(Into::into))),
            Poll::Pending if ended => Poll::Ready(Some(Err(BrokenOff.into()))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A body whose peer ended the connection within it.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the connection ended within the body")]
struct BrokenOff;
