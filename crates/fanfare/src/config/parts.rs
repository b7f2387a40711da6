//! The ready parts of a hub that follow from its settings.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use fanfare::auth::{
    Algorithm, InvalidKey, InvalidKeySet, Issuer, NewToken, Secret, Verifier, mint,
};
use fanfare::dialect::Dialects;
use fanfare::origins::{OriginPattern, Origins};
use fanfare::server::{self, Dev};
use fanfare::web_hook::{InvalidWebHook, WebHook};
use fanfare_broker::memory;
use fanfare_nats as nats;
use fanfare_redis as redis;
use fanfare_sqlite as sqlite;

use super::access::{Access, DialectName, PerIssuer};
use super::broker::BrokerAddress;
use super::encryption::{CertificateSource, Misencrypted};
use super::trust::{InvalidTrust, Keys, Trust};
use super::{OnDamage, OnHistoryFailure, Settings, UnknownCursor};

/// What `serve` puts together.
#[derive(Debug)]
pub(crate) struct Parts {
    /// Where to listen.
    pub(crate) listen: SocketAddr,
    /// For the broker.
    pub(crate) broker: BrokerConfig,
    /// What follows when the history cannot be written any more.
    pub(crate) on_history_failure: OnHistoryFailure,
    /// For the hub.
    pub(crate) hub: fanfare_hub::Config,
    /// For the HTTP server; `certificate` is still to be put into it.
    pub(crate) server: server::Config,
    /// What it shows.
    pub(crate) certificate: CertificateSource,
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
            make_up(&mut settings.access);
        }
        let trust = Trust::new(&settings.access)?;
        let missing = missing_roles(&settings, &trust);
        if missing.len() > 1 {
            return Err(Unfit::Incomplete { missing });
        }
        let hub = hub_config(&settings);
        hub.check().map_err(|invalid| Unfit::OutOfRange {
            key: invalid.field.replace('_', "-"),
            must_be: invalid.must_be,
        })?;
        check_requests(&settings)?;
        let certificate = CertificateSource::new(&settings.tls, settings.dev)?;
        Ok(Self {
            listen: settings.listen,
            broker: BrokerConfig::new(&settings),
            on_history_failure: settings.on_history_failure,
            hub,
            warnings: warnings(&settings, &trust, &missing, &certificate),
            certificate,
            server: server_config(settings, &trust)?,
        })
    }
}

/// Which broker, and how it is set up.
#[derive(Debug)]
pub(crate) enum BrokerConfig {
    Memory(memory::Config),
    /// With its directory.
    Sqlite(PathBuf, sqlite::Config),
    /// With where its stream is.
    Nats(nats::Address, nats::Config),
    /// With its server.
    Redis(Box<redis::Address>, redis::Config),
}

impl BrokerConfig {
    fn new(settings: &Settings) -> Self {
        match &settings.broker {
            BrokerAddress::Memory => Self::Memory(memory_config(settings)),
            BrokerAddress::Sqlite(directory) => {
                Self::Sqlite(directory.clone(), sqlite_config(settings))
            }
            BrokerAddress::Nats(address) => Self::Nats(address.clone(), nats_config(settings)),
            BrokerAddress::Redis(address) => Self::Redis(address.clone(), redis_config(settings)),
        }
    }
}

/// What would let somebody publish, and somebody subscribe, where nobody can. A role that nobody
/// plays does not exist (D0-U3); a hub without either would be of no use.
fn missing_roles(settings: &Settings, trust: &Trust) -> Vec<&'static str> {
    let mut missing = Vec::new();
    if !trust.publishers() {
        missing.push("`publisher-jwt-key` (FANFARE_PUBLISHER_JWT_KEY)");
    }
    if !trust.subscribers() && !settings.access.anonymous {
        missing.push("`subscriber-jwt-key` (FANFARE_SUBSCRIBER_JWT_KEY) or `anonymous`");
    }
    missing
}

