//! `SERVER_NAME`: a site's address in Caddy's form, read as the address to listen on.

use std::net::{Ipv4Addr, SocketAddr};

use super::translation::Translation;
use super::words;
use crate::config::loaded::{InvalidSetting, Source};

/// Listens where Caddy would serve `text`, on all interfaces; where it would speak TLS, without.
pub(super) fn translate(text: &str, translation: &mut Translation) -> Result<(), InvalidSetting> {
    let source = Source::Variable("SERVER_NAME".to_owned());
    let sites: Vec<Site> = words(text)
        .map(|word| Site::parse(word).ok_or_else(|| not_a_site(word, &source)))
        .collect::<Result<_, _>>()?;
    let Some(first) = sites.first() else {
        return Ok(());
    };
    if sites.iter().any(|site| site.tls) {
        translation.warn(format!(
            "SERVER_NAME is {text}, where Caddy would serve HTTPS; this hub listens on port {}, and \
             speaks TLS only with FANFARE_TLS_CERT and FANFARE_TLS_KEY: set them, and \
             FANFARE_LISTEN to 0.0.0.0:443, or put a proxy with TLS in front of it",
            first.port
        ));
    }
    if sites.iter().any(|site| site.port != first.port) {
        translation.warn(format!(
            "SERVER_NAME has several ports; the hub listens on the first, {}",
            first.port
        ));
    }
    let address = SocketAddr::from((Ipv4Addr::UNSPECIFIED, first.port));
    translation.set("listen", [address.to_string().as_str()], &source);
    Ok(())
}

/// One address of a site: which port it comes to, and whether Caddy would speak TLS there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Site {
    port: u16,
    tls: bool,
}

impl Site {
    /// Reads `[scheme://][host][:port][/path]`.
    fn parse(text: &str) -> Option<Self> {
        let (scheme, rest) = match text.split_once("://") {
            Some((scheme, rest)) => (Some(scheme), rest),
            None => (None, text),
        };
        let host = rest.split('/').next().unwrap_or_default();
        // The colons of an IPv6 address stand before its bracket.
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.contains(']') => (name, port),
            Some(_) | None => (host, ""),
        };
        let port: Option<u16> = match port {
            "" => None,
            port => Some(port.parse().ok()?),
        };
        let tls = match scheme {
            Some("http") => false,
            Some("https") => true,
            Some(_) => return None,
            // Caddy gets a certificate for a name, unless it is told to serve the HTTP port.
            None => port == Some(HTTPS) || (!name.is_empty() && port != Some(HTTP)),
        };
        // Plain HTTP on the port of HTTPS would only confuse whoever comes there.
        let port = port.filter(|port| *port != HTTPS).unwrap_or(HTTP);
        Some(Self { port, tls })
    }
}

const HTTP: u16 = 80;
const HTTPS: u16 = 443;

fn not_a_site(text: &str, source: &Source) -> InvalidSetting {
    InvalidSetting::Value {
        place: source.clone(),
        key: "listen".to_owned(),
        reason: format!("{text} is no address of a site, such as :80 or http://example.com:8080"),
    }
}

#[cfg(test)]
mod tests;
