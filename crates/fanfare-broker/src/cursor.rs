//! A place in the hub's single order, and its text form (C1, C2).

use std::fmt;
use std::num::NonZeroU32;

use fanfare_wire::EventId;

/// Names one unbroken stretch of history; a new one is drawn whenever history may have been lost.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Epoch(NonZeroU32);

impl Epoch {
    /// Takes a non-zero number as an epoch.
    #[must_use]
    pub fn new(number: NonZeroU32) -> Self {
        Self(number)
    }

    /// Draws a random epoch.
    #[must_use]
    pub fn random() -> Self {
        Self(NonZeroU32::new(rand::random()).unwrap_or(NonZeroU32::MIN))
    }

    /// The epoch's number.
    #[must_use]
    pub fn number(self) -> u32 {
        self.0.get()
    }
}

/// A place in the hub's one order.
///
/// Its text is the SSE `id` of an event published without one: `urn:ff:<epoch>-<offset>`, both in
/// base 36, lower case, without leading zeros. No character of it must be escaped in a URL.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "a cursor is these two numbers (C1)"
)]
pub struct Cursor {
    /// The epoch of the record at `offset`.
    pub epoch: Epoch,
    /// Dense, +1 for each stored record of the whole hub, from 1; 0 is before the first.
    pub offset: u64,
}

impl Cursor {
    /// What every cursor's text begins with; publishers may not use ids that do.
    pub const PREFIX: &str = "urn:ff:";
    /// The largest offset, exact in JSON and Lua (C1).
    pub const OFFSET_MAX: u64 = (1 << 53) - 1;

    /// Reads a cursor's text form; `None` for any other text. No look-up is made.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (epoch, offset) = text.strip_prefix(Self::PREFIX)?.split_once('-')?;
        let epoch = NonZeroU32::new(u32::try_from(parse_base36(epoch)?).ok()?)?;
        let offset = parse_base36(offset).filter(|offset| *offset <= Self::OFFSET_MAX)?;
        Some(Self {
            epoch: Epoch(epoch),
            offset,
        })
    }

    /// The cursor as the id of an event.
    #[must_use]
    pub fn id(self) -> EventId {
        EventId::parse(&self.to_string()).expect("base 36 digits have no line end")
    }
}

impl fmt::Display for Cursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(Self::PREFIX)?;
        write_base36(f, u64::from(self.epoch.number()))?;
        f.write_str("-")?;
        write_base36(f, self.offset)
    }
}

const DIGITS: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

fn write_base36(f: &mut fmt::Formatter<'_>, mut number: u64) -> fmt::Result {
    // 13 digits hold any u64.
    let mut digits = ['0'; 13];
    let mut start = digits.len();
    loop {
        start -= 1;
        let digit = usize::try_from(number % 36).expect("a digit is below 36");
        if let (Some(place), Some(&digit)) = (digits.get_mut(start), DIGITS.get(digit)) {
            *place = char::from(digit);
        }
        number /= 36;
        if number == 0 {
            break;
        }
    }
    digits
        .iter()
        .skip(start)
        .try_for_each(|digit| fmt::Write::write_char(f, *digit))
}

fn parse_base36(text: &str) -> Option<u64> {
    if text.is_empty() || (text.len() > 1 && text.starts_with('0')) {
        return None;
    }
    text.bytes().try_fold(0_u64, |number, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'z' => byte - b'a' + 10,
            _ => return None,
        };
        number.checked_mul(36)?.checked_add(u64::from(digit))
    })
}

#[cfg(test)]
mod tests;