fn check_requests(settings: &Settings) -> Result<(), Unfit> {
    // Mercure's `max_request_body_size 0` means no limit; the opposite must not come of it.
    if settings.body_bytes_max.0 == 0 {
        return Err(Unfit::OutOfRange {
            key: "body-bytes-max".to_owned(),
            must_be: "at least 1; there is always a limit",
        });
    }
    if settings.node_lease.0 < Duration::from_secs(1) {
        return Err(Unfit::OutOfRange {
            key: "node-lease".to_owned(),
            must_be: "at least 1s; changes are told once a second",
        });
    }
    if settings.web_hook_key.is_some() && settings.web_hook.is_none() {
        return Err(Unfit::HookKeyAlone);
    }
    Ok(())
}

/// Why no hub can be made of settings that are each right by themselves.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Unfit {
    #[error(
        "without keys the hub would let nobody in: set {}; or try things out with --dev",
        missing.join(", and ")
    )]
    Incomplete { missing: Vec<&'static str> },
    #[error("bad value for `{key}`: it must be {must_be}")]
    OutOfRange { key: String, must_be: &'static str },
    #[error("`web-hook-key` is given, and no `web-hook` that it could sign for")]
    HookKeyAlone,
    #[error(transparent)]
    Tls(#[from] Misencrypted),
    #[error(transparent)]
    Trust(#[from] InvalidTrust),
    #[error(transparent)]
    WebHook(#[from] InvalidWebHook),
    #[error("a key cannot be used: {0}")]
    Key(#[from] InvalidKey),
    #[error("a key set cannot be used: {0}")]
    KeySet(#[from] InvalidKeySet),
}

/// Development: keys that are not set are made up, and whom access tokens come from.
fn make_up(access: &mut Access) {
    if access.publisher_jwt_key.is_none() && access.publisher_jwks_url.is_none() {
        access.publisher_jwt_key = Some(Secret::random());
        access.publisher_jwt_alg = None;
    }
    if access.subscriber_jwt_key.is_none() && access.subscriber_jwks_url.is_none() {
        access.subscriber_jwt_key = access.publisher_jwt_key.clone();
        access.subscriber_jwt_alg = access.publisher_jwt_alg.clone();
        access.subscriber_jwks_url = access.publisher_jwks_url.clone();
    }
    if access.issuer.is_empty() && access.dialect != DialectName::D0 {
        access.issuer.push(DEVELOPMENT_ISSUER.to_owned());
    }
}

/// Whom the reference hub trusts too when nothing is said (CF-23).
pub(super) const DEVELOPMENT_ISSUER: &str = "https://localhost";

fn memory_config(settings: &Settings) -> memory::Config {
    let mut config = memory::Config::default();
    config.history_count_max = settings.history_count_max;
    if let Some(bytes) = settings.history_bytes_max {
        config.history_bytes_max = bytes.0;
    }
    config.dedupe_window = settings.dedupe_window.0;
    config.dedupe_keys_max = settings.dedupe_keys_max;
    config
}

pub(crate) fn sqlite_config(settings: &Settings) -> sqlite::Config {
    let mut config = sqlite::Config::default();
    config.durability = settings.durability.0;
    config.history_count_max = settings.history_count_max as u64;
    config.history_age_max = settings.history_age_max.0;
    if let Some(bytes) = settings.history_bytes_max {
        config.history_bytes_max = bytes.0 as u64;
    }
    config.dedupe_window = settings.dedupe_window.0;
    config.disk_free_min = settings.disk_free_min.0 as u64;
    config.on_damage = match settings.on_damage {
        OnDamage::ReadOnly => sqlite::OnDamage::ReadOnly,
        OnDamage::Refuse => sqlite::OnDamage::Refuse,
    };
    config
}

fn nats_config(settings: &Settings) -> nats::Config {
    let mut config = nats::Config::default();
    config.history_count_max = settings.history_count_max as u64;
    config.history_age_max = settings.history_age_max.0;
    if let Some(bytes) = settings.history_bytes_max {
        config.history_bytes_max = bytes.0 as u64;
    }
    config.dedupe_window = settings.dedupe_window.0;
    config.broker_grace = settings.broker_grace.0;
    config.broker_start_patience = settings.broker_start_patience.0;
    config
}

fn redis_config(settings: &Settings) -> redis::Config {
    let mut config = redis::Config::default();
    config.history_count_max = settings.history_count_max as u64;
    config.history_age_max = settings.history_age_max.0;
    if let Some(bytes) = settings.history_bytes_max {
        config.history_bytes_max = bytes.0 as u64;
    }
    config.dedupe_window = settings.dedupe_window.0;
    config.broker_response_timeout = settings.broker_response_timeout.0;
    config.broker_grace = settings.broker_grace.0;
    config.broker_start_patience = settings.broker_start_patience.0;
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

fn server_config(settings: Settings, trust: &Trust) -> Result<server::Config, Unfit> {
    let mut config = server::Config::default();
    config.dev = settings.dev.then(|| development(trust));
    believe(trust, &mut config)?;
    config.hub_path = settings.hub_path;
    config.public_urls = settings.public_url;
    config.subscriptions = settings.subscriptions;
    config.node_lease = settings.node_lease.0;
    config.bridge = settings.bridge;
    if let Some(url) = settings.web_hook {
        config.web_hook = Some(WebHook::open(url, settings.web_hook_key.as_ref())?);
    }
    config.body_bytes_max = settings.body_bytes_max.0;
    config.batch_max = settings.batch_max;
    config.topics_max = settings.topics_max;
    config.selectors_max = settings.selectors_max;
    config.matchers_max = settings.matchers_max;
    config.subscribers_per_address_max = settings.subscribers_per_address_max;
    config.subscribers_per_subject_max = settings.subscribers_per_subject_max;
    config.connections_max = settings.connections_max;
    config.handshake_timeout = settings.tls.handshake_timeout.0;
    config.handshakes_max = settings.tls.handshakes_max.unwrap_or_default();
    config.connection_streams_max = settings.connection_streams_max;
    config.head_timeout = settings.head_timeout.0;
    config.head_bytes_max = settings.head_bytes_max.0;
    config.target_bytes_max = settings.target_bytes_max.0;
    config.body_timeout = settings.body_timeout.0;
    config.retry_hint = settings.retry_hint;
    config.drain = settings.drain.0;
    admit(settings.access, &mut config);
    Ok(config)
}

/// Says in `config` how people are let in, all but their keys.
fn admit(access: Access, config: &mut server::Config) {
    config.dialects = match access.dialect {
        DialectName::Both => Dialects::Both,
        DialectName::D0 => Dialects::D0,
        DialectName::D1 => Dialects::D1,
    };
    config.resource_identifier = access.resource_identifier;
    config.anonymous = access.anonymous;
    config.cors_origins = Origins::new(access.cors_origin);
    config.publish_origins = Origins::new(access.publish_origin);
    config.cookie_name = access.cookie_name;
    config.access_cookie_name = access.access_cookie_name;
    config.admin_token = access.admin_token;
    config.revocations_max = access.revocations_max;
}

/// Says in `config` whose tokens are verified, and with what.
fn believe(trust: &Trust, config: &mut server::Config) -> Result<(), Unfit> {
    let verifier = |keys: &Option<Keys>| keys.as_ref().map(verifier).transpose();
    config.publisher = verifier(&trust.publisher)?;
    config.subscriber = verifier(&trust.subscriber)?;
    for issuer in &trust.issuers {
        config.issuers.push(Issuer {
            id: issuer.id.clone(),
            publisher: verifier(&issuer.publisher)?.into_iter().collect(),
            subscriber: verifier(&issuer.subscriber)?.into_iter().collect(),
            authorization_server: issuer.authorization_server,
        });
    }
    Ok(())
}

fn verifier(keys: &Keys) -> Result<Verifier, Unfit> {
    Ok(match keys {
        Keys::One { key, algorithm } => Verifier::new(key, *algorithm)?,
        Keys::Set { url, algorithms } => Verifier::key_set(url.as_str(), algorithms.clone())?,
    })
}

fn development(trust: &Trust) -> Dev {
    let mut dev = Dev::new(development_token(trust).unwrap_or_default());
    dev.keys = [&trust.publisher, &trust.subscriber].map(|keys| match keys {
        Some(Keys::One { key, algorithm }) if *algorithm == Algorithm::Hs256 => Some(key.clone()),
        _ => None,
    });
    dev
}

/// A token that may publish and see everything, presence too, and lasts as long as the key, that is, this process.
///
/// `None`: the key only verifies, or the hub takes no such tokens.
fn development_token(trust: &Trust) -> Option<String> {
    let Some(Keys::One { key, algorithm }) = &trust.publisher else {
        return None;
    };
    let everything = NewToken {
        publish: vec!["*".to_owned()],
        subscribe: vec!["*".to_owned()],
        ..NewToken::default()
    };
    let signs = *algorithm == Algorithm::Hs256;
    signs.then(|| mint(key, everything).ok()).flatten()
}

fn warnings(
    settings: &Settings,
    trust: &Trust,
    missing: &[&str],
    certificate: &CertificateSource,
) -> Vec<String> {
    let nobody = |needs| format!("one role does not exist on this hub: there is no {needs}");
    let mut warnings: Vec<String> = missing.iter().map(nobody).collect();
    let mut known_to_all = Vec::new();
    for (name, key) in secrets(&settings.access) {
        if key.reveal() == DEMO_KEY && !settings.dev {
            known_to_all.push(name);
        } else if key.reveal().len() < Secret::BYTES_ADVISED {
            let advised = Secret::BYTES_ADVISED;
            warnings.push(format!(
                "{name} has fewer than {advised} bytes and can be guessed"
            ));
        }
    }
    known_to_all.dedup();
    if !known_to_all.is_empty() {
        warnings.push(format!(
            "the key of Mercure's examples, which everybody knows, is in {}: whoever reaches this \
             hub can publish everything and read everything; take another, such as the output of \
             `openssl rand -base64 32`",
            known_to_all.join(" and ")
        ));
    }
    let place = settings.access.resource_identifier.is_some() || !settings.public_url.is_empty();
    // With TLS of its own, the hub is wherever a request says, by `https:`.
    if !trust.issuers.is_empty() && !place && !settings.dev && !certificate.is_there() {
        warnings.push(
            "neither resource-identifier nor public-url is set: access tokens must name the URL \
             that a request was sent to, with `http:`, for behind a proxy nobody knows better"
                .to_owned(),
        );
    }
    let plain = trust.key_sets().filter(|url| url.scheme() == "http");
    let local = |host: &str| matches!(host, "localhost" | "127.0.0.1" | "[::1]");
    let mut open = plain.filter(|url| !url.host_str().is_some_and(local));
    if let Some(url) = open.next() {
        warnings.push(format!(
            "the keys at {url} come over plain HTTP, so whoever is on the way can swap them"
        ));
    }
    if settings.dev && !settings.listen.ip().is_loopback() {
        warnings.push(format!(
            "development mode on {}: whoever reaches it may publish everything",
            settings.listen
        ));
    }
    warnings.extend(certificate.complaint());
    // D0-C5: an answer that names `*` is one that a browser asks for without cookies.
    let any = settings.access.cors_origin.contains(&OriginPattern::any());
    if any && !settings.dev {
        warnings.push("cors-origin has `*`: pages of other origins cannot use cookies".to_owned());
    }
    warnings
}

/// Every key that tokens are verified with, and the setting that it stands in.
fn secrets(access: &Access) -> impl Iterator<Item = (&'static str, &Secret)> {
    let publisher = access.publisher_jwt_key.iter();
    let subscriber = access.subscriber_jwt_key.iter();
    let issuers = [
        ("issuer-publisher-key", &access.issuer_publisher_key),
        ("issuer-subscriber-key", &access.issuer_subscriber_key),
    ];
    let issuers = issuers.into_iter().flat_map(|(name, keys)| {
        let keys = keys.iter().filter_map(|PerIssuer(key)| key.as_ref());
        keys.map(move |key| (name, key))
    });
    let publisher = publisher.map(|key| ("publisher-jwt-key", key));
    let subscriber = subscriber.map(|key| ("subscriber-jwt-key", key));
    publisher.chain(subscriber).chain(issuers)
}

/// It stands in Mercure's documentation and in many who copied from there (CF-24).
const DEMO_KEY: &str = "!ChangeThisMercureHubJWTSecretKey!";

#[cfg(test)]
mod tests;
