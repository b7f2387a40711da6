//! `POST /publish`: many publications in one request, one outcome per line (O6).

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use bytes::Bytes;
use fanfare_broker::{Publication, PublishError, Receipt};
use http::request::Parts;
use http::{Response, StatusCode};
use serde::Serialize;
use serde_json::value::RawValue;

use crate::body;
use crate::broadcast::Envelope;
use crate::draft::Rules;
use crate::error::{Refusal, Style, into_body, json_line, with_body};
use crate::expires::Now;
use crate::publish::{mark_replayed, own_or_header_key};
use crate::server::Server;

/// Answers `POST /publish`.
pub(crate) async fn post(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let published = publish(&server, &parts, body).await;
    into_body(published.unwrap_or_else(|it| server.refused_publish(Style::Problem, &parts, &it)))
}

async fn publish(server: &Server, parts: &Parts, body: Body) -> Result<Response<Bytes>, Refusal> {
    let publisher = server.plain_publisher(parts).await?;
    let body = body::read(&server.config, &parts.headers, body).await?;
    let values = split(&body, server.config.batch_max)?;
    let now = Now::read();
    let one = |(index, value): (usize, Result<_, Refusal>)| {
        let mut envelope = Envelope::read(value?)?;
        let own = envelope.idempotency_key.take();
        let key = own_or_header_key(own.as_deref(), &parts.headers, &publisher, index)?;
        let mut draft = envelope.into_draft()?;
        draft.idempotency_key = key;
        Ok(draft.check(&Rules::of(&server.config, &publisher), now)?)
    };
    let publications: Vec<_> = values.into_iter().enumerate().map(one).collect();
    // One that is refused keeps the others from being stored: a batch is sent again whole.
    if publications.iter().any(Result::is_err) {
        server.metrics.refused("bad_request");
        return Ok(refuse_all(&publications));
    }
    let batch = publications.into_iter().flatten().collect();
    Ok(report(&server.publish(batch).await))
}

/// A batch's values: the elements of a JSON array, or one on each line (NDJSON).
///
/// A line that is no JSON is that line's error; an array that is none is the request's.
fn split(body: &[u8], count_max: usize) -> Result<Vec<Result<&RawValue, Refusal>>, Refusal> {
    let bad = |error: serde_json::Error| Refusal::Json(error.to_string());
    let text = body.trim_ascii();
    let values: Vec<_> = if text.starts_with(b"[") {
        let values: Vec<&RawValue> = serde_json::from_slice(text).map_err(bad)?;
        values.into_iter().map(Ok).collect()
    } else {
        let lines = text.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii);
        let lines = lines
            .filter(|line| !line.is_empty())
            .take(count_max.saturating_add(1));
        lines
            .map(|line| serde_json::from_slice(line).map_err(bad))
            .collect()
    };
    match values.len() {
        0 => Err(Refusal::Json("the batch is empty".to_owned())),
        count if count > count_max => Err(Refusal::BatchTooLong { count_max }),
        _ => Ok(values),
    }
}

/// The answer to a batch in which something is wrong: nothing of it was stored.
fn refuse_all(publications: &[Result<Publication, Refusal>]) -> Response<Bytes> {
    let mut status = None;
    let lines = publications.iter().map(|publication| match publication {
        Ok(_) => Refusal::BatchRefused.batch_line(),
        Err(refusal) => {
            status.get_or_insert_with(|| refusal.status(Style::Problem));
            refusal.batch_line()
        }
    });
    let lines: String = lines.collect();
    with_body(status.unwrap_or(StatusCode::BAD_REQUEST), NDJSON, lines)
}

/// One outcome per line. The status is theirs if they agree, else 207.
fn report(outcomes: &[Result<Receipt, PublishError>]) -> Response<Bytes> {
    let mut lines = String::new();
    let mut statuses = Vec::new();
    for outcome in outcomes {
        let (status, line) = match outcome {
            Ok(receipt) => (StatusCode::OK, stored(receipt)),
            Err(error) => {
                let refusal = Refusal::Publish(error.clone());
                (refusal.status(Style::Problem), refusal.batch_line())
            }
        };
        statuses.push(status);
        lines.push_str(&line);
    }
    statuses.dedup();
    let status = match statuses.as_slice() {
        [one] => *one,
        _ => StatusCode::MULTI_STATUS,
    };
    let mut response = with_body(status, NDJSON, lines);
    let replayed =
        |outcome: &Result<Receipt, _>| matches!(outcome, Ok(receipt) if receipt.duplicate);
    if outcomes.iter().all(replayed) {
        mark_replayed(response.headers_mut());
    }
    response
}

const NDJSON: &str = "application/x-ndjson";

#[derive(Serialize)]
struct Stored<'a> {
    outcome: &'static str,
    id: &'a str,
    /// It was stored by an earlier publish with the same key.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    replayed: bool,
}

fn stored(receipt: &Receipt) -> String {
    json_line(&Stored {
        outcome: "stored",
        id: receipt.id.as_str(),
        replayed: receipt.duplicate,
    })
}
