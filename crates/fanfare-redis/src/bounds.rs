//! What is retained, as the server tells it in one step.

use std::num::NonZeroU32;
use std::sync::Arc;

use fanfare_broker::{Bounds, Epoch, Lineage};
use redis::Value;

use crate::entry;
use crate::keys::Keys;
use crate::link::{Connection, Fault};
use crate::script::{BOUNDS, Words};

/// Asks for head, first offset and lineage.
pub(crate) async fn ask(connection: &mut Connection, keys: &Keys) -> Result<Bounds, Fault> {
    let words = Words::new([&keys.meta, &keys.log, &keys.epochs]);
    let answer = BOUNDS.run(connection, &words).await?;
    parse(&answer).ok_or_else(|| Fault::odd(&answer))
}

fn parse(answer: &Value) -> Option<Bounds> {
    let Value::Array(parts) = answer else {
        return None;
    };
    let [
        Value::Int(head),
        Value::Int(first),
        Value::Int(epoch),
        Value::Array(rows),
    ] = parts.as_slice()
    else {
        return None;
    };
    let (head, first) = (u64::try_from(*head).ok()?, u64::try_from(*first).ok()?);
    let mut lineage = Lineage::default();
    for row in rows {
        // A row that does not fit is passed over: its cursors are unknown.
        if let Some((epoch, first)) = parse_row(row) {
            lineage.begin(first, epoch);
        }
    }
    if head > 0 && lineage.newest().is_none() {
        // The lineage is gone, and the records are not: one epoch is all that is known.
        let epoch = NonZeroU32::new(u32::try_from(*epoch).ok()?)?;
        lineage.begin(1, Epoch::new(epoch));
    }
    Some(Bounds {
        head: lineage.cursor_at(head).filter(|_| head > 0),
        first: first.max(1),
        lineage: Arc::new(lineage),
    })
}

/// A row of the lineage: `<epoch> <first offset>`.
fn parse_row(row: &Value) -> Option<(Epoch, u64)> {
    let Value::BulkString(row) = row else {
        return None;
    };
    let (epoch, first) = str::from_utf8(row).ok()?.split_once(' ')?;
    Some((entry::epoch(epoch.as_bytes())?, first.parse().ok()?))
}

#[cfg(test)]
mod tests;
