//! The stream: what it is set up to be, and what it holds.

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::consumer::pull;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy};
use async_nats::jetstream::context::{
    CreateStreamErrorKind, GetStreamErrorKind, PublishAckFuture, PublishError, PublishErrorKind,
};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::stream::{
    Config as StreamConfig, DirectGetErrorKind, DiscardPolicy, Info, RawMessageErrorKind,
    RetentionPolicy, StorageType, Stream,
};
use async_nats::jetstream::{self, Context, ErrorCode};
use async_nats::{Client, Subject};
use bytes::Bytes;
use fanfare_broker::{Epoch, IdempotencyKey, Lineage, Publication};
use fanfare_wire::EventId;
use sha2::{Digest, Sha256};

use crate::address::Address;
use crate::codec::{self, Nonce, Now};
use crate::config::{ANSWER_TIMEOUT, Config};
use crate::error::OpenError;
use crate::mark;
use crate::roster::Roster;

/// The stream of one hub, over one connection.
#[derive(Clone, Debug)]
pub(crate) struct Log {
    context: Context,
    /// For questions, which are given up sooner than a publish: they can be asked again.
    questions: Context,
    names: Arc<Names>,
}

#[derive(Debug)]
struct Names {
    wanted: StreamConfig,
    record: String,
    mark: String,
}

/// What the stream holds, as its leader says.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View {
    /// The epoch of its first record, if no mark says otherwise.
    pub(crate) first_epoch: Epoch,
    /// The first retained offset; `last + 1` when nothing is.
    pub(crate) first: u64,
    /// The newest offset; 0: nothing was ever stored.
    pub(crate) last: u64,
}

/// What stands at an offset.
#[derive(Debug)]
pub(crate) enum Entry {
    Record(Nonce, Publication),
    Mark(Lineage),
    /// Neither; somebody else wrote it, or it is damaged.
    Foreign,
}

/// The server did not answer, or not what was asked.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct LogError(pub(crate) String);

impl Log {
    pub(crate) fn new(client: Client, address: &Address, config: &Config) -> Self {
        let prefix = format!("fanfare.{}", address.hub);
        let (record, mark) = (format!("{prefix}.record"), format!("{prefix}.mark"));
        let limit = |number: u64| match number {
            0 => -1,
            number => i64::try_from(number).unwrap_or(i64::MAX),
        };
        let wanted = StreamConfig {
            name: address.stream(),
            subjects: vec![record.clone(), format!("{record}.*"), mark.clone()],
            max_messages: limit(config.history_count_max.max(1)),
            max_bytes: limit(config.history_bytes_max),
            max_age: config.history_age_max,
            discard: DiscardPolicy::Old,
            retention: RetentionPolicy::Limits,
            storage: StorageType::File,
            num_replicas: address.replicas,
            duplicate_window: config.window(),
            deny_delete: true,
            deny_purge: true,
            allow_direct: true,
            ..StreamConfig::default()
        };
        let context = jetstream::ContextBuilder::new()
            .timeout(ANSWER_TIMEOUT)
            .ack_timeout(ANSWER_TIMEOUT)
            .build(client);
        let mut questions = context.clone();
        questions.set_timeout(QUESTION_TIMEOUT);
        let names = Names {
            wanted,
            record,
            mark,
        };
        Self {
            context,
            questions,
            names: Arc::new(names),
        }
    }

    /// Makes the stream, or finds it, and sets its limits if `is_start`.
    ///
    /// # Errors
    ///
    /// [`OpenError::Foreign`] or [`OpenError::Stream`].
    pub(crate) async fn open(&self, is_start: bool) -> Result<View, OpenError> {
        let wanted = &self.names.wanted;
        let refused = |why: String| OpenError::Stream {
            stream: wanted.name.clone(),
            why,
        };
        let stream = match self.questions.get_stream(&wanted.name).await {
            Ok(stream) => stream,
            Err(error) if is_missing(&error.kind()) => {
                match self.questions.create_stream(wanted.clone()).await {
                    Ok(stream) => stream,
                    // Another node was first.
                    Err(error) if is_taken(&error.kind()) => {
                        let stream = self.questions.get_stream(&wanted.name).await;
                        stream.map_err(|error| refused(error.to_string()))?
                    }
                    Err(error) => return Err(refused(error.to_string())),
                }
            }
            Err(error) => return Err(refused(error.to_string())),
        };
        let found = stream.cached_info();
        if let Some(what) = fault(&found.config, wanted) {
            return Err(OpenError::Foreign {
                stream: wanted.name.clone(),
                what: what.to_owned(),
            });
        }
        if is_start && has_other_limits(&found.config, wanted) {
            let updated = self.questions.update_stream(wanted).await;
            updated.map_err(|error| refused(error.to_string()))?;
        }
        Ok(View::of(found))
    }

