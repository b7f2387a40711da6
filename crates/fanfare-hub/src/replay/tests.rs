use std::sync::atomic::{AtomicUsize, Ordering};

use fanfare_broker::{Form, Publication, Selectors, Topic};
use fanfare_wire::Event;
use tokio::time::timeout;

use super::*;
use crate::filter::Filter;
use crate::group::Kind;
use crate::inbox::poll_and_inbox;
use crate::scripted::Scripted;
use crate::subscription::{GapSignal, Heartbeat};
use crate::wheel::Key;

struct Bench {
    broker: Arc<Scripted>,
    tasks: TaskTracker,
    replay: Replay,
    inbox: Arc<Inbox>,
    _poll: mio::Poll,
}

impl Bench {
    async fn new() -> Self {
        let broker = Arc::new(Scripted::new(|page| page));
        let publication = |_| Publication::new(Topic::parse("t").unwrap(), Event::new("x"));
        broker.publish((0..1000).map(publication).collect()).await;
        let tasks = TaskTracker::new();
        let replay = Replay::new(broker.clone(), Handle::current(), tasks.clone());
        let (poll, inbox) = poll_and_inbox().unwrap();
        Self {
            broker,
            tasks,
            replay,
            inbox: Arc::new(inbox),
            _poll: poll,
        }
    }

    /// Asks for a slice after `after`, which is wanted as long as the answer lives.
    fn read(&self, after: u64) -> Arc<()> {
        let kind = Kind {
            selectors: Selectors::default(),
            grant: Selectors::default(),
            hidden: Selectors::default(),
            form: Form::Plain,
            gap_signal: GapSignal::Event,
            heartbeat: Heartbeat::Comment,
        };
        let reading = Arc::new(());
        let read = HistoryRead {
            key: Key {
                place: 0,
                generation: 0,
            },
            after,
            upto: 1000,
            filter: Arc::new(Filter::new(&Arc::new(kind), &Arc::new(AtomicUsize::new(0)))),
            forks: 0,
            wanted: Arc::downgrade(&reading),
        };
        self.replay.read(read, Arc::clone(&self.inbox));
        reading
    }

    async fn wait_until(&self, mut condition: impl FnMut(&Self) -> bool) {
        let met = async {
            while !condition(self) {
                tokio::task::yield_now().await;
            }
        };
        timeout(Duration::from_secs(20), met).await.unwrap();
    }
}

#[tokio::test]
async fn q7_replays_have_their_turns_in_the_order_in_which_they_came() {
    let bench = Bench::new().await;
    let wanted: Vec<_> = (0..300).map(|after| bench.read(after)).collect();
    bench.wait_until(|bench| bench.tasks.is_empty()).await;
    let order: Vec<u64> = (0..300).collect();
    assert_eq!(bench.broker.reads(), order);
    assert_eq!(bench.inbox.take().len(), wanted.len());
}

#[tokio::test]
async fn who_leaves_while_it_waits_for_history_leaves_nothing_behind() {
    let bench = Bench::new().await;
    bench.broker.away.store(true, Ordering::Relaxed);
    // More than are read at once, so that some wait for their turn.
    let wanted: Vec<_> = (0..100).map(|after| bench.read(after)).collect();
    bench
        .wait_until(|bench| bench.broker.reads().len() >= READS_MAX)
        .await;
    assert_eq!(bench.tasks.len(), 100);
    drop(wanted);
    bench.wait_until(|bench| bench.tasks.is_empty()).await;
    assert_eq!(
        bench.broker.reads().len(),
        READS_MAX,
        "nobody asked again, or in vain"
    );
    assert!(bench.inbox.take().is_empty());
}

#[tokio::test]
async fn a_broker_that_comes_back_is_asked_again() {
    let bench = Bench::new().await;
    bench.broker.away.store(true, Ordering::Relaxed);
    let _wanted = bench.read(7);
    bench
        .wait_until(|bench| bench.broker.reads().len() == 1)
        .await;
    bench.broker.away.store(false, Ordering::Relaxed);
    bench.wait_until(|bench| bench.tasks.is_empty()).await;
    assert_eq!(bench.broker.reads(), [7, 7]);
    assert!(matches!(bench.inbox.take()[..], [Command::History(..)]));
}
