//! Whether the writer may write: room on the disk, and what a fault leads to (§5.7).

use std::time::Instant;

use fanfare_broker::PublishError;

use super::fault::{At, Fault};
use super::{TICK, Writer};
use crate::database::sql;
use crate::queue::RETRY;
use crate::row::{Now, number};
use crate::shared::Condition;

impl Writer {
    /// Whether anything may be written now; asks the disk about once a second, and after a part of
    /// what is to stay free was stored, for that can be sooner (F7).
    pub(super) fn may_write(&mut self, now: Now) -> bool {
        let condition = self.shared.condition();
        if matches!(condition, Condition::Failed(_) | Condition::ReadOnly(_)) {
            return false;
        }
        let asked = |at: Instant| now.instant.saturating_duration_since(at) < TICK;
        let little = self.stored_since <= self.config.disk_free_min / 16;
        if little && self.room_asked_at.is_some_and(asked) {
            return condition == Condition::Ready;
        }
        self.room_asked_at = Some(now.instant);
        self.stored_since = 0;
        if let Some(why) = self.lacks_room() {
            if condition == Condition::Ready {
                self.set_full(why);
            }
            self.make_room(now);
            return false;
        }
        if condition != Condition::Ready {
            return self.recovers();
        }
        true
    }

    /// Why the disk has too little room, if so.
    fn lacks_room(&self) -> Option<String> {
        let disk_free_min = self.config.disk_free_min;
        if disk_free_min == 0 {
            return None;
        }
        let status = rustix::fs::statvfs(&self.directory).ok()?;
        let free = status.f_bavail.saturating_mul(status.f_frsize);
        (free < disk_free_min).then(|| {
            format!("the disk has {free} bytes free, fewer than the {disk_free_min} that are kept")
        })
    }

    /// Lets go of what exceeds the limits, and gives the room back: what is kept free is enough for
    /// that (F7).
    fn make_room(&mut self, now: Now) {
        let done = self.commit(Vec::new(), now).and_then(|_| {
            for _ in 0..GIVEN_BACK_MAX {
                if self.exceeds_limits() {
                    self.commit(Vec::new(), now)?;
                } else if self.has_spare_pages() {
                    self.give_back().map_err(At::Body.fault())?;
                } else {
                    break;
                }
                let moved = self.wal.checkpoint_if_due(&self.connection, true);
                moved.map_err(At::Body.fault())?;
            }
            self.wal
                .truncate(&self.connection)
                .map_err(At::Begin.fault())
        });
        if let Err(fault) = done {
            self.fail(&fault);
        }
    }

    /// Whether a trial commit goes through, now that there may be room again.
    fn recovers(&mut self) -> bool {
        let head = number(self.head.next - 1);
        let trial = self
            .connection
            .execute(sql::UPDATE_SYNCED, [head])
            .and_then(|_| self.wal.truncate(&self.connection));
        match trial {
            Ok(()) => {
                tracing::info!("the disk has room again: publications are stored");
                self.shared.set_condition(Condition::Ready);
                true
            }
            Err(error) => {
                let fault = At::Begin.fault()(error);
                if !fault.is_full() {
                    self.fail(&fault);
                }
                false
            }
        }
    }

    pub(super) fn refusal(&self) -> PublishError {
        match self.shared.condition() {
            Condition::Full(_) => PublishError::Full,
            Condition::Ready | Condition::Failed(_) | Condition::ReadOnly(_) => {
                PublishError::Unavailable { retry_after: RETRY }
            }
        }
    }

    /// Takes the road that §5.7 names for `fault`.
    pub(super) fn fail(&mut self, fault: &Fault) {
        if fault.is_full() {
            self.set_full("the disk is full".to_owned());
        } else if fault.is_busy() {
            tracing::error!("another process writes this database; nothing was stored: {fault}");
        } else if fault.is_damage() {
            // What a start would make of it (F11); a new process could do no better.
            let condition = Condition::read_only(&fault.to_string());
            if let Condition::ReadOnly(why) = &condition {
                tracing::error!("{why}");
            }
            self.shared.set_condition(condition);
        } else {
            tracing::error!("the history cannot be written any more: {fault}");
            // Never another write: SQLite would go on as if nothing had happened (F4).
            self.shared.set_condition(Condition::Failed(format!(
                "the history cannot be written: {fault}"
            )));
        }
    }

    fn set_full(&mut self, why: String) {
        if !matches!(self.shared.condition(), Condition::Full(_)) {
            tracing::error!("nothing is stored until there is room: {why}");
            // Pages that were kept for later are looked at once more.
            self.purged_seen = 0;
        }
        self.shared.set_condition(Condition::Full(why));
    }
}

/// Steps by which room is made at a time while the disk has too little.
const GIVEN_BACK_MAX: usize = 64;
