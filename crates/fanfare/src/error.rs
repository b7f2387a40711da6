//! Everything a request can be refused for, and how it is told: the one place with statuses.

use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use fanfare_broker::{InvalidSelector, PublishError};
use fanfare_hub::SubscribeError;
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::dialect::Dialect;
use crate::draft::DraftError;
use crate::form::BadForm;
use crate::protocol_string::Forbidden;

/// Why a request is refused.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Refusal {
    #[error("{denied}")]
    Denied {
        denied: Denied,
        /// Whose words the answer has: the token's, or else the request's (DX-11).
        dialect: Dialect,
        /// Told in development only; elsewhere the log says why, and the peer learns nothing
        /// (S19, D1-E9).
        why: Option<String>,
    },
    #[error("a request for another host than those that this hub serves")]
    Misdirected,
    #[error("`topic` belongs to Mercure 0.x and {matcher:?} to 1.0; use one of them")]
    TwoDialects { matcher: String },
    #[error("the token's `subscribe` does not cover the topic `user/{user_id}`")]
    UserNotGranted { user_id: String },
    #[error(
        "a subscription is missing: name at least one `topic` (Mercure 0.x), or one `match`, `match_exact` or `match_urlpattern` (1.0), in the query"
    )]
    NoSelector,
    #[error("a subscriber has at most {count_max} topics or matchers")]
    TooManySelectors { count_max: usize },
    #[error("invalid selector: {0}")]
    Selector(#[from] InvalidSelector),
    #[error("invalid matcher: {0}")]
    Matcher(#[from] Forbidden),
    #[error(
        "there is no parameter {name:?}; there are `match`, `match_exact` and `match_urlpattern`"
    )]
    UnknownMatcher { name: String },
    #[error("a QUERY has a body of `application/x-www-form-urlencoded`")]
    QueryMediaType,
    #[error("too many subscribers from this address or with tokens of this subject")]
    TooManyOfOne,
    #[error("there is no such subscription")]
    NoSubscription,
    #[error("there is no match type {name:?}; there are `exact` and `urlpattern`")]
    MatchType { name: String },
    #[error("the path holds `%` without two hexadecimal digits, or bytes that are not UTF-8")]
    BadEscape,
    #[error("the broker cannot say what the last event is")]
    PresenceUnavailable,
    #[error(
        "what is to be revoked is told as {{\"jti\": …}} or {{\"sub\": …}}, perhaps with `iss` and `exp`: {0}"
    )]
    Order(String),
    #[error(
        "a token is ordered as {{\"publish\": […], \"subscribe\": […]}}, perhaps with `seconds` and `sub`: {0}"
    )]
    TokenOrder(String),
    #[error(
        "this hub cannot sign: its keys only verify, or are another dialect's; see `fanfare token`"
    )]
    NoSigningKey,
    #[error("`{name}` must be a number from 1 to {max}")]
    OutOfRange { name: &'static str, max: usize },
    #[error("`after` must be the `next` of another page")]
    NoPage,
    #[error("no more revocations can be remembered; raise `revocations-max`")]
    TooManyRevocations,
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
    #[error("`Transfer-Encoding` must be absent or `chunked`")]
    TransferEncoding,
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

/// What is wrong with a request's authority (D1-E1 to D1-E4). One text for each: what exactly is
/// wrong with a token is nobody's business but the log's (D1-E9).
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Denied {
    #[error("a token is needed")]
    NoToken,
    #[error("the token is not valid here")]
    InvalidToken,
    #[error("the token does not allow this")]
    InsufficientScope,
    #[error("the token is presented in a way that cannot be accepted")]
    InvalidRequest,
}

impl Denied {
    /// RFC 6750 §3.1; a request without a token gets no code.
    fn code(self) -> Option<&'static str> {
        match self {
            Self::NoToken => None,
            Self::InvalidToken => Some("invalid_token"),
            Self::InsufficientScope => Some("insufficient_scope"),
            Self::InvalidRequest => Some("invalid_request"),
        }
    }
}

