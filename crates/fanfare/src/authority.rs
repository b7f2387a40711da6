//! What a request is allowed: its token found, verified, and judged for the role it plays.

use std::fmt::Display;
use std::time::SystemTime;

use fanfare_broker::Selectors;
use http::header::ORIGIN;
use http::request::Parts;
use url::{Host, Url};

use crate::accept::Peer;
use crate::auth::credential::{Credential, CredentialError, Places};
use crate::auth::{Audience, Grant, Issuer, Role, Token, Verifier, verify_access_token};
use crate::dialect::Dialect;
use crate::error::{Denied, Refusal};
use crate::presence::Holder;
use crate::server::Server;
use crate::site::{Site, host};

/// What a publisher may do.
#[derive(Clone, Debug, Default)]
pub(crate) struct Publisher {
    /// Topics its token covers; `None`: every topic.
    pub(crate) granted: Option<Selectors>,
    /// Whom the token was issued to, and by whom; scopes idempotency keys (O2).
    pub(crate) issuer: String,
    pub(crate) subject: String,
    /// Its token's; `None` without one.
    pub(crate) dialect: Option<Dialect>,
}

impl Server {
    /// Judges a publisher on the hub's URL: a token is needed, always (D0-A7).
    pub(crate) async fn publisher(&self, parts: &Parts) -> Result<Publisher, Refusal> {
        let Some(grant) = self.verified(parts, Role::Publisher, None).await? else {
            return Err(self.no_token(parts, PUBLISHER, self.usual_dialect()));
        };
        let dialect = grant.dialect;
        let Some(granted) = grant.publish else {
            let (denied, why) = (
                Denied::InsufficientScope,
                "the token may not publish at all",
            );
            return Err(self.deny(parts, PUBLISHER, denied, dialect, &why));
        };
        Ok(Publisher {
            granted: Some(granted),
            issuer: grant.issuer.unwrap_or_default(),
            subject: grant.subject.unwrap_or_default(),
            dialect: Some(dialect),
        })
    }

    /// Judges a publisher on the plain endpoints, which are open in development.
    pub(crate) async fn plain_publisher(&self, parts: &Parts) -> Result<Publisher, Refusal> {
        if self.config.dev.is_none() || self.carries_token(parts) {
            return self.publisher(parts).await;
        }
        // Any page that a developer visits can send a POST to 127.0.0.1, but not without saying so.
        if self.is_from_strange_page(parts) {
            let (denied, dialect) = (Denied::NoToken, self.usual_dialect());
            let why = "a page of another origin";
            return Err(self.deny(parts, PUBLISHER, denied, dialect, &why));
        }
        Ok(Publisher::default())
    }

    /// Judges a subscriber whose request is one of `dialect`, if it says so. `Ok(None)`: it has no
    /// token and needs none.
    ///
    /// A bad token is refused also where none is needed (D0-A8). Without a key for subscribers
    /// tokens are ignored (D0-A9).
    pub(crate) async fn subscriber(
        &self,
        parts: &Parts,
        dialect: Option<Dialect>,
    ) -> Result<Option<Grant>, Refusal> {
        let grant = if self.verifies(Role::Subscriber) {
            self.verified(parts, Role::Subscriber, dialect).await?
        } else {
            None
        };
        if grant.is_none() && !self.config.anonymous {
            let dialect = dialect.unwrap_or(self.usual_dialect());
            return Err(self.no_token(parts, SUBSCRIBER, dialect));
        }
        Ok(grant)
    }

    /// Judges a reader of presence: a token is needed, also with `anonymous`, unless no key for
    /// subscribers is configured at all (D0-R14).
    pub(crate) async fn presence_reader(
        &self,
        parts: &Parts,
        dialect: Option<Dialect>,
    ) -> Result<Option<Grant>, Refusal> {
        if !self.verifies(Role::Subscriber) {
            return Ok(None);
        }
        match self.verified(parts, Role::Subscriber, dialect).await? {
            Some(grant) => Ok(Some(grant)),
            None => {
                let dialect = dialect.unwrap_or(self.usual_dialect());
                Err(self.no_token(parts, SUBSCRIBER, dialect))
            }
        }
    }

    /// Whether tokens are verified for `role`, in any dialect.
    pub(crate) fn verifies(&self, role: Role) -> bool {
        let config = &self.config;
        let (fixed, issued): (_, fn(&Issuer) -> &Vec<Verifier>) = match role {
            Role::Publisher => (&config.publisher, |issuer| &issuer.publisher),
            Role::Subscriber => (&config.subscriber, |issuer| &issuer.subscriber),
        };
        let zero = config.dialects.speak(Dialect::D0) && fixed.is_some();
        let mut issuers = config.issuers.iter();
        zero || self.verifies_access_tokens() && issuers.any(|it| !issued(it).is_empty())
    }

    /// Whether tokens of 1.0 can be verified (D1-D1).
    pub(crate) fn verifies_access_tokens(&self) -> bool {
        self.config.dialects.speak(Dialect::D1) && !self.config.issuers.is_empty()
    }

    /// The dialect of those who show none: 0.x where its keys are configured (DX-11).
    pub(crate) fn usual_dialect(&self) -> Dialect {
        let config = &self.config;
        let keys = config.publisher.is_some() || config.subscriber.is_some();
        let zero = keys || config.issuers.is_empty();
        match config.dialects.speak(Dialect::D0) && (zero || !config.dialects.speak(Dialect::D1)) {
            true => Dialect::D0,
            false => Dialect::D1,
        }
    }

