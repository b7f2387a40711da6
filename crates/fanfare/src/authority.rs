//! What a request is allowed: its token found, verified, and judged for the role it plays.

use std::time::SystemTime;

use fanfare_broker::Selectors;
use http::header::{HOST, ORIGIN};
use http::request::Parts;
use http::uri::Authority;
use url::{Host, Url};

use crate::accept::Peer;
use crate::auth::{Grant, Verifier, token_of};
use crate::error::Refusal;
use crate::server::Server;

/// What a publisher may do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Publisher {
    /// Topics its token covers; `None`: every topic.
    pub(crate) granted: Option<Selectors>,
    /// Whom the token was issued to; scopes idempotency keys (O2).
    pub(crate) subject: String,
}

impl Server {
    /// Judges a publisher on the Mercure route: a token is needed, always (D0-A7).
    pub(crate) fn publisher(&self, parts: &Parts) -> Result<Publisher, Refusal> {
        let grant = self.verified(parts, self.config.publisher.as_ref(), "publisher")?;
        let granted = grant.as_ref().and_then(|grant| grant.publish.clone());
        let (Some(grant), Some(granted)) = (grant, granted) else {
            return Err(self.unauthorized(parts, "publisher", &"no token that may publish"));
        };
        Ok(Publisher {
            granted: Some(granted),
            subject: grant.subject.unwrap_or_default(),
        })
    }

    /// Judges a publisher on the plain endpoints, which are open in development.
    pub(crate) fn plain_publisher(&self, parts: &Parts) -> Result<Publisher, Refusal> {
        if self.config.dev.is_none() || self.carries_token(parts) {
            return self.publisher(parts);
        }
        // Any page that a developer visits can send a POST to 127.0.0.1, but not without saying so.
        if self.is_from_strange_page(parts) {
            return Err(self.unauthorized(parts, "publisher", &"a page of another origin"));
        }
        Ok(Publisher::default())
    }

    /// Judges a subscriber. `None`: it has no token and needs none.
    ///
    /// A bad token is refused also where none is needed (D0-A8). Without a key for subscribers
    /// tokens are ignored (D0-A9).
    pub(crate) fn subscriber(&self, parts: &Parts) -> Result<Option<Grant>, Refusal> {
        let grant = self.verified(parts, self.config.subscriber.as_ref(), "subscriber")?;
        if grant.is_none() && !self.config.anonymous {
            return Err(self.unauthorized(parts, "subscriber", &"no token"));
        }
        Ok(grant)
    }

    fn verified(
        &self,
        parts: &Parts,
        verifier: Option<&Verifier>,
        role: &'static str,
    ) -> Result<Option<Grant>, Refusal> {
        let Some(verifier) = verifier else {
            return Ok(None);
        };
        let token = token_of(
            parts,
            &self.config.cookie_name,
            &self.config.publish_origins,
        )
        .map_err(|error| self.unauthorized(parts, role, &error))?;
        let Some(token) = token else {
            return Ok(None);
        };
        #[expect(
            clippy::disallowed_methods,
            reason = "the clock is read once per request"
        )]
        let now = SystemTime::now();
        let grant = verifier.verify(&token, now);
        grant
            .map(Some)
            .map_err(|error| self.unauthorized(parts, role, &error))
    }

    /// Says why in the log, once, and nothing to the peer (S19). `why` never shows a token.
    fn unauthorized(
        &self,
        parts: &Parts,
        role: &'static str,
        why: &dyn std::fmt::Display,
    ) -> Refusal {
        // The path alone: a query may hold a token (S7).
        let path = parts.uri.path();
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
        tracing::info!(%why, role, path, ?peer, "unauthorized");
        self.metrics.auth_failed(role);
        Refusal::Unauthorized
    }

    fn carries_token(&self, parts: &Parts) -> bool {
        let found = token_of(
            parts,
            &self.config.cookie_name,
            &self.config.publish_origins,
        );
        !matches!(found, Ok(None))
    }

    /// Whether a page asks that neither this server nor this machine has served.
    fn is_from_strange_page(&self, parts: &Parts) -> bool {
        let Some(origin) = parts.headers.get(ORIGIN) else {
            return false;
        };
        let origin = origin.to_str().unwrap_or_default();
        let host = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
        let host = host.or_else(|| parts.uri.authority().map(Authority::as_str));
        let same = origin.split_once("://").map(|(_, host)| host) == host;
        !same && !is_loopback(origin) && !self.config.publish_origins.matches(origin)
    }
}

fn is_loopback(origin: &str) -> bool {
    match Url::parse(origin).ok().as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}