    /// What the stream holds, as its leader says.
    pub(crate) async fn view(&self) -> Result<View, LogError> {
        let info = self.stream().await?.get_info().await;
        info.map(|info| View::of(&info))
            .map_err(|error| LogError(error.to_string()))
    }

    /// What stands at `offset`; `None`: nothing does any more, or not yet.
    ///
    /// Any server that has the stream may answer; what it does not have, the leader is asked for.
    pub(crate) async fn look_up(&self, offset: u64, now: Now) -> Result<Option<Entry>, LogError> {
        match self.stream().await?.direct_get(offset).await {
            Ok(message) => Ok(Some(self.entry(&message.subject, &message.payload, now))),
            Err(error) if error.kind() == DirectGetErrorKind::NotFound => {
                self.ask_leader(offset, now).await
            }
            Err(error) => Err(LogError(error.to_string())),
        }
    }

    /// What stands at `offset`, as the leader says.
    pub(crate) async fn ask_leader(
        &self,
        offset: u64,
        now: Now,
    ) -> Result<Option<Entry>, LogError> {
        match self.stream().await?.get_raw_message(offset).await {
            Ok(message) => Ok(Some(self.entry(&message.subject, &message.payload, now))),
            Err(error) => none_if_missing(&error.kind()),
        }
    }

    /// The newest mark, with its offset.
    pub(crate) async fn newest_mark(&self) -> Result<Option<(u64, Lineage)>, LogError> {
        let stream = self.stream().await?;
        match stream
            .get_last_raw_message_by_subject(&self.names.mark)
            .await
        {
            Ok(message) => match mark::decode(&message.payload) {
                Some(lineage) => Ok(Some((message.sequence, lineage))),
                None => Err(LogError(format!(
                    "the mark at {} is none that this program knows",
                    message.sequence
                ))),
            },
            Err(error) => none_if_missing(&error.kind()),
        }
    }

    /// The earliest retained record under the publisher's own `id` (C5).
    pub(crate) async fn find(&self, id: &EventId, now: Now) -> Result<Option<u64>, LogError> {
        let stream = self.stream().await?;
        let subject = self.subject(Some(id));
        match stream.get_first_raw_message_by_subject(subject, 1).await {
            Ok(message) => Ok(match codec::decode(&message.payload, now) {
                // Two ids could share a subject.
                Some((_, found)) if found.event.id.as_ref() == Some(id) => Some(message.sequence),
                _ => None,
            }),
            Err(error) => none_if_missing(&error.kind()),
        }
    }

    /// Sends a record; what it returns resolves once the server has answered.
    pub(crate) async fn append(
        &self,
        id: Option<&EventId>,
        key: Option<&IdempotencyKey>,
        payload: Bytes,
    ) -> Result<PublishAckFuture, PublishError> {
        let mut message = PublishMessage::build().payload(payload);
        if let Some(key) = key {
            message = message.message_id(hash(key.as_str()));
        }
        self.context.send_publish(self.subject(id), message).await
    }

    /// Writes `lineage` as the mark that follows the one at `newest`; false: another node was
    /// first.
    pub(crate) async fn append_mark(
        &self,
        newest: u64,
        lineage: &Lineage,
    ) -> Result<bool, LogError> {
        let message = PublishMessage::build()
            .payload(mark::encode(lineage).into())
            .expected_last_subject_sequence(newest);
        let failed = |error: PublishError| LogError(error.to_string());
        let sent = self.context.send_publish(self.names.mark.clone(), message);
        match sent.await.map_err(failed)?.await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == PublishErrorKind::WrongLastSequence => Ok(false),
            Err(error) => Err(failed(error)),
        }
    }

    /// Where the hub keeps who is connected.
    pub(crate) fn presence(&self) -> Roster {
        let prefix = self.names.record.trim_end_matches(".record");
        let wanted = &self.names.wanted;
        Roster::new(
            self.questions.clone(),
            &wanted.name,
            prefix,
            wanted.num_replicas,
        )
    }

    /// A reader of everything from `first` on, under a name that nobody else has.
    pub(crate) async fn follow(&self, name: &str, first: u64) -> Result<pull::Stream, LogError> {
        let failed = |error: &dyn std::error::Error| LogError(error.to_string());
        let consumer = pull::Config {
            name: Some(name.to_owned()),
            deliver_policy: DeliverPolicy::ByStartSequence {
                start_sequence: first,
            },
            ack_policy: AckPolicy::None,
            memory_storage: true,
            num_replicas: 1,
            inactive_threshold: IDLE_MAX,
            ..pull::Config::default()
        };
        let consumer = self.stream().await?.create_consumer(consumer).await;
        let consumer = consumer.map_err(|error| failed(&error))?;
        let messages = consumer
            .stream()
            .max_messages_per_batch(BATCH_MAX)
            .expires(PULL_TIMEOUT)
            .heartbeat(HEARTBEAT)
            .messages();
        messages.await.map_err(|error| failed(&error))
    }

    /// Ends the reader `name`.
    pub(crate) async fn unfollow(&self, name: &str) {
        if let Ok(stream) = self.stream().await {
            // One that is not ended here ends when it was idle for a while.
            _ = stream.delete_consumer(name).await;
        }
    }

    /// What a message of the stream is.
    pub(crate) fn entry(&self, subject: &Subject, payload: &[u8], now: Now) -> Entry {
        if subject.as_str() == self.names.mark {
            return mark::decode(payload).map_or(Entry::Foreign, Entry::Mark);
        }
        match codec::decode(payload, now) {
            Some((nonce, publication)) => Entry::Record(nonce, publication),
            None => Entry::Foreign,
        }
    }

    async fn stream(&self) -> Result<Stream<()>, LogError> {
        let stream = self
            .context
            .get_stream_no_info(&self.names.wanted.name)
            .await;
        stream.map_err(|error| LogError(error.to_string()))
    }

    /// A record's subject: with an id of its own it has a second token, by which the server finds
    /// its earliest occurrence.
    fn subject(&self, id: Option<&EventId>) -> String {
        match id {
            Some(id) => format!("{}.{}", self.names.record, hash(id.as_str())),
            None => self.names.record.clone(),
        }
    }
}

