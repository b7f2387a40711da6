//! What acknowledged events subscribers are still to get, so that a check knows when to go on.

use std::collections::HashSet;

use super::line::EventKey;

/// The debts to each subscriber. They set the pace; only the judge judges.
#[derive(Debug)]
pub(super) struct Owed {
    seats: Vec<Debt>,
}

#[derive(Debug, Default)]
struct Debt {
    /// Acknowledged, and not seen.
    due: HashSet<EventKey>,
    /// Seen before it was acknowledged.
    early: HashSet<EventKey>,
}

impl Owed {
    pub(super) fn new(seats: usize) -> Self {
        Self {
            seats: (0..seats).map(|_| Debt::default()).collect(),
        }
    }

    /// `event` is acknowledged, and everybody for whom `may_see` holds is to get it.
    pub(super) fn acknowledge(&mut self, event: EventKey, may_see: impl Fn(usize) -> bool) {
        let seats = self.seats.iter_mut().enumerate();
        for (_, debt) in seats.filter(|(number, _)| may_see(*number)) {
            if !debt.early.remove(&event) {
                debt.due.insert(event);
            }
        }
    }

    /// The subscriber got `event`.
    pub(super) fn pay(&mut self, seat: usize, event: EventKey) {
        if let Some(debt) = self.seats.get_mut(seat)
            && !debt.due.remove(&event)
        {
            debt.early.insert(event);
        }
    }

    /// The subscriber was told of a gap: what it has not got by now may never come.
    pub(super) fn forgive(&mut self, seat: usize) {
        if let Some(debt) = self.seats.get_mut(seat) {
            debt.due.clear();
        }
    }

    pub(super) fn is_paid(&self) -> bool {
        self.seats.iter().all(|debt| debt.due.is_empty())
    }
}

#[cfg(test)]
mod tests;
