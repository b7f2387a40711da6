//! What may be set: every setting with its default, and the ready parts that follow.
//!
//! [`Settings`] is the single table. Flags, variables, keys of the file, `check-config` and the
//! reference are all read off it, so each value has one check and one message.

use std::net::{Ipv4Addr, SocketAddr};

use clap::builder::BoolishValueParser;
use clap::{ArgAction, ValueEnum};
use fanfare::auth::Secret;
use fanfare::bridge::Bridge;
use fanfare::server;
use fanfare_broker::memory;
use fanfare_redis as redis;
use fanfare_sqlite as sqlite;
use tracing_subscriber::EnvFilter;
use url::Url;

use access::Access;
use broker::Durability;
use encryption::Encryption;
use quantity::ByteCount;

pub(crate) use broker::BrokerAddress;
pub(crate) use encryption::CertificateSource;
pub(crate) use environment::{Environment, variable_of};
pub(crate) use loaded::{Loaded, table};
pub(crate) use parts::{BrokerConfig, Parts, Unfit, sqlite_config};
pub(crate) use quantity::TimeSpan;

mod access;
mod address;
mod algorithm;
pub(crate) mod broker;
mod development;
mod encryption;
mod environment;
mod file;
mod loaded;
mod mercure;
mod parts;
mod quantity;
pub(crate) mod reference;
mod trust;

