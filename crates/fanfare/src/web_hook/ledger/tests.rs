use std::collections::{HashMap, HashSet};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::time::Instant;

use super::{IN_FLIGHT_MAX, Ledger};
use crate::web_hook::backoff::Pace;
use crate::web_hook::notice::{Notice, State};
use crate::web_hook::outcome::{Failure, Heard, Outcome, Scope};

const SECOND: Duration = Duration::from_secs(1);

/// A ledger with a clock of its own.
struct Scene {
    ledger: Ledger,
    now: Instant,
    at: SystemTime,
}

impl Scene {
    fn new() -> Self {
        let pace = Pace {
            first: SECOND,
            longest: 60 * SECOND,
        };
        Self {
            ledger: Ledger::new(pace),
            now: Instant::now(),
            at: UNIX_EPOCH + Duration::from_secs(1_700_000_000),
        }
    }

    fn enter(&mut self, topic: &str) -> bool {
        self.ledger.enter(topic, self.now, self.at)
    }

    fn leave(&mut self, topic: &str) -> bool {
        self.ledger.leave(topic, self.now, self.at)
    }

    fn next(&mut self) -> Option<Notice> {
        self.ledger.next(self.now)
    }

    fn take(&mut self, topic: &str, state: State) -> Notice {
        let notice = self.next().unwrap();
        assert_eq!((&*notice.topic, notice.state), (topic, state));
        notice
    }

    /// With the longest wait that the jitter allows.
    fn settle(&mut self, notice: &Notice, outcome: Outcome) {
        self.ledger.settle(notice, outcome, self.now, 1.0);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        self.at += time;
    }

    fn forgotten(&self) -> bool {
        self.ledger.topics.is_empty() && self.ledger.agenda.is_empty()
    }
}

fn failed(scope: Scope, heard: Heard) -> Outcome {
    Outcome::Failed(Failure {
        scope,
        heard,
        retry_after: None,
    })
}

fn unreachable() -> Outcome {
    failed(Scope::Receiver, Heard::No)
}

#[test]
fn only_the_first_and_the_last_subscriber_are_told() {
    let mut scene = Scene::new();
    assert!(scene.enter("t"));
    assert!(!scene.enter("t"));
    let occupied = scene.take("t", State::Occupied);
    scene.settle(&occupied, Outcome::Told);
    assert!(!scene.leave("t"));
    assert_eq!(scene.next(), None);
    assert!(scene.leave("t"));
    let vacated = scene.take("t", State::Vacated);
    assert_ne!(vacated.change, occupied.change);
    scene.settle(&vacated, Outcome::Told);
    assert!(scene.forgotten());
    assert_eq!(scene.ledger.tally().delivered, 2);
}

#[test]
fn a_leave_too_many_changes_nothing() {
    let mut scene = Scene::new();
    assert!(!scene.leave("t"));
    assert!(scene.forgotten());
    scene.enter("t");
    let occupied = scene.take("t", State::Occupied);
    assert!(scene.leave("t"));
    assert!(!scene.leave("t"));
    scene.settle(&occupied, Outcome::Told);
    scene.take("t", State::Vacated);
}

#[test]
fn a_topic_that_flips_back_untold_is_not_told_and_costs_no_memory() {
    let mut scene = Scene::new();
    for number in 0..1000 {
        let topic = format!("t{number}");
        scene.enter(&topic);
        scene.leave(&topic);
    }
    assert!(scene.forgotten());
    assert_eq!(scene.next(), None);
}

#[test]
fn one_attempt_at_a_time_for_a_topic_and_its_end_decides() {
    let mut scene = Scene::new();
    scene.enter("t");
    let occupied = scene.take("t", State::Occupied);
    scene.leave("t");
    assert_eq!(scene.next(), None, "one is in flight");
    scene.settle(&occupied, Outcome::Told);
    let vacated = scene.take("t", State::Vacated);
    assert!(vacated.changed_at > occupied.changed_at);
}

#[test]
fn flips_during_an_attempt_that_end_where_they_began_are_not_told() {
    let mut scene = Scene::new();
    scene.enter("t");
    let occupied = scene.take("t", State::Occupied);
    for _ in 0..10 {
        scene.leave("t");
        scene.enter("t");
    }
    scene.settle(&occupied, Outcome::Told);
    assert_eq!(scene.next(), None);
    assert_eq!(scene.ledger.tally().untold, 0);
}

#[test]
fn a_retry_is_the_same_change() {
    let mut scene = Scene::new();
    scene.enter("t");
    let first = scene.next().unwrap();
    for wait in [1, 2, 4, 8, 16, 32, 60, 60] {
        scene.settle(&first, failed(Scope::Notice, Heard::Maybe));
        assert_eq!(scene.ledger.wake_at(), Some(scene.now + wait * SECOND));
        scene.pass(wait * SECOND - Duration::from_millis(1));
        assert_eq!(scene.next(), None);
        scene.pass(Duration::from_millis(1));
        assert_eq!(scene.next().as_ref(), Some(&first));
    }
    assert_eq!(scene.ledger.tally().failures, 8);
}

