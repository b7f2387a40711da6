//! Whose tokens are believed, as the settings say: which keys serve which issuer and role.

use fanfare::auth::{Algorithm, Secret};
use url::Url;

use super::access::{Access, DialectName, PerIssuer};
use super::address::KeySetUrl;
use super::algorithm::Algorithms;

/// Everybody whose tokens are believed.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Trust {
    /// Verifies what publishers bring, where no issuer is concerned (Mercure 0.x).
    pub(super) publisher: Option<Keys>,
    /// The same for subscribers.
    pub(super) subscriber: Option<Keys>,
    /// Whose access tokens (Mercure 1.0) are taken, in the order of the settings.
    pub(super) issuers: Vec<TrustedIssuer>,
}

/// An issuer, and what verifies its tokens; without keys, a role has none.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct TrustedIssuer {
    /// Exactly what its tokens' `iss` says (D1-A3).
    pub(super) id: String,
    pub(super) publisher: Option<Keys>,
    pub(super) subscriber: Option<Keys>,
    /// Whether the hub's metadata names it (D1-D2).
    pub(super) authorization_server: bool,
}

/// What tokens are verified with.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Keys {
    /// One key, for one algorithm.
    One { key: Secret, algorithm: Algorithm },
    /// The keys of a JWK Set; `None`: for every algorithm that is not symmetric.
    Set {
        url: Url,
        algorithms: Option<Vec<Algorithm>>,
    },
}

impl Trust {
    /// Reads whom `access` believes.
    ///
    /// # Errors
    ///
    /// [`InvalidTrust`] when a key does not go with its algorithm, a list with the issuers, or an
    /// issuer with the dialect.
    pub(super) fn new(access: &Access) -> Result<Self, InvalidTrust> {
        check_issuers(access)?;
        let publisher = Source {
            key: access.publisher_jwt_key.as_ref(),
            algorithms: access.publisher_jwt_alg.as_ref(),
            set: access.publisher_jwks_url.as_ref(),
            names: PUBLISHER,
        };
        let subscriber = Source {
            key: access.subscriber_jwt_key.as_ref(),
            algorithms: access.subscriber_jwt_alg.as_ref(),
            set: access.subscriber_jwks_url.as_ref(),
            names: SUBSCRIBER,
        };
        let publishers = Lists {
            keys: &access.issuer_publisher_key,
            algorithms: &access.issuer_publisher_alg,
            sets: &access.issuer_publisher_jwks_url,
            names: ISSUER_PUBLISHER,
        };
        let subscribers = Lists {
            keys: &access.issuer_subscriber_key,
            algorithms: &access.issuer_subscriber_alg,
            sets: &access.issuer_subscriber_jwks_url,
            names: ISSUER_SUBSCRIBER,
        };
        let (publisher, subscriber) = (publisher.keys()?, subscriber.keys()?);
        let count = access.issuer.len();
        publishers.check(count)?;
        subscribers.check(count)?;
        let trusted = |(index, id): (usize, &String)| {
            Ok(TrustedIssuer {
                id: id.clone(),
                publisher: publishers.keys(index, publisher.as_ref())?,
                subscriber: subscribers.keys(index, subscriber.as_ref())?,
                authorization_server: access.authorization_server.contains(id),
            })
        };
        let issuers: Result<_, _> = access.issuer.iter().enumerate().map(trusted).collect();
        let issuers = issuers?;
        // Tokens without an issuer are those of 0.x.
        let old = access.dialect != DialectName::D1;
        Ok(Self {
            publisher: publisher.filter(|_| old),
            subscriber: subscriber.filter(|_| old),
            issuers,
        })
    }

    /// Whether anybody's token may publish.
    pub(super) fn publishers(&self) -> bool {
        self.publisher.is_some() || self.issuers.iter().any(|it| it.publisher.is_some())
    }

    /// Whether anybody's token is worth something to a subscriber.
    pub(super) fn subscribers(&self) -> bool {
        self.subscriber.is_some() || self.issuers.iter().any(|it| it.subscriber.is_some())
    }

    /// Where JWK Sets are fetched.
    pub(super) fn key_sets(&self) -> impl Iterator<Item = &Url> {
        let issuers = self.issuers.iter();
        let theirs = issuers.flat_map(|it| [&it.publisher, &it.subscriber]);
        let all = [&self.publisher, &self.subscriber]
            .into_iter()
            .chain(theirs);
        all.flatten().filter_map(|keys| match keys {
            Keys::One { .. } => None,
            Keys::Set { url, .. } => Some(url),
        })
    }
}

