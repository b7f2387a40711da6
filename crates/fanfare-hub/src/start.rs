//! Where a stream starts: resolving what a subscriber presents (A1, C4 to C6).

use std::time::Duration;

use fanfare_broker::{Bounds, Broker, ReadError, Resolved};
use fanfare_wire::EventId;

use crate::config::UnknownCursor;
use crate::gap::{EARLIEST, Gap, GapReason, id_at};
use crate::ring::Ring;

/// Where a stream starts, and what is said of it.
#[derive(Debug)]
pub(crate) struct Start {
    /// The offset to start at, never beyond what the ring has or gets next.
    pub(crate) next: u64,
    /// What the answer says of the resume; see [`crate::Admission::resumed_after`].
    pub(crate) resumed_after: Option<EventId>,
    /// See [`crate::Admission::starts_after`].
    pub(crate) after: Option<EventId>,
    pub(crate) gap: Option<Gap>,
}

impl Start {
    /// Finds the place of `id`; without one, the head as it is now.
    ///
    /// Where the broker is ahead of this node's tail, waits for the tail and asks again: what the
    /// broker knew when it was first asked may be forked away before the tail gets there.
    pub(crate) async fn find(
        id: Option<&EventId>,
        broker: &dyn Broker,
        ring: &Ring,
        unknown_cursor: UnknownCursor,
    ) -> Result<Self, ReadError> {
        let Some(id) = id else {
            let (next, newest) = ring.head();
            let after = match newest {
                Some(newest) => Some(newest.cursor().id()),
                None => (next == 1).then(|| id_at(None)),
            };
            return Ok(Self {
                next,
                resumed_after: None,
                after,
                gap: None,
            });
        };
        loop {
            let moved = ring.moved();
            let resolved = broker.resolve(id).await?;
            let bounds = broker.bounds().await?;
            let start = Self::resolved(id, resolved, &bounds, unknown_cursor);
            if start.next <= ring.next() {
                return Ok(start);
            }
            let waited = tokio::time::timeout(TAIL_WAIT, moved).await;
            waited.map_err(|_| ReadError::Unavailable)?;
        }
    }

    fn resolved(
        id: &EventId,
        resolved: Resolved,
        bounds: &Bounds,
        on_unknown: UnknownCursor,
    ) -> Self {
        let earliest = id_at(None);
        let (next, reason) = match resolved {
            Resolved::At(offset) => {
                let after = if id.as_str() == EARLIEST {
                    earliest
                } else {
                    id.clone()
                };
                return Self {
                    next: offset + 1,
                    resumed_after: Some(after.clone()),
                    after: Some(after),
                    gap: None,
                };
            }
            Resolved::Trimmed { first } => (first, GapReason::Trimmed),
            Resolved::Diverged { end } => (bounds.first.max(end + 1), GapReason::Diverged),
            Resolved::Unknown | _ => match on_unknown {
                UnknownCursor::Head => (bounds.head_offset() + 1, GapReason::Unknown),
                UnknownCursor::All => (bounds.first, GapReason::Unknown),
            },
        };
        // Of the epoch of the record there, so that it is known again when it comes back (C1).
        let to = id_at(bounds.lineage.cursor_at(next.saturating_sub(1)));
        let resumed_after = if reason == GapReason::Diverged {
            to.clone()
        } else {
            earliest
        };
        let gap = Some(Gap {
            from: id.clone(),
            to,
            reason,
        });
        Self {
            next,
            resumed_after: Some(resumed_after.clone()),
            after: Some(resumed_after),
            gap,
        }
    }
}

/// How long a resume waits for this node's tail to reach its place.
pub(crate) const TAIL_WAIT: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests;
