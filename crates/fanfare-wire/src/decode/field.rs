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
        // No known name is longer than five bytes, so a long line is not searched for its colon.
        let head = line.iter().take(Self::HEAD_BYTES_MAX - 1);
        let (name, value) = match head.into_iter().position(|&byte| byte == b':') {
            Some(colon) => (line.get(..colon), line.get(colon + 1..)),
            // HTML §9.2.6: a line without a colon is a name, and its value is empty.
            None => (Some(line), None),
        };
        let value = value.unwrap_or_default();
        let field = match name.unwrap_or_default() {
            b"" => return (Self::Comment, value),
            b"data" => Self::Data,
            b"event" => Self::Type,
            b"id" => Self::Id,
            b"retry" => Self::Retry,
            _ => Self::Unknown,
        };
        (field, value.strip_prefix(b" ").unwrap_or(value))
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