/// How a refusal is told, which is what a route's clients expect.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Style {
    /// On the hub's URL: plain text for 0.x (D0-U7), problem details for 1.0 (D1-E5).
    Mercure(Dialect),
    /// `application/problem+json` (RFC 9457) on the plain endpoints.
    Problem,
}

impl Style {
    /// The same for whom `dialect` is known to be theirs.
    pub(crate) fn with(self, dialect: Dialect) -> Self {
        match self {
            Self::Mercure(_) => Self::Mercure(dialect),
            Self::Problem => Self::Problem,
        }
    }
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
            Self::Denied {
                denied, dialect, ..
            } => denied_status(*denied, *dialect),
            Self::Draft(DraftError::NotGranted { .. }) if style == D0 => StatusCode::UNAUTHORIZED,
            Self::Draft(DraftError::Reserved { .. }) if style == D1 => StatusCode::BAD_REQUEST,
            Self::Draft(DraftError::TooManyTopics { .. }) if style == D1 => {
                StatusCode::PAYLOAD_TOO_LARGE
            }
            Self::Draft(DraftError::TooLong { .. }) if style == D1 => StatusCode::PAYLOAD_TOO_LARGE,
            Self::UserNotGranted { .. }
            | Self::Draft(DraftError::NotGranted { .. } | DraftError::Reserved { .. }) => {
                StatusCode::FORBIDDEN
            }
            Self::NoSelector
            | Self::TooManySelectors { .. }
            | Self::Selector(_)
            | Self::Matcher(_)
            | Self::UnknownMatcher { .. }
            | Self::MatchType { .. }
            | Self::Order(_)
            | Self::TokenOrder(_)
            | Self::OutOfRange { .. }
            | Self::NoPage
            | Self::BadEscape
            | Self::TwoDialects { .. }
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
            Self::TransferEncoding => StatusCode::NOT_IMPLEMENTED,
            Self::Misdirected => StatusCode::MISDIRECTED_REQUEST,
            Self::TooManyOfOne => StatusCode::TOO_MANY_REQUESTS,
            Self::TooManyRevocations => StatusCode::INSUFFICIENT_STORAGE,
            Self::ContentEncoding | Self::QueryMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::BatchTooLong { .. } | Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::TargetTooLong { .. } => StatusCode::URI_TOO_LONG,
            Self::NotFound { .. } | Self::NoSubscription | Self::NoSigningKey => {
                StatusCode::NOT_FOUND
            }
            Self::PresenceUnavailable => StatusCode::INTERNAL_SERVER_ERROR,
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
            Self::Denied {
                denied: Denied::InsufficientScope,
                ..
            }
            | Self::UserNotGranted { .. }
            | Self::Draft(DraftError::NotGranted { .. }) => "not_granted",
            Self::Denied { .. } => "unauthorized",
            Self::TooManyOfOne => "too_many_of_one",
            Self::NotFound { .. } | Self::NoSubscription | Self::NoSigningKey => "not_found",
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

    /// The answer in `style`; `metadata_url` is told to whom a token could help (D1-E1 to D1-E4).
    pub(crate) fn response(&self, style: Style, metadata_url: Option<&str>) -> Response<Bytes> {
        self.told(style, metadata_url, None)
    }

    /// The same to a publisher, who is also told what became of its publication (O1).
    pub(crate) fn publish_response(
        &self,
        style: Style,
        metadata_url: Option<&str>,
    ) -> Response<Bytes> {
        self.told(style, metadata_url, Some(self.outcome()))
    }

