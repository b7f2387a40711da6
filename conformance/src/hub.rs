//! The hub under test, as a case sees it: where it is, what tokens it takes, how it is asked.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Value, json};
use url::Url;

use crate::http::{Answer, Connection, Request};
use crate::objection::{Objection, failed};
use crate::setup::Offer;
use crate::stream::Stream;
use crate::token::Token;

/// The hub's path (D0-U1).
pub(crate) const HUB: &str = "/.well-known/mercure";

/// Where presence is asked for (D0-R8).
pub(crate) const SUBSCRIPTIONS: &str = "/.well-known/mercure/subscriptions";

/// What the details of D1 tokens are called (D1-A8).
pub(crate) const DETAIL: &str = "https://mercure.rocks/authorization-detail";

pub(crate) const D0_COOKIE: &str = "mercureAuthorization";
pub(crate) const D1_COOKIE: &str = "__Secure-mercure_access_token";

/// A generation of the protocol.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq, clap::ValueEnum)]
pub(crate) enum Dialect {
    /// "0.x": drafts up to -07
    D0,
    /// "1.0": draft -08
    D1,
    /// What a hub does that speaks both at once
    Both,
}

impl Dialect {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::D0 => "d0",
            Self::D1 => "d1",
            Self::Both => "both",
        }
    }
}

/// A hub, and the key, issuer and audience of the tokens that it takes.
#[derive(Clone, Debug)]
pub(crate) struct Hub {
    /// Where it is reached, `HOST:PORT`.
    pub(crate) address: String,
    /// What stands in `Host`.
    pub(crate) authority: String,
    /// The process, when the suite has started it.
    pub(crate) process: Option<u32>,
    pub(crate) key: String,
    pub(crate) issuer: String,
    pub(crate) audience: String,
    pub(crate) offer: Offer,
    /// The dialect of the tokens, parameters and statuses below. Both: the older one's.
    pub(crate) dialect: Dialect,
    /// Part of this case's topics and ids, and of nobody else's.
    pub(crate) tag: String,
}

impl Hub {
    /// Whether requests and tokens are those of the newer dialect.
    pub(crate) fn is_d1(&self) -> bool {
        self.dialect == Dialect::D1
    }

    pub(crate) fn speaking(&self, dialect: Dialect) -> Self {
        Self {
            dialect,
            ..self.clone()
        }
    }

    /// A topic of this case.
    pub(crate) fn topic(&self, name: &str) -> String {
        format!("https://example.com/{}/{name}", self.tag)
    }

    /// An event id of this case.
    pub(crate) fn id(&self, name: &str) -> String {
        format!("urn:x-conformance:{}:{name}", self.tag)
    }

    /// A token that grants these topics, or everything by `*`.
    pub(crate) fn token(&self, publish: &[&str], subscribe: &[&str]) -> Token {
        if !self.is_d1() {
            let mercure = json!({"publish": publish, "subscribe": subscribe});
            return Token::d0(&self.key, mercure);
        }
        let sides = [("publish", publish), ("subscribe", subscribe)];
        let granted = sides.iter().filter(|(_, topics)| !topics.is_empty());
        let details: Vec<_> = granted
            .map(|(action, topics)| detail(action, topics))
            .collect();
        self.detailed(json!(details))
    }

    /// A D1 token with these details.
    pub(crate) fn detailed(&self, details: Value) -> Token {
        Token::d1(&self.key, &self.issuer, &self.audience, details)
    }

    /// A token that may publish everything.
    pub(crate) fn writer(&self) -> String {
        self.token(&["*"], &[]).sign()
    }

    /// A token that may see everything.
    pub(crate) fn reader(&self) -> String {
        self.token(&[], &["*"]).sign()
    }

    /// A token that may see public events only.
    pub(crate) fn stranger(&self) -> String {
        self.token(&["urn:x-conformance:nothing"], &[]).sign()
    }