/// Exactly what was typed.
///
/// A field's name is its flag, its variable and its key: `stall_timeout` is `--stall-timeout`,
/// `FANFARE_STALL_TIMEOUT`, and `stall-timeout` in the file. An alias is another name in all three.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Settings {
    /// Address to listen on, `IP:PORT`; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", value_parser = address::listen, help_heading = GENERAL)]
    #[arg(default_value_t = LISTEN)]
    pub(crate) listen: SocketAddr,

    /// Path of the hub's URL; presence, metadata and reserved topics follow it
    #[arg(long, value_name = "PATH", value_parser = address::hub_path, help_heading = GENERAL)]
    #[arg(default_value_t = server::Config::default().hub_path)]
    pub(crate) hub_path: String,

    /// Where the hub is reached from outside, as `https://host`; other hosts get 421
    ///
    /// Several with commas between them. Without any, the hub is wherever a request says.
    #[arg(long, value_name = "URL", value_delimiter = ',', help_heading = GENERAL)]
    #[arg(value_parser = address::public_url, visible_alias = "public-urls")]
    pub(crate) public_url: Vec<Url>,

    /// Development: anybody may read, a key is made at random, any page may read answers
    ///
    /// Presence is on, any page may publish with a cookie, and without an issuer access tokens of
    /// `https://localhost` are taken. Whatever is set by itself holds all the same, such as
    /// `subscriptions` or `anonymous` as `false`.
    ///
    /// What it prints at the start includes a token that may publish everything; on this machine the
    /// dashboard at `/` has it too. Not for a machine that strangers can reach.
    #[arg(long, help_heading = GENERAL, value_name = "BOOL", action = ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(default_value_t = false, value_parser = BoolishValueParser::new())]
    #[arg(hide_possible_values = true)]
    pub(crate) dev: bool,

    /// Where events are kept: `sqlite:DIRECTORY`, `redis://HOST:PORT`, `nats://HOST`, or `memory`
    ///
    /// `sqlite`: one hub for each directory, made when it is missing, on a local disk. `redis`, or
    /// `rediss` with TLS: any number of hubs that are one, on a Redis or Valkey, see
    /// [Redis](../operate/redis.md) for the whole address and for sentinels. `nats`: the same on
    /// NATS, see [NATS](../operate/nats.md) for the whole address. `memory` survives nothing.
    #[arg(long, value_name = "BROKER", help_heading = GENERAL)]
    #[arg(default_value_t = BrokerAddress::default())]
    pub(crate) broker: BrokerAddress,

    #[command(flatten)]
    pub(crate) tls: Encryption,

    #[command(flatten)]
    pub(crate) access: Access,

    /// Silence after which a subscriber is sent a comment, ± 20 %; 0: never
    #[arg(long, value_name = "TIME", help_heading = SUBSCRIBERS)]
    #[arg(default_value_t = TimeSpan(fanfare_hub::Config::default().heartbeat))]
    pub(crate) heartbeat: TimeSpan,

    /// How long a lagging subscriber may take nothing before it is closed
    #[arg(long, value_name = "TIME", help_heading = SUBSCRIBERS)]
    #[arg(visible_alias = "dispatch-timeout")]
    #[arg(default_value_t = TimeSpan(fanfare_hub::Config::default().stall_timeout))]
    pub(crate) stall_timeout: TimeSpan,

    /// Longest life of a stream, less up to 20 % at random; 0: no limit
    #[arg(long, value_name = "TIME", help_heading = SUBSCRIBERS)]
    #[arg(visible_alias = "write-timeout")]
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

    /// Selectors of one subscriber of Mercure 0.x; past it: 400
    #[arg(long, value_name = "COUNT", help_heading = SUBSCRIBERS)]
    #[arg(default_value_t = server::Config::default().selectors_max)]
    pub(crate) selectors_max: usize,

    /// Matchers of one subscriber of Mercure 1.0; past it: 400
    #[arg(long, value_name = "COUNT", help_heading = SUBSCRIBERS)]
    #[arg(default_value_t = server::Config::default().matchers_max)]
    pub(crate) matchers_max: usize,

    /// Subscribers at once from one address, of IPv6 from one /64; past it: 429; 0: no limit
    ///
    /// Behind a proxy all come from one address: leave it off there.
    #[arg(long, value_name = "COUNT", help_heading = SUBSCRIBERS)]
    #[arg(default_value_t = server::Config::default().subscribers_per_address_max)]
    pub(crate) subscribers_per_address_max: usize,

    /// Subscribers at once by tokens of one subject; past it: 429; 0: no limit
    #[arg(long, value_name = "COUNT", help_heading = SUBSCRIBERS)]
    #[arg(default_value_t = server::Config::default().subscribers_per_subject_max)]
    pub(crate) subscribers_per_subject_max: usize,

    /// Presence: publish who comes and goes, and answer who is there
    #[arg(long, help_heading = SUBSCRIBERS, value_name = "BOOL", action = ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(default_value_t = server::Config::default().subscriptions)]
    #[arg(value_parser = BoolishValueParser::new())]
    #[arg(hide_possible_values = true)]
    pub(crate) subscriptions: bool,

    /// How long the other nodes of a shared broker wait for a sign of life before they clean up
    ///
    /// A node gives three signs in that time. Who was connected to one that is gone is told to have
    /// left by another, once.
    #[arg(long, value_name = "TIME", help_heading = SUBSCRIBERS)]
    #[arg(default_value_t = TimeSpan(server::Config::default().node_lease))]
    pub(crate) node_lease: TimeSpan,

    /// Redis channel whose events are carried over: `redis://HOST:PORT/CHANNEL`
    ///
    /// What is said there by `PUBLISH` is read like the body of `/broadcast`. With several nodes
    /// each is given it, and one at a time stores.
    #[arg(long, value_name = "URL", help_heading = GENERAL)]
    pub(crate) bridge: Option<Bridge>,

    /// URL that is told when a topic gets its first subscriber and loses its last
    #[arg(long, value_name = "URL", value_parser = address::web_url, help_heading = SUBSCRIBERS)]
    pub(crate) web_hook: Option<Url>,

    /// Key that signs what the web hook is told; without it nothing is signed
    #[arg(long, value_name = "SECRET", allow_hyphen_values = true, help_heading = SUBSCRIBERS)]
    pub(crate) web_hook_key: Option<Secret>,

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

    /// What a stored event survives, besides a crash: `always`, `interval:TIME` or `never`
    ///
    /// `always`: a loss of power too, for each commit is flushed to the disk. `interval:100ms`: a
    /// loss of power costs that much. `never`: it costs what the operating system had not written.
    #[arg(long, value_name = "DURABILITY", help_heading = HISTORY)]
    #[arg(default_value_t = Durability(sqlite::Config::default().durability))]
    pub(crate) durability: Durability,

    /// Events that are kept; past it the oldest go
    #[arg(long, value_name = "COUNT", help_heading = HISTORY)]
    #[arg(visible_alias = "history-max-events")]
    #[arg(default_value_t = memory::Config::default().history_count_max)]
    pub(crate) history_count_max: usize,

    /// How old an event may become; 0: no limit; not in memory
    #[arg(long, value_name = "TIME", help_heading = HISTORY)]
    #[arg(visible_alias = "history-max-age")]
    #[arg(default_value_t = TimeSpan(sqlite::Config::default().history_age_max))]
    pub(crate) history_age_max: TimeSpan,

    /// Bytes of events that are kept; past it the oldest go; default: 1GiB, in memory 256MiB
    #[arg(long, value_name = "BYTES", help_heading = HISTORY)]
    #[arg(visible_alias = "history-max-bytes")]
    pub(crate) history_bytes_max: Option<ByteCount>,

    /// Free bytes of the disk below which publishing gets 507; 0: until it is full
    #[arg(long, value_name = "BYTES", help_heading = HISTORY)]
    #[arg(default_value_t = ByteCount::from_u64(sqlite::Config::default().disk_free_min))]
    pub(crate) disk_free_min: ByteCount,

    /// What a start does that finds the history damaged
    #[arg(long, value_name = "WHAT", default_value = "read-only", help_heading = HISTORY)]
    pub(crate) on_damage: OnDamage,

    /// What the hub does once its history cannot be written any more
    #[arg(long, value_name = "WHAT", default_value = "exit", help_heading = HISTORY)]
    pub(crate) on_history_failure: OnHistoryFailure,

    /// How long an `Idempotency-Key` is known again
    #[arg(long, value_name = "TIME", help_heading = HISTORY)]
    #[arg(default_value_t = TimeSpan(memory::Config::default().dedupe_window))]
    pub(crate) dedupe_window: TimeSpan,

    /// How long a broker's server may take to answer; past it a publish gets 504
    #[arg(long, value_name = "TIME", help_heading = HISTORY)]
    #[arg(default_value_t = TimeSpan(redis::Config::default().broker_response_timeout))]
    pub(crate) broker_response_timeout: TimeSpan,

    /// How long a broker's server may be away before `/readyz` turns red
    #[arg(long, value_name = "TIME", help_heading = HISTORY)]
    #[arg(default_value_t = TimeSpan(redis::Config::default().broker_grace))]
    pub(crate) broker_grace: TimeSpan,

    /// How long a start waits for a broker's server
    #[arg(long, value_name = "TIME", help_heading = HISTORY)]
    #[arg(default_value_t = TimeSpan(redis::Config::default().broker_start_patience))]
    pub(crate) broker_start_patience: TimeSpan,

    /// Idempotency keys that the memory broker remembers; past it new ones get 503
    #[arg(long, value_name = "COUNT", help_heading = HISTORY)]
    #[arg(default_value_t = memory::Config::default().dedupe_keys_max)]
    pub(crate) dedupe_keys_max: usize,

    /// Connections at once; past it new ones get 503
    #[arg(long, value_name = "COUNT", help_heading = REQUESTS)]
    #[arg(default_value_t = server::Config::default().connections_max)]
    pub(crate) connections_max: usize,

    /// Streams of one HTTP/2 connection at once; past it the client waits
    #[arg(long, value_name = "COUNT", help_heading = REQUESTS)]
    #[arg(default_value_t = server::Config::default().connection_streams_max)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) connection_streams_max: u32,

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
    #[arg(visible_alias = "max-request-body-size")]
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
const SUBSCRIBERS: &str = "Subscribers";
const MEMORY: &str = "Memory";
pub(crate) const HISTORY: &str = "History";
const REQUESTS: &str = "Requests";
const LOGS: &str = "Logs";

/// What a start does that finds damage.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum OnDamage {
    /// Serves what can be proved; publishing gets 503
    ReadOnly,
    /// Ends
    Refuse,
}

/// What follows when the history cannot be written any more.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum OnHistoryFailure {
    /// Drains and ends with code 74, so that a supervisor starts it again and it recovers
    Exit,
    /// Goes on serving what is stored; publishing gets 503
    Stay,
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

fn log_level(text: &str) -> Result<String, tracing_subscriber::filter::ParseError> {
    EnvFilter::builder().parse(text).map(|_| text.to_owned())
}
