//! Judges a recorded run: a pure function from its lines to verdicts (H3).
//!
//! The final history is the order that everybody is held to. The ledger is held against it in
//! `history.rs`, each subscriber in `stream.rs`, and subscribers against each other where history
//! says nothing in `pairs.rs`.

mod books;
mod history;
mod pairs;
mod stream;

use super::line::{Line, Outcome};
use super::verdict::{Tally, Verdicts};
use books::Books;

/// Judges `run`, the lines of one recorded run in their order.
///
/// What a run lacks is not held against the hub: an `Invoke` without an `Outcome` is unknown.
#[must_use]
pub fn judge(run: &[Line]) -> Verdicts {
    let books = Books::open(run);
    let mut verdicts = Verdicts {
        tally: tally(run, &books),
        ..Verdicts::default()
    };
    history::judge(&books, &mut verdicts);
    for seat in books.seats.values() {
        stream::judge(&books, seat, &mut verdicts);
    }
    pairs::judge(&books, &mut verdicts);
    verdicts
}

fn tally(run: &[Line], books: &Books<'_>) -> Tally {
    let mut tally = Tally {
        history: books.history.len() as u64,
        ..Tally::default()
    };
    for published in books.published.values() {
        match published.outcome {
            Outcome::Ok { .. } => tally.acknowledged += 1,
            Outcome::No => tally.refused += 1,
            Outcome::Unknown => tally.unknown += 1,
        }
    }
    for line in run {
        match line {
            Line::Event { .. } => tally.deliveries += 1,
            Line::Connect { .. } => tally.connections += 1,
            _ => {}
        }
    }
    tally.signals = books.seats.values().map(books::Seat::signals).sum();
    tally
}

#[cfg(test)]
mod tests;
