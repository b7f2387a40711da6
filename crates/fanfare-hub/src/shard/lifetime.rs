//! Time: heartbeats, stalls, the end of a lifetime, and draining.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use fanfare_broker::{Form, Frame};
use fanfare_wire::{Event, EventType, Retry};
use rand::RngExt as _;
use rand::seq::SliceRandom;

use super::resume::join;
use super::{Shard, Wait, would_block};
use crate::counts::Ended;
use crate::run::Rest;
use crate::sink::Sink;
use crate::subscription::Heartbeat;
use crate::wheel::{Key, Tick};

impl<S: Sink> Shard<S> {
    /// Ends every subscriber until `until`: in random order, at an even pace (N8).
    pub(crate) fn drain(&mut self, until: Instant, now: Instant) {
        self.now = self.clock.tick(now);
        let over = until.saturating_duration_since(now);
        let until = self.clock.tick(until);
        self.drain = Some(Drain { until, over });
        let mut keys = self.keys();
        keys.shuffle(&mut self.random);
        // The last tenth is for those whose sinks have no room when their time comes.
        let count = u32::try_from(keys.len()).unwrap_or(u32::MAX).max(1);
        let pace = over.mul_f64(0.9) / count;
        for (nth, key) in (0_u32..).zip(keys) {
            let ends_at = self.now.after(pace * nth);
            if let Some(subscriber) = self.get_mut(key) {
                subscriber.ends_at = ends_at;
                self.wheel.insert(key, ends_at);
            }
        }
    }

    /// Ends the subscribers whose guests are among `guests`: cleanly, or cut if they have no room.
    pub(crate) fn dismiss(&mut self, guests: &HashSet<u64>) {
        for key in self.keys() {
            let guest = self.get_mut(key).and_then(|it| it.guest.as_ref());
            if !guest.is_some_and(|guest| guests.contains(&guest.id())) {
                continue;
            }
            // One that is about to end anyway has its farewell already.
            if self.lag_mut(key).is_some_and(|lag| lag.ending.is_some()) {
                self.remove(key, Ended::Dismissed);
                continue;
            }
            let farewell = last_chunk(self.form(key));
            self.begin_end(key, Ended::Dismissed, farewell);
            self.flush_or_cut(key, Ended::Dismissed);
        }
    }

    /// Cuts one subscriber.
    pub(crate) fn cut(&mut self, key: Key) {
        self.remove(key, Ended::Cut);
    }

    /// Cuts every subscriber now.
    pub(crate) fn cut_all(&mut self) {
        for key in self.keys() {
            self.remove(key, Ended::Cut);
        }
    }

    /// When a subscriber that joins now must be gone: its own time, or its lifetime less up to a
    /// fifth, so that those who came together do not return together.
    pub(super) fn ends_at(&mut self, own: Option<Instant>) -> Tick {
        let own = own.map_or(Tick::NEVER, |own| self.clock.tick(own));
        let lifetime = self.config.lifetime_max;
        let by_age = if lifetime.is_zero() {
            Tick::NEVER
        } else {
            self.now
                .after(lifetime.mul_f64(self.random.random_range(0.8..1.0)))
        };
        own.min(by_age)
            .min(self.drain.map_or(Tick::NEVER, |drain| drain.until))
    }

    /// Looks at every subscriber whose time came up.
    pub(super) fn look_at_due(&mut self) {
        let mut due = Vec::new();
        self.wheel.expire(self.now, &mut due);
        for key in due {
            self.look_at(key);
            self.schedule(key);
        }
    }

    /// Lets `key` come up again when something may be due.
    pub(super) fn schedule(&mut self, key: Key) {
        let heartbeat = self
            .config
            .heartbeat
            .mul_f64(self.random.random_range(0.8..1.2));
        let (now, stall) = (self.now, self.config.stall_timeout);
        let Some(subscriber) = self.get_mut(key) else {
            return;
        };
        let silence_ends = if heartbeat.is_zero() {
            Tick::NEVER
        } else {
            subscriber.written_at.after(heartbeat)
        };
        let at = match subscriber.lag.as_deref() {
            Some(lag) if lag.wait == Wait::Sink => {
                let judged_at = lag.window_at.after(RATE_WINDOW);
                lag.progress_at.after(stall).min(judged_at)
            }
            // Should its sink have no room, its stall must not be found late.
            _ => silence_ends.min(now.after(stall)),
        };
        let soonest = now.after(Duration::from_millis(100));
        let at = at.max(soonest).min(subscriber.ends_at);
        self.wheel.insert(key, at);
    }

    fn look_at(&mut self, key: Key) {
        let (now, head) = (self.now, self.next);
        let (stall_timeout, rate_min) = (self.config.stall_timeout, self.config.lagging_rate_min);
        let Some(subscriber) = self.get_mut(key) else {
            return;
        };
        if now >= subscriber.ends_at {
            self.end_in_time(key);
            return;
        }
        let Some(lag) = &mut subscriber.lag else {
            return self.keep_alive(key);
        };
        match lag.wait {
            // Only one whose sink has no room can take too little.
            Wait::Sink => {}
            Wait::Turn => return,
            Wait::History | Wait::Tail => {
                let is_brought = lag.next >= head || lag.wait == Wait::History;
                // Nothing goes into the middle of what was begun.
                if lag.rest.is_empty() && lag.ending.is_none() {
                    self.keep_alive(key);
                }
                // An epoch that came and went, between two looks of the tail, is never brought.
                if !is_brought {
                    self.queue_early();
                }
                return;
            }
        }
        let window = now.since(lag.window_at);
        let window_bytes = lag.window_bytes;
        if window >= RATE_WINDOW {
            lag.window_at = now;
            lag.window_bytes = 0;
        }
        if now.since(lag.progress_at) >= stall_timeout {
            self.remove(key, Ended::Stalled);
        } else if window >= RATE_WINDOW && window_bytes < rate_min.saturating_mul(window.as_secs())
        {
            self.remove(key, Ended::TooSlow);
        }
    }

