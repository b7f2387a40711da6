//! Many events in one request: each has an outcome of its own (O6).

use std::time::Duration;

use fanfare_wire::EventId;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue, StatusCode};
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};

use super::answer::{Answer, refusal};
use super::trial::{Fault, Next, Outcome, PublishError, Receipt, Trial};
use super::{Publication, Publisher};

/// Publishes all, over as many requests as it takes; outcome `i` belongs to publication `i`.
pub(super) async fn publish(
    publisher: &Publisher,
    publications: &[Publication],
) -> Vec<Result<Receipt, PublishError>> {
    let mut waiting: Vec<_> = publications
        .iter()
        .enumerate()
        .map(Entry::new(publisher))
        .collect();
    let mut results = Vec::with_capacity(publications.len());
    let started = Instant::now();
    while !waiting.is_empty() {
        let outcomes = send(publisher, &waiting).await;
        let elapsed = started.elapsed();
        // One number for all: what is sent again goes out together.
        let chance = rand::random();
        let mut longest = Duration::ZERO;
        let mut again = Vec::new();
        for (mut entry, outcome) in waiting.into_iter().zip(outcomes) {
            match entry.trial.judge(outcome, elapsed, chance) {
                Next::Done(result) => results.push((entry.index, result)),
                Next::Again(wait) => {
                    longest = longest.max(wait);
                    again.push(entry);
                }
            }
        }
        waiting = again;
        if !waiting.is_empty() {
            sleep_until(Instant::now() + longest).await;
        }
    }
    results.sort_by_key(|(index, _)| *index);
    results.into_iter().map(|(_, result)| result).collect()
}

/// An event without a result yet.
struct Entry<'a> {
    index: usize,
    publication: &'a Publication,
    trial: Trial,
}

impl<'a> Entry<'a> {
    fn new(publisher: &Publisher) -> impl FnMut((usize, &'a Publication)) -> Self {
        |(index, publication)| Self {
            index,
            publication,
            trial: Trial::new(publication.key_or_new(), &publisher.config),
        }
    }
}

/// One request; an outcome for each entry.
async fn send(publisher: &Publisher, entries: &[Entry<'_>]) -> Vec<Outcome> {
    let lines = entries.iter().map(|entry| {
        let envelope = entry.publication.envelope(entry.trial.key());
        let mut line = serde_json::to_string(&envelope).expect("an envelope is JSON");
        line.push('\n');
        line
    });
    let body: String = lines.collect();
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(NDJSON))]);
    let count = entries.len();
    match publisher
        .send(&publisher.config.batch_url, headers, body)
        .await
    {
        Ok(answer) => outcomes(&answer, count),
        Err(outcome) => for_all(outcome, count),
    }
}

const NDJSON: &str = "application/x-ndjson";

/// The outcomes that an answer tells.
fn outcomes(answer: &Answer, count: usize) -> Vec<Outcome> {
    let lines = answer.body.split(|&byte| byte == b'\n');
    let lines = lines.filter(|line| !line.is_empty());
    let lines: Result<Vec<Line>, _> = lines.map(serde_json::from_slice).collect();
    match lines {
        Ok(lines) if lines.len() == count => {
            let outcome = |line: Line| line.outcome(answer);
            lines.into_iter().map(outcome).collect()
        }
        _ if answer.status.is_success() => {
            let status = answer.status;
            for_all(Outcome::again(true, Fault::Unreadable { status }), count)
        }
        _ => for_all(answer.refusal(), count),
    }
}

/// One line of the answer to a batch.
#[derive(Deserialize)]
struct Line {
    outcome: String,
    #[serde(default)]
    id: String,
    #[serde(default)]
    replayed: bool,
    status: Option<u16>,
    #[serde(default)]
    detail: String,
}

impl Line {
    fn outcome(self, answer: &Answer) -> Outcome {
        let status = self.status.and_then(|it| StatusCode::from_u16(it).ok());
        let status = status.unwrap_or(answer.status);
        match (self.outcome.as_str(), EventId::parse(&self.id)) {
            ("stored", Ok(id)) => Outcome::Stored(Receipt {
                id,
                replayed: self.replayed,
            }),
            ("not_stored", _) => refusal(status, self.detail, answer.retry_after()),
            ("unknown", _) => Outcome::again(
                true,
                Fault::Status {
                    status,
                    detail: self.detail,
                },
            ),
            _ => Outcome::again(true, Fault::Unreadable { status }),
        }
    }
}

/// The same outcome for each of `count`; the first keeps the error itself, the others its text.
fn for_all(outcome: Outcome, count: usize) -> Vec<Outcome> {
    let repeated = |outcome: &Outcome| match outcome {
        Outcome::Stored(receipt) => Outcome::Stored(receipt.clone()),
        Outcome::Refused(fault) => Outcome::Refused(fault.repeated()),
        Outcome::NotStored(fault) => Outcome::NotStored(fault.repeated()),
        Outcome::Again {
            may_be_stored,
            retry_after,
            fault,
        } => Outcome::Again {
            may_be_stored: *may_be_stored,
            retry_after: *retry_after,
            fault: fault.repeated(),
        },
    };
    let mut outcomes: Vec<_> = (1..count).map(|_| repeated(&outcome)).collect();
    outcomes.push(outcome);
    outcomes
}

impl Fault {
    fn repeated(&self) -> Self {
        match self {
            Self::Connection(error) => Self::Connection(error.to_string().into()),
            Self::Authorize(error) => Self::Authorize(error.to_string().into()),
            Self::Silent => Self::Silent,
            Self::Status { status, detail } => Self::Status {
                status: *status,
                detail: detail.clone(),
            },
            Self::Unreadable { status } => Self::Unreadable { status: *status },
        }
    }
}

#[cfg(test)]
mod tests;
