//! Where the hub is, as the world writes it: the base of relative names, and what tokens are for.

use http::header::HOST;
use http::request::Parts;
use http::uri::Authority;
use url::Url;

use crate::error::Refusal;
use crate::server::Config;

/// The hub's place as one request sees it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Site {
    /// The hub's URL: relative topics and patterns resolve on it (D1-M3, D1-G3).
    pub(crate) hub_url: Url,
    /// What an access token's `aud` must name (D1-A4).
    pub(crate) resource: String,
}

impl Site {
    /// The hub's place for a request.
    ///
    /// A pinned resource identifier settles both: were the base still the `Host` that a client
    /// writes, a grant for `/books/:id` would cover that path on any host it likes.
    pub(crate) fn of(config: &Config, parts: &Parts) -> Result<Self, Refusal> {
        let origin = match &config.resource_identifier {
            Some(resource) => Url::parse(resource).map_err(|_| Refusal::Host)?,
            None => origin(config, parts)?,
        };
        let hub_url = origin.join(&config.hub_path).map_err(|_| Refusal::Host)?;
        let resource = config.resource_identifier.clone();
        Ok(Self {
            resource: resource.unwrap_or_else(|| hub_url.to_string()),
            hub_url,
        })
    }

    /// Where the hub's metadata are (RFC 9728 §3.1).
    pub(crate) fn metadata_url(&self) -> String {
        let path = format!("{METADATA_PREFIX}{}", self.hub_url.path());
        self.hub_url.join(&path).map_or(path, |url| url.to_string())
    }
}

/// The path of a resource's metadata is this and the resource's own path (RFC 9728 §3.1).
pub(crate) const METADATA_PREFIX: &str = "/.well-known/oauth-protected-resource";

/// The host, with its port, that a request is for.
pub(crate) fn host(parts: &Parts) -> Option<&str> {
    let field = parts.headers.get(HOST).and_then(|host| host.to_str().ok());
    field.or_else(|| parts.uri.authority().map(Authority::as_str))
}

/// The public URL that a request was sent to: one of those configured, or what its `Host` says.
fn origin(config: &Config, parts: &Parts) -> Result<Url, Refusal> {
    let host = host(parts).ok_or(Refusal::Host)?;
    // Nothing but a host and perhaps a port, or it could mean something else to another reader.
    if host.is_empty() || host.contains(['/', '\\', '?', '#', '@']) {
        return Err(Refusal::Host);
    }
    let mut public = config.public_urls.iter();
    if config.public_urls.is_empty() {
        // Of a proxy in front that speaks TLS, only `public_urls` can tell.
        let scheme = config.tls.as_ref().map_or("http", |_| "https");
        return Url::parse(&format!("{scheme}://{host}/")).map_err(|_| Refusal::Host);
    }
    let same = |url: &&Url| {
        // Parsed under the same scheme, so that a default port and the host's case do not count.
        let sent = Url::parse(&format!("{}://{host}/", url.scheme()));
        sent.is_ok_and(|sent| sent.origin() == url.origin())
    };
    public.find(same).cloned().ok_or(Refusal::Misdirected)
}

#[cfg(test)]
mod tests;