impl View {
    fn of(info: &Info) -> Self {
        let last = info.state.last_sequence;
        let first = match info.state.messages {
            0 => last + 1,
            _ => info.state.first_sequence,
        };
        Self {
            first_epoch: mark::first_epoch(info.created.unix_timestamp_nanos()),
            first,
            last,
        }
    }
}

/// What keeps a stream that was found from being a history of ours.
fn fault(found: &StreamConfig, wanted: &StreamConfig) -> Option<&'static str> {
    let faults = [
        (found.subjects != wanted.subjects, "it has other subjects"),
        (
            found.storage != wanted.storage,
            "it is kept in memory, not in files",
        ),
        (found.discard != wanted.discard, "it refuses what is new"),
        (
            found.retention != wanted.retention,
            "it forgets what was read",
        ),
        (
            found.max_messages_per_subject > 0,
            "it has a limit for each subject",
        ),
        (
            !found.deny_delete || !found.deny_purge,
            "its records may be deleted or purged",
        ),
        (!found.allow_direct, "it does not allow direct gets"),
    ];
    let fault = faults.iter().find(|(is_fault, _)| *is_fault);
    fault.map(|(_, what)| *what)
}

fn has_other_limits(found: &StreamConfig, wanted: &StreamConfig) -> bool {
    found.max_messages != wanted.max_messages
        || found.max_bytes != wanted.max_bytes
        || found.max_age != wanted.max_age
        || found.duplicate_window != wanted.duplicate_window
        || found.num_replicas != wanted.num_replicas
}

fn is_missing(kind: &GetStreamErrorKind) -> bool {
    matches!(kind, GetStreamErrorKind::JetStream(error)
        if error.error_code() == ErrorCode::STREAM_NOT_FOUND)
}

fn is_taken(kind: &CreateStreamErrorKind) -> bool {
    matches!(kind, CreateStreamErrorKind::JetStream(error)
        if error.error_code() == ErrorCode::STREAM_NAME_EXIST)
}

pub(crate) fn none_if_missing<T>(kind: &RawMessageErrorKind) -> Result<Option<T>, LogError> {
    match *kind == RawMessageErrorKind::NoMessageFound {
        true => Ok(None),
        false => Err(LogError(kind.to_string())),
    }
}

/// A text as a token of a subject, or as the server's key of a publish.
fn hash(text: &str) -> String {
    let digest = Sha256::digest(text);
    let half = digest.first_chunk::<16>().copied().unwrap_or_default();
    format!("{:032x}", u128::from_be_bytes(half))
}

/// How long an answer is waited for. A stream without a leader gives none, not even later.
const QUESTION_TIMEOUT: Duration = Duration::from_secs(2);
/// Messages that one pull asks for.
const BATCH_MAX: usize = 512;
/// How long one pull waits for messages.
const PULL_TIMEOUT: Duration = Duration::from_secs(30);
/// How often the server says that a pull still waits. Two that are missed end the reader.
const HEARTBEAT: Duration = Duration::from_secs(2);
/// When the server forgets a reader that no longer pulls.
const IDLE_MAX: Duration = Duration::from_secs(60);
