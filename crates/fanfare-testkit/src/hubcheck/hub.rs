//! The hub under check: where it is, and how it is asked.

use std::fmt;
use std::net::{SocketAddr, ToSocketAddrs};

use super::error::CheckError;
use super::plan::{Publication, Seat};
use super::selector::Selector;
use super::token;

/// A hub that speaks Mercure 0.x over plain HTTP.
#[derive(Clone)]
pub struct Hub {
    pub(super) address: SocketAddr,
    authority: String,
    path: String,
    publisher: String,
    credentials: Credentials,
}

/// What publishers and subscribers are authorized by.
#[derive(Clone)]
#[expect(clippy::exhaustive_enums, reason = "these are the two ways there are")]
pub enum Credentials {
    /// The key of all tokens, for HMAC with SHA-256.
    Key(String),
    /// Tokens made elsewhere; each for every topic.
    Tokens {
        /// May publish.
        publisher: String,
        /// May see private events.
        subscriber: String,
    },
}

impl Hub {
    /// Takes `http://HOST:PORT`, with a path if the hub's is not `/.well-known/mercure`.
    ///
    /// # Errors
    ///
    /// [`CheckError::Url`] for anything else, and for a host without an address.
    pub fn new(url: &str, credentials: Credentials) -> Result<Self, CheckError> {
        let fault = || CheckError::Url {
            url: url.to_owned(),
        };
        let rest = url.strip_prefix("http://").ok_or_else(fault)?;
        let (authority, path) = match rest.split_once('/') {
            None | Some((_, "")) => (rest.trim_end_matches('/'), HUB_PATH.to_owned()),
            Some((authority, path)) => (authority, format!("/{path}")),
        };
        let has_port = authority
            .rsplit_once(':')
            .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let place = if has_port {
            authority.to_owned()
        } else {
            format!("{authority}:80")
        };
        let mut addresses = place.to_socket_addrs().map_err(|_| fault())?;
        Ok(Self {
            address: addresses.next().ok_or_else(fault)?,
            authority: authority.to_owned(),
            path,
            publisher: match &credentials {
                Credentials::Key(key) => token::mint(key, &[Selector::All], &[]),
                Credentials::Tokens { publisher, .. } => publisher.clone(),
            },
            credentials,
        })
    }

    /// Whether tokens can be made that grant a part of the topics.
    pub(super) fn can_grant_parts(&self) -> bool {
        matches!(self.credentials, Credentials::Key(_))
    }

    /// A publish, with an `Idempotency-Key` if it may be sent again.
    pub(super) fn publish_request(
        &self,
        publication: &Publication,
        idempotency_key: Option<&str>,
    ) -> Vec<u8> {
        let mut body = format!("data={}", encoded(&publication.data));
        for topic in &publication.topics {
            body.push_str(&format!("&topic={}", encoded(topic)));
        }
        if publication.private {
            body.push_str("&private=on");
        }
        let mut head = self.head("POST", &self.path);
        head.push_str(&format!("Authorization: Bearer {}\r\n", self.publisher));
        if let Some(key) = idempotency_key {
            head.push_str(&format!("Idempotency-Key: \"{key}\"\r\n"));
        }
        format!(
            "{head}Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    /// A subscription of `seat` that goes on behind the id `from`.
    pub(super) fn subscribe_request(&self, seat: &Seat, from: Option<&str>) -> Vec<u8> {
        let mut target = format!("{}?", self.path);
        for selector in &seat.selectors {
            target.push_str(&format!(
                "topic={}&",
                encoded(&String::from(selector.clone()))
            ));
        }
        if seat.gap_events {
            target.push_str("gap=1&");
        }
        let mut head = self.head("GET", target.trim_end_matches('&'));
        let token = match &self.credentials {
            Credentials::Key(key) => token::mint(key, &[], &seat.grant),
            Credentials::Tokens { subscriber, .. } => subscriber.clone(),
        };
        head.push_str(&format!("Authorization: Bearer {token}\r\n"));
        if let Some(from) = from {
            head.push_str(&format!("Last-Event-ID: {from}\r\n"));
        }
        format!("{head}\r\n").into_bytes()
    }

    fn head(&self, method: &str, target: &str) -> String {
        format!("{method} {target} HTTP/1.1\r\nHost: {}\r\n", self.authority)
    }
}

/// A Mercure hub's path (D0-U1).
const HUB_PATH: &str = "/.well-known/mercure";

/// `text` for a form or a query.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                encoded.push(char::from(byte));
            }
            _ => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            authority, path, ..
        } = self;
        write!(f, "Hub(http://{authority}{path})")
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}
