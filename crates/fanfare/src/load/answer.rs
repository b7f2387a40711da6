//! A hub's answer: its head, and its body with the framing taken off.

use super::chunks::{Chunks, MalformedChunk};

/// The head of an answer.
#[derive(Debug)]
pub(crate) struct Head {
    pub(crate) status: u16,
    /// How many bytes the head itself has.
    pub(crate) bytes: usize,
    pub(crate) body: Body,
}

/// How a body is framed, and where in it the reader stands.
#[derive(Debug)]
pub(crate) enum Body {
    Chunked(Chunks),
    /// So many bytes are to come.
    Length(u64),
    UntilClose,
}

/// What came is no answer of HTTP/1.1.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Malformed;

impl Head {
    /// Reads the head that `bytes` begin with; `None` as long as it is not whole.
    pub(crate) fn parse(bytes: &[u8]) -> Result<Option<Self>, Malformed> {
        let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
        let mut answer = httparse::Response::new(&mut headers);
        let httparse::Status::Complete(head_bytes) = answer.parse(bytes).map_err(|_| Malformed)?
        else {
            return if bytes.len() < HEAD_BYTES_MAX {
                Ok(None)
            } else {
                Err(Malformed)
            };
        };
        let mut body = Body::UntilClose;
        for header in answer.headers.iter() {
            if header.name.eq_ignore_ascii_case("transfer-encoding")
                && header.value.eq_ignore_ascii_case(b"chunked")
            {
                body = Body::Chunked(Chunks::new());
            } else if header.name.eq_ignore_ascii_case("content-length") {
                let length = str::from_utf8(header.value).map_err(|_| Malformed)?;
                body = Body::Length(length.trim().parse().map_err(|_| Malformed)?);
            }
        }
        Ok(Some(Self {
            status: answer.code.ok_or(Malformed)?,
            bytes: head_bytes,
            body,
        }))
    }
}

const HEADERS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 64 << 10;

impl Body {
    /// Takes the next piece of data off the front of `input`; `None` once nothing is left of it,
    /// or of the body.
    pub(crate) fn next<'a>(
        &mut self,
        input: &mut &'a [u8],
    ) -> Result<Option<&'a [u8]>, MalformedChunk> {
        let here = match self {
            Self::Chunked(chunks) => return chunks.next(input),
            Self::Length(bytes) => usize::try_from(*bytes)
                .unwrap_or(usize::MAX)
                .min(input.len()),
            Self::UntilClose => input.len(),
        };
        let (data, tail) = input.split_at(here);
        *input = tail;
        if let Self::Length(bytes) = self {
            *bytes -= data.len() as u64;
        }
        Ok((!data.is_empty()).then_some(data))
    }

    /// Whether the body's end has come.
    pub(crate) fn ended(&self) -> bool {
        match self {
            Self::Chunked(chunks) => chunks.ended(),
            Self::Length(bytes) => *bytes == 0,
            Self::UntilClose => false,
        }
    }
}

#[cfg(test)]
mod tests;
