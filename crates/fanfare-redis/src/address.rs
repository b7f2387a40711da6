//! Where the server is, and how it is used: one line that people write.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use url::Url;

use crate::config::{Ack, Fence};

/// `redis://[user:password@]host[:port][/db][?hub=NAME&ack=…&fence=…]`; `rediss://` with TLS, and
/// then also `ca=FILE`.
///
/// [`Display`](fmt::Display) and [`Debug`](fmt::Debug) leave the password out.
#[derive(Clone, Eq, PartialEq)]
pub struct Address {
    host: String,
    port: u16,
    user: Option<String>,
    password: Option<String>,
    database: i64,
    security: Security,
    hub: String,
    ack: Ack,
    fence: Fence,
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

    /// Host and port, for people.
    #[must_use]
    pub fn server(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    pub(crate) fn place(&self) -> (&str, u16) {
        let host = self.host.trim_start_matches('[').trim_end_matches(']');
        (host, self.port)
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
        // Not the error itself: it must not tell a password.
        let url = Url::parse(text).map_err(|_| InvalidAddress::Url)?;
        let security = match url.scheme() {
            "redis" | "valkey" => Security::Plain,
            "rediss" | "valkeys" => Security::Tls { authority: None },
            _ => return Err(InvalidAddress::Scheme),
        };
        let decode = |text: &str| {
            let decoded = percent_decode_str(text).decode_utf8();
            decoded.map(String::from).map_err(|_| InvalidAddress::Url)
        };
        let database = match url.path() {
            "" | "/" => 0,
            path => {
                let number = path.trim_start_matches('/').parse();
                number.map_err(|_| InvalidAddress::Database)?
            }
        };
        let user = decode(url.username())?;
        let mut address = Self {
            host: url.host_str().ok_or(InvalidAddress::Url)?.to_owned(),
            port: url.port().unwrap_or(PORT),
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

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match &self.security {
            Security::Plain => "redis",
            Security::Tls { .. } => "rediss",
        };
        write!(f, "{scheme}://")?;
        if let Some(user) = &self.user {
            f.write_str(user)?;
        }
        if self.password.is_some() {
            f.write_str(":[redacted]")?;
        }
        if self.user.is_some() || self.password.is_some() {
            f.write_str("@")?;
        }
        write!(f, "{}:{}", self.host, self.port)?;
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
    #[error("it must begin with `redis://`, or with `rediss://` for TLS")]
    Scheme,
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
const HUB: &str = "main";

#[cfg(test)]
mod tests;