    fn told(
        &self,
        style: Style,
        metadata_url: Option<&str>,
        outcome: Option<Outcome>,
    ) -> Response<Bytes> {
        let status = self.status(style);
        let mut response = match style {
            D0 => plain(status, &self.mercure_text()),
            Style::Mercure(_) | Style::Problem => self.problem(status, outcome),
        };
        let headers = response.headers_mut();
        if let Some(challenge) = self.challenge(status, style, metadata_url) {
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        if *self == Self::TransferEncoding {
            // Where its body ends is a guess, and what follows it therefore no request (S23).
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        if let Some(seconds) = self.retry_after_seconds() {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }

    /// One line of a batch's answer.
    pub(crate) fn batch_line(&self) -> String {
        json_line(&BatchLine {
            outcome: self.outcome(),
            status: self.status(Style::Problem).as_u16(),
            detail: self.to_string(),
        })
    }

    /// The field `WWW-Authenticate` (RFC 6750 §3). Clients of 0.x know no codes.
    fn challenge(
        &self,
        status: StatusCode,
        style: Style,
        metadata_url: Option<&str>,
    ) -> Option<HeaderValue> {
        let (denied, dialect) = match (self, style) {
            (
                Self::Denied {
                    denied, dialect, ..
                },
                _,
            ) => (*denied, *dialect),
            (Self::Draft(DraftError::NotGranted { .. }), Style::Mercure(dialect)) => {
                (Denied::InsufficientScope, dialect)
            }
            _ if status == StatusCode::UNAUTHORIZED => (Denied::NoToken, Dialect::D0),
            _ => return None,
        };
        let code = denied.code().filter(|_| dialect == Dialect::D1);
        let code = code.map(|code| format!("error=\"{code}\""));
        let metadata = metadata_url.map(|url| format!("resource_metadata=\"{url}\""));
        let parameters: Vec<String> = code.into_iter().chain(metadata).collect();
        let text = format!("Bearer {}", parameters.join(", "));
        HeaderValue::from_str(text.trim_end()).ok()
    }

    fn problem(&self, status: StatusCode, outcome: Option<Outcome>) -> Response<Bytes> {
        let mut detail = self.to_string();
        if let Self::Denied { why: Some(why), .. } = self {
            detail = format!("{detail}: {why}");
        }
        let problem = json_line(&Problem {
            about: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            detail,
            outcome,
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
            Self::Denied { why: Some(why), .. } => format!("Unauthorized\n{why}"),
            Self::Denied { .. } | Self::Draft(DraftError::NotGranted { .. }) => {
                "Unauthorized".into()
            }
            Self::NoSelector => "Missing \"topic\" parameter.".into(),
            Self::TooManySelectors { .. } => "Too many \"topic\" parameters.".into(),
            Self::Draft(DraftError::NoTopic) => "Missing \"topic\" parameter".into(),
            Self::Draft(DraftError::TooManyTopics { .. }) => "Too many \"topic\" parameters".into(),
            Self::Draft(DraftError::Retry) => "Invalid \"retry\" parameter".into(),
            Self::NotFound { .. } => "Not Found".into(),
            Self::NoSubscription => "404 page not found".into(),
            _ => self.to_string(),
        }
    }

    /// What it leaves of a publication. Whatever is refused before the broker has it is not stored.
    fn outcome(&self) -> Outcome {
        let is_unknown = |error| publish_status(error) == StatusCode::GATEWAY_TIMEOUT;
        match matches!(self, Self::Publish(error) if is_unknown(error)) {
            true => Outcome::Unknown,
            false => Outcome::NotStored,
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
            Self::TooManyConnections | Self::TooManyOfOne | Self::Subscribe(_) => {
                RETRY_AFTER_DEFAULT
            }
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

const D0: Style = Style::Mercure(Dialect::D0);
const D1: Style = Style::Mercure(Dialect::D1);

/// 0.x has one status for everything about tokens (D0-G1); 1.0 tells four situations apart.
fn denied_status(denied: Denied, dialect: Dialect) -> StatusCode {
    match (denied, dialect) {
        (Denied::InsufficientScope, Dialect::D1) => StatusCode::FORBIDDEN,
        (Denied::InvalidRequest, Dialect::D1) => StatusCode::BAD_REQUEST,
        _ => StatusCode::UNAUTHORIZED,
    }
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
