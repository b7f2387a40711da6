//! What the parts of the broker know together: how the connection stands, and the history so far.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use fanfare_broker::{Cursor, Epoch, Health, Lineage};
use tokio::sync::watch;

use crate::codec::Nonce;
use crate::link::Link;
use crate::log::View;
use crate::trail::Trail;

/// What the parts of the broker know together.
#[derive(Debug)]
pub(crate) struct Shared {
    standing: watch::Sender<Standing>,
    known: Mutex<Known>,
    grace: Duration,
}

/// How the connection stands.
#[derive(Clone, Debug)]
pub(crate) enum Standing {
    /// The history was compared over it, and it is good.
    Up(Arc<Link>),
    Down {
        since: Instant,
        why: String,
    },
    /// Tails go on over the last connection up to `end`.
    Closed {
        end: u64,
        link: Option<Arc<Link>>,
    },
}

/// What is known of the history.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The first epoch of the stream that `trail` is of; `None`: none was seen yet.
    pub(crate) first_epoch: Option<Epoch>,
    /// The offset of the newest mark; 0: there is none.
    pub(crate) mark: u64,
    pub(crate) lineage: Arc<Lineage>,
    pub(crate) trail: Trail,
}

impl Shared {
    pub(crate) fn new(grace: Duration) -> Self {
        let down = Standing::down("it was never connected".to_owned());
        Self {
            standing: watch::Sender::new(down),
            known: Mutex::default(),
            grace,
        }
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    /// The connection, unless it is down or the broker is closed.
    pub(crate) fn link(&self) -> Option<Arc<Link>> {
        match &*self.standing.borrow() {
            Standing::Up(link) if link.why_ended().is_none() => Some(Arc::clone(link)),
            Standing::Up(_) | Standing::Down { .. } | Standing::Closed { .. } => None,
        }
    }

    pub(crate) fn up(&self, link: &Arc<Link>) {
        self.change(Standing::Up(Arc::clone(link)));
    }

    pub(crate) fn down(&self, why: String) {
        self.standing.send_if_modified(|standing| match standing {
            Standing::Up(_) => {
                *standing = Standing::down(why);
                true
            }
            Standing::Down { why: last, .. } => {
                *last = why;
                false
            }
            Standing::Closed { .. } => false,
        });
    }

    pub(crate) fn close(&self, end: u64, link: Option<Arc<Link>>) {
        self.change(Standing::Closed { end, link });
    }

    fn change(&self, to: Standing) {
        self.standing.send_if_modified(|standing| {
            let is_open = !matches!(standing, Standing::Closed { .. });
            if is_open {
                *standing = to;
            }
            is_open
        });
    }

    pub(crate) fn health(&self) -> Health {
        match &*self.standing.borrow() {
            Standing::Up(link) => match link.why_ended() {
                None => Health::Ready,
                Some(why) => Health::Degraded { why },
            },
            Standing::Down { since, why } if since.elapsed() < self.grace => {
                let why = format!("NATS cannot be used: {why}");
                Health::Degraded { why }
            }
            Standing::Down { why, .. } => {
                let why = format!("NATS cannot be used: {why}");
                Health::Failed { why }
            }
            Standing::Closed { .. } => Health::Failed {
                why: "the broker is closed".to_owned(),
            },
        }
    }
}

impl Standing {
    #[expect(
        clippy::disallowed_methods,
        reason = "read once, when the connection is lost"
    )]
    fn down(why: String) -> Self {
        let since = Instant::now();
        Self::Down { since, why }
    }
}

impl Known {
    /// Takes over what a mark at `offset` says, if it is newer than what is known.
    pub(crate) fn adopt(&mut self, offset: u64, lineage: Lineage) {
        if offset > self.mark {
            self.mark = offset;
            self.lineage = Arc::new(lineage);
        }
    }

    /// The cursor of the record at `offset`.
    pub(crate) fn cursor_at(&self, offset: u64) -> Option<Cursor> {
        self.lineage.cursor_at(offset)
    }

    /// Notes that `nonce` is stored at `offset`; false: the server told of another one there.
    pub(crate) fn note(&mut self, offset: u64, nonce: Nonce) -> bool {
        self.trail.note(offset, nonce)
    }

    /// Begins with another stream: nothing that was known of the last one holds.
    pub(crate) fn begin(&mut self, view: View, mark: Option<(u64, Lineage)>) {
        let (mark, lineage) = mark.unwrap_or_else(|| (0, Lineage::of(view.first_epoch)));
        *self = Self {
            first_epoch: Some(view.first_epoch),
            mark,
            lineage: Arc::new(lineage),
            trail: Trail::default(),
        };
    }
}