/// Whether the list of issuers is one that the dialect can use.
fn check_issuers(access: &Access) -> Result<(), InvalidTrust> {
    let issuers = &access.issuer;
    match access.dialect {
        DialectName::D0 if !issuers.is_empty() => return Err(InvalidTrust::IssuerInD0),
        DialectName::D1 if issuers.is_empty() => return Err(InvalidTrust::NoIssuerInD1),
        DialectName::Both | DialectName::D0 | DialectName::D1 => {}
    }
    let twice = issuers.iter().enumerate().find(|(index, id)| {
        let mut before = issuers.iter().take(*index);
        before.any(|other| other == *id)
    });
    if let Some((_, id)) = twice {
        return Err(InvalidTrust::IssuerTwice { id: id.clone() });
    }
    let servers = &access.authorization_server;
    match servers.iter().find(|id| !issuers.contains(id)) {
        Some(id) => Err(InvalidTrust::NotAnIssuer { id: id.clone() }),
        None => Ok(()),
    }
}

/// The settings that together name one role's keys, for messages.
#[derive(Clone, Copy, Debug)]
struct Names {
    key: &'static str,
    algorithm: &'static str,
    set: &'static str,
}

const PUBLISHER: Names = Names {
    key: "publisher-jwt-key",
    algorithm: "publisher-jwt-alg",
    set: "publisher-jwks-url",
};
const SUBSCRIBER: Names = Names {
    key: "subscriber-jwt-key",
    algorithm: "subscriber-jwt-alg",
    set: "subscriber-jwks-url",
};
const ISSUER_PUBLISHER: Names = Names {
    key: "issuer-publisher-key",
    algorithm: "issuer-publisher-alg",
    set: "issuer-publisher-jwks-url",
};
const ISSUER_SUBSCRIBER: Names = Names {
    key: "issuer-subscriber-key",
    algorithm: "issuer-subscriber-alg",
    set: "issuer-subscriber-jwks-url",
};

/// What is said of one role's keys.
#[derive(Clone, Copy, Debug)]
struct Source<'a> {
    key: Option<&'a Secret>,
    algorithms: Option<&'a Algorithms>,
    set: Option<&'a KeySetUrl>,
    names: Names,
}

impl Source<'_> {
    /// The keys; an algorithm without any means nothing, and does no harm.
    fn keys(self) -> Result<Option<Keys>, InvalidTrust> {
        match (self.set, self.key) {
            (Some(set), key) => {
                // With both, the algorithm was said of the key, and the key set wins (CF-3).
                let algorithms = self.algorithms.filter(|_| key.is_none());
                Ok(Some(self.key_set(set, algorithms)?))
            }
            (None, Some(key)) => Ok(Some(self.one(key)?)),
            (None, None) => Ok(None),
        }
    }

    fn key_set(
        self,
        set: &KeySetUrl,
        algorithms: Option<&Algorithms>,
    ) -> Result<Keys, InvalidTrust> {
        let algorithms = algorithms.map(|it| it.0.clone());
        // A JWK Set is public: who could read it could sign.
        let secret = algorithms
            .iter()
            .flatten()
            .find(|algorithm| algorithm.is_symmetric());
        match secret {
            Some(algorithm) => Err(InvalidTrust::SecretInSet {
                set: self.names.set,
                setting: self.names.algorithm,
                algorithm: *algorithm,
            }),
            None => Ok(Keys::Set {
                url: set.0.clone(),
                algorithms,
            }),
        }
    }

    fn one(self, key: &Secret) -> Result<Keys, InvalidTrust> {
        let names = self.names;
        let algorithm = match self.algorithms.map(|it| it.0.as_slice()) {
            None => Algorithm::Hs256,
            Some([algorithm]) => *algorithm,
            Some(_) => {
                return Err(InvalidTrust::SeveralAlgorithms {
                    setting: names.algorithm,
                });
            }
        };
        // As a secret, a public key lets everybody sign who has read it (S3).
        let pem = key.reveal().trim_start().starts_with("-----BEGIN ");
        match (pem, algorithm.is_symmetric()) {
            (true, true) => Err(InvalidTrust::PemAsSecret {
                key: names.key,
                setting: names.algorithm,
            }),
            (false, false) => Err(InvalidTrust::NotPem {
                key: names.key,
                setting: names.algorithm,
                algorithm,
            }),
            (true, false) | (false, true) => Ok(Keys::One {
                key: key.clone(),
                algorithm,
            }),
        }
    }
}

