//! What may be set: every setting with its default, and the ready parts that follow.
//!
//! [`Settings`] is the single table. Flags, variables, keys of the file, `check-config` and the
//! reference are all read off it, so each value has one check and one message.

use std::net::{Ipv4Addr, SocketAddr};

use clap::builder::BoolishValueParser;
use clap::{ArgAction, ValueEnum};
use fanfare::auth::Secret;
use fanfare::origins::OriginPattern;
use fanfare::server;
use fanfare_broker::memory;
use tracing_subscriber::EnvFilter;

use quantity::ByteCount;

pub(crate) use environment::{Environment, variable_of};
pub(crate) use loaded::{Loaded, table};
pub(crate) use parts::{Parts, Unfit};
pub(crate) use quantity::TimeSpan;

mod environment;
mod file;
mod loaded;
mod parts;
mod quantity;
pub(crate) mod reference;

/// Exactly what was typed.
///
/// A field's name is its flag, its variable and its key: `stall_timeout` is `--stall-timeout`,
/// `FANFARE_STALL_TIMEOUT`, and `stall-timeout` in the file.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Settings {
    /// Address to listen on, `IP:PORT`; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", value_parser = address, help_heading = GENERAL)]
    #[arg(default_value_t = LISTEN)]
    pub(crate) listen: SocketAddr,

    /// Development: anybody may read, a key is made at random, any page may read answers
    ///
    /// What it prints at the start includes a token that may publish everything, and so does the
    /// page at `/`. Not for a machine that strangers can reach.
    #[arg(long, help_heading = GENERAL, value_name = "BOOL", action = ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(default_value_t = false, value_parser = BoolishValueParser::new())]
    #[arg(hide_possible_values = true)]
    pub(crate) dev: bool,

    /// Where events are kept
    #[arg(long, value_name = "BROKER", default_value = "memory", help_heading = GENERAL)]
    pub(crate) broker: BrokerName,

    /// Key that publishers' tokens are signed with, by HMAC with SHA-256
    ///
    /// At least 32 bytes are advised. Better given as a variable or in the file: other users of
    /// the machine can see a command line.
    #[arg(long, value_name = "KEY", help_heading = ACCESS)]
    pub(crate) publisher_jwt_key: Option<Secret>,

    /// Key that subscribers' tokens are signed with, by HMAC with SHA-256
    ///
    /// Without it subscribers' tokens are ignored, and private events reach nobody.
    #[arg(long, value_name = "KEY", help_heading = ACCESS)]
    pub(crate) subscriber_jwt_key: Option<Secret>,

    /// Let subscribers in without a token; they see public events
    #[arg(long, help_heading = ACCESS, value_name = "BOOL", action = ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(default_value_t = false, value_parser = BoolishValueParser::new())]
    #[arg(hide_possible_values = true)]
    pub(crate) anonymous: bool,

    /// Origins whose pages may read answers (CORS), separated by commas; `*` for all
    ///
    /// An origin is `scheme://host` or `scheme://host:port`, with at most one `*` inside. Browsers
    /// send no cookies to a hub that allows all.
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',', help_heading = ACCESS)]
    pub(crate) cors_origins: Vec<OriginPattern>,

    /// Origins whose pages may publish with a cookie, separated by commas
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',', help_heading = ACCESS)]
    pub(crate) publish_origins: Vec<OriginPattern>,

    /// Cookie that may carry a token
    #[arg(long, value_name = "NAME", value_parser = cookie_name, help_heading = ACCESS)]
    #[arg(default_value_t = server::Config::default().cookie_name)]
    pub(crate) cookie_name: String,

    /// Silence after which a subscriber is sent a comment, ± 20 %; 0: never
    #[arg(long, value_name = "TIME", help_heading = SUBSCRIBERS)]
    #[arg(default_value_t = TimeSpan(fanfare_hub::Config::default().heartbeat))]
    pub(crate) heartbeat: TimeSpan,

    /// How long a lagging subscriber may take nothing before it is closed
    #[arg(long, value_name = "TIME", help_heading = SUBSCRIBERS)]
    #[arg(default_value_t = TimeSpan(fanfare_hub::Config::default().stall_timeout))]
    pub(crate) stall_timeout: TimeSpan,

    /// Longest life of a stream, less up to 20 % at random; 0: no limit
    #[arg(long, value_name = "TIME", help_heading = SUBSCRIBERS)]
    #[arg(default_value_t = TimeSpan(fanfare_hub::Config::default().lifetime_max))]
    pub(crate) lifetime_max: TimeSpan,

    /// Bytes per second that a subscriber must take while it lags for a minute; 0: off
    #[arg(long, value_name = "BYTES", help_heading = SUBSCRIBERS)]
    #[arg(default_value_t = fanfare_hub::Config::default().lagging_rate_min)]
    pub(crate) lagging_rate_min: u64,

    /// Subscribers at once; past it new ones get 503
    #[arg(long, value_name = "COUNT", help_heading = SUBSCRIBERS)]
    #[arg(default_value_t = fanfare_hub::Config::default().subscribers_max)]
    pub(crate) subscribers_max: usize,

    /// Where a stream goes on whose `Last-Event-ID` nobody knows
    #[arg(long, value_name = "PLACE", default_value = "head", help_heading = SUBSCRIBERS)]
    pub(crate) unknown_cursor: UnknownCursor,

    /// Selectors of one subscriber; past it: 400
    #[arg(long, value_name = "COUNT", help_heading = SUBSCRIBERS)]
    #[arg(default_value_t = server::Config::default().selectors_max)]
    pub(crate) selectors_max: usize,

    /// Begin each stream with a reconnection time of its own, 2 s to 6 s
    #[arg(long, help_heading = SUBSCRIBERS, value_name = "BOOL", action = ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(default_value_t = server::Config::default().retry_hint)]
    #[arg(value_parser = BoolishValueParser::new())]
    #[arg(hide_possible_values = true)]
    pub(crate) retry_hint: bool,

    /// Threads that write to subscribers; default: one for each core
    #[arg(long, value_name = "COUNT", help_heading = MEMORY)]
    pub(crate) shards: Option<usize>,

    /// Bytes of events that stay at hand for subscribers that lag or return
    #[arg(long, value_name = "BYTES", help_heading = MEMORY)]
    #[arg(default_value_t = ByteCount(fanfare_hub::Config::default().ring_bytes_max))]
    pub(crate) ring_bytes_max: ByteCount,

    /// Events that stay at hand for subscribers that lag or return
    #[arg(long, value_name = "COUNT", help_heading = MEMORY)]
    #[arg(default_value_t = fanfare_hub::Config::default().ring_records_max)]
    pub(crate) ring_records_max: usize,

    /// Bytes handed to an HTTP/2 stream and not yet taken; past it the subscriber lags
    #[arg(long, value_name = "BYTES", help_heading = MEMORY)]
    #[arg(default_value_t = ByteCount(fanfare_hub::Config::default().stream_bytes_max))]
    pub(crate) stream_bytes_max: ByteCount,

    /// Events that the memory broker keeps; past it the oldest go
    #[arg(long, value_name = "COUNT", help_heading = MEMORY)]
    #[arg(default_value_t = memory::Config::default().history_count_max)]
    pub(crate) history_count_max: usize,

    /// Bytes of events that the memory broker keeps; past it the oldest go
    #[arg(long, value_name = "BYTES", help_heading = MEMORY)]
    #[arg(default_value_t = ByteCount(memory::Config::default().history_bytes_max))]
    pub(crate) history_bytes_max: ByteCount,

    /// How long the memory broker knows an `Idempotency-Key` again
    #[arg(long, value_name = "TIME", help_heading = MEMORY)]
    #[arg(default_value_t = TimeSpan(memory::Config::default().dedupe_window))]
    pub(crate) dedupe_window: TimeSpan,

    /// Idempotency keys that the memory broker remembers; past it new ones get 503
    #[arg(long, value_name = "COUNT", help_heading = MEMORY)]
    #[arg(default_value_t = memory::Config::default().dedupe_keys_max)]
    pub(crate) dedupe_keys_max: usize,

    /// Connections at once; past it new ones get 503
    #[arg(long, value_name = "COUNT", help_heading = REQUESTS)]
    #[arg(default_value_t = server::Config::default().connections_max)]
    pub(crate) connections_max: usize,

    /// Time for a connection's first request head, and between later ones
    #[arg(long, value_name = "TIME", help_heading = REQUESTS)]
    #[arg(default_value_t = TimeSpan(server::Config::default().head_timeout))]
    pub(crate) head_timeout: TimeSpan,

    /// Bytes of a request head; past it: 431
    #[arg(long, value_name = "BYTES", help_heading = REQUESTS)]
    #[arg(default_value_t = ByteCount(server::Config::default().head_bytes_max))]
    pub(crate) head_bytes_max: ByteCount,

    /// Bytes of a request's path and query; past it: 414
    #[arg(long, value_name = "BYTES", help_heading = REQUESTS)]
    #[arg(default_value_t = ByteCount(server::Config::default().target_bytes_max))]
    pub(crate) target_bytes_max: ByteCount,

    /// Time for a request's body; past it: 408
    #[arg(long, value_name = "TIME", help_heading = REQUESTS)]
    #[arg(default_value_t = TimeSpan(server::Config::default().body_timeout))]
    pub(crate) body_timeout: TimeSpan,

    /// Bytes of a request's body; past it: 413
    #[arg(long, value_name = "BYTES", help_heading = REQUESTS)]
    #[arg(default_value_t = ByteCount(server::Config::default().body_bytes_max))]
    pub(crate) body_bytes_max: ByteCount,

    /// Publications in one request to `/publish`; past it: 413
    #[arg(long, value_name = "COUNT", help_heading = REQUESTS)]
    #[arg(default_value_t = server::Config::default().batch_max)]
    pub(crate) batch_max: usize,

    /// Topics of one publication; past it: 400
    #[arg(long, value_name = "COUNT", help_heading = REQUESTS)]
    #[arg(default_value_t = server::Config::default().topics_max)]
    pub(crate) topics_max: usize,

    /// Time over which streams are ended after SIGTERM or SIGINT
    #[arg(long, value_name = "TIME", help_heading = GENERAL)]
    #[arg(default_value_t = TimeSpan(server::Config::default().drain))]
    pub(crate) drain: TimeSpan,

    /// What is logged: error, warn, info, debug or trace, also by module (`info,fanfare=debug`)
    #[arg(long, value_name = "LEVEL", value_parser = log_level, help_heading = LOGS)]
    #[arg(default_value = "info")]
    pub(crate) log_level: String,

    /// How it is logged, to stderr
    #[arg(long, value_name = "FORMAT", default_value = "text", help_heading = LOGS)]
    pub(crate) log_format: LogFormat,
}

