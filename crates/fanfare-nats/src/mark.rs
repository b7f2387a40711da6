//! Marks: what the stream itself says of its epochs (NA5, NA6).

use std::num::NonZeroU32;

use fanfare_broker::{Epoch, Lineage};
use sha2::{Digest, Sha256};

/// The first epoch of a stream that was made at `created_ns`, nanoseconds since 1970: a stream made
/// anew is another history (NA6).
pub(crate) fn first_epoch(created_ns: i128) -> Epoch {
    let digest = Sha256::digest(created_ns.to_be_bytes());
    let number = digest.first_chunk::<4>().copied().unwrap_or_default();
    let number = NonZeroU32::new(u32::from_be_bytes(number));
    Epoch::new(number.unwrap_or(NonZeroU32::MIN))
}

/// The lineage as the bytes of a mark, so that the newest mark alone tells all of it: `1`, then a
/// line `<first offset> <epoch>` for each epoch.
pub(crate) fn encode(lineage: &Lineage) -> Vec<u8> {
    let mut text = VERSION.to_owned();
    for (first, epoch) in lineage.epochs() {
        text.push_str(&format!("\n{first} {}", epoch.number()));
    }
    text.into_bytes()
}

/// The lineage of [`encode`]; `None`: it is no mark that we know.
pub(crate) fn decode(bytes: &[u8]) -> Option<Lineage> {
    let mut lines = std::str::from_utf8(bytes).ok()?.split('\n');
    if lines.next() != Some(VERSION) {
        return None;
    }
    let mut lineage = Lineage::default();
    for line in lines {
        let (first, epoch) = line.split_once(' ')?;
        let epoch = Epoch::new(epoch.parse().ok()?);
        if !lineage.begin(first.parse().ok()?, epoch) {
            return None;
        }
    }
    lineage.newest().map(|_| lineage)
}

const VERSION: &str = "1";

#[cfg(test)]
mod tests;