/// What is said of one role's keys by several issuers.
#[derive(Clone, Copy, Debug)]
struct Lists<'a> {
    keys: &'a [PerIssuer<Secret>],
    algorithms: &'a [PerIssuer<Algorithms>],
    sets: &'a [PerIssuer<KeySetUrl>],
    names: Names,
}

impl Lists<'_> {
    /// Whether each list has no entry, one, or one for each of `issuers`.
    fn check(self, issuers: usize) -> Result<(), InvalidTrust> {
        let lists = [
            (self.names.key, self.keys.len()),
            (self.names.algorithm, self.algorithms.len()),
            (self.names.set, self.sets.len()),
        ];
        for (setting, given) in lists.into_iter().filter(|(_, given)| *given > 0) {
            if issuers == 0 {
                return Err(InvalidTrust::NoIssuer { setting });
            }
            if given != 1 && given != issuers {
                return Err(InvalidTrust::Count {
                    setting,
                    given,
                    issuers,
                });
            }
        }
        if self.keys.is_empty() && self.sets.is_empty() && !self.algorithms.is_empty() {
            return Err(InvalidTrust::AlgorithmAlone {
                setting: self.names.algorithm,
                key: self.names.key,
            });
        }
        Ok(())
    }

    /// The keys of the issuer at `index`; without any setting of their own, the `common` ones.
    fn keys(self, index: usize, common: Option<&Keys>) -> Result<Option<Keys>, InvalidTrust> {
        if self.keys.is_empty() && self.sets.is_empty() {
            return Ok(common.cloned());
        }
        let source = Source {
            key: entry(self.keys, index),
            algorithms: entry(self.algorithms, index),
            set: entry(self.sets, index),
            names: self.names,
        };
        source.keys()
    }
}

/// The entry for the issuer at `index`; a single one serves all.
fn entry<T>(list: &[PerIssuer<T>], index: usize) -> Option<&T> {
    let entry = match list {
        [one] => Some(one),
        list => list.get(index),
    };
    entry?.0.as_ref()
}

/// Why the settings of keys and issuers do not fit together.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum InvalidTrust {
    #[error(
        "`{key}` is a public key in PEM, which cannot go with HS256 and its like: \
         say in `{setting}` what it is for, such as RS256, ES256 or EdDSA"
    )]
    PemAsSecret {
        key: &'static str,
        setting: &'static str,
    },
    #[error(
        "`{setting}` is {algorithm}, so `{key}` must be a public key in PEM, which begins with \
         -----BEGIN"
    )]
    NotPem {
        key: &'static str,
        setting: &'static str,
        algorithm: Algorithm,
    },
    #[error("`{setting}` must be one algorithm: only a key set can be for several")]
    SeveralAlgorithms { setting: &'static str },
    #[error(
        "`{setting}` is {algorithm}, which needs a secret, and whoever can read `{set}` knows what \
         it holds: take RS256, ES256, EdDSA or their like"
    )]
    SecretInSet {
        set: &'static str,
        setting: &'static str,
        algorithm: Algorithm,
    },
    #[error("`{setting}` is given, and no `issuer`")]
    NoIssuer { setting: &'static str },
    #[error("`{setting}` is given, but no `{key}` that it could be for")]
    AlgorithmAlone {
        setting: &'static str,
        key: &'static str,
    },
    #[error(
        "`{setting}` is given {given} times for {issuers} issuers: give it once for all, or once \
         for each, in their order, with `-` where there is none"
    )]
    Count {
        setting: &'static str,
        given: usize,
        issuers: usize,
    },
    #[error("the issuer {id} is given twice")]
    IssuerTwice { id: String },
    #[error("`authorization-server` names {id}, which is not among the `issuer`s")]
    NotAnIssuer { id: String },
    #[error("`dialect` is d0, and 0.x knows no issuers: take away `issuer`, or choose `both`")]
    IssuerInD0,
    #[error(
        "`dialect` is d1, whose tokens come from an issuer: give an `issuer`, or choose `both`"
    )]
    NoIssuerInD1,
}

#[cfg(test)]
mod tests;
