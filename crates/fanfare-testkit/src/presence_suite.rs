//! The rules of presence that every broker of several nodes keeps (PR1 to PR3), one test each.
//!
//! A broker's crate tells where its presence lives by a [`Place`], and gets the tests by
//! [`presence_rules!`](crate::presence_rules). The argument makes a fresh place for each rule.
//!
//! The rules need nothing but the public trait. They run on a runtime of several threads, and wait
//! for what must come: leases are short where they must run out, and last longer than any test
//! where they must not.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use fanfare_broker::{Entry, EntryChange, Estate, NodeId, Presence, PresenceError};
use tokio::task::JoinSet;

/// Where the presence under test is kept: a key prefix, a bucket.
pub trait Place: Send + Sync {
    /// Another node's view of it.
    fn open(&self) -> impl Future<Output = Arc<dyn Presence>> + Send;
}

/// PR1: what one node puts every node sees, until it is removed or the node leaves.
pub async fn presence_1_entries_are_seen_by_all(place: impl Place) {
    let (here, there) = (place.open().await, place.open().await);
    assert_eq!(there.entries().await, Ok(Vec::new()), "nobody is there");
    enter(&here, A, LONG).await;
    enter(&there, B, LONG).await;
    assert_eq!(
        there.entries().await,
        Ok(Vec::new()),
        "a node has no entries yet"
    );
    renew(&here, A, vec![put("x", "1"), put("y", "2")]).await;
    renew(&there, B, vec![put("x", "3")]).await;
    for view in [&here, &there] {
        let expected = [(A, "x", "1"), (A, "y", "2"), (B, "x", "3")];
        assert_eq!(entries(view).await, texts(&expected));
    }
    // In order: the last change of a key holds.
    let changes = vec![put("x", "4"), remove("x"), put("y", "5"), remove("unknown")];
    renew(&here, A, changes.clone()).await;
    renew(&here, A, changes).await;
    let expected = [(A, "y", "5"), (B, "x", "3")];
    assert_eq!(entries(&there).await, texts(&expected));
    here.release(A).await.unwrap();
    assert_eq!(entries(&there).await, texts(&[(B, "x", "3")]));
}

/// PR1: a node of many subscribers is one lease, and its changes come in large batches; keys and
/// values are any texts and bytes.
pub async fn presence_1_changes_come_in_batches(place: impl Place) {
    let presence = place.open().await;
    enter(&presence, A, LONG).await;
    let key = |n| format!("urn:uuid:{n} *{{}}/é?");
    let value = |n: u32| Bytes::from([&n.to_be_bytes()[..], b"\0\r\n\xff"].concat());
    let many = (0..MANY).map(|n| EntryChange::Put {
        key: key(n),
        value: value(n),
    });
    renew(&presence, A, many.collect()).await;
    let gone = (0..MANY)
        .skip(1)
        .map(|n| EntryChange::Remove { key: key(n) });
    let seen = within("entries are read", presence.entries())
        .await
        .unwrap();
    assert_eq!(seen.len(), MANY as usize);
    renew(&presence, A, gone.collect()).await;
    let expected = Entry {
        node: A,
        key: key(0),
        value: value(0),
    };
    assert_eq!(presence.entries().await, Ok(vec![expected]));
}

/// PR2: of all that ask at once, one gets what a dead node left; it stays visible until released.
pub async fn presence_2_one_of_many_reaps(place: impl Place) {
    let dying = place.open().await;
    enter(&dying, A, SHORT).await;
    let mut reapers = JoinSet::new();
    let mut views = Vec::new();
    for _ in 0..8 {
        views.push(place.open().await);
    }
    enter(&views[0], B, LONG).await;
    renew(&views[0], B, vec![put("alive", "1")]).await;
    let taken = Arc::new(AtomicBool::new(false));
    for view in views.clone() {
        let taken = Arc::clone(&taken);
        reapers.spawn(async move {
            let mut got = Vec::new();
            let mut asked_after = 0;
            // All have asked, some of them at once, when it is taken, and each asks again.
            while asked_after < 10 {
                asked_after += usize::from(taken.load(Ordering::Relaxed));
                if let Some(estate) = view.reap(LONG).await.unwrap() {
                    got.push(estate);
                    taken.store(true, Ordering::Relaxed);
                }
                tokio::task::yield_now().await;
            }
            got
        });
    }
    let got = within("a lease runs out and is reaped", reapers.join_all()).await;
    let got: Vec<_> = got.into_iter().flatten().collect();
    assert_eq!(got.len(), 1, "one gets it, once: {got:?}");
    assert_eq!(got[0].node, A, "whose lease ran out, and no other");
    let nothing = views[1].reap(LONG).await;
    assert_eq!(nothing, Ok(None), "the other lives");
    views[2].release(A).await.unwrap();
    assert_eq!(entries(&views[3]).await, texts(&[(B, "alive", "1")]));
}

