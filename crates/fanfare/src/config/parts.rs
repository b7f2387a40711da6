//! The ready parts of a hub that follow from its settings.

use std::net::SocketAddr;

use fanfare::auth::{NewToken, Secret, Verifier, mint};
use fanfare::origins::{OriginPattern, Origins};
use fanfare::server::{self, Dev};
use fanfare_broker::memory;

use super::{Settings, UnknownCursor};

/// What `serve` puts together.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// For the broker.
    pub(crate) memory: memory::Config,
    /// For the hub.
    pub(crate) hub: fanfare_hub::Config,
    /// For the HTTP server.
    pub(crate) server: server::Config,
    /// What works, but perhaps not as it was meant.
    pub(crate) warnings: Vec<String>,
}

impl Parts {
    /// Makes the parts of `settings`; in development, with what is missing made up.
    ///
    /// # Errors
    ///
    /// [`Unfit`] when nobody could publish or nobody subscribe, or a number is out of range.
    pub(crate) fn new(mut settings: Settings) -> Result<Self, Unfit> {
        if settings.dev {
            make_up(&mut settings);
        }
        let mut missing = Vec::new();
        if settings.publisher_jwt_key.is_none() {
            missing.push("`publisher-jwt-key` (FANFARE_PUBLISHER_JWT_KEY)");
        }
        if settings.subscriber_jwt_key.is_none() && !settings.anonymous {
            missing.push("`subscriber-jwt-key` (FANFARE_SUBSCRIBER_JWT_KEY) or `anonymous`");
        }
        if !missing.is_empty() {
            return Err(Unfit::Incomplete { missing });
        }
        let hub = hub_config(&settings);
        hub.check().map_err(|invalid| Unfit::OutOfRange {
            key: invalid.field.replace('_', "-"),
            must_be: invalid.must_be,
        })?;
        Ok(Self {
            listen: settings.listen,
            memory: memory_config(&settings),
            hub,
            warnings: warnings(&settings),
            server: server_config(settings),
        })
    }
}

/// Why no hub can be made of settings that are each right by themselves.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Unfit {
    #[error(
        "without keys the hub would let nobody in: set {}; or try things out with --dev",
        missing.join(", and ")
    )]
    Incomplete { missing: Vec<&'static str> },
    #[error("bad value for `{key}`: it must be {must_be}")]
    OutOfRange { key: String, must_be: &'static str },
}

/// Development: what is not set is made up, and everybody may read.
fn make_up(settings: &mut Settings) {
    let key = settings
        .publisher_jwt_key
        .get_or_insert_with(Secret::random);
    settings
        .subscriber_jwt_key
        .get_or_insert_with(|| key.clone());
    settings.anonymous = true;
    if settings.cors_origins.is_empty() {
        settings.cors_origins.push(OriginPattern::any());
    }
}

fn memory_config(settings: &Settings) -> memory::Config {
    let mut config = memory::Config::default();
    config.history_count_max = settings.history_count_max;
    config.history_bytes_max = settings.history_bytes_max.0;
    config.dedupe_window = settings.dedupe_window.0;
    config.dedupe_keys_max = settings.dedupe_keys_max;
    config
}

fn hub_config(settings: &Settings) -> fanfare_hub::Config {
    let mut config = fanfare_hub::Config::default();
    if let Some(shards) = settings.shards {
        config.shards = shards;
    }
    config.ring_bytes_max = settings.ring_bytes_max.0;
    config.ring_records_max = settings.ring_records_max;
    config.subscribers_max = settings.subscribers_max;
    config.heartbeat = settings.heartbeat.0;
    config.stall_timeout = settings.stall_timeout.0;
    config.lagging_rate_min = settings.lagging_rate_min;
    config.lifetime_max = settings.lifetime_max.0;
    config.unknown_cursor = match settings.unknown_cursor {
        UnknownCursor::Head => fanfare_hub::UnknownCursor::Head,
        UnknownCursor::All => fanfare_hub::UnknownCursor::All,
    };
    config.stream_bytes_max = settings.stream_bytes_max.0;
    config
}

fn server_config(settings: Settings) -> server::Config {
    let mut config = server::Config::default();
    config.dev = development_token(&settings).map(Dev::new);
    config.publisher = settings.publisher_jwt_key.as_ref().map(Verifier::hs256);
    config.subscriber = settings.subscriber_jwt_key.as_ref().map(Verifier::hs256);
    config.anonymous = settings.anonymous;
    config.cors_origins = Origins::new(settings.cors_origins);
    config.publish_origins = Origins::new(settings.publish_origins);
    config.cookie_name = settings.cookie_name;
    config.body_bytes_max = settings.body_bytes_max.0;
    config.batch_max = settings.batch_max;
    config.topics_max = settings.topics_max;
    config.selectors_max = settings.selectors_max;
    config.connections_max = settings.connections_max;
    config.head_timeout = settings.head_timeout.0;
    config.head_bytes_max = settings.head_bytes_max.0;
    config.target_bytes_max = settings.target_bytes_max.0;
    config.body_timeout = settings.body_timeout.0;
    config.retry_hint = settings.retry_hint;
    config.drain = settings.drain.0;
    config
}

/// A token that may publish everything and lasts as long as the key, that is, this process.
fn development_token(settings: &Settings) -> Option<String> {
    let key = settings
        .publisher_jwt_key
        .as_ref()
        .filter(|_| settings.dev)?;
    let everything = NewToken {
        publish: vec!["*".to_owned()],
        ..NewToken::default()
    };
    mint(key, everything).ok()
}

fn warnings(settings: &Settings) -> Vec<String> {
    let mut warnings = Vec::new();
    let keys = [
        ("publisher-jwt-key", &settings.publisher_jwt_key),
        ("subscriber-jwt-key", &settings.subscriber_jwt_key),
    ];
    for (name, key) in keys {
        let short = |key: &Secret| key.reveal().len() < Secret::BYTES_ADVISED;
        if key.as_ref().is_some_and(short) {
            let advised = Secret::BYTES_ADVISED;
            warnings.push(format!(
                "{name} has fewer than {advised} bytes and can be guessed"
            ));
        }
    }
    if settings.dev && !settings.listen.ip().is_loopback() {
        warnings.push(format!(
            "development mode on {}: whoever reaches it may publish everything",
            settings.listen
        ));
    }
    // D0-C5: an answer that names `*` is one that a browser asks for without cookies.
    let any = settings.cors_origins.contains(&OriginPattern::any());
    if any && !settings.dev {
        warnings.push("cors-origins has `*`: pages of other origins cannot use cookies".to_owned());
    }
    warnings
}

#[cfg(test)]
mod tests;
