//! The document that a JWK Set is, and the keys in it that can be used.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::auth::algorithm::{Algorithm, Kind};
use crate::auth::key::Key;
use crate::auth::object::Object;

/// The usable keys of a set, each once for every algorithm that it can be used with.
#[derive(Debug)]
pub(super) struct Keys(Vec<NamedKey>);

#[derive(Debug)]
struct NamedKey {
    kid: Option<String>,
    key: Key,
}

impl Keys {
    /// Reads the keys that are for one of `algorithms`; what cannot be used is left out, for a set
    /// may be there for others too (RFC 7517 §5).
    pub(super) fn parse(document: &[u8], algorithms: &[Algorithm]) -> serde_json::Result<Self> {
        let Object(document): Object<Document> = serde_json::from_slice(document)?;
        let mut seen = Vec::new();
        let mut keys = Vec::new();
        for jwk in document.keys.iter().take(KEYS_MAX) {
            let Ok(Object(jwk)) = serde_json::from_str::<Object<Jwk>>(jwk.get()) else {
                continue;
            };
            let fitting = algorithms.iter().filter_map(|&it| jwk.key(it));
            let fitting: Vec<Key> = fitting.collect();
            // RFC 7517 §4.5: one name may be for a key of each type. Of two that are of one type
            // nobody can say which is meant.
            let name = (jwk.kid.clone(), jwk.kty.clone());
            if fitting.is_empty() || (jwk.kid.is_some() && seen.contains(&name)) {
                continue;
            }
            seen.push(name);
            keys.extend(fitting.into_iter().map(|key| NamedKey {
                kid: jwk.kid.clone(),
                key,
            }));
        }
        Ok(Self(keys))
    }

    /// The keys for `algorithm` that are called `kid`, else those without a name; all that are for
    /// `algorithm` when a token names none.
    pub(super) fn candidates(&self, kid: Option<&str>, algorithm: Algorithm) -> Vec<Key> {
        let fitting = self.0.iter().filter(|it| *it.key.algorithm() == algorithm);
        let (named, nameless): (Vec<_>, Vec<_>) =
            fitting.partition(|it| kid.is_none() || it.kid.as_deref() == kid);
        let chosen = match named.is_empty() {
            false => named,
            true => nameless.into_iter().filter(|it| it.kid.is_none()).collect(),
        };
        let chosen = chosen.into_iter().take(CANDIDATES_MAX);
        chosen.map(|it| it.key.clone()).collect()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// The most keys of a document that are looked at.
const KEYS_MAX: usize = 100;

/// The most keys that one token is tried with: each costs a whole check of a signature.
const CANDIDATES_MAX: usize = 8;

#[derive(Deserialize)]
struct Document {
    keys: Vec<Box<RawValue>>,
}

/// A key as RFC 7517 §4 and RFC 7518 §6 write it.
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    kid: Option<String>,
    r#use: Option<String>,
    key_ops: Option<Vec<String>>,
    alg: Option<String>,
    crv: Option<String>,
    n: Option<String>,
    e: Option<String>,
    x: Option<String>,
    y: Option<String>,
}

impl Jwk {
    /// The key itself, if it is meant for verifying with `algorithm`.
    fn key(&self, algorithm: Algorithm) -> Option<Key> {
        let verifies = |ops: &Vec<String>| ops.iter().any(|op| op == "verify");
        let meant = self.r#use.as_ref().is_none_or(|it| it == "sig")
            && self.key_ops.as_ref().is_none_or(verifies)
            && self.alg.as_ref().is_none_or(|it| it == algorithm.name());
        if !meant {
            return None;
        }
        let part = |part: &Option<String>| URL_SAFE_NO_PAD.decode(part.as_ref()?).ok();
        match (algorithm.kind(), self.kty.as_str(), self.crv.as_deref()) {
            (Kind::Rsa, "RSA", None) => Key::rsa(&part(&self.n)?, &part(&self.e)?, algorithm),
            (Kind::P256, "EC", Some("P-256"))
            | (Kind::P384, "EC", Some("P-384"))
            | (Kind::P521, "EC", Some("P-521")) => {
                // SEC 1 §2.3.3: an uncompressed point.
                let point = [&[4], &*part(&self.x)?, &*part(&self.y)?].concat();
                Key::public(&point, algorithm)
            }
            (Kind::Ed25519, "OKP", Some("Ed25519")) => Key::public(&part(&self.x)?, algorithm),
            _ => None,
        }
    }
}
