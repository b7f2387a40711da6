//! Text that may name things: topics, ids, types, users (D1-T1, S1).

/// A character that such a text cannot hold.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error(
    "U+{:04X} at byte {offset} is a control or invisible formatting character",
    u32::from(*character)
)]
pub(crate) struct Forbidden {
    character: char,
    offset: usize,
}

/// Checks that `text` has no control characters and none of Unicode's category Cf.
///
/// A line end in an id or a type would forge fields of the stream, and bidirectional or zero-width
/// characters make two names look like one.
pub(crate) fn check(text: &str) -> Result<(), Forbidden> {
    let forbidden = |character: char| character.is_control() || is_format(character);
    match text.char_indices().find(|(_, c)| forbidden(*c)) {
        Some((offset, character)) => Err(Forbidden { character, offset }),
        None => Ok(()),
    }
}

/// Category Cf of Unicode 17.
fn is_format(character: char) -> bool {
    matches!(
        u32::from(character),
        0xAD | 0x600..=0x605
            | 0x61C
            | 0x6DD
            | 0x70F
            | 0x890..=0x891
            | 0x8E2
            | 0x180E
            | 0x200B..=0x200F
            | 0x202A..=0x202E
            | 0x2060..=0x2064
            | 0x2066..=0x206F
            | 0xFEFF
            | 0xFFF9..=0xFFFB
            | 0x110BD
            | 0x110CD
            | 0x13430..=0x1343F
            | 0x1BCA0..=0x1BCA3
            | 0x1D173..=0x1D17A
            | 0xE0001
            | 0xE0020..=0xE007F
    )
}

#[cfg(test)]
mod tests;
