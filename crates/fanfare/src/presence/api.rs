//! The list of who is connected, over HTTP (D0-R8 to D0-R15, D1-R7 to D1-R11).

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use bytes::Bytes;
use fanfare_broker::{Audience, PresenceError, ReadError, Record, Topic};
use http::header::{ACCEPT, CACHE_CONTROL, ETAG, IF_NONE_MATCH, LINK, VARY};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::Presence;
use super::document::{CONTEXT, Document};
use super::roster::{Listed, Visitor};
use crate::auth::Grant;
use crate::authority::SUBSCRIBER;
use crate::dialect::{Dialect, Dialects};
use crate::error::{Denied, Refusal, Style, into_body, with_body};
use crate::interest::{EXACT, URL_PATTERN};
use crate::server::Server;
use crate::site::Site;

/// Answers `GET` of the subscriptions, of all or of one kind, or of one subscription.
pub(crate) async fn list(State(server): State<Arc<Server>>, request: Request) -> Response<Body> {
    let (parts, _) = request.into_parts();
    let path = parts.uri.path().strip_prefix(&server.presence.root);
    let asked = Asked::parse(server.config.dialects, path.unwrap_or_default());
    let dialect = asked.as_ref().ok().and_then(Asked::dialect);
    let style = Style::Mercure(dialect.unwrap_or(server.usual_dialect()));
    let answer = match server.presence_grant(&parts, dialect).await {
        Ok(grant) => {
            let style = grant.as_ref().map_or(style, |it| style.with(it.dialect));
            let answer = async { server.listed(&parts, &asked?, grant.as_ref(), style).await };
            answer.await.map_err(|refusal| (style, refusal))
        }
        Err(refusal) => Err((style, refusal)),
    };
    into_body(answer.unwrap_or_else(|(style, refusal)| server.refused(style, &parts, &refusal)))
}

/// What a path asks for.
#[derive(Debug, Eq, PartialEq)]
enum Asked {
    All,
    Topic {
        topic: String,
        subscriber: Option<String>,
    },
    Match {
        match_type: &'static str,
        matched: String,
        subscriber: Option<String>,
    },
}

impl Asked {
    /// Reads what follows the path of all subscriptions, as it came: an encoded slash is data
    /// (D0-U5, DX-8).
    fn parse(dialects: Dialects, rest: &str) -> Result<Self, Refusal> {
        let segments: Vec<&str> = rest.split('/').skip(1).collect();
        let (zero, one) = (dialects.speak(Dialect::D0), dialects.speak(Dialect::D1));
        let match_type = |name: &str| [EXACT, URL_PATTERN].into_iter().find(|it| *it == name);
        match *segments.as_slice() {
            [] => Ok(Self::All),
            [name, matched, ref rest @ ..]
                if one && rest.len() < 2 && match_type(name).is_some() =>
            {
                Ok(Self::Match {
                    match_type: match_type(name).unwrap_or(EXACT),
                    matched: decoded(matched)?,
                    subscriber: rest.first().map(|it| decoded(it)).transpose()?,
                })
            }
            [topic, ref rest @ ..] if zero && rest.len() < 2 => Ok(Self::Topic {
                // The reference writes a space as `+` (D0-G4).
                topic: decoded(&topic.replace('+', "%20"))?,
                subscriber: rest.first().map(|it| decoded(it)).transpose()?,
            }),
            [name, _] | [name, _, _] if one => Err(Refusal::MatchType {
                name: name.chars().take(64).collect(),
            }),
            _ => Err(Refusal::NoSubscription),
        }
    }

    /// The dialect that a path tells; `None`: the path of all tells none (DX-9).
    fn dialect(&self) -> Option<Dialect> {
        match self {
            Self::All => None,
            Self::Topic { .. } => Some(Dialect::D0),
            Self::Match { .. } => Some(Dialect::D1),
        }
    }

    fn is_one(&self) -> bool {
        match self {
            Self::All => false,
            Self::Topic { subscriber, .. } | Self::Match { subscriber, .. } => subscriber.is_some(),
        }
    }

