//! Reading what is retained.

use std::sync::Arc;

use fanfare_broker::{Bounds, Budget, Form, Page, PageEnd, ReadError, Resolved, TopicFilter};
use fanfare_wire::EventId;
use redis::{Value, cmd, pipe};

use crate::bounds;
use crate::condition::{Condition, Phase};
use crate::encoding::Now;
use crate::entry::{self, Entry};
use crate::keys::Keys;
use crate::link::{Connection, Fault, SharedConnection};
use crate::script::{FIND, Words};

/// What reads, and on which connection.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) keys: Keys,
    pub(crate) connection: Arc<SharedConnection>,
    pub(crate) condition: Arc<Condition>,
}

/// What one look brought.
struct Look {
    /// The newest offset before the look.
    head: u64,
    /// The first retained offset after it.
    first: u64,
    entries: Vec<Entry>,
}

impl History {
    pub(crate) async fn bounds(&self) -> Result<Bounds, ReadError> {
        let mut connection = self.open().await?;
        let bounds = bounds::ask(&mut connection, &self.keys).await;
        bounds.map_err(|fault| self.unavailable(&fault))
    }

    pub(crate) async fn resolve(&self, id: &EventId) -> Result<Resolved, ReadError> {
        let bounds = self.bounds().await?;
        if let Some(resolved) = bounds.resolve(id) {
            return Ok(resolved);
        }
        let mut connection = self.open().await?;
        let found = self.find(&mut connection, id).await;
        let found = found.map_err(|fault| self.unavailable(&fault))?;
        Ok(found.map_or(Resolved::Unknown, Resolved::At))
    }

    /// The earliest retained record with this id; an index that is wrong finds nothing.
    async fn find(&self, connection: &mut Connection, id: &EventId) -> Result<Option<u64>, Fault> {
        let words = Words::new([&self.keys.id(id), &self.keys.log]);
        let Value::Array(offsets) = FIND.run(connection, &words).await? else {
            return Ok(None);
        };
        let now = Now::read();
        for offset in offsets {
            let Value::Int(offset) = offset else {
                continue;
            };
            let place = format!("{offset}-0");
            let range = cmd("XRANGE")
                .arg(&self.keys.log)
                .arg(&place)
                .arg(&place)
                .take();
            let found = entry::entries(connection.ask(&range).await?)?;
            let record = found.first().and_then(|entry| entry.record(now));
            if let Some(record) = record.filter(|record| record.id() == *id) {
                return Ok(Some(record.offset()));
            }
        }
        Ok(None)
    }

    pub(crate) async fn read(
        &self,
        after: u64,
        upto: u64,
        budget: Budget,
        filter: Arc<dyn TopicFilter>,
    ) -> Result<Page, ReadError> {
        let mut connection = self.open().await?;
        let count = budget.records_max.clamp(1, LOOK_RECORDS_MAX);
        let look = self.look(&mut connection, after, upto, count).await;
        let look = look.map_err(|fault| self.unavailable(&fault))?;
        // What was found is there, even if it has been trimmed since.
        let begins = look
            .entries
            .first()
            .map_or(look.first, |entry| entry.offset);
        if after + 1 < begins && after + 1 < look.first {
            return Err(ReadError::Trimmed { first: look.first });
        }
        Ok(self.page(after, upto, &look, count, budget, &*filter))
    }

    async fn look(
        &self,
        connection: &mut Connection,
        after: u64,
        upto: u64,
        count: usize,
    ) -> Result<Look, Fault> {
        let (log, meta) = (&self.keys.log, &self.keys.meta);
        let mut commands = pipe();
        // The head before the look: all up to it must be in what the look brings. The first after
        // it: what it did not bring is behind that, or is missing.
        commands.cmd("HGET").arg(meta).arg("seq");
        commands
            .cmd("XRANGE")
            .arg(log)
            .arg(format!("{}-0", after.saturating_add(1)))
            .arg(format!("{upto}-0"))
            .arg("COUNT")
            .arg(count);
        commands
            .cmd("XRANGE")
            .arg(log)
            .arg("-")
            .arg("+")
            .arg("COUNT")
            .arg(1);
        let mut answers = connection.ask_all(&commands).await?.into_iter();
        let mut next = || {
            answers
                .next()
                .unwrap_or(Err(Fault::Odd("too few answers".to_owned())))
        };
        let head = match next()? {
            Value::Nil => 0,
            Value::BulkString(text) => {
                let number = str::from_utf8(&text)
                    .ok()
                    .and_then(|text| text.parse().ok());
                number.ok_or_else(|| Fault::odd(&text))?
            }
            other => return Err(Fault::odd(&other)),
        };
        let entries = entry::entries(next()?)?;
        let oldest = entry::entries(next()?)?;
        let newest = entries.last().map_or(0, |entry| entry.offset);
        let head = head.max(newest);
        let first = oldest.first().map_or(head + 1, |entry| entry.offset);
        Ok(Look {
            head,
            first,
            entries,
        })
    }

    /// Makes a page of `look`, within `budget`.
    fn page(
        &self,
        after: u64,
        upto: u64,
        look: &Look,
        count: usize,
        budget: Budget,
        filter: &dyn TopicFilter,
    ) -> Page {
        let now = Now::read();
        let mut page = Page {
            records: Vec::new(),
            next: after + 1,
            end: PageEnd::Budget,
            missing: Vec::new(),
        };
        let mut bytes_left = budget.bytes_max.max(1);
        let mut looks_left = budget.records_max.max(1) as u64;
        for entry in &look.entries {
            let hole = entry.offset.saturating_sub(page.next);
            if bytes_left == 0 || looks_left <= hole {
                return page;
            }
            looks_left -= hole + 1;
            if hole > 0 {
                self.missing(&mut page, entry.offset);
            }
            match entry.record(now) {
                None => self.missing(&mut page, entry.offset + 1),
                Some(record) => {
                    page.next = entry.offset + 1;
                    if filter.wants(record.publication()) {
                        let bytes = record.frame().bytes(Form::Plain).len();
                        bytes_left = bytes_left.saturating_sub(bytes);
                        page.records.push(record);
                    }
                }
            }
        }
        if look.entries.len() < count {
            // There was no more: what is still owed up to the head is gone.
            let end = look.head.min(upto);
            if page.next <= end {
                self.missing(&mut page, end + 1);
            }
            page.end = PageEnd::Upto;
        } else if page.next > upto {
            page.end = PageEnd::Upto;
        }
        page
    }

    /// Nothing up to `next` proves itself.
    fn missing(&self, page: &mut Page, next: u64) {
        let hole = page.next..next;
        self.condition.damaged(format!(
            "offsets {} to {} are missing",
            hole.start,
            next - 1
        ));
        match page.missing.last_mut() {
            Some(last) if last.end == hole.start => last.end = next,
            _ => page.missing.push(hole),
        }
        page.next = next;
    }

    async fn open(&self) -> Result<Connection, ReadError> {
        if self.condition.phase() != Phase::Open {
            return Err(ReadError::Unavailable);
        }
        let connection = self.connection.get().await;
        connection.map_err(|fault| self.unavailable(&fault))
    }

    fn unavailable(&self, fault: &Fault) -> ReadError {
        self.connection.report(fault);
        tracing::warn!(%fault, "the history cannot be read");
        ReadError::Unavailable
    }
}

/// Records that one look brings: the server does nothing else meanwhile.
const LOOK_RECORDS_MAX: usize = 512;
