//! One subscriber against the final history and its own rights.

use std::collections::{HashMap, HashSet};

use super::books::{Books, Heard, Seat};
use crate::hubcheck::line::{EventKey, Payload};
use crate::hubcheck::verdict::{Verdict, Verdicts};

/// Judges all that `seat` heard.
pub(super) fn judge(books: &Books<'_>, seat: &Seat<'_>, verdicts: &mut Verdicts) {
    let mut follower = Follower {
        books,
        seat,
        verdicts,
        all: seat.heard.iter().filter_map(key_of).collect(),
        seen: HashMap::new(),
        place: None,
        told: None,
    };
    for (number, heard) in seat.heard.iter().enumerate() {
        match *heard {
            Heard::Signal { from, damaged } => follower.signal(number, from, damaged),
            Heard::Event { at, id, payload } => follower.event(number, at, id, payload),
        }
    }
    follower.find_undelivered();
}

fn key_of(heard: &Heard<'_>) -> Option<EventKey> {
    match heard {
        Heard::Event { payload, .. } => Some(payload.key()),
        Heard::Signal { .. } => None,
    }
}

/// Follows a subscriber through the history.
#[derive(Debug)]
struct Follower<'b, 'v> {
    books: &'b Books<'b>,
    seat: &'b Seat<'b>,
    verdicts: &'v mut Verdicts,
    /// Every event that it ever saw: one that comes late was not missed.
    all: HashSet<EventKey>,
    /// Where in what it heard an event came last.
    seen: HashMap<EventKey, usize>,
    /// Where in the history it stands: at the last event it saw.
    place: Option<usize>,
    /// Where in what it heard it was last told of a gap.
    told: Option<(usize, Told)>,
}

/// Whether a signal still explains what is missing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Told {
    /// Nothing that history has came since.
    Now,
    /// The stream has gone on; what is missing later is another matter.
    Before,
}

impl Follower<'_, '_> {
    fn object(&mut self, verdict: Verdict, events: impl Into<Vec<EventKey>>, says: String) {
        let name = Some(self.seat.name);
        self.verdicts.object(verdict, name, events, says);
    }

    fn signal(&mut self, number: usize, from: &str, damaged: bool) {
        // It is still there, so it was there then, and with it all that came after.
        if self.books.ids.contains_key(from) && !damaged {
            let says = format!("a gap was told behind {from}, which history has");
            self.object(Verdict::FalseGap, [], says);
        }
        self.told = Some((number, Told::Now));
    }

    fn event(&mut self, number: usize, at: u64, id: &str, payload: &Payload) {
        let key = payload.key();
        self.judge_content(id, payload);
        let earlier = self.seen.insert(key, number);
        // Behind a gap a stream may begin with what was seen before it.
        let told_since = |earlier: usize| self.told.is_some_and(|(told, _)| told > earlier);
        if let Some(earlier) = earlier
            && !told_since(earlier)
        {
            self.object(Verdict::Double, [key], format!("{key} came twice"));
            return;
        }
        if earlier.is_none() {
            self.judge_time(key, at);
        }
        if let Some(&place) = self.books.places.get(&key) {
            self.move_to(key, place);
        }
    }

    /// Whether the event is what was published, and for this subscriber.
    fn judge_content(&mut self, id: &str, payload: &Payload) {
        let key = payload.key();
        if let Some(why) = self.books.phantom(payload) {
            self.object(
                Verdict::Phantom,
                [key],
                format!("{key} {why}, and was delivered"),
            );
        }
        let published = self.books.published.get(&key);
        if published.is_some_and(|published| !self.seat.may_see(published)) {
            let says = format!("{key} is not for this subscriber");
            self.object(Verdict::Leak, [key], says);
        }
        let place = self.books.places.get(&key);
        let stored = place.and_then(|place| self.books.history.get(*place));
        if let Some(stored) = stored.filter(|stored| stored.id != id) {
            let says = format!(
                "{key} was delivered as {id}, and is in the final history as {}",
                stored.id
            );
            self.object(Verdict::Double, [key], says);
        }
    }

    fn judge_time(&mut self, key: EventKey, at: u64) {
        let Some(due) = self.due(key, at) else { return };
        if at > due {
            let late = (at - due) / 1000;
            let says = format!("{key} came {late} ms after it was due");
            self.object(Verdict::Stale, [key], says);
        }
    }

    /// When an event should have come, as of `at`.
    fn due(&self, key: EventKey, at: u64) -> Option<u64> {
        let published = self.books.published.get(&key)?;
        let (joined, _) = self.seat.joined?;
        let settled = published.settled_at.min(at);
        let from = settled
            .max(joined)
            .max(self.books.back_before(self.seat, at));
        Some(from.saturating_add(self.books.bound))
    }

    fn move_to(&mut self, key: EventKey, place: usize) {
        let told = self.told.is_some_and(|(_, told)| told == Told::Now);
        match self.place {
            Some(before) if place < before && !told => {
                let before = self.books.history.get(before);
                let before = before.map_or(key, |stored| stored.payload.key());
                let says = format!("{key} came after {before}, and stands before it in history");
                self.object(Verdict::Reorder, [key, before], says);
                return;
            }
            Some(before) if !told => self.find_hole(before, place, key),
            Some(_) | None => {}
        }
        self.place = Some(place);
        self.told = self.told.map(|(told, _)| (told, Told::Before));
    }

    /// Objects if something that it may see lies between two places and never came.
    fn find_hole(&mut self, before: usize, place: usize, key: EventKey) {
        let missing: Vec<_> = (before + 1..place)
            .filter_map(|between| self.missed(between))
            .collect();
        let Some(first) = missing.first() else { return };
        let count = missing.len();
        let before = self.books.history.get(before);
        let before = before.map_or(key, |stored| stored.payload.key());
        let says = format!("{count} missed between {before} and {key}, the first is {first}");
        self.object(Verdict::Gap, missing, says);
    }

    /// The event at `place`, if it is for this subscriber and never came to it.
    fn missed(&self, place: usize) -> Option<EventKey> {
        let key = self.books.history.get(place)?.payload.key();
        let is_first = self.books.places.get(&key) == Some(&place);
        let missed = is_first && !self.all.contains(&key) && self.books.may_see(self.seat, place);
        missed.then_some(key)
    }

    /// Objects to what lies behind its last event and should have come by the end.
    fn find_undelivered(&mut self) {
        if self.told.is_some_and(|(_, told)| told == Told::Now) {
            return;
        }
        let Some((_, joined)) = self.seat.joined else {
            return;
        };
        let next = self.place.map_or(0, |place| place + 1);
        for place in next..self.books.history.len() {
            let Some(key) = self.missed(place) else {
                continue;
            };
            let invoked = self.books.published.get(&key).map(|it| it.invoked);
            // Before its first event it may not have been there yet.
            if self.place.is_none() && invoked.is_none_or(|invoked| invoked < joined) {
                continue;
            }
            let ended = self.books.ended;
            if self.due(key, ended).is_some_and(|due| ended > due) {
                self.object(Verdict::Stale, [key], format!("{key} never came"));
            }
        }
    }
}
