//! Where the server is, and how it is used: one line that people write.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use url::Url;

use crate::config::{Ack, Fence};

/// `redis://[user:password@]host[:port][/db][?hub=NAME&ack=…&fence=…]`; `rediss://` with TLS, and
/// then also `ca=FILE`.
///
/// `redis+sentinel://[user:password@]host[:port],host[:port]…/PRIMARY[/db][?…]` names sentinels, and
/// the primary as they call it; `rediss+sentinel://` with TLS, to them as well.
///
/// [`Display`](fmt::Display) and [`Debug`](fmt::Debug) leave the password out.
#[derive(Clone, Eq, PartialEq)]
pub struct Address {
    /// The server, or the sentinels; never empty.
    places: Vec<Place>,
    /// What the sentinels call the primary; `None`: the place is the server's.
    primary: Option<String>,
    user: Option<String>,
    password: Option<String>,
    database: i64,
    security: Security,
    hub: String,
    ack: Ack,
    fence: Fence,
}

/// A host and a port, which are shown as in a URL.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Place {
    /// Without the brackets of an IPv6 address.
    pub(crate) host: String,
    pub(crate) port: u16,
}

/// Whether the way there is encrypted.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Security {
    Plain,
    Tls {
        /// Certificates in a file that vouch for the server's; `None`: those of the system.
        authority: Option<PathBuf>,
    },
}

impl Address {
    /// What must have happened before a publish is acknowledged.
    #[must_use]
    pub fn ack(&self) -> Ack {
        self.ack
    }

    /// By what a publish sees that the server is another than before.
    #[must_use]
    pub fn fence(&self) -> Fence {
        self.fence
    }

    /// The hub's name: what its keys have in common.
    #[must_use]
    pub fn hub(&self) -> &str {
        &self.hub
    }

    /// Host and port, or what the sentinels call it and where they are, for people.
    #[must_use]
    pub fn server(&self) -> String {
        match &self.primary {
            None => self.hosts(),
            Some(primary) => format!("{primary} of the sentinels {}", self.hosts()),
        }
    }

    /// The server, or the sentinels.
    pub(crate) fn places(&self) -> &[Place] {
        &self.places
    }

    /// What the sentinels call the primary; `None`: there are none.
    pub(crate) fn primary(&self) -> Option<&str> {
        self.primary.as_deref()
    }

    pub(crate) fn user(&self) -> Option<&str> {
        self.user.as_deref()
    }

    pub(crate) fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    pub(crate) fn database(&self) -> i64 {
        self.database
    }

    pub(crate) fn security(&self) -> &Security {
        &self.security
    }

    fn hosts(&self) -> String {
        let places: Vec<_> = self.places.iter().map(Place::to_string).collect();
        places.join(",")
    }

    fn set(&mut self, name: &str, value: &str) -> Result<(), InvalidAddress> {
        match (name, value) {
            ("hub", name) => {
                let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
                if name.is_empty() || name.len() > 64 || !name.chars().all(fits) {
                    return Err(InvalidAddress::Hub);
                }
                name.clone_into(&mut self.hub);
            }
            ("ack", "server") => self.ack = Ack::Server,
            ("ack", "fsync") => self.ack = Ack::Fsync,
            ("ack", "replicated") => self.ack = Ack::Replicated,
            ("ack", _) => return Err(InvalidAddress::Ack),
            ("fence", "run_id") => self.fence = Fence::RunId,
            ("fence", "replid") => self.fence = Fence::ReplId,
            ("fence", _) => return Err(InvalidAddress::Fence),
            ("ca", file) => match &mut self.security {
                Security::Tls { authority } => *authority = Some(file.into()),
                Security::Plain => return Err(InvalidAddress::AuthorityWithoutTls),
            },
            _ => return Err(InvalidAddress::Option(name.to_owned())),
        }
        Ok(())
    }
}

impl FromStr for Address {
    type Err = InvalidAddress;

    fn from_str(text: &str) -> Result<Self, InvalidAddress> {
        let (scheme, rest) = text.split_once("://").ok_or(InvalidAddress::Url)?;
        let (scheme, has_sentinels) = match scheme.strip_suffix("+sentinel") {
            Some(scheme) => (scheme, true),
            None => (scheme, false),
        };
        let security = match scheme {
            "redis" | "valkey" => Security::Plain,
            "rediss" | "valkeys" => Security::Tls { authority: None },
            _ => return Err(InvalidAddress::Scheme),
        };
        // A URL has one host: the others are read for themselves.
        let (url, others) = match has_sentinels {
            true => without_other_hosts(rest),
            false => (rest.to_owned(), Vec::new()),
        };
        let url = parse(&url)?;
        let port = if has_sentinels { SENTINEL_PORT } else { PORT };
        let mut places = vec![Place::of(&url, port)?];
        for other in others {
            places.push(Place::of(&parse(other)?, port)?);
        }
        let path = url.path().trim_start_matches('/');
        let (primary, database) = match has_sentinels {
            true => {
                let (name, database) = path.split_once('/').unwrap_or((path, ""));
                (Some(decode(name)?), database)
            }
            false => (None, path),
        };
        if primary.as_deref() == Some("") {
            return Err(InvalidAddress::Primary);
        }
        let database = match database {
            "" => 0,
            number => number.parse().map_err(|_| InvalidAddress::Database)?,
        };
        let user = decode(url.username())?;
        let mut address = Self {
            places,
            primary,
            user: (!user.is_empty()).then_some(user),
            password: url.password().map(decode).transpose()?,
            database,
            security,
            hub: HUB.to_owned(),
            ack: Ack::default(),
            fence: Fence::default(),
        };
        for (name, value) in url.query_pairs() {
            address.set(&name, &value)?;
        }
        Ok(address)
    }
}

