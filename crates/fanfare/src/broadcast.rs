//! `POST /broadcast`: one JSON value becomes one publication.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use bytes::Bytes;
use fanfare_broker::PublishError;
use http::request::Parts;
use http::{Response, StatusCode};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::body;
use crate::draft::{Draft, Rules};
use crate::error::{Refusal, Style, into_body, json_line, with_body};
use crate::expires::Now;
use crate::publish::{mark_replayed, own_or_header_key};
use crate::server::Server;
use crate::subscribe::user_topic;

/// Answers `POST /broadcast`.
pub(crate) async fn post(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    let (parts, body) = request.into_parts();
    let published = broadcast(&server, &parts, body).await;
    into_body(published.unwrap_or_else(|it| server.refused_publish(Style::Problem, &parts, &it)))
}

async fn broadcast(server: &Server, parts: &Parts, body: Body) -> Result<Response<Bytes>, Refusal> {
    let publisher = server.plain_publisher(parts).await?;
    let body = body::read(&server.config, &parts.headers, body).await?;
    let value = serde_json::from_slice(&body).map_err(|error| Refusal::Json(error.to_string()))?;
    let mut envelope = Envelope::read(value)?;
    let own = envelope.idempotency_key.take();
    let key = own_or_header_key(own.as_deref(), &parts.headers, &publisher, 0)?;
    let mut draft = envelope.into_draft()?;
    draft.idempotency_key = key;
    let publication = draft.check(&Rules::of(&server.config, &publisher), Now::read())?;
    let clients = server.hub.count_matching(&publication);
    let outcome = server.publish(vec![publication]).await.pop();
    let receipt = outcome.unwrap_or(Err(PublishError::Unknown))?;
    let sent = Sent {
        sent: true,
        clients,
        id: receipt.id.as_str(),
    };
    let mut response = with_body(StatusCode::OK, "application/json", json_line(&sent));
    if receipt.duplicate {
        mark_replayed(response.headers_mut());
    }
    Ok(response)
}

/// The answer to a publication that is stored.
#[derive(Debug, Serialize)]
struct Sent<'a> {
    sent: bool,
    /// Live subscribers of this node that match.
    clients: u64,
    id: &'a str,
}

/// A publication in JSON: what is sent, and to whom.
#[derive(Debug, Default)]
pub(crate) struct Envelope<'a> {
    event: Option<String>,
    /// As it was written, so that no number loses digits and no object its order.
    data: Option<&'a RawValue>,
    id: Option<Text>,
    retry: Option<&'a RawValue>,
    expires: Option<Text>,
    topic: Option<OneOrMany>,
    user_id: Option<Text>,
    private: bool,
    /// For batches, where one header cannot serve all; it beats the header.
    pub(crate) idempotency_key: Option<String>,
}

impl<'a> Envelope<'a> {
    /// Reads an envelope; a value that has none of its fields is itself the data.
    ///
    /// `id` and `expires` alone make no envelope, for many objects have them. An unknown field beside a known
    /// one is refused: a misspelt `userId` must not send a private event to everybody.
    pub(crate) fn read(value: &'a RawValue) -> Result<Self, Refusal> {
        let bare = Self {
            data: Some(value),
            ..Self::default()
        };
        let Ok(Fields { mut fields, twice }) = serde_json::from_str(value.get()) else {
            return Ok(bare);
        };
        let common = |name: &str| matches!(name, "id" | "expires");
        let known = |name: &String| !common(name) && FIELDS.contains(&name.as_str());
        if !fields.keys().any(known) {
            return Ok(bare);
        }
        // Readers differ in which of two counts, so one of them would see another event.
        if let Some(name) = twice {
            return Err(Refusal::Json(format!("{:?} is there twice", cut(&name))));
        }
        let data = fields.remove("data").ok_or_else(|| {
            let advice = "`data` is missing; to send the object itself, wrap it: {\"data\": {…}}";
            Refusal::Json(advice.to_owned())
        })?;
        let envelope = Self {
            event: read_field(&mut fields, "event")?,
            data: Some(data),
            id: read_field(&mut fields, "id")?,
            retry: fields.remove("retry").filter(|retry| retry.get() != "null"),
            expires: read_field(&mut fields, "expires")?,
            topic: read_field(&mut fields, "topic")?,
            user_id: read_field(&mut fields, "userId")?,
            private: read_field(&mut fields, "private")?.unwrap_or_default(),
            idempotency_key: read_field(&mut fields, "idempotencyKey")?,
        };
        match fields.keys().next() {
            Some(unknown) => Err(Refusal::Json(unknown_field(unknown))),
            None => Ok(envelope),
        }
    }