    /// Finds the request's token and verifies it. `Ok(None)`: it carries none.
    async fn verified(
        &self,
        parts: &Parts,
        role: Role,
        dialect: Option<Dialect>,
    ) -> Result<Option<Grant>, Refusal> {
        let found = self.credential(parts, dialect);
        let dialect = dialect.unwrap_or(self.usual_dialect());
        let malformed = |error: CredentialError, dialect| {
            let denied = if error == CredentialError::AccessTokenInQuery {
                Denied::InvalidToken
            } else {
                Denied::InvalidRequest
            };
            self.deny(parts, name(role), denied, dialect, &error)
        };
        let Some(credential) = found.map_err(|error| malformed(error, dialect))? else {
            return Ok(None);
        };
        let invalid = |dialect, why: &dyn Display| {
            self.deny(parts, name(role), Denied::InvalidToken, dialect, why)
        };
        let token = Token::parse(&credential.token).map_err(|error| invalid(dialect, &error))?;
        let dialect = self.dialect_of(&token);
        credential
            .check(parts, dialect, &self.config.publish_origins)
            .map_err(|error| malformed(error, dialect))?;
        let grant = self.verify(parts, role, &credential.token, dialect).await?;
        if Holder::of(&grant).is_some_and(|holder| self.revocations.cover(&holder)) {
            return Err(invalid(dialect, &"the token is revoked"));
        }
        Ok(Some(grant))
    }

    async fn verify(
        &self,
        parts: &Parts,
        role: Role,
        token: &str,
        dialect: Dialect,
    ) -> Result<Grant, Refusal> {
        #[expect(
            clippy::disallowed_methods,
            reason = "the clock is read once per request"
        )]
        let now = SystemTime::now();
        let fixed = match role {
            Role::Publisher => &self.config.publisher,
            Role::Subscriber => &self.config.subscriber,
        };
        let grant = match (dialect, fixed) {
            (Dialect::D0, Some(verifier)) => verifier.verify(token, now).await,
            (Dialect::D0, None) => {
                let why = "its `typ` is not `at+jwt`, and there is no key for tokens of 0.x";
                return Err(self.deny(parts, name(role), Denied::InvalidToken, Dialect::D1, &why));
            }
            (Dialect::D1, _) => {
                let site = Site::of(&self.config, parts)?;
                let audience = Audience {
                    resource: &site.resource,
                    hub_url: &site.hub_url,
                };
                verify_access_token(&self.config.issuers, role, token, &audience, now).await
            }
        };
        grant.map_err(|error| self.deny(parts, name(role), Denied::InvalidToken, dialect, &error))
    }

    /// How a token is to be judged (DX-5, DX-6).
    ///
    /// Without an issuer nothing is known of 1.0: an identity provider's tokens for a hub of 0.x
    /// may well say `at+jwt`.
    fn dialect_of(&self, token: &Token<'_>) -> Dialect {
        let zero = self.config.dialects.speak(Dialect::D0);
        match self.verifies_access_tokens() && (token.is_access_token() || !zero) {
            true => Dialect::D1,
            false => Dialect::D0,
        }
    }

    fn credential<'a>(
        &self,
        parts: &'a Parts,
        dialect: Option<Dialect>,
    ) -> Result<Option<Credential<'a>>, CredentialError> {
        let places = Places {
            dialects: self.config.dialects,
            cookie_name: &self.config.cookie_name,
            access_cookie_name: &self.config.access_cookie_name,
        };
        places.find(parts, dialect)
    }

    fn no_token(&self, parts: &Parts, role: &'static str, dialect: Dialect) -> Refusal {
        self.deny(parts, role, Denied::NoToken, dialect, &"no token")
    }

    /// Says why in the log, once, and to the peer in development only (S19, D1-E9). `why` never
    /// shows a token.
    pub(crate) fn deny(
        &self,
        parts: &Parts,
        role: &'static str,
        denied: Denied,
        dialect: Dialect,
        why: &dyn Display,
    ) -> Refusal {
        // The path alone: a query may hold a token (S7).
        let path = parts.uri.path();
        let peer = parts.extensions.get::<Peer>().map(|peer| peer.0);
        tracing::info!(%why, role, path, ?peer, "unauthorized");
        self.metrics.auth_failed(role);
        Refusal::Denied {
            denied,
            dialect,
            why: self.config.dev.is_some().then(|| why.to_string()),
        }
    }

    fn carries_token(&self, parts: &Parts) -> bool {
        !matches!(self.credential(parts, None), Ok(None))
    }

    /// Whether a page asks that neither this server nor this machine has served.
    fn is_from_strange_page(&self, parts: &Parts) -> bool {
        let Some(origin) = parts.headers.get(ORIGIN) else {
            return false;
        };
        let origin = origin.to_str().unwrap_or_default();
        let same = origin.split_once("://").map(|(_, host)| host) == host(parts);
        !same && !is_loopback(origin) && !self.config.publish_origins.matches(origin)
    }
}

/// The roles in logs and metrics.
pub(crate) const PUBLISHER: &str = "publisher";
pub(crate) const SUBSCRIBER: &str = "subscriber";

fn name(role: Role) -> &'static str {
    match role {
        Role::Publisher => PUBLISHER,
        Role::Subscriber => SUBSCRIBER,
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
