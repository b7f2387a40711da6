//! Guests: subscribers that an application keeps account of.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

/// Where an application's guests sign out, however their streams end. Cloning shares it.
///
/// It holds the id of each guest that has left until [`GuestBook::left`] takes it, so its length is
/// bounded by the ids that the application has given out and not yet seen return.
#[derive(Clone, Debug, Default)]
pub struct GuestBook(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    left: Mutex<Vec<u64>>,
    news: Notify,
}

impl GuestBook {
    /// Makes the guest `id`, to be put into a [`crate::Subscription`]. The id is the application's,
    /// and used once at a time.
    #[must_use]
    pub fn guest(&self, id: u64) -> Guest {
        Guest {
            id,
            book: self.clone(),
        }
    }

    /// Waits until somebody has left, and takes the ids of all who have, each once.
    ///
    /// Dropping the future loses none.
    pub async fn left(&self) -> Vec<u64> {
        loop {
            let news = self.0.news.notified();
            let left =
                std::mem::take(&mut *self.0.left.lock().unwrap_or_else(PoisonError::into_inner));
            if !left.is_empty() {
                return left;
            }
            news.await;
        }
    }
}

/// A subscriber's entry in a [`GuestBook`]: dropped when its stream is over, or never came to be.
#[derive(Debug)]
pub struct Guest {
    id: u64,
    book: GuestBook,
}

impl Guest {
    /// The id that the application gave it.
    #[must_use]
    pub fn id(&self) -> u64 {
        self.id
    }
}

impl Drop for Guest {
    fn drop(&mut self) {
        let inner = &self.book.0;
        inner
            .left
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(self.id);
        inner.news.notify_one();
    }
}

/// Guests that are to be dismissed.
pub(crate) type GuestIds = Arc<HashSet<u64>>;
