//! Heads on the HTTP/1.1 fast lane: a request's is read here, an answer's written.

use std::time::SystemTime;

use bytes::Bytes;
use fanfare_broker::Form;
use http::header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};

use crate::error::plain;

/// What a connection begins with.
#[derive(Debug)]
pub(crate) enum Opening {
    /// A request of HTTP/1.0 or 1.1.
    Http1 {
        parts: Box<Parts>,
        /// Bytes of the head, its empty line included; what follows belongs to the body.
        head_bytes: usize,
    },
    /// The preface of HTTP/2 without TLS (RFC 9113 §3.4).
    Http2,
}

impl Opening {
    /// Reads what `bytes` begin with; `Ok(None)` when more are needed.
    pub(crate) fn parse(bytes: &[u8], bytes_max: usize) -> Result<Option<Self>, BadHead> {
        let common = bytes.len().min(PREFACE.len());
        if common > 3 && bytes.get(..common) == PREFACE.get(..common) {
            return Ok((common == PREFACE.len()).then_some(Self::Http2));
        }
        let mut fields = [httparse::EMPTY_HEADER; FIELDS_MAX];
        let mut request = httparse::Request::new(&mut fields);
        let head_bytes = match request.parse(bytes) {
            Ok(httparse::Status::Complete(head_bytes)) => head_bytes,
            Ok(httparse::Status::Partial) if bytes.len() >= bytes_max => {
                return Err(BadHead::TooLarge { bytes_max });
            }
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(BadHead::TooManyFields),
            // A record of TLS: 0x16 is "handshake", 3 the major version (RFC 8446 §5.1).
            Err(_) if bytes.starts_with(&[0x16, 3]) => return Err(BadHead::Tls),
            Err(error) => return Err(BadHead::Unparseable(error)),
        };
        if head_bytes > bytes_max {
            return Err(BadHead::TooLarge { bytes_max });
        }
        let parts = Box::new(into_parts(&request)?);
        Ok(Some(Self::Http1 { parts, head_bytes }))
    }
}

/// Why a connection's first bytes are no request.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum BadHead {
    #[error("the request head has more than {bytes_max} bytes")]
    TooLarge { bytes_max: usize },
    #[error("the request head has more than {FIELDS_MAX} fields")]
    TooManyFields,
    #[error("this port speaks HTTP without TLS, and this looks like TLS; use http://")]
    Tls,
    #[error("this port speaks HTTP over TLS, and this is not TLS; use https://")]
    NoTls,
    #[error(
        "this is not HTTP/1.1: {0}; a request begins with a line such as `GET /events HTTP/1.1`"
    )]
    Unparseable(httparse::Error),
    #[error("the request's target is neither a path nor a URL")]
    Target,
    #[error("a request has `Content-Length` or `Transfer-Encoding`, not both")]
    TwoLengths,
}

impl BadHead {
    /// Its answer; the connection ends after it (S23).
    pub(crate) fn response(self) -> Response<Bytes> {
        let status = match self {
            Self::TooLarge { .. } | Self::TooManyFields => {
                StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE
            }
            Self::Tls | Self::NoTls | Self::Unparseable(_) | Self::Target | Self::TwoLengths => {
                StatusCode::BAD_REQUEST
            }
        };
        plain(status, &self.to_string())
    }
}

/// Most fields of a head (S11).
const FIELDS_MAX: usize = 100;
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Whether a request has no body, so that whatever follows its head is another request.
pub(crate) fn is_bodyless(parts: &Parts) -> bool {
    // Of two lengths that differ, none is to be trusted (RFC 9112 §6.3): hyper refuses them.
    let mut lengths = parts.headers.get_all(CONTENT_LENGTH).iter();
    lengths.all(|length| length == "0") && !parts.headers.contains_key(TRANSFER_ENCODING)
}

/// Writes the head of an endless answer, byte for byte as hyper does.
pub(crate) fn write_stream_head(head: &Response<()>, form: Form, now: SystemTime) -> Vec<u8> {
    let version = match form {
        Form::Chunked => "HTTP/1.1",
        Form::Plain => "HTTP/1.0",
    };
    let mut bytes = Vec::with_capacity(1024);
    write_status(&mut bytes, version, head.status());
    for (name, value) in head.headers() {
        write_field(&mut bytes, name.as_str(), value.as_bytes());
    }
    if form == Form::Chunked {
        write_field(&mut bytes, "transfer-encoding", b"chunked");
    }
    write_field(&mut bytes, "date", httpdate::fmt_http_date(now).as_bytes());
    bytes.extend_from_slice(b"\r\n");
    bytes
}

/// Writes an answer after which the connection ends.
pub(crate) fn write_last(response: &Response<Bytes>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(1024);
    write_status(&mut bytes, "HTTP/1.1", response.status());
    for (name, value) in response.headers() {
        if name != CONNECTION {
            write_field(&mut bytes, name.as_str(), value.as_bytes());
        }
    }
    let length = response.body().len().to_string();
    write_field(&mut bytes, "content-length", length.as_bytes());
    write_field(&mut bytes, "connection", b"close");
    bytes.extend_from_slice(b"\r\n");
    bytes.extend_from_slice(response.body());
    bytes
}

fn into_parts(request: &httparse::Request<'_, '_>) -> Result<Parts, BadHead> {
    let token = BadHead::Unparseable(httparse::Error::Token);
    let method = request.method.unwrap_or_default();
    let method = Method::from_bytes(method.as_bytes()).map_err(|_| token)?;
    let (mut parts, ()) = Request::new(()).into_parts();
    parts.method = method;
    let target = request.path.unwrap_or_default();
    parts.uri = target.parse().map_err(|_| BadHead::Target)?;
    parts.version = match request.version {
        Some(1) => Version::HTTP_11,
        _ => Version::HTTP_10,
    };
    for field in request.headers.iter() {
        let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| token)?;
        let value = HeaderValue::from_bytes(field.value);
        let value = value.map_err(|_| BadHead::Unparseable(httparse::Error::HeaderValue))?;
        parts.headers.append(name, value);
    }
    // Two readers that pick different lengths see different requests (S23).
    let headers = &parts.headers;
    if headers.contains_key(CONTENT_LENGTH) && headers.contains_key(TRANSFER_ENCODING) {
        return Err(BadHead::TwoLengths);
    }
    Ok(parts)
}

fn write_status(bytes: &mut Vec<u8>, version: &str, status: StatusCode) {
    let reason = status.canonical_reason().unwrap_or_default();
    bytes.extend_from_slice(format!("{version} {} {reason}\r\n", status.as_str()).as_bytes());
}

fn write_field(bytes: &mut Vec<u8>, name: &str, value: &[u8]) {
    bytes.extend_from_slice(name.as_bytes());
    bytes.extend_from_slice(b": ");
    bytes.extend_from_slice(value);
    bytes.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests;