#[test]
fn a_change_of_mind_while_waiting_cancels_what_certainly_was_not_heard() {
    let mut scene = Scene::new();
    scene.enter("t");
    let occupied = scene.next().unwrap();
    scene.settle(&occupied, unreachable());
    scene.leave("t");
    assert!(scene.forgotten());
    assert_eq!(scene.ledger.wake_at(), None);
}

/// A receiver whose answer got lost believed for ever in a subscriber that had left meanwhile.
#[test]
fn a_change_of_mind_is_told_if_the_last_one_may_have_been_heard() {
    let mut scene = Scene::new();
    scene.enter("t");
    let occupied = scene.next().unwrap();
    scene.settle(&occupied, failed(Scope::Notice, Heard::Maybe));
    scene.leave("t");
    assert_eq!(scene.next(), None, "the back-off holds for the new change");
    scene.pass(SECOND);
    let vacated = scene.take("t", State::Vacated);
    assert_ne!(vacated.change, occupied.change);
    scene.settle(&vacated, unreachable());
    assert!(!scene.forgotten(), "it still may believe the first one");
    scene.pass(SECOND);
    let vacated = scene.take("t", State::Vacated);
    scene.settle(&vacated, Outcome::Told);
    assert!(scene.forgotten());
}

#[test]
fn a_refused_notice_is_given_up_and_the_next_change_is_told() {
    let mut scene = Scene::new();
    scene.enter("t");
    let occupied = scene.next().unwrap();
    scene.settle(&occupied, Outcome::Refused);
    assert_eq!(scene.ledger.wake_at(), None);
    assert_eq!(scene.ledger.tally().refused, 1);
    scene.leave("t");
    let vacated = scene.take("t", State::Vacated);
    scene.settle(&vacated, Outcome::Refused);
    assert!(scene.forgotten());
}

#[test]
fn a_few_topics_at_once() {
    let mut scene = Scene::new();
    for number in 0..20 {
        scene.enter(&format!("t{number}"));
    }
    let attempts: Vec<_> = std::iter::from_fn(|| scene.next()).collect();
    assert_eq!(attempts.len(), IN_FLIGHT_MAX);
    assert_eq!(scene.ledger.wake_at(), None, "only an end makes room");
    assert_eq!(scene.ledger.tally().untold, 20);
    scene.settle(&attempts[0], Outcome::Told);
    scene.take("t8", State::Occupied);
    assert_eq!(scene.next(), None);
}

#[test]
fn a_receiver_in_trouble_gets_one_attempt_at_a_time_until_it_answers() {
    let mut scene = Scene::new();
    for number in 0..20 {
        scene.enter(&format!("t{number:02}"));
    }
    let attempts: Vec<_> = std::iter::from_fn(|| scene.next()).collect();
    scene.pass(Duration::from_millis(1));
    for attempt in &attempts {
        scene.settle(attempt, unreachable());
    }
    // They failed together, so that was one failure.
    assert_eq!(scene.ledger.wake_at(), Some(scene.now + SECOND));
    assert_eq!(scene.next(), None);
    scene.pass(SECOND);
    let probe = scene.take("t08", State::Occupied);
    assert_eq!(scene.next(), None);
    scene.settle(&probe, unreachable());
    assert_eq!(scene.ledger.wake_at(), Some(scene.now + 2 * SECOND));
    scene.pass(2 * SECOND);
    let probe = scene.take("t09", State::Occupied);
    scene.settle(&probe, Outcome::Told);
    assert_eq!(std::iter::from_fn(|| scene.next()).count(), IN_FLIGHT_MAX);
}

#[test]
fn a_notice_that_the_receiver_stumbles_over_holds_up_no_other() {
    let mut scene = Scene::new();
    scene.enter("poison");
    scene.enter("t");
    let poison = scene.take("poison", State::Occupied);
    scene.settle(&poison, failed(Scope::Notice, Heard::Maybe));
    scene.take("t", State::Occupied);
    scene.enter("u");
    scene.take("u", State::Occupied);
}

#[test]
fn rfc_9110_10_2_3_retry_after_holds_every_topic_whoever_answers_meanwhile() {
    let mut scene = Scene::new();
    for topic in ["a", "b", "c"] {
        scene.enter(topic);
    }
    let (a, b) = (scene.next().unwrap(), scene.next().unwrap());
    scene.pass(Duration::from_millis(1));
    let busy = Failure {
        scope: Scope::Receiver,
        heard: Heard::No,
        retry_after: Some(90 * SECOND),
    };
    scene.settle(&a, Outcome::Failed(busy));
    scene.settle(&b, Outcome::Told);
    assert_eq!(scene.ledger.wake_at(), Some(scene.now + 90 * SECOND));
    scene.pass(89 * SECOND);
    assert_eq!(scene.next(), None);
    scene.pass(SECOND);
    scene.take("c", State::Occupied);
    scene.take("a", State::Occupied);
}