    /// A publication by `token`.
    pub(crate) fn publication(&self, token: &str, pairs: &[(&str, &str)]) -> Request {
        Request::new("POST", HUB).bearer(token).form(pairs)
    }

    /// Asks for exactly these topics, in the words of the dialect.
    pub(crate) fn subscription(&self, topics: &[&str]) -> Request {
        let name = if self.is_d1() { "match" } else { "topic" };
        let pairs: Vec<_> = topics.iter().map(|topic| (name, *topic)).collect();
        self.query(&pairs)
    }

    /// A GET of the hub's URL with these query parameters.
    pub(crate) fn query(&self, pairs: &[(&str, &str)]) -> Request {
        let mut query = form_urlencoded::Serializer::new(String::new());
        let query = query.extend_pairs(pairs).finish();
        Request::new("GET", format!("{HUB}?{query}"))
    }

    /// Sends `request` on a connection of its own. The body of a stream is not waited for.
    pub(crate) async fn ask(&self, request: &Request) -> Result<Answer, Objection> {
        let mut connection = Connection::open(&self.address).await?;
        connection.send(&request.bytes(&self.authority)).await?;
        let (answer, body) = connection.stream(request.method).await?;
        if answer
            .value("Content-Type")
            .starts_with("text/event-stream")
        {
            return Ok(answer);
        }
        body.whole(answer).await
    }

    /// Opens a stream.
    ///
    /// # Errors
    ///
    /// The answer is anything but 200.
    pub(crate) async fn open(&self, request: &Request) -> Result<Stream, Objection> {
        let mut connection = Connection::open(&self.address).await?;
        connection.send(&request.bytes(&self.authority)).await?;
        let (answer, body) = connection.stream(request.method).await?;
        if answer.status != 200 {
            let answer = body.whole(answer).await?;
            return Err(failed("status 200 and a stream", answer));
        }
        Stream::new(answer, body)
    }

    /// Subscribes to exactly these topics with a token that may see everything.
    pub(crate) async fn subscribe(&self, topics: &[&str]) -> Result<Stream, Objection> {
        self.subscribe_by(&self.reader(), topics).await
    }

    pub(crate) async fn subscribe_by(
        &self,
        token: &str,
        topics: &[&str],
    ) -> Result<Stream, Objection> {
        self.open(&self.subscription(topics).bearer(token)).await
    }

    /// Publishes with a token that may, and returns the answered id.
    pub(crate) async fn publish(&self, pairs: &[(&str, &str)]) -> Result<String, Objection> {
        let request = self.publication(&self.writer(), pairs);
        let answer = self.ask(&request).await?;
        answer.must_be(200)?;
        Ok(answer.body)
    }

    /// Publishes a public event that tells a reader: all that came before it has come.
    pub(crate) async fn mark(&self, topic: &str, id: &str) -> Result<(), Objection> {
        self.publish(&[("topic", topic), ("id", id)]).await?;
        Ok(())
    }

    /// The answer's status when a valid token does not cover what it is used for.
    ///
    /// D0: the specification says 403 and the reference 401 (D0-G1); either refuses.
    pub(crate) fn not_granted(&self) -> &'static [u16] {
        if self.is_d1() { &[403] } else { &[401, 403] }
    }

    /// `target` resolved against the hub's URL.
    pub(crate) fn resolved(&self, target: &str) -> String {
        let hub = Url::parse(&self.audience);
        let url = hub.and_then(|hub| hub.join(target));
        url.map(String::from).unwrap_or_default()
    }
}

/// An entry of `authorization_details` with exact topics, or `*`.
pub(crate) fn detail(action: &str, topics: &[&str]) -> Value {
    let topics: Vec<_> = topics
        .iter()
        .map(|topic| json!({ "match": topic }))
        .collect();
    json!({"type": DETAIL, "actions": [action], "topics": topics})
}

/// Everything but unreserved characters as triplets, as RFC 6570 writes a variable.
pub(crate) fn encoded(text: &str) -> String {
    utf8_percent_encode(text, ENCODED).to_string()
}

const ENCODED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
