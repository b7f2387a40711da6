//! Holds a stream to what this node has seen of it, before it is used (NA3, NA5, NA6).

use std::sync::Arc;

use fanfare_broker::{Epoch, Lineage};

use crate::codec::Now;
use crate::log::{Entry, Log, LogError, View};
use crate::shared::Shared;

/// Compares the stream with what is known, and opens an epoch if it has lost anything.
///
/// Afterwards what is known is true of the stream as it is now.
pub(crate) async fn verify(shared: &Shared, log: &Log, view: View) -> Result<(), LogError> {
    for _ in 0..RACES_MAX {
        let mark = log.newest_mark().await?;
        let known = shared.known().first_epoch;
        if known != Some(view.first_epoch) {
            if known.is_some() {
                tracing::error!("the stream was made anew; the history before it is lost");
            }
            shared.known().begin(view, mark);
            return Ok(());
        }
        let (offset, lineage) = mark.clone().unwrap_or_else(|| {
            // Marks are trimmed like records: what they said still holds.
            (0, Lineage::clone(&shared.known().lineage))
        });
        let Some(end) = lost_after(shared, log, view).await? else {
            shared.known().adopt(offset, lineage);
            return Ok(());
        };
        let known = Arc::clone(&shared.known().lineage);
        // Whoever opened an epoch at or before that place has seen the same loss, or a greater one.
        let news = lineage.epochs().find(|(_, epoch)| {
            let is_known = known.epochs().any(|(_, known)| known == *epoch);
            !is_known
        });
        let told = news.is_some_and(|(first, _)| first <= end + 1);
        let lineage = match told {
            true => lineage,
            false => opened(&lineage, end, view.first),
        };
        if !told && !log.append_mark(offset, &lineage).await? {
            continue;
        }
        tracing::error!(end, "the stream has lost records that this node has seen");
        let written = match told {
            true => mark,
            false => log.newest_mark().await?,
        };
        let mut known = shared.known();
        known.trail.cut(end);
        known.mark = written.map_or(0, |(offset, _)| offset);
        known.lineage = Arc::new(lineage);
        return Ok(());
    }
    Err(LogError("other nodes write marks all the time".to_owned()))
}

/// `lineage` with an epoch that begins after `end`.
fn opened(lineage: &Lineage, end: u64, first: u64) -> Lineage {
    let mut lineage = lineage.clone();
    lineage.cut(end);
    lineage.forget_before(first.min(end + 1));
    while !lineage.begin(end + 1, Epoch::random()) {}
    lineage
}

/// The last offset that both the stream and this node know, if the stream has lost what this node
/// has seen after it; `None`: it has lost nothing.
async fn lost_after(shared: &Shared, log: &Log, view: View) -> Result<Option<u64>, LogError> {
    let newest = shared.known().trail.newest();
    if newest < view.first {
        // What this node knows is trimmed, or nothing: there is nothing to hold against it.
        return Ok(None);
    }
    let Some((place, _)) = shared.known().trail.at_or_before(view.last) else {
        // It went back beyond all that this node remembers: nothing is shown to be the same.
        return Ok(Some(0));
    };
    if newest <= view.last && is_as_known(shared, log, place).await? {
        return Ok(None);
    }
    // What comes after the first difference differs too: search for the last that is the same.
    let steps: Vec<_> = {
        let steps = shared.known().trail.from(view.first);
        let places = steps.into_iter().map(|(place, _)| place);
        places.take_while(|place| *place <= view.last).collect()
    };
    let (mut same, mut other) = (0, steps.len());
    while same < other {
        let middle = same + (other - same) / 2;
        match steps.get(middle) {
            Some(place) if is_as_known(shared, log, *place).await? => same = middle + 1,
            _ => other = middle,
        }
    }
    let last_same = same.checked_sub(1).and_then(|place| steps.get(place));
    Ok(Some(last_same.copied().unwrap_or(0)))
}

async fn is_as_known(shared: &Shared, log: &Log, offset: u64) -> Result<bool, LogError> {
    let known = shared.known().trail.at_or_before(offset);
    let Some((_, nonce)) = known.filter(|(place, _)| *place == offset) else {
        return Ok(false);
    };
    let entry = log.ask_leader(offset, Now::read()).await?;
    Ok(matches!(entry, Some(Entry::Record(found, _)) if found == nonce))
}

/// How often a node may be beaten to a mark before it connects anew.
const RACES_MAX: usize = 8;
