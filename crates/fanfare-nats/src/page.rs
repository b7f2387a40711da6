//! A slice of history, put together from the blocks that it touches.

use std::sync::Arc;

use fanfare_broker::{Budget, Form, Page, PageEnd, ReadError, TopicFilter};

use crate::blocks::{Epochs, Piece};
use crate::link::Link;
use crate::log::LogError;
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
    let view = link.views.view(&link.log).await;
    let view = view.map_err(|error| unavailable(&error))?;
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
    let epochs = {
        let known = shared.known();
        Epochs {
            mark: known.mark,
            lineage: Arc::clone(&known.lineage),
        }
    };
    let length = u64::try_from(budget.records_max.max(1)).unwrap_or(u64::MAX);
    let end = upto.min(after.saturating_add(length)) + 1;
    let mut bytes = 0;
    while page.next < end && (bytes < budget.bytes_max || page.next == after + 1) {
        let piece = link.blocks.piece(page.next, end, &link.log, view, &epochs);
        let piece = piece.await.map_err(|error| unavailable(&error))?;
        if page.next < piece.offsets.start {
            if page.next == after + 1 {
                let view = link.log.view().await.map_err(|error| unavailable(&error))?;
                return Err(ReadError::Trimmed { first: view.first });
            }
            // The next slice says that it is trimmed.
            break;
        }
        take(&mut page, &piece, end, &mut bytes, budget, &*filter);
    }
    page.end = match page.next > upto {
        true => PageEnd::Upto,
        false => PageEnd::Budget,
    };
    Ok(page)
}

/// Goes on through `piece`, to its end, to `end`, or until there are `budget` bytes.
fn take(
    page: &mut Page,
    piece: &Piece,
    end: u64,
    bytes: &mut usize,
    budget: Budget,
    filter: &dyn TopicFilter,
) {
    let end = end.min(piece.offsets.end);
    let start = page.next;
    let place = piece.records.partition_point(|it| it.offset() < start);
    page.next = end;
    for record in piece.records.iter().skip(place) {
        if record.offset() >= end {
            break;
        }
        if filter.wants(record.publication()) {
            *bytes += record.frame().bytes(Form::Plain).len();
            page.records.push(record.clone());
        }
        if *bytes >= budget.bytes_max {
            page.next = record.offset() + 1;
            break;
        }
    }
    let passed = start..page.next;
    for offset in piece.missing.iter().filter(|it| passed.contains(*it)) {
        miss(page, *offset);
    }
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
