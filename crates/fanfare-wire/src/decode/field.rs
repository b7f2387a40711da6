//! One line of the stream: which field it is, and its value (SSE-09).

/// What a line is, by its name.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Field {
    Data,
    Type,
    Id,
    Retry,
    Comment,
    /// Any other name: the line is ignored, whatever its length (SSE-15).
    Unknown,
}

impl Field {
    /// So many bytes of a line tell its field, and whether a space is dropped from its value.
    pub(super) const HEAD_BYTES_MAX: usize = b"retry: ".len();

    /// Splits a line that is not empty into its field and its value.
    pub(super) fn split(line: &[u8]) -> (Self, &[u8]) {
        let (field, after_name) = match line {
            [b':', text @ ..] => return (Self::Comment, text),
            [b'd', b'a', b't', b'a', rest @ ..] => (Self::Data, rest),
            [b'e', b'v', b'e', b'n', b't', rest @ ..] => (Self::Type, rest),
            [b'i', b'd', rest @ ..] => (Self::Id, rest),
            [b'r', b'e', b't', b'r', b'y', rest @ ..] => (Self::Retry, rest),
            _ => return (Self::Unknown, &[]),
        };
        match after_name {
            [b':', b' ', value @ ..] | [b':', value @ ..] => (field, value),
            // HTML §9.2.6: a line without a colon is a name, and its value is empty.
            [] => (field, &[]),
            _ => (Self::Unknown, &[]),
        }
    }
}

/// Reads the value of `retry`, ASCII digits and nothing else, in milliseconds; saturates (SSE-14).
pub(super) fn retry_millis(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |millis, &byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        Some(millis.saturating_mul(10).saturating_add(digit))
    })
}
