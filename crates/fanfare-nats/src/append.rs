//! Publications become records: sent one after the other, and then their answers are awaited.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::ErrorCode;
use async_nats::jetstream::context::{PublishAckFuture, PublishErrorKind};
use async_nats::jetstream::publish::PublishAck;
use bytes::Bytes;
use fanfare_broker::{Publication, PublishError, Receipt};
use tokio::sync::Semaphore;

use crate::codec::{self, Nonce, Now};
use crate::link::Link;
use crate::log::Entry;
use crate::shared::Shared;

/// Sends `batch` in its order over `link`, and says what became of each (O1).
///
/// `turn` has one permit: no other batch of this node comes between two publications of one. The
/// answers of several are awaited side by side.
pub(crate) async fn append(
    shared: &Shared,
    link: &Arc<Link>,
    turn: &Semaphore,
    batch: Vec<Publication>,
) -> Vec<Result<Receipt, PublishError>> {
    let turn = turn.acquire().await;
    let mut sent = Vec::with_capacity(batch.len());
    let mut is_down = false;
    for publication in batch {
        // Nothing may overtake what could not be sent.
        let sending = match is_down {
            true => Err(unavailable()),
            false => Sent::send(link, publication).await,
        };
        is_down |= matches!(sending, Err(PublishError::Unavailable { .. }));
        sent.push(sending);
    }
    drop(turn);
    let mut outcomes = Vec::with_capacity(sent.len());
    for sending in sent {
        outcomes.push(match sending {
            Ok(sent) => sent.outcome(shared, link).await,
            Err(error) => Err(error),
        });
    }
    outcomes
}

/// Not stored, for the server is away: it may be back soon.
pub(crate) fn unavailable() -> PublishError {
    PublishError::Unavailable { retry_after: RETRY }
}

const RETRY: Duration = Duration::from_secs(1);

/// A publication that was handed to the connection.
struct Sent {
    publication: Publication,
    nonce: Nonce,
    answer: PublishAckFuture,
}

impl Sent {
    async fn send(link: &Link, mut publication: Publication) -> Result<Self, PublishError> {
        if link.why_ended().is_some() {
            return Err(unavailable());
        }
        let key = publication.idempotency_key.take();
        let nonce = Nonce::random();
        let payload: Bytes = codec::encode(&publication, nonce);
        let (bytes, bytes_max) = (payload.len() + HEADERS, link.bytes_max());
        if bytes > bytes_max {
            return Err(PublishError::TooLarge { bytes, bytes_max });
        }
        let id = publication.event.id.clone();
        let sending = link.log.append(id.as_ref(), key.as_ref(), payload);
        match sending.await {
            Ok(answer) => Ok(Self {
                publication,
                nonce,
                answer,
            }),
            Err(error) if error.kind() == PublishErrorKind::MaxPayloadExceeded => {
                Err(PublishError::TooLarge { bytes, bytes_max })
            }
            // It did not even get into the queue of the connection.
            Err(_) => Err(unavailable()),
        }
    }

    async fn outcome(self, shared: &Shared, link: &Link) -> Result<Receipt, PublishError> {
        let answer = tokio::select! {
            biased;
            answer = self.answer => answer,
            _ = link.ended() => return Err(PublishError::Unknown),
        };
        let ack = answer.map_err(|error| refusal(&error))?;
        let cursor = {
            let mut known = shared.known();
            if !ack.duplicate && !known.note(ack.sequence, self.nonce) {
                drop(known);
                link.suspect("the server gave an offset to two records");
                return Err(PublishError::Unknown);
            }
            known.cursor_at(ack.sequence)
        };
        // Without an epoch there is no cursor: the lineage is younger than what was stored.
        let cursor = cursor.ok_or(PublishError::Unknown)?;
        if ack.duplicate {
            same_as_first(link, &ack, &self.publication).await?;
        }
        let own_id = self.publication.event.id;
        Ok(Receipt {
            cursor,
            id: own_id.unwrap_or_else(|| cursor.id()),
            duplicate: ack.duplicate,
        })
    }
}

/// Whether what the key stood for is this publication. A record that is trimmed cannot be asked.
async fn same_as_first(
    link: &Link,
    ack: &PublishAck,
    publication: &Publication,
) -> Result<(), PublishError> {
    let first = link.log.ask_leader(ack.sequence, Now::read()).await;
    match first.map_err(|_| PublishError::Unknown)? {
        Some(Entry::Record(_, first)) if !codec::is_same(&first, publication) => {
            Err(PublishError::KeyReused)
        }
        Some(Entry::Record(..)) | None => Ok(()),
        Some(Entry::Mark(_) | Entry::Foreign) => Err(PublishError::KeyReused),
    }
}

/// What the server's refusal says of the storage.
fn refusal(error: &async_nats::jetstream::context::PublishError) -> PublishError {
    if error.kind() == PublishErrorKind::StreamNotFound {
        // Nobody was there to store it: the stream is gone, or has no leader.
        return unavailable();
    }
    let source = std::error::Error::source(error);
    let said = source.and_then(|it| it.downcast_ref::<async_nats::jetstream::Error>());
    match said.map(async_nats::jetstream::Error::error_code) {
        Some(
            ErrorCode::STORAGE_RESOURCES_EXCEEDED
            | ErrorCode::INSUFFICIENT_RESOURCES
            | ErrorCode::ACCOUNT_RESOURCES_EXCEEDED,
        ) => PublishError::Full,
        // Also an error that nobody has told us of.
        _ => PublishError::Unknown,
    }
}

/// What the headers of a message take at most.
const HEADERS: usize = 64;
