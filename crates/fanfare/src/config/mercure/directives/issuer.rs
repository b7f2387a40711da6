//! `issuer ID { authorization_server; publisher { … }; subscriber { … } }` (CF-4).

use super::{key_and_algorithm, none, one, source, wrong};
use crate::config::access::NOTHING;
use crate::config::loaded::{InvalidSetting, Source, nearest, shown};
use crate::config::mercure::caddyfile::Directive;
use crate::config::mercure::translation::Translation;

/// The issuers of a Caddyfile, in its order.
#[derive(Debug, Default)]
pub(super) struct Issuers {
    issuers: Vec<Issuer>,
    /// Where the first of them stands.
    source: Option<Source>,
}

#[derive(Debug)]
struct Issuer {
    id: String,
    authorization_server: bool,
    publisher: Keys,
    subscriber: Keys,
}

/// What a role's block says, each [`NOTHING`] until it is said.
#[derive(Debug)]
struct Keys {
    key: String,
    algorithms: String,
    set: String,
}

impl Default for Keys {
    fn default() -> Self {
        let nothing = || NOTHING.to_owned();
        Self {
            key: nothing(),
            algorithms: nothing(),
            set: nothing(),
        }
    }
}

impl Issuers {
    /// Takes one more `issuer`.
    pub(super) fn add(&mut self, directive: &Directive) -> Result<(), InvalidSetting> {
        let mut issuer = Issuer {
            id: one(directive)?.to_owned(),
            authorization_server: false,
            publisher: Keys::default(),
            subscriber: Keys::default(),
        };
        for option in &directive.block {
            match option.name.as_str() {
                "authorization_server" => {
                    none(option)?;
                    issuer.authorization_server = true;
                }
                "publisher" => issuer.publisher = Keys::read(option)?,
                "subscriber" => issuer.subscriber = Keys::read(option)?,
                _ => {
                    let known = ["authorization_server", "publisher", "subscriber"];
                    return Err(unknown(option, known.into_iter()));
                }
            }
        }
        self.source.get_or_insert_with(|| source(directive));
        self.issuers.push(issuer);
        Ok(())
    }

    /// Says it in our settings, as lists whose n-th entries belong to the n-th issuer.
    pub(super) fn translate(&self, translation: &mut Translation) {
        let Some(source) = &self.source else {
            return;
        };
        let ids = self.issuers.iter().map(|it| it.id.as_str());
        translation.set("issuer", ids, source);
        let servers = self.issuers.iter().filter(|it| it.authorization_server);
        let servers: Vec<&str> = servers.map(|it| it.id.as_str()).collect();
        if !servers.is_empty() {
            translation.set("authorization-server", servers, source);
        }
        for (role, keys) in [
            ("publisher", (|it| &it.publisher) as fn(&Issuer) -> &Keys),
            ("subscriber", |it| &it.subscriber),
        ] {
            let keys = || self.issuers.iter().map(keys);
            let lists: [(&str, Vec<&str>); 3] = [
                ("key", keys().map(|it| it.key.as_str()).collect()),
                ("alg", keys().map(|it| it.algorithms.as_str()).collect()),
                ("jwks-url", keys().map(|it| it.set.as_str()).collect()),
            ];
            for (ending, values) in lists {
                translation.set(&format!("issuer-{role}-{ending}"), values, source);
            }
        }
    }
}

impl Keys {
    /// Reads `publisher { jwt KEY [ALG] }` or `publisher { jwks_uri URL [ALG…] }`.
    fn read(role: &Directive) -> Result<Self, InvalidSetting> {
        let mut keys = Self::default();
        none(role)?;
        let [option] = role.block.as_slice() else {
            return Err(wrong(role, "has one `jwt` or one `jwks_uri` in its block"));
        };
        match option.name.as_str() {
            "jwt" => {
                let (key, algorithm) = key_and_algorithm(option)?;
                key.clone_into(&mut keys.key);
                keys.algorithms = algorithm.unwrap_or(NOTHING).to_owned();
            }
            "jwks_uri" => match option.arguments.split_first() {
                Some((url, algorithms)) => {
                    keys.set.clone_from(url);
                    if !algorithms.is_empty() {
                        keys.algorithms = algorithms.join(" ");
                    }
                }
                None => return Err(wrong(option, "takes a URL, and perhaps algorithms")),
            },
            _ => return Err(unknown(option, ["jwt", "jwks_uri"].into_iter())),
        }
        Ok(keys)
    }
}

fn unknown<'a>(option: &Directive, known: impl Iterator<Item = &'a str>) -> InvalidSetting {
    InvalidSetting::UnknownDirective {
        place: source(option),
        nearest: nearest(&option.name, known),
        name: shown(&option.name),
    }
}
