//! A client that reads the wire strictly and objects to anything that breaks the promise.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use fanfare_broker::{Cursor, Form, Record, TopicFilter};

use super::pipe::Pipe;
use super::world::Past;
use crate::group::{Kind, is_past};

/// One subscriber over all its connections.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) name: usize,
    pub(super) kind: Kind,
    pub(super) pipe: Option<Rc<RefCell<Pipe>>>,
    /// The last place that it knows it has read up to.
    pub(super) place: Cursor,
    connected_at: Instant,
    pub(super) stalled: bool,
    pub(super) events_read: u64,
    pub(super) gaps_read: u64,
    /// It was told `earliest`: the next event may be any retained one.
    at_earliest: bool,
    told_live: bool,
    raw: Vec<u8>,
    plain: Vec<u8>,
}

impl Client {
    pub(super) fn new(name: usize, kind: Kind, place: Cursor, now: Instant) -> Self {
        Self {
            name,
            kind,
            pipe: None,
            place,
            connected_at: now,
            stalled: false,
            events_read: 0,
            gaps_read: 0,
            at_earliest: false,
            told_live: false,
            raw: Vec::new(),
            plain: Vec::new(),
        }
    }

    /// A new connection: what the old one left unfinished is forgotten.
    pub(super) fn connect(&mut self, pipe: Rc<RefCell<Pipe>>, now: Instant) {
        self.connected_at = now;
        self.pipe = Some(pipe);
        self.told_live = false;
        self.raw.clear();
        self.plain.clear();
    }

    /// Reads up to `limit` bytes off the connection; says whether the hub is owed a readiness.
    pub(super) fn read(
        &mut self,
        limit: usize,
        past: &Past,
        now: Instant,
        trace: &mut Vec<String>,
    ) -> bool {
        let Some(pipe) = self.pipe.clone() else {
            return false;
        };
        let mut pipe = pipe.borrow_mut();
        let taken = pipe.bytes.len().min(limit);
        self.raw.extend(pipe.bytes.drain(..taken));
        self.unwrap_chunks();
        while let Some(end) = self.plain.windows(2).position(|two| two == b"\n\n") {
            let block: Vec<u8> = self.plain.drain(..end + 2).collect();
            self.read_block(std::str::from_utf8(&block).unwrap(), past, now, trace);
        }
        taken > 0 && std::mem::take(&mut pipe.blocked)
    }

    fn unwrap_chunks(&mut self) {
        if self.kind.form == Form::Plain {
            self.plain.append(&mut self.raw);
            return;
        }
        while let Some(head) = self.raw.windows(2).position(|two| two == b"\r\n") {
            let digits = std::str::from_utf8(&self.raw[..head]).unwrap();
            let length = usize::from_str_radix(digits, 16).expect("a chunk begins with its length");
            let end = head + 2 + length;
            let Some(tail) = self.raw.get(end..end + 2) else {
                return;
            };
            assert_eq!(tail, b"\r\n", "a chunk ends where its length says");
            self.plain.extend_from_slice(&self.raw[head + 2..end]);
            self.raw.drain(..end + 2);
        }
    }

    fn read_block(&mut self, block: &str, past: &Past, now: Instant, trace: &mut Vec<String>) {
        let (mut event, mut id, mut data) = ("message", None, None);
        for line in block
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with(':'))
        {
            match line.split_once(": ").expect("every line is a field") {
                ("event", value) => event = value,
                ("id", value) => id = Some(value),
                ("data", value) => assert_eq!(data.replace(value), None, "one line of data"),
                ("retry", value) => assert!(value.parse::<u32>().unwrap() >= 1000),
                other => panic!("an unknown field {other:?}"),
            }
        }
        let Some(data) = data else { return };
        trace.push(format!("{} {event} {id:?} {data}", self.name));
        if event == "fanfare-gap" {
            self.read_gap(id.unwrap(), data, past, now);
        } else if event == "fanfare-live" {
            let again = std::mem::replace(&mut self.told_live, true);
            assert!(!again, "client {}: live twice on a connection", self.name);
        } else {
            self.read_event(data.trim_end_matches('.').parse().unwrap(), past, now);
        }
    }

    fn read_event(&mut self, serial: usize, past: &Past, now: Instant) {
        let record = &past.all[serial];
        let cursor = record.cursor();
        if std::mem::take(&mut self.at_earliest) {
            self.place = Cursor {
                offset: cursor.offset - 1,
                ..cursor
            };
        }
        let here = self.place;
        let name = self.name;
        assert!(
            self.kind.wants(record.publication()),
            "client {name}: leak of {cursor}"
        );
        assert!(
            past.shares(here, cursor.epoch),
            "client {name} at {here}: silent fork to {cursor}"
        );
        assert!(
            cursor.offset > here.offset,
            "client {name} at {here}: double or reorder {cursor}"
        );
        let lost = past
            .between(cursor.epoch, here.offset, cursor.offset)
            .find(|record| {
                let due = record.offset() < cursor.offset && !is_past(record, now);
                due && self.kind.wants(record.publication())
            });
        // On the way since before it expired, or delivered late?
        assert!(
            !is_past(record, self.connected_at),
            "client {name}: {cursor} came after it had expired"
        );
        assert!(
            lost.is_none(),
            "client {name} at {here}: lost {lost:?} before {cursor}"
        );
        self.place = cursor;
        self.events_read += 1;
    }

    fn read_gap(&mut self, id: &str, data: &str, past: &Past, now: Instant) {
        let data: serde_json::Value = serde_json::from_str(data).unwrap();
        assert_eq!(data["to"], id);
        self.gaps_read += 1;
        let Some(to) = Cursor::parse(id) else {
            assert_eq!(id, "earliest");
            self.at_earliest = true;
            return;
        };
        let (name, here) = (self.name, self.place);
        assert!(
            past.all.iter().any(|record| record.cursor() == to),
            "client {name} at {here}: {to} names no record"
        );
        let anywhere = std::mem::take(&mut self.at_earliest);
        match data["reason"].as_str().unwrap() {
            "trimmed" => {
                assert!(
                    to.offset < past.floor,
                    "client {name} at {here}: false gap to {to}"
                );
            }
            "damaged" if anywhere => {}
            "damaged" => {
                let lost = past.between(to.epoch, here.offset, to.offset + 1);
                let due = |record: &&Record| {
                    !is_past(record, now) && self.kind.wants(record.publication())
                };
                for record in lost.filter(due) {
                    let damaged = past.damaged.contains(&record.cursor());
                    assert!(
                        damaged,
                        "client {name} at {here}: false gap over {record:?}"
                    );
                }
            }
            "diverged" => {
                let forked = past.forks.iter().any(|fork| fork.end == to.offset);
                let trimmed = to.offset < past.floor && !past.forks.is_empty();
                assert!(
                    forked || trimmed,
                    "client {name} at {here}: no fork before {to}"
                );
            }
            reason => panic!("client {name}: unexpected gap {reason}"),
        }
        self.place = to;
    }

    /// After everything healed: it has read all that it wants.
    pub(super) fn check_complete(&self, past: &Past, now: Instant) {
        let newest = past.newest();
        let mut missing = past
            .between(newest.epoch, self.place.offset, newest.offset + 1)
            .filter(|record| !is_past(record, now) && self.kind.wants(record.publication()));
        let (name, here) = (self.name, self.place);
        assert!(
            past.shares(here, newest.epoch),
            "client {name} at {here} never heard of a fork"
        );
        assert!(
            missing.next().is_none(),
            "client {name} at {here}: lost the end up to {newest}"
        );
    }
}
