//! What a case needs of the hub's configuration, and what a hub that is given offers.

/// The origin whose pages the started hub lets read and publish.
pub(crate) const ORIGIN: &str = "https://app.example";
/// The issuer that a started hub trusts.
pub(crate) const ISSUER: &str = "https://issuer.example";
/// Another one, with a publisher's key of its own and no key for subscribers.
pub(crate) const OTHER_ISSUER: &str = "https://other-issuer.example";
pub(crate) const OTHER_KEY: &str = "the key of the other issuer, long enough";
/// What the tokens of a hub with a pinned identifier are for.
pub(crate) const PINNED: &str = "https://pinned.example/.well-known/mercure";

/// What a hub offers, as it was told or found out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Offer {
    pub(crate) d0: bool,
    pub(crate) d1: bool,
    pub(crate) anonymous: bool,
    pub(crate) presence: bool,
    /// An origin whose pages may read.
    pub(crate) cors_origin: Option<String>,
    /// An origin whose pages may publish with a cookie.
    pub(crate) publish_origin: Option<String>,
}

/// The configuration that a case needs.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Setup {
    /// Keys for publishers and subscribers, and whatever else.
    Keys,
    /// Nobody without a token.
    Closed,
    /// Subscribers without a token.
    Anonymous,
    /// Presence.
    Presence,
    /// No presence.
    NoPresence,
    /// An origin that may read, and one that may publish with a cookie.
    Origins,
    /// Every origin.
    AnyOrigin,
    /// No origin.
    NoOrigins,
    /// A heartbeat after a second.
    ShortHeartbeat,
    /// A life of three seconds at most.
    ShortLife,
    /// It can be told to stop.
    Stoppable,
    /// Anonymous subscribers, and no key for subscribers.
    AnonymousOnly,
    /// A key for publishers and nothing for subscribers.
    PublisherOnly,
    /// A key for subscribers and none for publishers.
    SubscriberOnly,
    /// The keys of D0 and no issuer.
    NoIssuer,
    /// Two issuers and no key of D0.
    TwoIssuers,
    /// An identifier of its own.
    Pinned,
    /// A public URL that is not where it is reached.
    PublicUrl,
}

impl Setup {
    /// Why a hub with this `offer` cannot be asked, if it cannot.
    pub(crate) fn missing(self, offer: &Offer) -> Option<&'static str> {
        let (fits, missing) = match self {
            Self::Keys => (true, ""),
            Self::Closed => (!offer.anonymous, "the hub admits anonymous subscribers"),
            Self::Anonymous => (offer.anonymous, "the hub admits no anonymous subscribers"),
            Self::Presence => (offer.presence, "the hub has no presence"),
            Self::NoPresence => (!offer.presence, "the hub has presence"),
            Self::Origins => (
                offer.cors_origin.is_some() && offer.publish_origin.is_some(),
                "no origin is known that may read and publish; see --cors-origin",
            ),
            Self::NoOrigins => (
                offer.cors_origin.is_none() && offer.publish_origin.is_none(),
                "the hub lets origins in",
            ),
            Self::AnyOrigin => (false, "needs a hub that lets every origin in"),
            Self::ShortHeartbeat => (false, "needs a heartbeat of a second"),
            Self::ShortLife => (false, "needs a write timeout of three seconds"),
            Self::Stoppable => (false, "the hub would have to be stopped"),
            Self::AnonymousOnly => (false, "needs a hub without a key for subscribers"),
            Self::PublisherOnly => (false, "needs a hub without subscribers"),
            Self::SubscriberOnly => (false, "needs a hub without a key for publishers"),
            Self::NoIssuer => (
                offer.d0 && !offer.d1,
                "the hub takes the newer dialect's tokens",
            ),
            Self::TwoIssuers => (false, "needs two issuers with keys of their own"),
            Self::Pinned => (false, "needs a hub with a pinned resource identifier"),
            Self::PublicUrl => (false, "needs a hub with another public URL"),
        };
        (!fits).then_some(missing)
    }

    /// What a hub offers that was started with [`Setup::arguments`].
    pub(crate) fn offer(self) -> Offer {
        let origin = (self == Self::Origins).then(|| ORIGIN.to_owned());
        Offer {
            d0: self != Self::TwoIssuers,
            d1: self != Self::NoIssuer,
            anonymous: matches!(self, Self::Anonymous | Self::AnonymousOnly),
            presence: self == Self::Presence,
            cors_origin: origin.clone(),
            publish_origin: origin,
        }
    }

    /// The arguments of `fanfare serve` for it.
    pub(crate) fn arguments(self, key: &str) -> Vec<String> {
        let all = [self.keys(key).as_slice(), self.features()].concat();
        all.into_iter().map(str::to_owned).collect()
    }

    fn keys(self, key: &str) -> Vec<&str> {
        let publisher = ["--publisher-jwt-key", key, "--publisher-jwt-alg", "HS256"];
        let subscriber = ["--subscriber-jwt-key", key, "--subscriber-jwt-alg", "HS256"];
        let issuer = ["--issuer", ISSUER].as_slice();
        let own_keys = [
            "--issuer-publisher-key",
            key,
            "--issuer-subscriber-key",
            key,
        ];
        let other = [
            "--issuer",
            OTHER_ISSUER,
            "--issuer-publisher-key",
            OTHER_KEY,
            "--issuer-subscriber-key",
            "-",
        ];
        if self == Self::TwoIssuers {
            return [issuer, &own_keys, &other].concat();
        }
        let without_publisher = self == Self::SubscriberOnly;
        let without_subscriber = matches!(self, Self::AnonymousOnly | Self::PublisherOnly);
        let parts = [
            (publisher.as_slice(), !without_publisher),
            (&subscriber, !without_subscriber),
            (issuer, self != Self::NoIssuer),
        ];
        let given = parts.into_iter().filter(|(_, is_given)| *is_given);
        given.flat_map(|(part, _)| part).copied().collect()
    }

    fn features(self) -> &'static [&'static str] {
        match self {
            Self::Anonymous | Self::AnonymousOnly => &["--anonymous"],
            Self::Presence => &["--subscriptions"],
            Self::Origins => &[
                "--cors-origin",
                ORIGIN,
                "--cors-origin",
                "https://*.wild.example",
                "--publish-origin",
                ORIGIN,
                "--publish-origin",
                "https://*.wild.example",
            ],
            Self::AnyOrigin => &["--cors-origin", "*", "--publish-origin", "*"],
            Self::ShortHeartbeat => &["--heartbeat", "1s"],
            Self::ShortLife => &["--write-timeout", "3s"],
            Self::Stoppable => &["--drain", "1s"],
            Self::Pinned => &["--resource-identifier", PINNED],
            Self::PublicUrl => &["--public-url", "https://hub.example"],
            Self::Keys | Self::Closed | Self::NoPresence | Self::NoOrigins => &[],
            Self::NoIssuer | Self::TwoIssuers | Self::PublisherOnly | Self::SubscriberOnly => &[],
        }
    }
}
