//! The list of who is connected.

use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::Arc;

use serde_json::value::RawValue;
use slab::Slab;
use uuid::Uuid;

use crate::auth::Grant;
use crate::error::Refusal;
use crate::interest::{Language, Wanted};

/// One connection. There may be very many: each field counts.
#[derive(Clone, Debug)]
pub(crate) struct Visitor {
    /// Names the connection; random, so that nobody can guess or choose it (D0-R2, D1-R4).
    pub(crate) subscriber: Uuid,
    /// What it asks for, in its order, each once; shared by all who ask for the same.
    pub(crate) subscriptions: Arc<Vec<Listed>>,
    pub(crate) holder: Option<Arc<Holder>>,
    /// Kept where addresses are counted, and nowhere else.
    pub(crate) address: Option<Box<IpAddr>>,
}

/// One subscription, and what its token wants shown with it.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Listed {
    pub(crate) wanted: Wanted,
    pub(crate) payload: Option<Payload>,
}

/// JSON, as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct Payload(pub(crate) Arc<RawValue>);

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.0.get() == other.0.get()
    }
}

impl Eq for Payload {}

impl Hash for Payload {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.get().hash(state);
    }
}

/// Whose token a connection shows.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Holder {
    pub(crate) issuer: Option<String>,
    pub(crate) subject: Option<String>,
    pub(crate) token_id: Option<String>,
    /// In seconds since 1970.
    pub(crate) issued_at: Option<u64>,
}

impl Holder {
    /// The holder that `grant` names; `None`: it names nobody.
    pub(crate) fn of(grant: &Grant) -> Option<Self> {
        let named = grant.subject.is_some() || grant.token_id.is_some();
        named.then(|| Self {
            issuer: grant.issuer.clone(),
            subject: grant.subject.clone(),
            token_id: grant.token_id.clone(),
            issued_at: grant.issued_at,
        })
    }

    /// Two issuers may each have an `alice`.
    fn account(&self) -> Option<Account> {
        Some((self.issuer.clone(), self.subject.clone()?))
    }
}

type Account = (Option<String>, String);

/// What an operator is shown of a visitor.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) subscriber: Uuid,
    pub(crate) subject: Option<String>,
    /// `0.x`, also on `/events`, or `1.0`.
    pub(crate) dialect: &'static str,
}

/// How many connections one address, and one subject, may have at once; zero: any number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) per_address: usize,
    pub(crate) per_subject: usize,
}

/// Who is connected, each under an id of its own.
#[derive(Debug, Default)]
pub(crate) struct Roster {
    seats: Slab<Seat>,
    /// Tells an id from an earlier one of the same seat.
    generation: u32,
    by_address: HashMap<IpAddr, usize>,
    by_account: HashMap<Account, usize>,
    /// Every list of subscriptions that some visitor has.
    lists: HashSet<Arc<Vec<Listed>>>,
    /// What the other nodes are still to be told, by the subscriber's name: who is here, or that
    /// nobody is. `None`: there are none, or they know this one no more.
    changes: Option<Changes>,
}

/// Who is here by that name; `None`: nobody.
pub(crate) type Changes = HashMap<Uuid, Option<Visitor>>;

#[derive(Debug)]
struct Seat {
    generation: u32,
    visitor: Visitor,
    /// Its arrival has been told.
    present: bool,
}

impl Roster {
    /// Takes `visitor` in; its arrival is still to be told.
    ///
    /// # Errors
    ///
    /// [`Refusal::TooManyOfOne`] when its address or its subject has as many as it may (D1-S7).
    pub(crate) fn enter(&mut self, mut visitor: Visitor, limits: Limits) -> Result<u64, Refusal> {
        let limited = |limit: usize| (limit > 0).then_some(limit);
        let per_address = limited(limits.per_address);
        let address = visitor.address.filter(|_| per_address.is_some());
        visitor.address = address.map(|it| Box::new(network(*it)));
        let account = account_of(&visitor).filter(|_| limits.per_subject > 0);
        let full = |count: Option<&usize>, limit| count.copied().unwrap_or_default() >= limit;
        if let (Some(address), Some(limit)) = (&visitor.address, per_address)
            && full(self.by_address.get(address), limit)
        {
            return Err(Refusal::TooManyOfOne);
        }
        if let Some(account) = &account
            && full(self.by_account.get(account), limits.per_subject)
        {
            return Err(Refusal::TooManyOfOne);
        }
        if let Some(address) = &visitor.address {
            *self.by_address.entry(**address).or_default() += 1;
        }
        if let Some(account) = account {
            *self.by_account.entry(account).or_default() += 1;
        }

        visitor.subscriptions = self.shared(visitor.subscriptions);

        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        let seat = self.seats.insert(Seat {
            generation,
            visitor,
            present: false,
        });
        let seat = u32::try_from(seat).expect("subscribers_max is below 2^32");
        Ok(u64::from(generation) << 32 | u64::from(seat))
    }

    /// Marks `id` as present; the visitor.
    pub(crate) fn arrived(&mut self, id: u64) -> Option<Visitor> {
        let seat = self.seat(id)?;
        seat.present = true;
        let visitor = seat.visitor.clone();
        if let Some(changes) = &mut self.changes {
            changes.insert(visitor.subscriber, Some(visitor.clone()));
        }
        Some(visitor)
    }

