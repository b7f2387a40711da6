//! What the harness is told: one callback for each thing that a source says.

use anyhow::ensure;
use fanfare_client::item::End;
use fanfare_client::{EventSource, Item};
use futures_util::StreamExt;
use http::header::CONTENT_TYPE;
use serde::Serialize;
use tokio::sync::mpsc;

/// The body of a callback.
#[derive(Debug, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Report {
    Event { event: EventReport },
    Comment { comment: String },
    Error { error: String },
}

#[derive(Debug, Serialize)]
struct EventReport {
    #[serde(rename = "type")]
    event_type: String,
    data: String,
    id: String,
}

/// Reports what `source` says to `callback_url`, until it ends or a callback fails.
///
/// Whatever comes on `restarts` restarts the source.
pub(crate) async fn all(
    mut source: EventSource,
    callback_url: String,
    client: reqwest::Client,
    mut restarts: mpsc::Receiver<()>,
) -> anyhow::Result<()> {
    let mut counter = 0_u64;
    loop {
        let item = tokio::select! {
            item = source.next() => item,
            Some(()) = restarts.recv() => {
                source.restart();
                continue;
            }
        };
        let Some(item) = item else {
            return Ok(());
        };
        let Some(report) = report(item) else {
            continue;
        };
        counter += 1;
        let request = client
            .post(format!("{callback_url}/{counter}"))
            .header(CONTENT_TYPE, "application/json")
            .body(serde_json::to_string(&report)?);
        let status = request.send().await?.status();
        ensure!(status.is_success(), "the callback was answered {status}");
    }
}

/// What is told of `item`. Opening, closing and an orderly end are no news for the harness, which
/// would take one report too many for a fault.
fn report(item: Item) -> Option<Report> {
    let error = match item {
        Item::Event(event) => {
            return Some(Report::Event {
                event: EventReport {
                    event_type: event.event_type,
                    data: event.data,
                    id: event.last_event_id.to_string(),
                },
            });
        }
        Item::Comment(comment) => return Some(Report::Comment { comment }),
        Item::Lost { cause, .. } => cause.to_string(),
        Item::End(End::Failed(cause) | End::GaveUp(cause)) => cause.to_string(),
        Item::End(End::TooLong { .. }) => "an event is too long".to_owned(),
        Item::Open(_) | Item::Gap(_) | Item::Live | Item::Skipped { .. } | Item::End(_) | _ => {
            return None;
        }
    };
    Some(Report::Error { error })
}