    fn wants(&self, visitor: &Visitor, listed: &Listed) -> bool {
        let text = listed.wanted.selector.as_str();
        let by = |subscriber: &Option<String>| {
            let urn = || visitor.subscriber.urn().to_string();
            subscriber.as_ref().is_none_or(|wanted| *wanted == urn())
        };
        match self {
            Self::All => true,
            Self::Topic { topic, subscriber } => {
                text == topic && listed.wanted.is_of_zero() && by(subscriber)
            }
            Self::Match {
                match_type,
                matched,
                subscriber,
            } => {
                listed.wanted.match_type() == Some(*match_type) && text == matched && by(subscriber)
            }
        }
    }
}

fn decoded(segment: &str) -> Result<String, Refusal> {
    let mut escapes = segment.as_bytes().split(|&byte| byte == b'%').skip(1);
    let whole = |escape: &[u8]| matches!(escape, [a, b, ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit());
    let text = percent_decode_str(segment).decode_utf8();
    match (escapes.all(whole), text) {
        (true, Ok(text)) => Ok(text.into_owned()),
        _ => Err(Refusal::BadEscape),
    }
}

impl Server {
    /// The reader's grant, if it covers the path (D0-G6, D1-R9).
    async fn presence_grant(
        &self,
        parts: &Parts,
        dialect: Option<Dialect>,
    ) -> Result<Option<Grant>, Refusal> {
        let Some(grant) = self.presence_reader(parts, dialect).await? else {
            return Ok(None);
        };
        let path = Topic::parse(parts.uri.path()).ok();
        let granted = grant.subscribe.as_ref().zip(path.as_ref());
        if granted.is_some_and(|(granted, path)| granted.matches(path)) {
            return Ok(Some(grant));
        }
        let why = "the token's subscribe grant does not cover this path";
        let (denied, dialect) = (Denied::InsufficientScope, grant.dialect);
        Err(self.deny(parts, SUBSCRIBER, denied, dialect, &why))
    }

    async fn listed(
        &self,
        parts: &Parts,
        asked: &Asked,
        grant: Option<&Grant>,
        style: Style,
    ) -> Result<Response<Bytes>, Refusal> {
        if !self.config.public_urls.is_empty() {
            Site::of(&self.config, parts)?;
        }
        let dialect = self.shape(&parts.headers, asked, grant);
        // Read before the list: who reads it and goes on from there misses nobody.
        let last_event_id = self.last_event_id(grant).await?;
        let visitors = self.presence.visitors(asked).await;
        let visitors = visitors.map_err(|_| Refusal::PresenceUnavailable)?;
        let path = parts.uri.path();
        let body = self
            .presence
            .body(dialect, asked, &visitors, &last_event_id, path);
        let version = match self.presence.lease {
            None => last_event_id.clone(),
            // The other nodes' part of the list changes without an event.
            Some(_) => format!("{last_event_id}-{:x}", Sha256::digest(&body)),
        };
        let tag = format!("\"{}\"", utf8_percent_encode(&version, UNSAFE_IN_TAG));
        let known = is_known(&parts.headers, &tag, &version);
        let mut answer = if asked.is_one() && visitors.is_empty() {
            self.refused(style, parts, &Refusal::NoSubscription)
        } else if known {
            not_modified()
        } else {
            with_body(StatusCode::OK, content_type(dialect), body)
        };
        let headers = answer.headers_mut();
        // D0-R13: to a client of 0.x that has it already, it is not repeated.
        if !known || dialect == Dialect::D1 {
            headers.insert(ETAG, field(tag));
        }
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("must-revalidate"));
        headers.append(
            VARY,
            HeaderValue::from_static("Accept, Authorization, Cookie"),
        );
        headers.insert(LINK, field(self.link(dialect, &last_event_id)));
        Ok(answer)
    }

    /// The dialect whose shape the documents have: the path's, else the token's, else what the
    /// request accepts (DX-8, DX-9).
    fn shape(&self, headers: &HeaderMap, asked: &Asked, grant: Option<&Grant>) -> Dialect {
        let token = grant.map(|grant| grant.dialect);
        let token = token.filter(|it| self.config.dialects.speak(*it));
        let known = asked.dialect().or(token);
        known.unwrap_or_else(|| self.accepted_dialect(headers))
    }

    /// The dialect of a request whose path and token tell none (DX-9).
    fn accepted_dialect(&self, headers: &HeaderMap) -> Dialect {
        let accepts = |wanted: &str| {
            let mut fields = headers.get_all(ACCEPT).iter();
            fields.any(|field| field.to_str().is_ok_and(|text| text.contains(wanted)))
        };
        let one = accepts("application/json") && !accepts("application/ld+json");
        match self.config.dialects {
            Dialects::Both if !one => Dialect::D0,
            Dialects::D0 => Dialect::D0,
            Dialects::Both | Dialects::D1 => Dialect::D1,
        }
    }

    /// The id of the last event that this hub dispatched, or `earliest` (D0-R12).
    ///
    /// An id that its publisher chose for a private event is told only to whom may see that; the
    /// same place has another name, which tells nothing.
    ///
    /// With several nodes it is an event of some seconds ago: those that came since are perhaps not
    /// yet in the list, so who goes on from there gets them, some of them for the second time.
    async fn last_event_id(&self, grant: Option<&Grant>) -> Result<String, Refusal> {
        let name = |record: &Record| {
            let id = match may_read(grant, record) {
                true => record.id(),
                false => record.cursor().id(),
            };
            id.as_str().to_owned()
        };
        if let Some(lease) = &self.presence.lease {
            let settled = lease.settled();
            return Ok(settled.map_or("earliest".to_owned(), |it| name(&it)));
        }
        if let Some(record) = self.hub.newest() {
            return Ok(name(&record));
        }
        let bounds = self.hub.bounds().await;
        let bounds = bounds.map_err(|_: ReadError| Refusal::PresenceUnavailable)?;
        let head = bounds.head.map(|head| head.id().as_str().to_owned());
        Ok(head.unwrap_or("earliest".to_owned()))
    }

    /// D1-R10; of 0.x the specification's examples have it (D0-G5).
    fn link(&self, dialect: Dialect, last_event_id: &str) -> String {
        let quoted = last_event_id.replace('\\', "\\\\").replace('"', "\\\"");
        let kind = match dialect {
            Dialect::D0 => "",
            Dialect::D1 => " type=\"mercure\";",
        };
        format!(
            "<{}>; rel=\"mercure\"; last-event-id=\"{quoted}\";{kind} content-type=\"{}\"",
            self.config.hub_path,
            content_type(dialect),
        )
    }
}

