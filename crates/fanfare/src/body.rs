//! A request's body: read whole, within its limits of size and time.

use axum::body::Body;
use bytes::Bytes;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tokio::time::timeout;

use crate::error::Refusal;
use crate::server::Config;

/// Reads a body of at most [`Config::body_bytes_max`] within [`Config::body_timeout`].
///
/// One that says that it is larger is refused before a byte of it is read.
pub(crate) async fn read(
    config: &Config,
    headers: &HeaderMap,
    body: Body,
) -> Result<Bytes, Refusal> {
    // Ten megabytes could unpack to ten gigabytes (S14).
    let encoding = headers.get(CONTENT_ENCODING);
    if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
        return Err(Refusal::ContentEncoding);
    }
    let bytes_max = config.body_bytes_max;
    let announced = headers
        .get(CONTENT_LENGTH)
        .and_then(|length| length.to_str().ok());
    let announced = announced.and_then(|length| length.parse::<u64>().ok());
    if announced.is_some_and(|bytes| usize::try_from(bytes).map_or(true, |bytes| bytes > bytes_max))
    {
        return Err(Refusal::BodyTooLarge { bytes_max });
    }
    let body = Limited::new(body, bytes_max).collect();
    match timeout(config.body_timeout, body).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => {
            Err(Refusal::BodyTooLarge { bytes_max })
        }
        Ok(Err(_)) => Err(Refusal::BodyBroken),
        Err(_) => Err(Refusal::BodyTooSlow {
            timeout: config.body_timeout,
        }),
    }
}
