//! An event as a line of JSON: as `export` writes it, and as `import` reads it.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail, ensure};
use fanfare_broker::{Audience, Cursor, Expiry, IdempotencyKey, Publication, Record, Topic};
use fanfare_wire::{Event, EventId, EventType, Retry};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

/// A line of an export.
#[derive(Serialize)]
pub(super) struct Exported<'a> {
    offset: u64,
    cursor: String,
    /// The publisher's own; without it, the cursor is the id.
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    topics: Vec<&'a str>,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    event_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry: Option<u32>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    private: bool,
    /// Milliseconds since 1970.
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_ms: Option<u64>,
    data: &'a str,
}

impl<'a> Exported<'a> {
    pub(super) fn new(record: &'a Record) -> Self {
        let publication = record.publication();
        let event = &publication.event;
        let own = |id: &&EventId| !id.as_str().starts_with(Cursor::PREFIX);
        Self {
            offset: record.offset(),
            cursor: record.cursor().to_string(),
            id: event.id.as_ref().filter(own).map(EventId::as_str),
            topics: publication.topics().iter().map(Topic::as_str).collect(),
            event_type: event.event_type.as_ref().map(EventType::as_str),
            retry: event.retry.map(Retry::as_millis),
            private: publication.audience == Audience::Private,
            expires_ms: publication.expires.map(Expiry::unix_ms),
            data: &event.data,
        }
    }
}

/// A line to be imported: of an export, or of what `POST /publish` takes.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Imported {
    /// Where it was; it gets another place here.
    #[serde(default)]
    #[expect(dead_code, reason = "accepted, for exports have it")]
    offset: Option<u64>,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    id: Option<Text>,
    #[serde(default, alias = "topic")]
    topics: Option<OneOrMany>,
    #[serde(default, rename = "type", alias = "event")]
    event_type: Option<String>,
    #[serde(default)]
    retry: Option<u64>,
    #[serde(default)]
    private: bool,
    #[serde(default)]
    expires_ms: Option<u64>,
    #[serde(default, rename = "userId")]
    user_id: Option<Text>,
    #[serde(default, rename = "idempotencyKey")]
    idempotency_key: Option<String>,
    data: Box<RawValue>,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a string or a whole number")]
enum Text {
    Text(String),
    Number(u64),
}

impl Text {
    fn into_string(self) -> String {
        match self {
            Self::Text(text) => text,
            Self::Number(number) => number.to_string(),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected a string or an array of strings")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// What expiries are counted from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Now {
    pub(super) wall: SystemTime,
    pub(super) instant: Instant,
}

impl Imported {
    /// The publication of `text`, the line with that `number`, with a key by which the same line is
    /// known again.
    pub(super) fn publication(text: &str, number: u64, now: Now) -> anyhow::Result<Publication> {
        let line: Self = serde_json::from_str(text)?;
        let key = line.key(text, number);
        let mut topics = match (line.topics, &line.user_id) {
            (Some(OneOrMany::One(topic)), _) => vec![topic],
            (Some(OneOrMany::Many(topics)), _) => topics,
            (None, Some(_)) => Vec::new(),
            (None, None) => vec!["broadcast".to_owned()],
        };
        let private = line.private || line.user_id.is_some();
        if let Some(user_id) = line.user_id {
            topics.push(format!("user/{}", user_id.into_string()));
        }
        let event = Event {
            event_type: line
                .event_type
                .as_deref()
                .filter(|it| !it.is_empty())
                .map(event_type)
                .transpose()?,
            retry: line
                .retry
                .filter(|millis| *millis > 0)
                .map(Retry::from_millis),
            id: line
                .id
                .map(|id| own_id(&id.into_string()))
                .transpose()?
                .flatten(),
            data: data(&line.data)?.into(),
        };
        let mut topics = topics
            .iter()
            .map(|topic| Topic::parse(topic).with_context(|| format!("topic {topic:?}")));
        let first = topics
            .next()
            .context("`topics` is empty; an event has at least one")??;
        let mut publication = topics.try_fold(Publication::new(first, event), |all, topic| {
            anyhow::Ok(all.also(topic?))
        })?;
        if private {
            publication = publication.private();
        }
        publication.expires = line.expires_ms.map(|unix_ms| now.expiry(unix_ms));
        publication.idempotency_key = Some(IdempotencyKey::parse(&key)?);
        Ok(publication)
    }

    /// By where the line was exported from, by the publisher's key, or else by the line itself and
    /// its place in the file. Keys of the hub's publishers have another form.
    fn key(&self, text: &str, number: u64) -> String {
        let (kind, what) = match (&self.cursor, &self.idempotency_key) {
            (Some(cursor), _) => ("cursor", cursor.clone()),
            (None, Some(key)) => ("key", key.clone()),
            (None, None) => ("line", format!("{number} {text}")),
        };
        let digest = Sha256::digest(what.as_bytes());
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("import:{kind}:{digest}")
    }
}

impl Now {
    fn expiry(self, unix_ms: u64) -> Expiry {
        let now = self.wall.duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_ms = u64::try_from(now.as_millis()).unwrap_or(u64::MAX);
        Expiry::at(unix_ms, now_ms, self.instant)
    }
}

fn event_type(text: &str) -> anyhow::Result<EventType> {
    ensure!(
        text != "mercure" && !text.starts_with("fanfare-"),
        "type {text:?} is reserved for the hub"
    );
    EventType::parse(text).with_context(|| format!("type {text:?}"))
}

/// A publisher's id is kept. One that a hub made names a place there, and gives way to the place
/// here.
fn own_id(text: &str) -> anyhow::Result<Option<EventId>> {
    if text.is_empty() || text.starts_with(Cursor::PREFIX) {
        return Ok(None);
    }
    if text == "earliest" || text.starts_with('#') {
        bail!("id {text:?} is reserved for the hub");
    }
    Ok(Some(EventId::parse(text)?))
}

/// A string is its text, everything else the JSON that was written.
fn data(value: &RawValue) -> anyhow::Result<String> {
    let json = value.get();
    match json.starts_with('"') {
        true => Ok(serde_json::from_str(json)?),
        false => Ok(json.to_owned()),
    }
}
