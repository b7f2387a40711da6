//! What publishers know of what they sent, held against a history.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::mpsc::sync_channel;
use std::thread;

use crate::hub::{Hub, Outcome, Publisher};
use crate::peer::Seen;

/// Every publish that was made, with its outcome.
#[derive(Default)]
pub(crate) struct Ledger {
    entries: HashMap<String, Outcome>,
    rounds: u64,
}

impl Ledger {
    /// Publishes with some publishers at once, each one event after the other, until each of them
    /// has met with anything but success; calls `enough` once `stored_min` are stored.
    ///
    /// Returns how many were stored.
    pub(crate) fn publish(
        &mut self,
        address: SocketAddr,
        stored_min: usize,
        enough: impl FnOnce(),
    ) -> usize {
        let round = self.rounds;
        self.rounds += 1;
        let (sender, outcomes) = sync_channel(100);
        let publish = |worker: u64, sender: std::sync::mpsc::SyncSender<(String, Outcome)>| {
            let mut publisher = Publisher::connect(address);
            for number in 0.. {
                let Some(publisher) = &mut publisher else {
                    return;
                };
                let data = format!("round {round} worker {worker} number {number}");
                let outcome = publisher.publish(&data);
                let stored = matches!(outcome, Outcome::Stored(_));
                sender.send((data, outcome)).unwrap();
                if !stored {
                    return;
                }
            }
        };
        let mut stored = 0;
        let mut enough = Some(enough);
        thread::scope(|scope| {
            for worker in 0..PUBLISHERS {
                let sender = sender.clone();
                scope.spawn(move || publish(worker, sender));
            }
            drop(sender);
            for (data, outcome) in outcomes {
                stored += usize::from(matches!(outcome, Outcome::Stored(_)));
                self.entries.insert(data, outcome);
                if stored >= stored_min
                    && let Some(enough) = enough.take()
                {
                    enough();
                }
            }
        });
        stored
    }

    /// Notes a publish that was made elsewhere.
    pub(crate) fn note(&mut self, data: &str, outcome: Outcome) {
        self.entries.insert(data.to_owned(), outcome);
    }

    /// Reads all that `hub` keeps, and holds it against the ledger: what was stored is there once
    /// and under its id, what was not stored is not there, and each publisher's events are in its
    /// order. Stores one event to know the end.
    #[track_caller]
    pub(crate) fn holds(&mut self, hub: &Hub) -> Vec<Seen> {
        let end = format!("end {}", self.rounds);
        self.rounds += 1;
        let id = hub.store(&end);
        self.note(&end, Outcome::Stored(id));
        let history = hub.read_after("earliest").up_to(&end);
        self.holds_for(&history);
        history
    }

    /// The same for a history that was read.
    #[track_caller]
    pub(crate) fn holds_for(&self, history: &[Seen]) {
        let mut ids: HashMap<&str, &str> = HashMap::new();
        let mut numbers: HashMap<&str, u64> = HashMap::new();
        for event in history {
            assert!(!event.is_gap(), "{event:?}");
            let data = event.data.as_str();
            assert!(self.entries.contains_key(data), "nobody sent {event:?}");
            assert_eq!(ids.insert(data, &event.id), None, "twice: {event:?}");
            if let Some((worker, number)) = data.rsplit_once(" number ") {
                let number: u64 = number.parse().unwrap();
                let before = numbers.insert(worker, number);
                assert!(
                    before.is_none_or(|before| before < number),
                    "reordered: {event:?}"
                );
            }
        }
        for (data, outcome) in &self.entries {
            match (outcome, ids.get(data.as_str())) {
                (Outcome::Stored(id), found) => {
                    assert_eq!(found, Some(&id.as_str()), "{data} was acknowledged");
                }
                (Outcome::NotStored(status), Some(id)) => {
                    panic!("{data} was refused with {status}, and is there as {id}");
                }
                (Outcome::NotStored(_), None) | (Outcome::Unknown, _) => {}
            }
        }
    }
}

const PUBLISHERS: u64 = 4;
