//! Where a bridge leads from: `redis://[user:password@]host[:port]/[database/]CHANNEL`.

use std::fmt;
use std::str::FromStr;

use percent_encoding::percent_decode_str;
use url::Url;

/// A pub/sub channel of a Redis or Valkey server; its `Debug` and `Display` hide the password.
#[derive(Clone, Eq, PartialEq)]
pub struct Bridge {
    /// Without the channel.
    server: Url,
    place: String,
}

impl Bridge {
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Where the nodes say their markers.
    pub(super) fn marker_place(&self) -> String {
        format!("fanfare:bridge:{}:markers", self.place)
    }

    /// Who has the lease.
    pub(super) fn lease_key(&self) -> String {
        format!("fanfare:bridge:{}:lease", self.place)
    }

    /// What the connection needs, its password included.
    pub(super) fn connection(&self) -> &str {
        self.server.as_str()
    }

    /// Host and port, for people.
    pub(super) fn server(&self) -> String {
        let host = self.server.host_str().unwrap_or_default();
        format!("{host}:{}", self.server.port().unwrap_or(PORT))
    }
}

impl FromStr for Bridge {
    type Err = InvalidBridge;

    fn from_str(text: &str) -> Result<Self, InvalidBridge> {
        // Not the error itself: it must not tell a password.
        let mut server = Url::parse(text).map_err(|_| InvalidBridge::Url)?;
        let plain = server.query().is_none() && server.fragment().is_none();
        if !matches!(server.scheme(), "redis" | "rediss") || !server.has_host() || !plain {
            return Err(InvalidBridge::Url);
        }
        let segments: Vec<_> = server.path().split('/').skip(1).collect();
        let (database, channel) = match *segments.as_slice() {
            [channel] => ("0", channel),
            [database, channel] => (database, channel),
            _ => return Err(InvalidBridge::Channel),
        };
        let is_number = !database.is_empty() && database.bytes().all(|it| it.is_ascii_digit());
        let channel = percent_decode_str(channel).decode_utf8();
        let channel = channel.map_err(|_| InvalidBridge::Channel)?.into_owned();
        if channel.is_empty() || !is_number {
            return Err(InvalidBridge::Channel);
        }
        let path = format!("/{database}");
        server.set_path(&path);
        Ok(Self {
            server,
            place: channel,
        })
    }
}

impl fmt::Display for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}/…", self.server.scheme(), self.server())
    }
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge")
            .field("server", &self.server())
            .field("place", &self.place)
            .finish_non_exhaustive()
    }
}

/// A text that names no channel of a Redis server.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidBridge {
    /// It is no URL of a Redis server.
    #[error("a bridge is `redis://HOST:PORT/CHANNEL`, or `rediss://…` with TLS")]
    Url,
    /// Its path is not a channel, or a database's number and a channel.
    #[error("the path of a bridge is its channel, as in `redis://127.0.0.1:6379/sse-channel`")]
    Channel,
}

const PORT: u16 = 6379;

#[cfg(test)]
mod tests;
