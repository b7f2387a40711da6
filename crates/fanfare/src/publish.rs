//! POST on the Mercure route: a form becomes a publication (D0-P rules).

use std::fmt::Write;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use bytes::Bytes;
use fanfare_broker::{IdempotencyKey, PublishError};
use http::header::CONTENT_TYPE;
use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use sha2::{Digest, Sha256};

use crate::authority::Publisher;
use crate::body;
use crate::draft::{Draft, Rules};
use crate::error::{Refusal, Style, into_body, with_body};
use crate::expires::Now;
use crate::form::Form;
use crate::server::Server;
use crate::site::Site;

/// Answers `POST /.well-known/mercure`.
pub(crate) async fn post(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let style = Style::Mercure(server.usual_dialect());
    let answer = match server.publisher(&parts).await {
        Ok(publisher) => {
            // What else is wrong is told in the words of the token (DX-10).
            let style = publisher.dialect.map_or(style, |it| style.with(it));
            let published = publish(&server, &parts, &publisher, body).await;
            published.map_err(|refusal| (style, refusal))
        }
        Err(refusal) => Err((style, refusal)),
    };
    into_body(
        answer.unwrap_or_else(|(style, refusal)| server.refused_publish(style, &parts, &refusal)),
    )
}

/// The checks, in the order of D0-P11; the token was the first.
async fn publish(
    server: &Server,
    parts: &Parts,
    publisher: &Publisher,
    body: Body,
) -> Result<Response<Bytes>, Refusal> {
    if !server.config.public_urls.is_empty() {
        Site::of(&server.config, parts)?;
    }
    let body = body::read(&server.config, &parts.headers, body).await?;
    let form = if is_form(&parts.headers)? {
        Form::from_body(&body)?
    } else {
        Form::default()
    };
    let mut draft = draft_of(&form)?;
    draft.idempotency_key = idempotency_key(&parts.headers, publisher, 0)?;
    let rules = Rules {
        lifecycle_types: true,
        ..Rules::of(&server.config, publisher)
    };
    let publication = draft.check(&rules, Now::read())?;
    server.note_lifecycle_type(&publication);
    let outcome = server.publish(vec![publication]).await.pop();
    let receipt = outcome.unwrap_or(Err(PublishError::Unknown))?;
    let id = receipt.id.as_str().to_owned();
    let mut response = with_body(StatusCode::OK, "text/plain; charset=utf-8", id);
    if receipt.duplicate {
        mark_replayed(response.headers_mut());
    }
    Ok(response)
}

impl Server {
    /// Types that fire a page's own listeners are counted, and warned of once (ENC-12).
    fn note_lifecycle_type(&self, publication: &fanfare_broker::Publication) {
        let event_type = publication.event.event_type.as_ref();
        let Some("error" | "open") = event_type.map(fanfare_wire::EventType::as_str) else {
            return;
        };
        if self.metrics.lifecycle_type() {
            tracing::warn!(
                "a publisher uses the event type `error` or `open`: in browsers such an event \
                 also fires `onerror` or `onopen`"
            );
        }
    }
}

/// The key of the publication at `index` of a request, within the scope of its publisher (O2).
///
/// Hashed with the token's issuer and subject, so that nobody can test for another's keys.
fn idempotency_key(
    headers: &HeaderMap,
    publisher: &Publisher,
    index: usize,
) -> Result<Option<IdempotencyKey>, Refusal> {
    let mut fields = headers.get_all("idempotency-key").iter();
    let Some(field) = fields.next() else {
        return Ok(None);
    };
    let text = field.to_str().ok().filter(|_| fields.next().is_none());
    let text = text.ok_or(Refusal::IdempotencyKey)?;
    let unquoted = text
        .strip_prefix('"')
        .and_then(|text| text.strip_suffix('"'));
    scoped_key(unquoted.unwrap_or(text), publisher, index).map(Some)
}

/// The key of a publication that may name its `own` in JSON, where one header cannot serve a batch.
pub(crate) fn own_or_header_key(
    own: Option<&str>,
    headers: &HeaderMap,
    publisher: &Publisher,
    index: usize,
) -> Result<Option<IdempotencyKey>, Refusal> {
    match own {
        Some(own) => scoped_key(own, publisher, 0).map(Some),
        None => idempotency_key(headers, publisher, index),
    }
}

/// The key `text`, within the scope of its publisher.
fn scoped_key(text: &str, publisher: &Publisher, index: usize) -> Result<IdempotencyKey, Refusal> {
    IdempotencyKey::parse(text).map_err(|_| Refusal::IdempotencyKey)?;
    let mut hash = Sha256::new();
    // The lengths keep two different pairs from running together into one text.
    for part in [&publisher.issuer, &publisher.subject, text] {
        let part = part.as_bytes();
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.update((index as u64).to_be_bytes());
    let mut scoped = String::with_capacity(64);
    for byte in hash.finalize() {
        write!(scoped, "{byte:02x}").expect("a String takes everything");
    }
    IdempotencyKey::parse(&scoped).map_err(|_| Refusal::IdempotencyKey)
}

/// Says that the same publish was stored before (O1).
pub(crate) fn mark_replayed(headers: &mut HeaderMap) {
    let name = HeaderName::from_static("idempotent-replayed");
    headers.insert(name, HeaderValue::from_static("true"));
}

/// Whether the body is a form; another media type counts as an empty one (D0-P12).
pub(crate) fn is_form(headers: &HeaderMap) -> Result<bool, Refusal> {
    let Some(field) = headers.get(CONTENT_TYPE) else {
        return Ok(false);
    };
    let text = field.to_str().map_err(|_| Refusal::ContentType)?;
    let mut parts = text.split(';').map(str::trim);
    let essence = parts.next().unwrap_or_default();
    let (kind, subtype) = essence.split_once('/').ok_or(Refusal::ContentType)?;
    let is_token = |text: &str| !text.is_empty() && text.bytes().all(is_token_byte);
    let is_parameter = |text: &str| {
        let (name, value) = text.split_once('=').unwrap_or_default();
        is_token(name) && (is_token(value) || value.starts_with('"'))
    };
    let well_formed = parts.all(|text| text.is_empty() || is_parameter(text));
    if !is_token(kind) || !is_token(subtype) || !well_formed {
        return Err(Refusal::ContentType);
    }
    Ok(essence.eq_ignore_ascii_case("application/x-www-form-urlencoded"))
}

/// RFC 9110 §5.6.2.
fn is_token_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

fn draft_of(form: &Form) -> Result<Draft, Refusal> {
    let text = |name| Ok::<_, Refusal>(form.first(name)?.map(str::to_owned));
    Ok(Draft {
        topics: form.all("topic")?.into_iter().map(str::to_owned).collect(),
        data: text("data")?.unwrap_or_default(),
        id: text("id")?,
        event_type: text("type")?,
        retry: text("retry")?,
        expires: text("expires")?,
        // Its presence is what counts, whatever the value (D0-P3).
        private: form.has("private"),
        idempotency_key: None,
    })
}
