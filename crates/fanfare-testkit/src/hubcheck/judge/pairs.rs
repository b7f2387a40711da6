//! Subscribers against each other, over events that the final history does not have.

use std::collections::{HashMap, HashSet};

use super::books::{Books, Heard, Seat};
use crate::hubcheck::line::EventKey;
use crate::hubcheck::verdict::{Verdict, Verdicts};

/// Objects to each pair of subscribers that saw two lost or trimmed events in different orders.
pub(super) fn judge(books: &Books<'_>, verdicts: &mut Verdicts) {
    let mut earlier: Vec<(&str, Vec<EventKey>)> = Vec::new();
    for seat in books.seats.values() {
        let own = outside(books, seat);
        for (other, theirs) in &earlier {
            if let Some([first, second]) = disagreement(theirs, &own) {
                let says = format!("{second} came before {first}; to [{other}] it came after it");
                let name = Some(seat.name);
                verdicts.object(Verdict::Reorder, name, [first, second], says);
            }
        }
        earlier.push((seat.name, own));
    }
}

/// What the subscriber saw and history does not have, in the order of first sight.
fn outside(books: &Books<'_>, seat: &Seat<'_>) -> Vec<EventKey> {
    let mut seen = HashSet::new();
    let keys = seat.heard.iter().filter_map(|heard| match heard {
        Heard::Event { payload, .. } => Some(payload.key()),
        Heard::Signal { .. } => None,
    });
    keys.filter(|key| !books.places.contains_key(key) && seen.insert(*key))
        .collect()
}

/// The first pair that stands one way in `theirs` and the other way in `own`.
fn disagreement(theirs: &[EventKey], own: &[EventKey]) -> Option<[EventKey; 2]> {
    let places: HashMap<_, _> = theirs.iter().zip(0_usize..).collect();
    let common = || own.iter().filter_map(|key| Some((*key, *places.get(key)?)));
    let (before, after) = (common(), common().skip(1));
    before
        .zip(after)
        .find(|((_, before), (_, after))| after < before)
        .map(|((second, _), (first, _))| [first, second])
}
