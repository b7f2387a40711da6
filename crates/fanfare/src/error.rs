//! Everything a request can be refused for, and how it is told: the one place with statuses.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use fanfare_broker::{InvalidSelector, PublishError};
use fanfare_hub::SubscribeError;
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::draft::DraftError;
use crate::form::BadForm;
use crate::protocol_string::Forbidden;

/// Why a request is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Refusal {
    /// The log says why; the peer learns nothing (S19).
    #[error("a valid token is needed")]
    Unauthorized,
    #[error("the token's `subscribe` does not cover the topic `user/{user_id}`")]
    UserNotGranted { user_id: String },
    #[error("`topic` is missing: name at least one topic in the query")]
    NoSelector,
    #[error("a subscriber has at most {count_max} topics")]
    TooManySelectors { count_max: usize },
    #[error("invalid `topic`: {0}")]
    Selector(#[from] InvalidSelector),
    #[error("invalid `userId`: {0}")]
    UserId(#[from] InvalidUserId),
    #[error("there is more than one `Last-Event-ID` field")]
    TwoCursors,
    #[error(transparent)]
    Form(#[from] BadForm),
    #[error("`Content-Type` is not `type/subtype`")]
    ContentType,
    #[error("bodies are taken as they are: `Content-Encoding` must be absent or `identity`")]
    ContentEncoding,
    #[error("the body cannot be read as JSON: {0}")]
    Json(String),
    #[error("`Idempotency-Key` must be one field of 1 to 255 visible ASCII characters")]
    IdempotencyKey,
    #[error(transparent)]
    Draft(#[from] DraftError),
    #[error("a batch has at most {count_max} publications")]
    BatchTooLong { count_max: usize },
    #[error("another publication of the batch was refused")]
    BatchRefused,
    #[error("the body has more than {bytes_max} bytes")]
    BodyTooLarge { bytes_max: usize },
    #[error("the body did not arrive within {timeout:?}")]
    BodyTooSlow { timeout: Duration },
    #[error("the body broke off")]
    BodyBroken,
    #[error("an HTTP/1.1 request needs exactly one `Host` field")]
    Host,
    #[error("the request's target has more than {bytes_max} bytes")]
    TargetTooLong { bytes_max: usize },
    #[error("{detail}")]
    NotFound { detail: String },
    #[error("this route does not know the method {method}; see `Allow`")]
    Method { method: String },
    #[error("too many connections")]
    TooManyConnections,
    #[error(transparent)]
    Publish(#[from] PublishError),
    #[error(transparent)]
    Subscribe(#[from] SubscribeError),
}

/// A `userId` that cannot be part of a topic.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum InvalidUserId {
    #[error("it must have 1 to 256 bytes")]
    Length,
    #[error("`{{` and `}}` would make it a pattern that matches other users")]
    Braces,
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
}

/// How a body is told, which is what a route's clients expect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Style {
    /// Plain text, on the Mercure route (D0-U7); a grant that does not cover is 401 there (D0-G1).
    Mercure,
    /// `application/problem+json` (RFC 9457).
    Problem,
}

/// What a refused publish left behind (O1).
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Outcome {
    NotStored,
    Unknown,
}

impl Refusal {
    /// The status that says it, on routes of `style`.
    pub(crate) fn status(&self, style: Style) -> StatusCode {
        match self {
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::Draft(DraftError::NotGranted { .. }) if style == Style::Mercure => {
                StatusCode::UNAUTHORIZED
            }
            Self::UserNotGranted { .. }
            | Self::Draft(DraftError::NotGranted { .. } | DraftError::Reserved { .. }) => {
                StatusCode::FORBIDDEN
            }
            Self::NoSelector
            | Self::TooManySelectors { .. }
            | Self::Selector(_)
            | Self::UserId(_)
            | Self::TwoCursors
            | Self::Form(_)
            | Self::ContentType
            | Self::Json(_)
            | Self::IdempotencyKey
            | Self::Draft(_)
            | Self::BatchRefused
            | Self::BodyBroken
            | Self::Host => StatusCode::BAD_REQUEST,
            Self::ContentEncoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BatchTooLong { .. } | Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::TargetTooLong { .. } => StatusCode::URI_TOO_LONG,
            Self::NotFound { .. } => StatusCode::NOT_FOUND,
            Self::Method { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::TooManyConnections | Self::Subscribe(_) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Publish(error) => publish_status(error),
        }
    }

    /// The label it is counted under.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all others are the request's faults"
    )]
    pub(crate) fn reason(&self) -> &'static str {
        match self {
            Self::TooManyConnections => "connections",
            Self::Subscribe(SubscribeError::Draining { .. }) => "draining",
            Self::Subscribe(SubscribeError::TooMany { .. }) => "subscribers",
            Self::Subscribe(_) => "broker",
            Self::Publish(_) => "publish",
            Self::Unauthorized => "unauthorized",
            Self::UserNotGranted { .. } | Self::Draft(DraftError::NotGranted { .. }) => {
                "not_granted"
            }
            Self::NotFound { .. } => "not_found",
            Self::Method { .. } => "method",
            Self::BodyTooLarge { .. } | Self::BatchTooLong { .. } | Self::TargetTooLong { .. } => {
                "too_large"
            }
            Self::BodyTooSlow { .. } | Self::BodyBroken => "body",
            _ => "bad_request",
        }
    }

    /// Whether the same request may succeed later, so that a browser should come back (SRV-08).
    pub(crate) fn passes(&self) -> bool {
        matches!(self, Self::TooManyConnections | Self::Subscribe(_))
    }

    /// The answer in `style`.
    pub(crate) fn response(&self, style: Style) -> Response<Bytes> {
        let status = self.status(style);
        let mut response = match style {
            Style::Mercure => plain(status, &self.mercure_text()),
            Style::Problem => self.problem(status),
        };
        let headers = response.headers_mut();
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = self.retry_after_seconds() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// One line of a batch's answer.
    pub(crate) fn batch_line(&self) -> String {
        json_line(&BatchLine {
            outcome: self.outcome().unwrap_or(Outcome::NotStored),
            status: self.status(Style::Problem).as_u16(),
            detail: self.to_string(),
        })
    }

    fn problem(&self, status: StatusCode) -> Response<Bytes> {
        let problem = json_line(&Problem {
            about: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail: self.to_string(),
            outcome: self.outcome(),
        });
        with_body(status, "application/problem+json", problem)
    }

    /// The texts that clients of the protocol know; elsewhere our own.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all others have no text of the protocol's"
    )]
    fn mercure_text(&self) -> String {
        match self {
            Self::Unauthorized | Self::Draft(DraftError::NotGranted { .. }) => {
                "Unauthorized".into()
            }
            Self::NoSelector => "Missing \"topic\" parameter.".into(),
            Self::TooManySelectors { .. } => "Too many \"topic\" parameters.".into(),
            Self::Draft(DraftError::NoTopic) => "Missing \"topic\" parameter".into(),
            Self::Draft(DraftError::TooManyTopics { .. }) => "Too many \"topic\" parameters".into(),
            Self::Draft(DraftError::Retry) => "Invalid \"retry\" parameter".into(),
            Self::NotFound { .. } => "Not Found".into(),
            _ => self.to_string(),
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all others are told before a publication is known"
    )]
    fn outcome(&self) -> Option<Outcome> {
        match self {
            Self::Publish(PublishError::Unknown) => Some(Outcome::Unknown),
            Self::Publish(_) | Self::Draft(_) | Self::BatchTooLong { .. } | Self::Json(_) => {
                Some(Outcome::NotStored)
            }
            _ => None,
        }
    }

    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "all others do not pass with time"
    )]
    fn retry_after_seconds(&self) -> Option<u64> {
        let wait = match self {
            Self::Publish(
                PublishError::Overloaded { retry_after }
                | PublishError::Unavailable { retry_after },
            )
            | Self::Subscribe(SubscribeError::Draining { retry_after }) => *retry_after,
            Self::TooManyConnections | Self::Subscribe(_) => RETRY_AFTER_DEFAULT,
            _ => return None,
        };
        // Rounded up: a whole second too late is better than too early.
        Some(wait.as_secs() + 1)
    }
}

