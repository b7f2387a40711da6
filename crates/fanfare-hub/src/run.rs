//! One contiguous run of frames: what a group gets in one write.

use bytes::{Bytes, BytesMut};
use fanfare_broker::{Form, Record};

/// Frames in one piece, and where each of them ends.
#[derive(Clone, Debug, Default)]
pub(crate) struct Run {
    /// All frames; of a single one it is the frame itself.
    pub(crate) bytes: Bytes,
    /// The records in it.
    records: Vec<Record>,
    form: Option<Form>,
}

/// What is left of a run that a sink took only in part.
#[derive(Debug, PartialEq)]
pub(crate) struct Rest {
    /// The rest of the frame that was begun; it goes first, for another frame in its middle would
    /// merge two events.
    pub(crate) bytes: Bytes,
    /// The offset to go on from.
    pub(crate) next: u64,
    /// How many frames were taken, one that was only begun included.
    pub(crate) frames: usize,
}

impl Rest {
    /// `bytes` go first, then what is at `next`; no frame was taken yet.
    pub(crate) fn begin(bytes: Bytes, next: u64) -> Self {
        Self {
            bytes,
            next,
            frames: 0,
        }
    }
}

impl Run {
    /// Puts the frames of `records` together in `form`.
    pub(crate) fn fill(&mut self, records: impl Iterator<Item = Record>, form: Form) {
        self.records.clear();
        self.records.extend(records);
        self.form = Some(form);
        self.bytes = match self.records.as_slice() {
            [one] => one.frame().bytes(form).clone(),
            many => {
                let length = many
                    .iter()
                    .map(|record| record.frame().bytes(form).len())
                    .sum();
                let mut bytes = BytesMut::with_capacity(length);
                for record in many {
                    bytes.extend_from_slice(record.frame().bytes(form));
                }
                bytes.freeze()
            }
        };
    }

    /// How many frames it has.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// The records whose frames it has.
    pub(crate) fn iter(&self) -> std::slice::Iter<'_, Record> {
        self.records.iter()
    }

    /// Forgets the frames, which may be the last to hold their records.
    pub(crate) fn clear(&mut self) {
        self.records.clear();
        self.bytes = Bytes::new();
    }

    /// What is left after the sink took `taken` bytes; `next` is where to go on after the run.
    ///
    /// Only the frame that was begun is kept, shared with everybody else who has it: that bounds
    /// what a lagging subscriber holds. The frames behind it are read again.
    pub(crate) fn rest(&self, taken: usize, next: u64) -> Rest {
        let form = self.form.unwrap_or(Form::Plain);
        let mut begin = 0;
        for (frames, record) in self.records.iter().enumerate() {
            let frame = record.frame().bytes(form);
            let end = begin + frame.len();
            if taken == begin {
                return Rest {
                    bytes: Bytes::new(),
                    next: record.offset(),
                    frames,
                };
            }
            if taken < end {
                let bytes = frame.slice(taken - begin..);
                return Rest {
                    bytes,
                    next: record.offset() + 1,
                    frames: frames + 1,
                };
            }
            begin = end;
        }
        Rest {
            bytes: Bytes::new(),
            next,
            frames: self.records.len(),
        }
    }
}

#[cfg(test)]
mod tests;
