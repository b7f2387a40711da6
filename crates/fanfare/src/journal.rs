//! What the log says, at debug level, of each event that is published and of each subscriber
//! (OP-16). It is told what was made of a request, and not the request, which holds the token.

use std::sync::Arc;

use fanfare_broker::{Audience, Publication, PublishError, Receipt};
use fanfare_wire::{EventId, EventType, Retry};
use http::request::Parts;
use tracing::Level;
use uuid::Uuid;

use crate::accept::Peer;
use crate::interest::Wanted;

/// Whether anybody reads it.
pub(crate) fn wanted() -> bool {
    tracing::enabled!(Level::DEBUG)
}

/// Says what was published, or was not.
pub(crate) fn published(publication: &Publication, outcome: &Result<Receipt, PublishError>) {
    let event = &publication.event;
    let topics: Vec<&str> = publication.topics().iter().map(|it| it.as_str()).collect();
    let event_type = event.event_type.as_ref().map(EventType::as_str);
    let retry = event.retry.map(Retry::as_millis);
    let private = publication.audience == Audience::Private;
    let data = beginning(&event.data);
    match outcome {
        Ok(receipt) => tracing::debug!(
            id = receipt.id.as_str(),
            "type" = event_type,
            retry,
            ?topics,
            private,
            data,
            duplicate = receipt.duplicate,
            "published"
        ),
        Err(error) => tracing::debug!(
            %error,
            id = event.id.as_ref().map(EventId::as_str),
            "type" = event_type,
            retry,
            ?topics,
            private,
            data,
            "not published"
        ),
    }
}

/// Says who has subscribed to what; `subscriber` is its name in presence, if it has one.
pub(crate) fn subscribed(
    parts: &Parts,
    subscriber: Option<Uuid>,
    last_event_id: Option<&EventId>,
    wanted: &[Wanted],
) {
    let topics: Vec<&str> = wanted.iter().map(|it| it.selector.as_str()).collect();
    let peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
    tracing::debug!(
        id = subscriber.map(|id| id.urn().to_string()),
        last_event_id = last_event_id.map(EventId::as_str),
        ?topics,
        ?peer,
        "subscribed"
    );
}

/// An event's data may be a megabyte; a line of the log is for people.
fn beginning(data: &Arc<str>) -> &str {
    let end = data.floor_char_boundary(DATA_BYTES_MAX);
    data.get(..end).unwrap_or_default()
}

const DATA_BYTES_MAX: usize = 256;
