//! What the stream holds, asked once for all who want to know at the same time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Semaphore;

use crate::log::{Log, LogError, View};

/// Questions for the bounds of a stream.
///
/// Nobody gets an answer to a question that was sent before it asked: what it knows to be stored is
/// in it.
#[derive(Debug)]
pub(crate) struct Views {
    sent: AtomicU64,
    /// One permit, for the question that is under way.
    turn: Semaphore,
    /// The newest answer, and which question it answers.
    last: Mutex<Option<(u64, View)>>,
}

impl Default for Views {
    fn default() -> Self {
        Self {
            sent: AtomicU64::new(0),
            turn: Semaphore::new(1),
            last: Mutex::default(),
        }
    }
}

impl Views {
    /// What the stream holds, at some moment after the call.
    pub(crate) async fn view(&self, log: &Log) -> Result<View, LogError> {
        let before = self.sent.load(Ordering::SeqCst);
        let turn = self.turn.acquire().await;
        let last = *self.last();
        if let Some((question, view)) = last
            && question > before
        {
            return Ok(view);
        }
        let question = self.sent.fetch_add(1, Ordering::SeqCst) + 1;
        let view = log.view().await?;
        *self.last() = Some((question, view));
        drop(turn);
        Ok(view)
    }

    fn last(&self) -> MutexGuard<'_, Option<(u64, View)>> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