/// Loopback, so that nothing is reachable from outside before somebody says so.
const LISTEN: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 3000);

const GENERAL: &str = "General";
const ACCESS: &str = "Access";
const SUBSCRIBERS: &str = "Subscribers";
const MEMORY: &str = "Memory and history";
const REQUESTS: &str = "Requests";
const LOGS: &str = "Logs";

/// The brokers there are.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum BrokerName {
    /// In this process; survives nothing
    Memory,
}

/// Where a stream goes on that presented an unknown id.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum UnknownCursor {
    /// With the next event; the gap is told
    Head,
    /// With everything that is kept; the gap is told
    All,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people
    Text,
    /// One JSON object a line
    Json,
}

fn address(text: &str) -> Result<SocketAddr, InvalidAddress> {
    text.parse().map_err(|_| InvalidAddress)
}

/// A text that is no address.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("an address is an IP and a port, such as 127.0.0.1:3000 or [::]:3000")]
struct InvalidAddress;

/// RFC 6265 §4.1.1: a cookie's name is a token of RFC 9110 §5.6.2.
fn cookie_name(text: &str) -> Result<String, InvalidCookieName> {
    let in_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if text.is_empty() || !text.bytes().all(in_token) {
        return Err(InvalidCookieName);
    }
    Ok(text.to_owned())
}

/// A text that cannot name a cookie.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("a cookie's name is made of letters, digits and !#$%&'*+-.^_`|~")]
struct InvalidCookieName;

fn log_level(text: &str) -> Result<String, tracing_subscriber::filter::ParseError> {
    EnvFilter::builder().parse(text).map(|_| text.to_owned())
}