    /// The name of the visitor `id`.
    pub(crate) fn subscriber(&mut self, id: u64) -> Option<Uuid> {
        self.seat(id).map(|seat| seat.visitor.subscriber)
    }

    /// What is known of the visitor `id`.
    pub(crate) fn known(&mut self, id: u64) -> Option<Known> {
        let visitor = &self.seat(id)?.visitor;
        let first = visitor.subscriptions.first()?;
        Some(Known {
            subscriber: visitor.subscriber,
            subject: visitor.holder.as_ref().and_then(|it| it.subject.clone()),
            dialect: match first.wanted.language {
                Language::Template => "0.x",
                Language::Exact | Language::UrlPattern => "1.0",
            },
        })
    }

    /// Takes `id` off the list; the visitor, if its arrival had been told.
    pub(crate) fn leave(&mut self, id: u64) -> Option<Visitor> {
        self.seat(id)?;
        let seat = self.seats.remove(place(id));
        if let Some(address) = &seat.visitor.address {
            one_less(&mut self.by_address, address);
        }
        if let Some(account) = account_of(&seat.visitor) {
            one_less(&mut self.by_account, &account);
        }
        // Here, in the set and nowhere else: nobody else has it.
        if Arc::strong_count(&seat.visitor.subscriptions) == 2 {
            self.lists.remove(&seat.visitor.subscriptions);
        }
        seat.present.then_some(seat.visitor)
    }

    /// The departure of `subscriber` has been told, so its entry can go: were it to go first, and
    /// this node with it, nobody would ever tell.
    pub(crate) fn told(&mut self, subscriber: Uuid) {
        if let Some(changes) = &mut self.changes {
            changes.insert(subscriber, None);
        }
    }

    /// Begins to note what the other nodes are to be told: first of all, everybody who is here.
    pub(crate) fn enlist(&mut self) {
        let present = self.present();
        let all = present.map(|visitor| (visitor.subscriber, Some(visitor.clone())));
        self.changes = Some(all.collect());
    }

    /// Stops noting, for the other nodes know this one no more.
    pub(crate) fn delist(&mut self) {
        self.changes = None;
    }

    pub(crate) fn has_changes(&self) -> bool {
        self.changes.as_ref().is_some_and(|it| !it.is_empty())
    }

    /// Up to `count_max` of what has been noted; it is the caller's to tell or to give back.
    pub(crate) fn take_changes(&mut self, count_max: usize) -> Changes {
        let Some(changes) = &mut self.changes else {
            return Changes::default();
        };
        if changes.len() <= count_max {
            return std::mem::take(changes);
        }
        let names: Vec<_> = changes.keys().take(count_max).copied().collect();
        let take = |name| changes.remove_entry(&name);
        names.into_iter().filter_map(take).collect()
    }

    /// Takes back what could not be told; what was noted since is newer.
    pub(crate) fn give_back(&mut self, untold: Changes) {
        if let Some(changes) = &mut self.changes {
            for (name, change) in untold {
                changes.entry(name).or_insert(change);
            }
        }
    }

    /// Gives everybody who is present a new name; each visitor under its old one and its new one.
    pub(crate) fn rename(&mut self) -> Vec<(Visitor, Visitor)> {
        let present = self.seats.iter_mut().filter(|(_, seat)| seat.present);
        let renamed = present.map(|(_, seat)| {
            let old = seat.visitor.clone();
            seat.visitor.subscriber = Uuid::new_v4();
            (old, seat.visitor.clone())
        });
        renamed.collect()
    }

    /// Those who are present.
    pub(crate) fn present(&self) -> impl Iterator<Item = &Visitor> {
        let present = self.seats.iter().filter(|(_, seat)| seat.present);
        present.map(|(_, seat)| &seat.visitor)
    }

    /// The ids of those whose holder `is_meant`, present or arriving.
    pub(crate) fn held_by(&self, is_meant: impl Fn(&Holder) -> bool) -> Vec<u64> {
        let meant = self.seats.iter().filter(|(_, seat)| {
            let holder = seat.visitor.holder.as_deref();
            holder.is_some_and(&is_meant)
        });
        let id = |(place, seat): (usize, &Seat)| u64::from(seat.generation) << 32 | place as u64;
        meant.map(id).collect()
    }

    /// The list of an earlier visitor, if one has the same.
    fn shared(&mut self, list: Arc<Vec<Listed>>) -> Arc<Vec<Listed>> {
        if let Some(known) = self.lists.get(&list) {
            return Arc::clone(known);
        }
        self.lists.insert(Arc::clone(&list));
        list
    }

    fn seat(&mut self, id: u64) -> Option<&mut Seat> {
        let seat = self.seats.get_mut(place(id))?;
        (u64::from(seat.generation) == id >> 32).then_some(seat)
    }
}

/// The seat of an id.
fn place(id: u64) -> usize {
    usize::try_from(id & u64::from(u32::MAX)).unwrap_or(usize::MAX)
}

fn account_of(visitor: &Visitor) -> Option<Account> {
    visitor.holder.as_ref()?.account()
}

/// Whom an address counts for: of IPv6 a whole /64, which is what one household has (S15).
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => match address.to_ipv4_mapped() {
            Some(mapped) => mapped.into(),
            None => Ipv6Addr::from_bits(address.to_bits() & !u128::from(u64::MAX)).into(),
        },
    }
}

/// Absent where nothing is counted.
fn one_less<K: Eq + Hash>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests;
