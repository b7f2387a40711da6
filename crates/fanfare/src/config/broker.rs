//! Where events are kept, and how safely, as people write it: `sqlite:DIRECTORY`,
//! `redis://HOST:PORT`, `interval:100ms`.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use fanfare_nats as nats;
use fanfare_redis as redis;
use fanfare_sqlite as sqlite;

use super::quantity::TimeSpan;

/// Where events are kept.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum BrokerAddress {
    /// In this process.
    Memory,
    /// In a database in this directory.
    Sqlite(PathBuf),
    /// In a stream of NATS JetStream.
    Nats(nats::Address),
    /// On a server that several nodes share.
    Redis(Box<redis::Address>),
}

impl Default for BrokerAddress {
    /// In the working directory, where a person who tries things out finds it, and away.
    fn default() -> Self {
        Self::Sqlite(PathBuf::from("fanfare-data"))
    }
}

impl FromStr for BrokerAddress {
    type Err = InvalidBroker;

    fn from_str(text: &str) -> Result<Self, InvalidBroker> {
        match text.split_once(':') {
            None if text == "memory" => Ok(Self::Memory),
            None if text == "sqlite" => Ok(Self::default()),
            Some(("sqlite", "")) => Err(InvalidBroker::NoDirectory),
            Some(("sqlite", directory)) => Ok(Self::Sqlite(directory.into())),
            Some(("nats" | "tls", rest)) if rest.starts_with("//") => Ok(Self::Nats(text.parse()?)),
            Some((scheme, _)) if is_of_redis(scheme) => Ok(Self::Redis(Box::new(text.parse()?))),
            _ => Err(InvalidBroker::Unknown),
        }
    }
}

fn is_of_redis(scheme: &str) -> bool {
    let server = scheme.strip_suffix("+sentinel").unwrap_or(scheme);
    matches!(server, "redis" | "rediss" | "valkey" | "valkeys")
}

impl fmt::Display for BrokerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Sqlite(directory) => write!(f, "sqlite:{}", directory.display()),
            Self::Nats(address) => address.fmt(f),
            // Without the password.
            Self::Redis(address) => write!(f, "{address}"),
        }
    }
}

/// A text that names no broker.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum InvalidBroker {
    #[error("there are `sqlite:DIRECTORY`, `redis://HOST:PORT`, `nats://HOST` and `memory`")]
    Unknown,
    #[error(
        "`sqlite:` needs the directory that the history is kept in, as in `sqlite:fanfare-data`"
    )]
    NoDirectory,
    #[error(transparent)]
    Redis(#[from] redis::InvalidAddress),
    #[error(transparent)]
    Nats(#[from] nats::InvalidAddress),
}

/// An address as it was typed, but for the secret in it: what stands between `://` and `@`, after
/// the name.
pub(crate) fn without_secret(typed: &str) -> String {
    let Some((scheme, rest)) = typed.split_once("://") else {
        return typed.to_owned();
    };
    match rest.rsplit_once('@') {
        None => typed.to_owned(),
        Some((login, place)) => match login.split_once(':') {
            Some((name, _)) => format!("{scheme}://{name}:[redacted]@{place}"),
            None => format!("{scheme}://[redacted]@{place}"),
        },
    }
}

/// What a stored event survives.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Durability(pub(crate) sqlite::Durability);

impl FromStr for Durability {
    type Err = InvalidDurability;

    fn from_str(text: &str) -> Result<Self, InvalidDurability> {
        Ok(Self(match text.split_once(':') {
            None if text == "always" => sqlite::Durability::Always,
            None if text == "never" => sqlite::Durability::Never,
            None if text == "interval" => sqlite::Durability::Interval(INTERVAL),
            Some(("interval", time)) => sqlite::Durability::Interval(interval(time)?),
            _ => return Err(InvalidDurability),
        }))
    }
}

/// A time, or a number of milliseconds.
fn interval(text: &str) -> Result<Duration, InvalidDurability> {
    let millis = text.parse().map(Duration::from_millis);
    let time = millis.or_else(|_| text.parse().map(|TimeSpan(time)| time));
    let time = time.map_err(|_| InvalidDurability)?;
    match time.is_zero() {
        true => Err(InvalidDurability),
        false => Ok(time),
    }
}

impl fmt::Display for Durability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            sqlite::Durability::Interval(time) => write!(f, "interval:{}", TimeSpan(time)),
            other @ (sqlite::Durability::Always | sqlite::Durability::Never) => {
                f.write_str(other.as_str())
            }
        }
    }
}

/// A text that is no durability.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("there are `always`, `interval:TIME` as in `interval:100ms`, and `never`")]
pub(crate) struct InvalidDurability;

/// The time of `interval` without one.
const INTERVAL: Duration = Duration::from_millis(100);

#[cfg(test)]
mod tests;