impl Presence {
    /// Those present, at whichever node, who have a subscription that is asked for.
    async fn visitors(&self, asked: &Asked) -> Result<Vec<Visitor>, PresenceError> {
        let wanted = |visitor: &Visitor| {
            let mut listed = visitor.subscriptions.iter();
            listed.any(|it| asked.wants(visitor, it))
        };
        let mut visitors = self.elsewhere().await?;
        visitors.retain(wanted);
        let roster = self.roster();
        visitors.extend(roster.present().filter(|it| wanted(it)).cloned());
        Ok(visitors)
    }

    fn documents<'a>(
        &self,
        dialect: Dialect,
        asked: &'a Asked,
        visitors: &'a [Visitor],
    ) -> impl Iterator<Item = Document<'a>> {
        visitors.iter().flat_map(move |visitor| {
            let listed = visitor.subscriptions.iter();
            let wanted = listed.filter(move |listed| asked.wants(visitor, listed));
            wanted.filter_map(move |it| Document::of(&self.root, dialect, visitor, it, true))
        })
    }

    /// The document of the one subscription that is asked for, or the collection of all that are.
    fn body(
        &self,
        dialect: Dialect,
        asked: &Asked,
        visitors: &[Visitor],
        last_event_id: &str,
        path: &str,
    ) -> String {
        let mut documents: Vec<_> = self.documents(dialect, asked, visitors).collect();
        let one = asked.is_one();
        for document in &mut documents {
            if let Document::Zero(zero) = document {
                zero.context = one.then_some(CONTEXT);
                zero.last_event_id = one.then(|| last_event_id.to_owned());
            }
        }
        match documents.first().filter(|_| one) {
            Some(document) => json(document),
            None => json(&Collection::new(dialect, path, last_event_id, &documents)),
        }
    }
}