    /// Addresses it: to its topics, or to `broadcast`; with a `userId`, privately to that user.
    pub(crate) fn into_draft(self) -> Result<Draft, Refusal> {
        let mut topics = match (self.topic, &self.user_id) {
            (Some(topics), _) => topics.into_vec(),
            (None, Some(_)) => Vec::new(),
            (None, None) => vec!["broadcast".to_owned()],
        };
        if let Some(Text(user_id)) = &self.user_id {
            topics.push(user_topic(user_id)?.as_str().to_owned());
        }
        Ok(Draft {
            topics,
            data: self.data.map_or(Ok(String::new()), data_of)?,
            id: self.id.map(|Text(id)| id),
            event_type: self.event,
            retry: self.retry.map(|retry| retry.get().to_owned()),
            expires: self.expires.map(|Text(expires)| expires),
            private: self.private || self.user_id.is_some(),
            idempotency_key: None,
        })
    }
}

const FIELDS: [&str; 9] = [
    "event",
    "data",
    "id",
    "retry",
    "expires",
    "topic",
    "userId",
    "private",
    "idempotencyKey",
];

/// A JSON object's fields as they were written.
struct Fields<'a> {
    fields: BTreeMap<String, &'a RawValue>,
    /// One that is there more than once.
    twice: Option<String>,
}

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: serde::Deserializer<'de>>(object: D) -> Result<Self, D::Error> {
        object.deserialize_map(FieldsVisitor)
    }
}

struct FieldsVisitor;

impl<'de> Visitor<'de> for FieldsVisitor {
    type Value = Fields<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut object: A) -> Result<Fields<'de>, A::Error> {
        let mut read = Fields {
            fields: BTreeMap::new(),
            twice: None,
        };
        while let Some((name, value)) = object.next_entry::<String, &RawValue>()? {
            if read.fields.insert(name.clone(), value).is_some() {
                read.twice = Some(name);
            }
        }
        Ok(read)
    }
}

/// A name that may be written as a number.
#[derive(Debug)]
struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: serde::Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "expected a string or a whole number")]
        enum Written {
            Text(String),
            Number(u64),
        }
        Written::deserialize(value).map(|written| match written {
            Written::Text(text) => Self(text),
            Written::Number(number) => Self(number.to_string()),
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(untagged, expecting = "expected a string or an array of strings")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

impl OneOrMany {
    fn into_vec(self) -> Vec<String> {
        match self {
            Self::One(topic) => vec![topic],
            Self::Many(topics) => topics,
        }
    }
}

/// A string goes out as its text, everything else as the JSON that was written.
fn data_of(value: &RawValue) -> Result<String, Refusal> {
    let json = value.get();
    if !json.starts_with('"') {
        return Ok(json.to_owned());
    }
    // A raw value is checked for its grammar alone; `"\ud800"` is half a character.
    serde_json::from_str(json).map_err(|error| Refusal::Json(format!("`data`: {error}")))
}

/// `null` counts as absent.
fn read_field<T: for<'de> Deserialize<'de>>(
    fields: &mut BTreeMap<String, &RawValue>,
    name: &'static str,
) -> Result<Option<T>, Refusal> {
    let Some(value) = fields.remove(name) else {
        return Ok(None);
    };
    let read = serde_json::from_str(value.get());
    read.map_err(|error| Refusal::Json(format!("`{name}`: {error}")))
}

fn unknown_field(unknown: &str) -> String {
    let unknown = cut(unknown);
    let mut fields = FIELDS.iter();
    match fields.find(|known| strsim::jaro_winkler(known, &unknown) > 0.8) {
        Some(known) => format!("there is no field {unknown:?}; did you mean `{known}`?"),
        None => format!(
            "there is no field {unknown:?}; there are {}",
            FIELDS.join(", ")
        ),
    }
}

/// A stranger's text, short enough to be shown.
fn cut(name: &str) -> String {
    name.chars().take(64).collect()
}

#[cfg(test)]
mod tests;
