//! An event's data under load: who published it, which one it is, and when.

/// What an event's data says.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Payload {
    /// The publisher.
    pub(crate) publisher: u32,
    /// +1 for each event of this publisher, from 1.
    pub(crate) sequence: u32,
    /// Nanoseconds since the crowd began, when the event was due to be published.
    pub(crate) sent_nanos: u64,
}

/// The three numbers and their separators at their longest fit.
pub(crate) const BYTES_MIN: usize = 64;

impl Payload {
    /// The payload as text of `bytes` bytes, in characters that neither JSON nor a form escapes.
    pub(crate) fn text(self, bytes: usize) -> String {
        let Self {
            publisher,
            sequence,
            sent_nanos,
        } = self;
        let mut text = String::with_capacity(bytes.max(BYTES_MIN));
        text.push_str(&format!("{publisher}.{sequence}.{sent_nanos}."));
        text.extend(std::iter::repeat_n('x', bytes.saturating_sub(text.len())));
        text
    }

    /// Reads a payload; `None` for data that something else published.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.splitn(4, '.');
        Some(Self {
            publisher: numbers.next()?.parse().ok()?,
            sequence: numbers.next()?.parse().ok()?,
            sent_nanos: numbers.next()?.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests;