#[derive(Serialize)]
struct BatchLine {
    outcome: Outcome,
    status: u16,
    detail: String,
}

/// RFC 9457 §3.1, and what happened to a publish (O1).
#[derive(Serialize)]
struct Problem {
    #[serde(rename = "type")]
    about: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    outcome: Option<Outcome>,
}

/// What a client that is no browser is told when nothing says how long a lack will last.
pub(crate) const RETRY_AFTER_DEFAULT: Duration = Duration::from_secs(9);

/// `value` as JSON, then a line end.
pub(crate) fn json_line(value: &impl Serialize) -> String {
    let json = serde_json::to_string(value).expect("its keys are strings");
    json + "\n"
}

/// A plain-text answer: `text`, then a line end.
pub(crate) fn plain(status: StatusCode, text: &str) -> Response<Bytes> {
    with_body(status, "text/plain; charset=utf-8", format!("{text}\n"))
}

/// An answer with a body of `content_type`.
pub(crate) fn with_body(
    status: StatusCode,
    content_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Bytes> {
    let mut response = Response::new(body.into());
    *response.status_mut() = status;
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// The form that axum takes.
pub(crate) fn into_body(response: Response<Bytes>) -> Response<Body> {
    response.map(Body::from)
}

fn publish_status(error: &PublishError) -> StatusCode {
    match error {
        PublishError::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
        PublishError::TooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        PublishError::Overloaded { .. } | PublishError::Unavailable { .. } => {
            StatusCode::SERVICE_UNAVAILABLE
        }
        PublishError::Full => StatusCode::INSUFFICIENT_STORAGE,
        // A kind of failure that this table does not know tells nobody what was stored.
        PublishError::Unknown | _ => StatusCode::GATEWAY_TIMEOUT,
    }
}
