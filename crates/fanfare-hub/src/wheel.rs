//! Deadlines of many subscribers, coarse and cheap: a wheel of slots, one entry a subscriber.

use std::time::{Duration, Instant};

/// A moment in tenths of a second since the shard's start; 13 years fit.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct Tick(u32);

impl Tick {
    /// Later than every deadline.
    pub(crate) const NEVER: Self = Self(u32::MAX);

    /// `duration` after this.
    pub(crate) fn after(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(ticks(duration)))
    }

    /// How long ago `earlier` was; zero if it is later.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        TICK * self.0.saturating_sub(earlier.0)
    }
}

/// Turns the loop's time into ticks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clock {
    start: Instant,
}

impl Clock {
    /// Ticks count from `start`.
    pub(crate) fn new(start: Instant) -> Self {
        Self { start }
    }

    /// The last tick not after `now`.
    pub(crate) fn tick(self, now: Instant) -> Tick {
        Tick(ticks(now.saturating_duration_since(self.start)))
    }

    /// When `tick` begins.
    pub(crate) fn instant(self, tick: Tick) -> Instant {
        self.start + TICK * tick.0
    }
}

/// Names a subscriber of a shard; the generation tells a reused place from its former owner.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) struct Key {
    pub(crate) place: u32,
    pub(crate) generation: u32,
}

/// Keys by the tick at which they want to be looked at.
///
/// A deadline beyond the wheel's horizon comes up at the horizon; whoever looks at it then finds
/// nothing due and puts it back. So nothing is ever removed: a key that is gone is recognised by
/// its generation when it comes up.
#[derive(Debug)]
pub(crate) struct Wheel {
    slots: Vec<Vec<Key>>,
    /// Everything before this tick came up.
    next: Tick,
}

impl Wheel {
    /// An empty wheel that begins at tick 0.
    pub(crate) fn new() -> Self {
        Self {
            slots: vec![Vec::new(); SLOTS as usize],
            next: Tick(0),
        }
    }

    /// Lets `key` come up at `tick`, or at the horizon if that is sooner.
    pub(crate) fn insert(&mut self, key: Key, tick: Tick) {
        let tick = tick.0.clamp(self.next.0, self.next.0 + (SLOTS - 1));
        if let Some(slot) = self.slots.get_mut((tick % SLOTS) as usize) {
            slot.push(key);
        }
    }

    /// Moves every key up to `now` into `due`.
    pub(crate) fn expire(&mut self, now: Tick, due: &mut Vec<Key>) {
        // After a long sleep one round reaches every slot.
        let rounds = (now.0 + 1).saturating_sub(self.next.0).min(SLOTS);
        for tick in self.next.0..self.next.0 + rounds {
            if let Some(slot) = self.slots.get_mut((tick % SLOTS) as usize) {
                // The slot's memory goes with its keys: an idle wheel costs its occupied slots.
                due.append(&mut std::mem::take(slot));
            }
        }
        self.next = Tick(self.next.0.max(now.0 + 1));
    }

    /// The next tick at which a key comes up.
    pub(crate) fn next_due(&self) -> Option<Tick> {
        let occupied = |tick: &u32| {
            self.slots
                .get((tick % SLOTS) as usize)
                .is_some_and(|slot| !slot.is_empty())
        };
        (self.next.0..self.next.0 + SLOTS).find(occupied).map(Tick)
    }
}

fn ticks(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis() / TICK.as_millis()).unwrap_or(u32::MAX - SLOTS)
}

/// How coarse the wheel is.
const TICK: Duration = Duration::from_millis(100);

/// The horizon: 51 seconds.
const SLOTS: u32 = 512;

#[cfg(test)]
mod tests;
