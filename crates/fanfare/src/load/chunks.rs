//! A chunked body's framing taken off, incrementally (RFC 9112 §7.1).

/// Where in a chunked body a reader stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Chunks {
    /// In a chunk's size; so far it is this, and `digits` says whether there was one.
    Size { bytes: u64, digits: bool },
    /// In a chunk's head behind its size, up to the LF.
    Head { bytes: u64 },
    /// In a chunk's data, with so many bytes to come.
    Data { bytes: u64 },
    /// Behind a chunk's data, before the LF that ends it.
    End,
    /// Behind the last chunk: trailers are ignored.
    Last,
}

/// The bytes are no chunked body.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct MalformedChunk;

impl Chunks {
    /// Stands at the beginning of a body.
    pub(crate) fn new() -> Self {
        Self::Size {
            bytes: 0,
            digits: false,
        }
    }

    /// Whether the last chunk has come.
    pub(crate) fn ended(self) -> bool {
        self == Self::Last
    }

    /// Takes the next piece of data off the front of `input`; `None` once `input` is used up.
    ///
    /// # Errors
    ///
    /// [`MalformedChunk`] when a chunk has no size, or goes on after its size says it ends.
    pub(crate) fn next<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Option<&'a [u8]>, MalformedChunk> {
        while let Some((&byte, tail)) = input.split_first() {
            *self = match *self {
                Self::Data { bytes } => return Ok(Some(self.take_data(bytes, input))),
                Self::Size { bytes, digits } => match char::from(byte).to_digit(16) {
                    Some(digit) if bytes < SIZE_MAX => Self::Size {
                        bytes: bytes * 16 + u64::from(digit),
                        digits: true,
                    },
                    None if digits && byte == b'\n' => Self::behind_head(bytes),
                    None if digits && matches!(byte, b'\r' | b';' | b' ' | b'\t') => {
                        Self::Head { bytes }
                    }
                    _ => return Err(MalformedChunk),
                },
                Self::Head { bytes } if byte == b'\n' => Self::behind_head(bytes),
                Self::Head { bytes } => Self::Head { bytes },
                Self::End => match byte {
                    b'\r' => Self::End,
                    b'\n' => Self::new(),
                    _ => return Err(MalformedChunk),
                },
                Self::Last => Self::Last,
            };
            *input = tail;
        }
        Ok(None)
    }

    fn take_data<'a>(&mut self, bytes: u64, input: &mut &'a [u8]) -> &'a [u8] {
        let here = usize::try_from(bytes).unwrap_or(usize::MAX);
        let (data, tail) = input.split_at(here.min(input.len()));
        *input = tail;
        let left = bytes - data.len() as u64;
        *self = if left == 0 {
            Self::End
        } else {
            Self::Data { bytes: left }
        };
        data
    }

    fn behind_head(bytes: u64) -> Self {
        if bytes == 0 {
            Self::Last
        } else {
            Self::Data { bytes }
        }
    }
}

/// A larger chunk is nobody's event, and one digit more still fits a `u64`.
const SIZE_MAX: u64 = 1 << 56;

#[cfg(test)]
mod tests;