#[test]
fn timestamps_rise_even_if_the_clock_is_set_back() {
    let mut scene = Scene::new();
    scene.enter("t");
    let occupied = scene.next().unwrap();
    scene.at -= 3600 * SECOND;
    scene.leave("t");
    scene.settle(&occupied, Outcome::Told);
    let vacated = scene.take("t", State::Vacated);
    assert_eq!(
        vacated.changed_at,
        occupied.changed_at + Duration::from_micros(1)
    );
}

/// Subscribers come and go and attempts end in every way; whatever happened, once the receiver is
/// well it ends up knowing exactly what is so, and nothing is left behind.
#[test]
fn the_receiver_knows_in_the_end_what_is_so() {
    for seed in 0..300 {
        World::new(seed).run();
    }
}

struct World {
    seed: u64,
    rng: StdRng,
    scene: Scene,
    subscribers: HashMap<String, u32>,
    in_flight: Vec<Notice>,
    /// What the receiver acted on.
    believed: HashMap<String, State>,
    /// Notices answered with 2xx, by topic the last one.
    taken: HashMap<String, State>,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            seed,
            rng: StdRng::seed_from_u64(seed),
            scene: Scene::new(),
            subscribers: HashMap::new(),
            in_flight: Vec::new(),
            believed: HashMap::new(),
            taken: HashMap::new(),
        }
    }

    fn run(&mut self) {
        for _ in 0..400 {
            match self.rng.random_range(0..4) {
                0 => self.come_or_go(),
                1 => self.begin(),
                2 => self.end(false),
                _ => {
                    let wait = Duration::from_millis(self.rng.random_range(0..2000));
                    self.scene.pass(wait);
                }
            }
        }
        self.come_to_rest();
        for (topic, &count) in &self.subscribers {
            let expected = match count {
                0 => State::Vacated,
                _ => State::Occupied,
            };
            let believed = self.believed.get(topic).copied();
            let believed = believed.unwrap_or(State::Vacated);
            assert_eq!(believed, expected, "{topic}, seed {}", self.seed);
        }
        let occupied = self.subscribers.values().filter(|&&count| count > 0);
        let kept = self.scene.ledger.topics.len();
        assert_eq!(kept, occupied.count(), "seed {}", self.seed);
    }

    fn come_or_go(&mut self) {
        let topic = format!("t{}", self.rng.random_range(0..12));
        let count = self.subscribers.entry(topic.clone()).or_default();
        if *count > 0 && self.rng.random_bool(0.6) {
            *count -= 1;
            assert_eq!(self.scene.leave(&topic), *count == 0);
        } else {
            *count += 1;
            assert_eq!(self.scene.enter(&topic), *count == 1);
        }
    }

    fn begin(&mut self) {
        let Some(notice) = self.scene.next() else {
            return;
        };
        let certain = self.taken.get(&*notice.topic).copied();
        assert_ne!(certain, Some(notice.state), "seed {}", self.seed);
        self.in_flight.push(notice);
        let topics: HashSet<_> = self.in_flight.iter().map(|each| &each.topic).collect();
        assert_eq!(topics.len(), self.in_flight.len(), "seed {}", self.seed);
        assert!(topics.len() <= IN_FLIGHT_MAX);
    }

    fn end(&mut self, well: bool) {
        if self.in_flight.is_empty() {
            return;
        }
        let index = self.rng.random_range(0..self.in_flight.len());
        let notice = self.in_flight.swap_remove(index);
        let topic = notice.topic.to_string();
        let scope = match self.rng.random_bool(0.5) {
            true => Scope::Receiver,
            false => Scope::Notice,
        };
        let outcome = match self.rng.random_range(0..3) {
            _ if well => Outcome::Told,
            0 => Outcome::Told,
            1 => failed(scope, Heard::No),
            _ => failed(scope, Heard::Maybe),
        };
        match outcome {
            Outcome::Told => {
                self.believed.insert(topic.clone(), notice.state);
                self.taken.insert(topic, notice.state);
            }
            Outcome::Failed(Failure {
                heard: Heard::Maybe,
                ..
            }) => {
                self.taken.remove(&topic);
                if self.rng.random_bool(0.5) {
                    self.believed.insert(topic, notice.state);
                }
            }
            Outcome::Refused | Outcome::Failed(_) => {}
        }
        let chance = self.rng.random();
        let now = self.scene.now;
        self.scene.ledger.settle(&notice, outcome, now, chance);
    }

    fn come_to_rest(&mut self) {
        while self.scene.ledger.tally().untold > 0 {
            self.begin();
            self.end(true);
            if let Some(wake_at) = self.scene.ledger.wake_at() {
                self.scene.now = self.scene.now.max(wake_at);
            }
        }
        assert_eq!(self.scene.ledger.wake_at(), None);
    }
}
