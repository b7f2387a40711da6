//! A slice of history: gets in flight side by side, looked at in order.

use std::sync::Arc;

use fanfare_broker::{Budget, Form, Page, PageEnd, ReadError, Record, TopicFilter};
use futures_util::{StreamExt, stream};

use crate::codec::Now;
use crate::link::Link;
use crate::log::{Entry, LogError};
use crate::shared::Shared;

/// Reads records in (`after`, `upto`] that `filter` wants, within `budget` (L9, L10).
pub(crate) async fn read(
    shared: &Shared,
    link: &Arc<Link>,
    after: u64,
    upto: u64,
    budget: Budget,
    filter: Arc<dyn TopicFilter>,
) -> Result<Page, ReadError> {
    let view = link.log.view().await.map_err(|error| unavailable(&error))?;
    let upto = upto.min(view.last);
    let mut page = Page {
        records: Vec::new(),
        next: after + 1,
        end: PageEnd::Upto,
        missing: Vec::new(),
    };
    if after >= upto {
        return Ok(page);
    }
    if page.next < view.first {
        return Err(ReadError::Trimmed { first: view.first });
    }
    let now = Now::read();
    let length = u64::try_from(budget.records_max.max(1)).unwrap_or(u64::MAX);
    let last = upto.min(after.saturating_add(length));
    let get = |offset| async move { (offset, link.log.look_up(offset, now).await) };
    let mut entries = stream::iter(page.next..=last).map(get).buffered(IN_FLIGHT);
    let mut bytes = 0;
    while let Some((offset, entry)) = entries.next().await {
        match entry.map_err(|error| unavailable(&error))? {
            Some(Entry::Record(_, publication)) => {
                let cursor = shared.known().cursor_at(offset);
                match cursor {
                    Some(cursor) if filter.wants(&publication) => {
                        let record = Record::new(cursor, publication);
                        bytes += record.frame().bytes(Form::Plain).len();
                        page.records.push(record);
                    }
                    Some(_) => {}
                    None => miss(&mut page, offset),
                }
            }
            Some(Entry::Mark(_)) => {}
            Some(Entry::Foreign) => miss(&mut page, offset),
            None => {
                let view = link.log.view().await.map_err(|error| unavailable(&error))?;
                if offset >= view.first {
                    miss(&mut page, offset);
                } else if page.next == after + 1 {
                    return Err(ReadError::Trimmed { first: view.first });
                } else {
                    // The next slice says that it is trimmed.
                    break;
                }
            }
        }
        page.next = offset + 1;
        if bytes >= budget.bytes_max {
            break;
        }
    }
    page.end = match page.next > upto {
        true => PageEnd::Upto,
        false => PageEnd::Budget,
    };
    Ok(page)
}

/// Says that `offset` is lost for good.
fn miss(page: &mut Page, offset: u64) {
    match page.missing.last_mut() {
        Some(hole) if hole.end == offset => hole.end += 1,
        _ => page.missing.push(offset..offset + 1),
    }
}

pub(crate) fn unavailable(error: &LogError) -> ReadError {
    tracing::warn!(%error, "history cannot be read");
    ReadError::Unavailable
}

/// Records that are asked for before the first of them has come.
const IN_FLIGHT: usize = 64;
