//! Where the stream is, as people write it: `nats://user:password@host:4222?hub=NAME`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;

use crate::config::Ack;

/// Where the stream is, and what it is to be:
/// `nats://[USER:PASSWORD@]HOST[:PORT][,HOST…][?hub=NAME&replicas=N&ack=…&ca=FILE&monitor=…]`, or
/// with `tls://`.
///
/// A lone name before the `@` is a token. Its `Display` has asterisks where the secret is.
#[derive(Clone, Eq, PartialEq)]
pub struct Address {
    pub(crate) tls: bool,
    pub(crate) login: Login,
    /// `host:port`, at least one.
    pub(crate) servers: Vec<String>,
    pub(crate) hub: String,
    /// Servers that hold each record, 1 to 5.
    pub(crate) replicas: usize,
    pub(crate) ack: Ack,
    /// Certificates of authorities to trust, instead of the system's.
    pub(crate) ca: Option<PathBuf>,
    /// Where the servers' monitoring is: `host:port` each (NA8).
    pub(crate) monitors: Vec<String>,
}

/// Who we are for the server.
#[derive(Clone, Eq, PartialEq)]
pub(crate) enum Login {
    None,
    Token(String),
    User { name: String, password: String },
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let (tls, rest) = match text.split_once("://") {
            Some(("nats", rest)) => (false, rest),
            Some(("tls", rest)) => (true, rest),
            _ => return Err(InvalidAddress::Scheme),
        };
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (login, servers) = match rest.rsplit_once('@') {
            Some((login, servers)) => (Login::parse(login)?, servers),
            None => (Login::None, rest),
        };
        let servers = servers.strip_suffix('/').unwrap_or(servers);
        let mut address = Self {
            tls,
            login,
            servers: split_hosts(servers, "4222")?,
            hub: "default".to_owned(),
            replicas: 1,
            ack: Ack::default(),
            ca: None,
            monitors: Vec::new(),
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            address.set(name, &decoded(value)?)?;
        }
        Ok(address)
    }
}

impl Address {
    fn set(&mut self, name: &str, value: &str) -> Result<(), InvalidAddress> {
        match name {
            "hub" if is_name(value) => value.clone_into(&mut self.hub),
            "hub" => return Err(InvalidAddress::Hub),
            "replicas" => match value.parse() {
                Ok(count @ 1..=5) => self.replicas = count,
                _ => return Err(InvalidAddress::Replicas),
            },
            "ack" => match value {
                "synced" => self.ack = Ack::Synced,
                "relaxed" => self.ack = Ack::Relaxed,
                _ => return Err(InvalidAddress::Ack),
            },
            "ca" if !value.is_empty() => self.ca = Some(value.into()),
            "monitor" => self.monitors = split_hosts(value, "8222")?,
            _ => {
                return Err(InvalidAddress::Setting {
                    name: name.to_owned(),
                });
            }
        }
        Ok(())
    }
}

impl Login {
    fn parse(text: &str) -> Result<Self, InvalidAddress> {
        Ok(match text.split_once(':') {
            None => Self::Token(decoded(text)?),
            Some((name, password)) => Self::User {
                name: decoded(name)?,
                password: decoded(password)?,
            },
        })
    }
}

fn decoded(text: &str) -> Result<String, InvalidAddress> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(Into::into)
        .map_err(|_| InvalidAddress::Encoding)
}

/// `host[:port]`, with commas between; an IPv6 address is in brackets.
fn split_hosts(text: &str, port: &str) -> Result<Vec<String>, InvalidAddress> {
    text.split(',').map(|host| split_host(host, port)).collect()
}

fn split_host(text: &str, port: &str) -> Result<String, InvalidAddress> {
    let name_end = text.rfind(']').map_or(0, |end| end + 1);
    let (_, after_brackets) = text.split_at_checked(name_end).unwrap_or((text, ""));
    let is_valid = |port: &str| port.parse::<u16>().is_ok_and(|port| port > 0);
    match after_brackets.rsplit_once(':') {
        Some((_, port)) if is_valid(port) && !text.starts_with(':') => Ok(text.to_owned()),
        None if !text.is_empty() => Ok(format!("{text}:{port}")),
        _ => Err(InvalidAddress::Server),
    }
}

/// What may stand in a subject and in the name of a stream.
fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    (1..=64).contains(&text.len()) && text.bytes().all(fits)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.tls { "tls://" } else { "nats://" })?;
        match &self.login {
            Login::None => {}
            Login::Token(_) => f.write_str("***@")?,
            Login::User { name, .. } => write!(f, "{name}:***@")?,
        }
        write!(f, "{}?hub={}", self.servers.join(","), self.hub)?;
        write!(f, "&replicas={}", self.replicas)?;
        f.write_str(match self.ack {
            Ack::Synced => "&ack=synced",
            Ack::Relaxed => "&ack=relaxed",
        })?;
        if let Some(ca) = &self.ca {
            write!(f, "&ca={}", ca.display())?;
        }
        if !self.monitors.is_empty() {
            write!(f, "&monitor={}", self.monitors.join(","))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// A text that is no address of a stream.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAddress {
    /// It begins with neither.
    #[error("an address of NATS begins with `nats://` or `tls://`")]
    Scheme,
    /// A server that is none.
    #[error("servers are `HOST` or `HOST:PORT`, with commas between")]
    Server,
    /// `hub` is no name.
    #[error("`hub` is 1 to 64 letters, digits, `-` and `_`")]
    Hub,
    /// `replicas` is no number that a stream can have.
    #[error("`replicas` is 1 to 5")]
    Replicas,
    /// `ack` is none of the two.
    #[error("`ack` is `synced` or `relaxed`")]
    Ack,
    /// There is no such setting.
    #[error(
        "there is no `{name}` in an address of NATS, or it has no value; there are `hub`, `replicas`, `ack`, `ca` and `monitor`"
    )]
    Setting {
        /// What it was called.
        name: String,
    },
    /// A `%` is not followed by what belongs there.
    #[error("after percent-decoding it is no text")]
    Encoding,
}

#[cfg(test)]
mod tests;
