//! The ledger against the final history: lost, phantom, double, and workers whose numbers go back.

use std::collections::{HashMap, HashSet};

use super::books::{Books, Heard, Published};
use crate::hubcheck::line::{EventKey, Outcome};
use crate::hubcheck::verdict::{Verdict, Verdicts};

pub(super) fn judge(books: &Books<'_>, verdicts: &mut Verdicts) {
    find_lost(books, verdicts);
    find_phantoms_and_doubles(books, verdicts);
    find_reordered(books, verdicts);
}

fn find_lost(books: &Books<'_>, verdicts: &mut Verdicts) {
    let delivered = delivered(books);
    let trim = Trim::of(books);
    for (&key, published) in &books.published {
        if books.places.contains_key(&key) {
            continue;
        }
        let says = match published.outcome {
            Outcome::Ok { id } => format!("{key} was acknowledged as {id}"),
            Outcome::Unknown if delivered.contains(&key) => format!("{key} was delivered"),
            // A refused one that was delivered is a phantom.
            Outcome::No | Outcome::Unknown => continue,
        };
        if trim.covers(published) {
            verdicts.tally.trimmed += 1;
        } else {
            let says = format!("{says}, and is not in the final history");
            verdicts.object(Verdict::Lost, None, [key], says);
        }
    }
}

fn delivered(books: &Books<'_>) -> HashSet<EventKey> {
    let heard = books.seats.values().flat_map(|seat| &seat.heard);
    let keys = heard.filter_map(|heard| match heard {
        Heard::Event { payload, .. } => Some(payload.key()),
        Heard::Signal { .. } => None,
    });
    keys.collect()
}

/// What may be missing at the front of the final history.
#[derive(Debug)]
struct Trim {
    /// The history is as long as the hub says that it keeps it.
    is_full: bool,
    /// The first line at which an event that is still there was known to be stored.
    first_stored: usize,
}

impl Trim {
    fn of(books: &Books<'_>) -> Self {
        let kept = books.history.len() as u64 + books.foreign;
        let retained = books.history.iter().filter_map(|stored| {
            let published = books.published.get(&stored.payload.key())?;
            published.is_acknowledged().then_some(published.completed)
        });
        Self {
            is_full: books.retains.is_some_and(|retains| kept >= retains),
            first_stored: retained.min().unwrap_or(usize::MAX),
        }
    }

    /// What was sent after an event that is still there has a place behind it, so it was not
    /// trimmed.
    fn covers(&self, published: &Published<'_>) -> bool {
        self.is_full && published.invoked < self.first_stored
    }
}

fn find_phantoms_and_doubles(books: &Books<'_>, verdicts: &mut Verdicts) {
    for (place, stored) in books.history.iter().enumerate() {
        let key = stored.payload.key();
        if let Some(why) = books.phantom(stored.payload) {
            let says = format!("{key} {why}, and is in the final history as {}", stored.id);
            verdicts.object(Verdict::Phantom, None, [key], says);
        }
        let first = books.places.get(&key).copied().unwrap_or(place);
        if first != place {
            let earlier = books.history.get(first).map_or("", |earlier| earlier.id);
            let says = format!(
                "{key} is in the final history as {earlier} and {}",
                stored.id
            );
            verdicts.object(Verdict::Double, None, [key], says);
        } else if let Some(published) = books.published.get(&key)
            && let Outcome::Ok { id } = published.outcome
            && id != stored.id
        {
            let says = format!(
                "{key} was acknowledged as {id}, and is in the final history as {}",
                stored.id
            );
            verdicts.object(Verdict::Double, None, [key], says);
        }
    }
}

/// A worker sends one event after the other, so what was acknowledged before the next was sent
/// has its place before it. One whose outcome is unknown may come late.
fn find_reordered(books: &Books<'_>, verdicts: &mut Verdicts) {
    let mut newest: HashMap<u32, EventKey> = HashMap::new();
    for (place, stored) in books.history.iter().enumerate() {
        let key = stored.payload.key();
        if books.places.get(&key) != Some(&place) {
            continue;
        }
        let before = newest.entry(key.w).or_insert(key);
        if key.n >= before.n {
            *before = key;
            continue;
        }
        let earlier = books.published.get(&key);
        let later = books.published.get(before);
        if let (Some(earlier), Some(later)) = (earlier, later)
            && earlier.is_acknowledged()
            && earlier.completed < later.invoked
        {
            let says =
                format!("{key} was acknowledged before {before} was sent, and stands behind it");
            verdicts.object(Verdict::Reorder, None, [key, *before], says);
        }
    }
}