/// An address without its scheme, with the first of its hosts alone; and the other hosts.
fn without_other_hosts(rest: &str) -> (String, Vec<&str>) {
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let login = authority.rfind('@').map_or(0, |at| at + 1);
    let (login, hosts) = authority.split_at(login);
    let mut hosts = hosts.split(',');
    let first = hosts.next().unwrap_or_default();
    (format!("{login}{first}{path}"), hosts.collect())
}

/// Reads what follows the scheme.
fn parse(rest: &str) -> Result<Url, InvalidAddress> {
    // Not the error itself: it must not tell a password.
    Url::parse(&format!("redis://{rest}")).map_err(|_| InvalidAddress::Url)
}

fn decode(text: &str) -> Result<String, InvalidAddress> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(String::from).map_err(|_| InvalidAddress::Url)
}

impl Place {
    fn of(url: &Url, port: u16) -> Result<Self, InvalidAddress> {
        let host = url
            .host_str()
            .filter(|host| !host.is_empty() && !host.contains(','));
        let host = host.ok_or(InvalidAddress::Url)?;
        Ok(Self {
            host: host.trim_matches(['[', ']']).to_owned(),
            port: url.port().unwrap_or(port),
        })
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.host.contains(':') {
            true => write!(f, "[{}]:{}", self.host, self.port),
            false => write!(f, "{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match &self.security {
            Security::Plain => "redis",
            Security::Tls { .. } => "rediss",
        };
        let sentinel = self.primary.as_ref().map_or("", |_| "+sentinel");
        write!(f, "{scheme}{sentinel}://")?;
        if let Some(user) = &self.user {
            f.write_str(user)?;
        }
        if self.password.is_some() {
            f.write_str(":[redacted]")?;
        }
        if self.user.is_some() || self.password.is_some() {
            f.write_str("@")?;
        }
        f.write_str(&self.hosts())?;
        if let Some(primary) = &self.primary {
            write!(f, "/{}", utf8_percent_encode(primary, IN_PATH))?;
        }
        if self.database != 0 {
            write!(f, "/{}", self.database)?;
        }
        let (ack, fence) = (self.ack.as_str(), self.fence.as_str());
        write!(f, "?hub={}&ack={ack}&fence={fence}", self.hub)?;
        if let Security::Tls {
            authority: Some(file),
        } = &self.security
        {
            write!(f, "&ca={}", file.display())?;
        }
        Ok(())
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Address({self})")
    }
}

/// Why a text is no address; says nothing of what it holds, for that may be a password.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidAddress {
    /// It is no URL.
    #[error("it must be a URL such as `redis://127.0.0.1:6379?hub=main`")]
    Url,
    /// It is of another scheme.
    #[error(
        "it must begin with `redis://`, or with `rediss://` for TLS; with `redis+sentinel://` or \
         `rediss+sentinel://` when sentinels say who the primary is"
    )]
    Scheme,
    /// It does not say which of the sentinels' primaries is meant.
    #[error(
        "with sentinels the path is what they call the primary, as in \
         `redis+sentinel://a:26379,b:26379/mymaster`"
    )]
    Primary,
    /// Its path is no number.
    #[error("the path is the number of a database, as in `redis://127.0.0.1:6379/1`")]
    Database,
    /// The name of the hub does not fit.
    #[error("`hub` is a name of up to 64 letters, digits, `-`, `_` and `.`")]
    Hub,
    /// There is no such acknowledgement.
    #[error("`ack` is `server`, `fsync` or `replicated`")]
    Ack,
    /// There is no such fence.
    #[error("`fence` is `run_id` or `replid`")]
    Fence,
    /// There is nothing that certificates could vouch for.
    #[error("`ca` goes with `rediss://` only")]
    AuthorityWithoutTls,
    /// There is no such option.
    #[error("there is no option `{0}`; there are `hub`, `ack`, `fence` and `ca`")]
    Option(String),
}

const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;
const HUB: &str = "main";

/// What is shown by its number in the name of a primary: sentinels allow the rest.
const IN_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.');

#[cfg(test)]
mod tests;