#[derive(Serialize)]
struct Collection<'a> {
    #[serde(rename = "@context", skip_serializing_if = "Option::is_none")]
    context: Option<&'static str>,
    id: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(rename = "lastEventID", skip_serializing_if = "Option::is_none")]
    last_event_id: Option<&'a str>,
    /// How many subscribers each topic or matcher has: a member of our own.
    counts: Vec<Count<'a>>,
    subscriptions: &'a [Document<'a>],
}

impl<'a> Collection<'a> {
    fn new(
        dialect: Dialect,
        path: &'a str,
        last_event_id: &'a str,
        subscriptions: &'a [Document<'a>],
    ) -> Self {
        let zero = dialect == Dialect::D0;
        Self {
            context: zero.then_some(CONTEXT),
            id: path,
            kind: if zero {
                "Subscriptions"
            } else {
                "subscriptions"
            },
            last_event_id: zero.then_some(last_event_id),
            counts: counts(subscriptions),
            subscriptions,
        }
    }
}

#[derive(Serialize)]
struct Count<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    topic: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    match_type: Option<&'static str>,
    #[serde(rename = "match", skip_serializing_if = "Option::is_none")]
    matched: Option<&'a str>,
    subscribers: usize,
}

fn counts<'a>(subscriptions: &[Document<'a>]) -> Vec<Count<'a>> {
    let mut counts: BTreeMap<(Option<&'static str>, &'a str), usize> = BTreeMap::new();
    for document in subscriptions {
        *counts.entry(document.name()).or_default() += 1;
    }
    let counts = counts.into_iter();
    counts
        .map(|((match_type, text), subscribers)| Count {
            topic: match_type.is_none().then_some(text),
            match_type,
            matched: match_type.is_some().then_some(text),
            subscribers,
        })
        .collect()
}

fn may_read(grant: Option<&Grant>, record: &Record) -> bool {
    let publication = record.publication();
    let granted = grant.and_then(|grant| grant.subscribe.as_ref());
    publication.audience == Audience::Public
        || granted.is_some_and(|it| publication.topics().iter().any(|topic| it.matches(topic)))
}

/// Whether the client has what `tag` names; it may leave the quotes away (D0-G5).
fn is_known(headers: &HeaderMap, tag: &str, last_event_id: &str) -> bool {
    let fields = headers.get_all(IF_NONE_MATCH).iter();
    let tags = fields.filter_map(|field| str::from_utf8(field.as_bytes()).ok());
    tags.flat_map(|text| text.split(',').chain([text]))
        .map(|text| text.trim())
        .map(|text| text.strip_prefix("W/").unwrap_or(text))
        .any(|text| {
            text == tag || text == "*" || text == last_event_id || text == tag.trim_matches('"')
        })
}

fn content_type(dialect: Dialect) -> &'static str {
    match dialect {
        Dialect::D0 => "application/ld+json",
        Dialect::D1 => "application/json",
    }
}

fn json(value: &impl Serialize) -> String {
    let json = serde_json::to_string_pretty(value).expect("its keys are strings");
    json + "\n"
}

fn not_modified() -> Response<Bytes> {
    let mut answer = Response::new(Bytes::new());
    *answer.status_mut() = StatusCode::NOT_MODIFIED;
    answer
}

/// An id that no field can hold is left out of it.
fn field(text: String) -> HeaderValue {
    HeaderValue::try_from(text.into_bytes()).unwrap_or(HeaderValue::from_static(""))
}

/// What an entity tag cannot hold (RFC 9110 §8.8.3), and what would make it ambiguous.
const UNSAFE_IN_TAG: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%').add(b',');

#[cfg(test)]
mod tests;