/// PR2: a reaper gets all entries; one that dies loses the node to the next that asks.
pub async fn presence_2_a_dead_reaper_is_followed(place: impl Place) {
    let (first, second) = (place.open().await, place.open().await);
    enter(&first, A, LONG).await;
    let renewed = first.renew(A, SHORT, vec![put("x", "1"), put("y", "2")]);
    within("a lease is renewed", renewed).await.unwrap();
    let left = [(A, "x", "1"), (A, "y", "2")];
    let estate = until_reaped(&first, SHORT).await;
    assert_eq!(estate_entries(&estate), texts(&left));
    assert_eq!(
        entries(&second).await,
        texts(&left),
        "until somebody has told of its end, it is there"
    );
    // The first one does not release it.
    let estate = until_reaped(&second, LONG).await;
    assert_eq!(estate_entries(&estate), texts(&left));
    assert_eq!(first.reap(LONG).await, Ok(None), "now it is the second's");
    second.release(A).await.unwrap();
    assert_eq!(second.entries().await, Ok(Vec::new()));
    assert_eq!(second.reap(LONG).await, Ok(None));
}

/// PR3: a node whose lease ran out is told so, changes nothing, and comes back under a new id.
pub async fn presence_3_a_lost_lease_stays_lost(place: impl Place) {
    let (node, other) = (place.open().await, place.open().await);
    let unknown = node.renew(A, LONG, vec![put("x", "0")]).await;
    assert_eq!(unknown, Err(PresenceError::LeaseLost), "it never entered");
    enter(&node, A, SHORT).await;
    until_reaped(&other, LONG).await;
    for changes in [Vec::new(), vec![put("x", "1")]] {
        let late = node.renew(A, LONG, changes).await;
        assert_eq!(late, Err(PresenceError::LeaseLost));
    }
    assert_eq!(entries(&other).await, texts(&[]), "nothing was changed");
    other.release(A).await.unwrap();
    let late = node.renew(A, LONG, vec![put("x", "1")]).await;
    assert_eq!(late, Err(PresenceError::LeaseLost));
    enter(&node, B, LONG).await;
    renew(&node, B, vec![put("x", "1")]).await;
    assert_eq!(entries(&other).await, texts(&[(B, "x", "1")]));
}

const A: NodeId = NodeId(0xa);
const B: NodeId = NodeId(u128::MAX - 0xb);

/// A lease that runs out during a test.
const SHORT: Duration = Duration::from_millis(200);
/// One that does not.
const LONG: Duration = Duration::from_secs(600);

const MANY: u32 = 1000;

/// How long a rule waits for what must come.
const DEADLINE: Duration = Duration::from_secs(20);

async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    match tokio::time::timeout(DEADLINE, future).await {
        Ok(value) => value,
        Err(_) => panic!("not within {DEADLINE:?}: {what}"),
    }
}

async fn enter(presence: &Arc<dyn Presence>, node: NodeId, ttl: Duration) {
    let entered = within("a node enters", presence.enter(node, ttl));
    entered.await.unwrap();
}

async fn renew(presence: &Arc<dyn Presence>, node: NodeId, changes: Vec<EntryChange>) {
    let renewed = within("a lease is renewed", presence.renew(node, LONG, changes));
    renewed.await.unwrap();
}

async fn until_reaped(presence: &Arc<dyn Presence>, ttl: Duration) -> Estate {
    let reaped = async {
        loop {
            if let Some(estate) = presence.reap(ttl).await.unwrap() {
                return estate;
            }
            tokio::task::yield_now().await;
        }
    };
    within("a lease runs out and is reaped", reaped).await
}

fn put(key: &str, value: &str) -> EntryChange {
    EntryChange::Put {
        key: key.to_owned(),
        value: Bytes::copy_from_slice(value.as_bytes()),
    }
}

fn remove(key: &str) -> EntryChange {
    EntryChange::Remove {
        key: key.to_owned(),
    }
}

type Texts = BTreeMap<(NodeId, String), String>;

fn texts(entries: &[(NodeId, &str, &str)]) -> Texts {
    let text = |(node, key, value): &(NodeId, &str, &str)| {
        ((*node, (*key).to_owned()), (*value).to_owned())
    };
    entries.iter().map(text).collect()
}

async fn entries(presence: &Arc<dyn Presence>) -> Texts {
    let entries = within("entries are read", presence.entries()).await;
    collect(entries.unwrap())
}

fn estate_entries(estate: &Estate) -> Texts {
    assert_eq!(estate.node, A);
    collect(estate.entries.clone())
}

fn collect(entries: Vec<Entry>) -> Texts {
    let count = entries.len();
    let text = |entry: Entry| {
        let value = String::from_utf8(entry.value.to_vec()).unwrap();
        ((entry.node, entry.key), value)
    };
    let texts: Texts = entries.into_iter().map(text).collect();
    assert_eq!(texts.len(), count, "each entry once");
    texts
}

/// Makes a test for each rule of presence; the argument is an expression that makes a fresh
/// [`Place`](crate::presence_suite::Place) for each.
#[macro_export]
macro_rules! presence_rules {
    ($place:expr) => {
        $crate::presence_rules! { $place;
            presence_1_entries_are_seen_by_all
            presence_1_changes_come_in_batches
            presence_2_one_of_many_reaps
            presence_2_a_dead_reaper_is_followed
            presence_3_a_lost_lease_stays_lost
        }
    };
    ($place:expr; $($rule:ident)*) => {$(
        #[test]
        fn $rule() {
            $crate::broker_suite::run($crate::presence_suite::$rule($place));
        }
    )*};
}
