//! What this node has seen stored, to hold the server to it (NA3).

use std::collections::BTreeMap;

use crate::codec::Nonce;

/// The nonces of the newest records that this node knows of, by their offsets.
#[derive(Debug, Default)]
pub(crate) struct Trail {
    nonces: BTreeMap<u64, Nonce>,
}

impl Trail {
    /// Notes that `nonce` is stored at `offset`; false, and nothing is noted, if another one is
    /// known to be.
    pub(crate) fn note(&mut self, offset: u64, nonce: Nonce) -> bool {
        if let Some(known) = self.nonces.get(&offset) {
            return *known == nonce;
        }
        self.nonces.insert(offset, nonce);
        if self.nonces.len() > LENGTH_MAX {
            self.nonces.pop_first();
        }
        true
    }

    /// The newest offset that is known; 0: none.
    pub(crate) fn newest(&self) -> u64 {
        self.nonces
            .last_key_value()
            .map_or(0, |(offset, _)| *offset)
    }

    /// The newest step at or before `offset`.
    pub(crate) fn at_or_before(&self, offset: u64) -> Option<(u64, Nonce)> {
        let (offset, nonce) = self.nonces.range(..=offset).next_back()?;
        Some((*offset, *nonce))
    }

    /// The steps from `first` on, oldest first.
    pub(crate) fn from(&self, first: u64) -> Vec<(u64, Nonce)> {
        let steps = self.nonces.range(first..);
        steps.map(|(offset, nonce)| (*offset, *nonce)).collect()
    }

    /// Forgets what is after `end`: it is lost.
    pub(crate) fn cut(&mut self, end: u64) {
        self.nonces.split_off(&(end + 1));
    }
}

/// Steps that are remembered, some 2 MiB: a minute at a thousand records a second.
const LENGTH_MAX: usize = 65_536;

#[cfg(test)]
mod tests;