    /// Sends a heartbeat to a subscriber that heard nothing for long enough: a live one, or one that
    /// waits for the broker.
    fn keep_alive(&mut self, key: Key) {
        let heartbeat = self.config.heartbeat;
        let now = self.now;
        let Some(subscriber) = self.subscribers.get_mut(key.place as usize) else {
            return;
        };
        let Some(group) = self.groups.get(subscriber.group) else {
            return;
        };
        if subscriber.lag.is_none() {
            subscriber.written_at = subscriber.written_at.max(group.written_at);
        }
        if heartbeat.is_zero() || now.since(subscriber.written_at) < heartbeat.mul_f64(0.8) {
            return;
        }
        subscriber.written_at = now;
        let heartbeat = match group.kind.heartbeat {
            Heartbeat::Comment => &self.heartbeat,
            Heartbeat::Event => &self.heartbeat_event,
        };
        let bytes = heartbeat.bytes(group.kind.form).clone();
        let taken = match subscriber.sink.write(&bytes) {
            Ok(taken) => taken,
            Err(error) if would_block(&error) => 0,
            Err(_) => return self.remove(key, Ended::Left),
        };
        self.counters.heartbeats_total.add(1);
        self.counters.writes_total.add(1);
        self.counters.written_bytes_total.add(taken as u64);
        if taken < bytes.len() {
            // Nothing of it went: it is not needed any more. Half of it: the rest goes first.
            let rest = if taken == 0 {
                Bytes::new()
            } else {
                bytes.slice(taken..)
            };
            if let Some(lag) = &mut subscriber.lag {
                lag.rest = rest;
                return;
            }
            self.fall_behind_at(key.place as usize, Rest::begin(rest, self.next));
        }
    }

    /// The time of `key` is over.
    fn end_in_time(&mut self, key: Key) {
        if self.lag_mut(key).is_some_and(|lag| lag.ending.is_some()) {
            self.remove(key, Ended::Cut);
            return;
        }
        let form = self.form(key);
        let Some(drain) = self.drain else {
            self.begin_end(key, Ended::Expired, last_chunk(form));
            self.flush_or_cut(key, Ended::Expired);
            return;
        };
        let hint = Duration::from_millis(1000).max(drain.over).as_millis();
        let hint = self
            .random
            .random_range(1000..=u64::try_from(hint).unwrap_or(1000));
        let mut farewell = Vec::new();
        Retry::from_millis(hint).encode(&mut farewell);
        let farewell = join(Frame::wrap(&farewell).bytes(form), last_chunk(form));
        self.begin_end(key, Ended::Drained, &farewell);
        if self.now >= drain.until {
            self.flush_or_cut(key, Ended::Drained);
        } else if let Some(subscriber) = self.get_mut(key) {
            subscriber.ends_at = drain.until;
        }
    }

    /// Ends `key` if its sink takes all that is left; else cuts it.
    fn flush_or_cut(&mut self, key: Key, reason: Ended) {
        if self.flush(key) {
            self.end(key, reason);
        } else {
            self.remove(
                key,
                if reason == Ended::Drained {
                    Ended::Cut
                } else {
                    reason
                },
            );
        }
    }

    /// Ends `key` cleanly.
    pub(super) fn end(&mut self, key: Key, reason: Ended) {
        if let Some(subscriber) = self.get_mut(key) {
            subscriber.sink.end();
        }
        self.remove(key, reason);
    }

    /// Lets `key` end when what is left and `farewell` are written.
    pub(super) fn begin_end(&mut self, key: Key, reason: Ended, farewell: &[u8]) {
        let next = self.next;
        let Some(subscriber) = self.get_mut(key) else {
            return;
        };
        if subscriber.lag.is_none() {
            self.fall_behind_at(key.place as usize, Rest::begin(Bytes::new(), next));
        }
        if let Some(lag) = self.lag_mut(key) {
            lag.rest = join(&lag.rest, farewell);
            lag.ending = Some(reason);
        }
        self.queue(key);
    }
}

/// A drain in progress.
#[derive(Clone, Copy, Debug)]
pub(super) struct Drain {
    /// When whoever is left is cut.
    until: Tick,
    /// How long it takes; hints to return are spread over as much.
    over: Duration,
}

/// The event `fanfare-heartbeat`, which says how often it comes (SRV-15). Without an id: it moves
/// nobody's place.
pub(super) fn heartbeat_event(interval: Duration) -> Frame {
    let mut event = Event::new(format!(r#"{{"interval":{}}}"#, interval.as_millis()));
    event.event_type = EventType::parse("fanfare-heartbeat").ok();
    Frame::new(&event)
}

/// The event `fanfare-live`: from here on everything is new (SRV-15). It has no id either.
pub(super) fn live_event() -> Frame {
    let mut event = Event::new("{}");
    event.event_type = EventType::parse("fanfare-live").ok();
    Frame::new(&event)
}

/// What ends a body cleanly: HTTP/1.1's last chunk (RFC 9112 §7.1), or nothing.
pub(super) fn last_chunk(form: Form) -> &'static [u8] {
    match form {
        Form::Chunked => b"0\r\n\r\n",
        Form::Plain => b"",
    }
}

/// Over how long the least rate of a lagging subscriber is judged (N4).
const RATE_WINDOW: Duration = Duration::from_secs(60);
