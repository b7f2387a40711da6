//! Addresses in settings: where the hub listens, what it is called outside, whom it asks and tells.

use std::net::SocketAddr;
use std::str::FromStr;

use url::Url;

/// An IP and a port.
pub(super) fn listen(text: &str) -> Result<SocketAddr, InvalidAddress> {
    text.parse().map_err(|_| InvalidAddress::Listen)
}

/// The path of the hub's URL, without a slash at its end.
pub(super) fn hub_path(text: &str) -> Result<String, InvalidAddress> {
    // Only what no client and no proxy would encode, decode or resolve on the way.
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    let segment = |it: &str| !matches!(it, "" | "." | "..") && it.bytes().all(plain);
    let path = text.strip_prefix('/').ok_or(InvalidAddress::HubPath)?;
    if !path.split('/').all(segment) {
        return Err(InvalidAddress::HubPath);
    }
    let is_within = TAKEN_FOLDERS.iter().any(|folder| text.starts_with(folder));
    if is_within || TAKEN_PATHS.contains(&text) {
        return Err(InvalidAddress::TakenPath);
    }
    Ok(text.to_owned())
}

/// Routes of our own that a hub's URL would hide.
const TAKEN_PATHS: [&str; 7] = [
    "/broadcast",
    "/events",
    "/fanfare.js",
    "/healthz",
    "/metrics",
    "/publish",
    "/readyz",
];

/// Where there are more of them.
const TAKEN_FOLDERS: [&str; 3] = ["/admin/", "/dashboard/", "/mercure/health/"];

/// `scheme://host` or `scheme://host:port`, reached by HTTP.
pub(super) fn public_url(text: &str) -> Result<Url, InvalidAddress> {
    let url = web_url(text).map_err(|_| InvalidAddress::PublicUrl)?;
    let bare = url.path() == "/" && url.query().is_none() && url.fragment().is_none();
    let anybody = url.username().is_empty() && url.password().is_none();
    match bare && anybody {
        true => Ok(url),
        false => Err(InvalidAddress::PublicUrl),
    }
}

/// A URL that is reached by HTTP.
pub(super) fn web_url(text: &str) -> Result<Url, InvalidAddress> {
    let url = Url::parse(text).map_err(|_| InvalidAddress::Web)?;
    match url.scheme() {
        "http" | "https" => Ok(url),
        _ => Err(InvalidAddress::Web),
    }
}

/// A URL that is compared, never fetched, and so stays as it was typed.
pub(super) fn absolute_url(text: &str) -> Result<String, InvalidAddress> {
    // RFC 8707 §2: a resource is an absolute URI without a fragment.
    match Url::parse(text) {
        Ok(url) if url.fragment().is_none() => Ok(text.to_owned()),
        Ok(_) | Err(_) => Err(InvalidAddress::Absolute),
    }
}

/// Where a JWK Set is.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct KeySetUrl(pub(crate) Url);

impl FromStr for KeySetUrl {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let url = Url::parse(text).map_err(|_| InvalidAddress::KeySet)?;
        match url.scheme() {
            "http" | "https" | "file" => Ok(Self(url)),
            _ => Err(InvalidAddress::KeySet),
        }
    }
}

/// A text that is not the address that a setting wants.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum InvalidAddress {
    #[error("an address is an IP and a port, such as 127.0.0.1:3000 or [::]:3000")]
    Listen,
    #[error(
        "a hub's path begins with `/` and ends without, and its segments are made of letters, \
         digits and -._~, such as /.well-known/mercure"
    )]
    HubPath,
    #[error("that path is a route of its own already")]
    TakenPath,
    #[error("a public URL is http or https, host and perhaps port, such as https://example.com")]
    PublicUrl,
    #[error("it must be an http or https URL, such as https://example.com/topics")]
    Web,
    #[error("it must be an absolute URL without a fragment, such as https://example.com/hub")]
    Absolute,
    #[error("a key set is at an https, http or file URL, such as https://example.com/jwks.json")]
    KeySet,
}

#[cfg(test)]
mod tests;
