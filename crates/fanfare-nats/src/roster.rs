//! Where a hub keeps who is connected: leases that the server lets run out, and entries beside them.

use std::time::Duration;

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{
    Config as StreamConfig, ConsumerErrorKind, RawMessageErrorKind, Stream,
};
use async_nats::jetstream::{Context, ErrorCode};
use bytes::Bytes;
use futures_util::StreamExt;

use crate::log::{LogError, none_if_missing};

/// Streams of which only the newest message of each subject is kept.
///
/// A stream lets all its messages become equally old, and no server before 2.11 lets a single one
/// run out: so there is a stream of leases for each time that a lease may last.
#[derive(Clone, Debug)]
pub(crate) struct Roster {
    context: Context,
    /// The stream of nodes and entries; the names of the streams of leases begin with it.
    stream: String,
    subjects: String,
    replicas: usize,
}

/// The newest message of a subject.
#[derive(Clone, Debug)]
pub(crate) struct Latest {
    pub(crate) key: String,
    /// For the next write to be refused if another came before.
    pub(crate) revision: u64,
    pub(crate) payload: Bytes,
}

/// A stream of the roster.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Shelf {
    /// Nodes and entries, which stay.
    Lasting,
    /// Leases of so many milliseconds.
    Leases(u64),
}

impl Roster {
    pub(crate) fn new(context: Context, log: &str, prefix: &str, replicas: usize) -> Self {
        Self {
            context,
            stream: format!("{log}_presence"),
            subjects: format!("{prefix}.presence"),
            replicas,
        }
    }

    /// Makes the streams for leases of `lease_ms` milliseconds, unless they are there.
    pub(crate) async fn make(&self, lease_ms: u64) -> Result<(), LogError> {
        for shelf in [Shelf::Lasting, Shelf::Leases(lease_ms)] {
            let age = match shelf {
                Shelf::Lasting => 0,
                Shelf::Leases(ms) => ms,
            };
            let wanted = StreamConfig {
                name: self.name(shelf),
                subjects: vec![format!("{}.>", self.subject(shelf))],
                max_messages_per_subject: 1,
                max_age: Duration::from_millis(age),
                num_replicas: self.replicas,
                ..StreamConfig::default()
            };
            let made = self.context.get_or_create_stream(wanted).await;
            made.map_err(|error| LogError(error.to_string()))?;
        }
        Ok(())
    }

    /// Writes `payload` under `key`, if its newest revision is `after` (0: there is none), or
    /// whatever it is; `None`: another was there.
    pub(crate) async fn put(
        &self,
        shelf: Shelf,
        key: &str,
        payload: Bytes,
        after: Option<u64>,
    ) -> Result<Option<u64>, LogError> {
        let mut message = PublishMessage::build().payload(payload);
        if let Some(revision) = after {
            message = message.expected_last_subject_sequence(revision);
        }
        let subject = format!("{}.{key}", self.subject(shelf));
        let sent = self.context.send_publish(subject, message).await;
        let answer = match sent {
            Ok(sent) => sent.await,
            Err(error) => Err(error),
        };
        match answer {
            Ok(ack) => Ok(Some(ack.sequence)),
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(None),
            Err(error) => Err(LogError(error.to_string())),
        }
    }

    /// What stands under `key`.
    pub(crate) async fn latest(&self, shelf: Shelf, key: &str) -> Result<Option<Latest>, LogError> {
        let stream = self.stream(shelf).await?;
        let subject = format!("{}.{key}", self.subject(shelf));
        match stream.get_last_raw_message_by_subject(&subject).await {
            Ok(message) => Ok(Some(Latest {
                key: key.to_owned(),
                revision: message.sequence,
                payload: message.payload,
            })),
            Err(error) if is_stream_missing(&error.kind()) => Ok(None),
            Err(error) => none_if_missing(&error.kind()),
        }
    }

    /// Everything under keys that begin with `prefix`, by their keys.
    pub(crate) async fn all(&self, shelf: Shelf, prefix: &str) -> Result<Vec<Latest>, LogError> {
        let subjects = self.subject(shelf);
        let consumer = pull::Config {
            deliver_policy: DeliverPolicy::All,
            ack_policy: AckPolicy::None,
            filter_subject: format!("{subjects}.{prefix}.>"),
            memory_storage: true,
            num_replicas: 1,
            inactive_threshold: IDLE_MAX,
            ..pull::Config::default()
        };
        let consumer = match self.stream(shelf).await?.create_consumer(consumer).await {
            Ok(consumer) => consumer,
            Err(error) if has_no_stream(&error.kind()) => return Ok(Vec::new()),
            Err(error) => return Err(LogError(error.to_string())),
        };
        let mut pending = consumer.cached_info().num_pending;
        let mut all = Vec::new();
        while pending > 0 {
            // What runs out meanwhile does not come any more: the batch ends without it.
            let count = usize::try_from(pending)
                .unwrap_or(usize::MAX)
                .min(BATCH_MAX);
            let batch = consumer.batch().max_messages(count).expires(BATCH_TIMEOUT);
            let batch = batch.messages().await;
            let mut batch = batch.map_err(|error| LogError(error.to_string()))?;
            let before = all.len();
            while let Some(message) = batch.next().await {
                let message = message.map_err(|error| LogError(error.to_string()))?;
                let info = message
                    .info()
                    .map_err(|error| LogError(error.to_string()))?;
                pending = info.pending;
                all.push(Latest {
                    revision: info.stream_sequence,
                    key: key_of(&message.subject, &subjects),
                    payload: message.payload.clone(),
                });
            }
            if all.len() == before {
                // What was still to come has run out meanwhile.
                break;
            }
        }
        let stream = self.stream(shelf).await?;
        _ = stream.delete_consumer(&consumer.cached_info().name).await;
        Ok(all)
    }

    /// Removes everything under keys that match `filter`.
    pub(crate) async fn remove(&self, shelf: Shelf, filter: &str) -> Result<(), LogError> {
        let stream = self.stream(shelf).await?;
        let filter = format!("{}.{filter}", self.subject(shelf));
        let purged = stream.purge().filter(filter).await;
        purged.map_err(|error| LogError(error.to_string()))?;
        Ok(())
    }

    async fn stream(&self, shelf: Shelf) -> Result<Stream<()>, LogError> {
        let stream = self.context.get_stream_no_info(self.name(shelf)).await;
        stream.map_err(|error| LogError(error.to_string()))
    }

    fn name(&self, shelf: Shelf) -> String {
        match shelf {
            Shelf::Lasting => self.stream.clone(),
            Shelf::Leases(ms) => format!("{}_{ms}ms", self.stream),
        }
    }

    fn subject(&self, shelf: Shelf) -> String {
        match shelf {
            Shelf::Lasting => format!("{}.lasting", self.subjects),
            Shelf::Leases(ms) => format!("{}.leases.{ms}", self.subjects),
        }
    }
}

fn is_stream_missing(kind: &RawMessageErrorKind) -> bool {
    matches!(kind, RawMessageErrorKind::JetStream(said)
        if said.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn has_no_stream(kind: &ConsumerErrorKind) -> bool {
    matches!(kind, ConsumerErrorKind::JetStream(said)
        if said.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn key_of(subject: &str, subjects: &str) -> String {
    let key = subject.strip_prefix(subjects).unwrap_or_default();
    key.trim_start_matches('.').to_owned()
}

const BATCH_MAX: usize = 1_000;
const BATCH_TIMEOUT: Duration = Duration::from_millis(500);
const IDLE_MAX: Duration = Duration::from_secs(10);
