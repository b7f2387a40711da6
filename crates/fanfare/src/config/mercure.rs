//! The environment of a Mercure hub's image, read as settings of ours (CF-23).

use super::environment::Environment;
use super::loaded::{Assignment, DIRECTIVES, InvalidSetting, Source};
use super::parts::DEVELOPMENT_ISSUER;
use translation::Translation;

mod caddyfile;
mod directives;
mod site;
mod translation;

/// Reads the variables that a Mercure hub has; without any `MERCURE_` variable there are none.
pub(super) fn translate(environment: &Environment) -> Result<Translation, InvalidSetting> {
    let mut translation = Translation::default();
    // Names such as SERVER_NAME are common: by themselves they may be about something else.
    if environment.beginning_with(THEIRS).next().is_none() {
        return Ok(translation);
    }
    for name in environment.beginning_with(THEIRS) {
        let Some(meaning) = meaning(name) else {
            translation.warn(format!(
                "{name} is no variable of a Mercure hub, and is ignored"
            ));
            continue;
        };
        let value = environment.text(name)?.unwrap_or_default();
        let source = Source::Variable(name.to_owned());
        match meaning {
            Meaning::Setting(key) => translation.set(key, [value], &source),
            Meaning::Issuers => translation.set("issuer", words(value), &source),
            Meaning::Transport => directives::transport_url(value, &source, &mut translation)?,
            // Read below, for a directive wins over every other variable.
            Meaning::Directives => {}
            Meaning::License => {
                translation.warn(format!(
                    "{name} is ignored: nothing here needs a licence key"
                ));
            }
        }
    }
    if let Some(address) = environment.text("SERVER_NAME")? {
        site::translate(address, &mut translation)?;
    }
    for name in CADDYS {
        if environment.has(name) {
            translation.warn(format!(
                "{name} is for the Caddy web server, which is not part of this hub, and is ignored"
            ));
        }
    }
    if let Some(text) = environment.text(DIRECTIVES)? {
        let directives = caddyfile::parse(text, environment)?;
        directives::translate(&directives, &mut translation)?;
    }
    Ok(translation)
}

/// The issuer that a Mercure 1.0 hub trusts when nobody names one, where a key came from its
/// variables and nothing speaks against it (CF-23).
///
/// Who has that key may make tokens for this hub anyhow.
pub(super) fn implied_issuer(layers: &[Assignment]) -> Option<Assignment> {
    let by_variable = |it: &Assignment| match &it.source {
        Source::Variable(name) => name.starts_with(THEIRS) && it.key.ends_with("-jwt-key"),
        Source::Default
        | Source::Development
        | Source::File { .. }
        | Source::Directive { .. }
        | Source::Flag => false,
    };
    let dialect = layers.iter().rfind(|it| it.key == "dialect");
    let old = dialect.is_some_and(|it| it.values.iter().any(|value| value == "d0"));
    let named = layers.iter().any(|it| it.key == "issuer");
    let implied = layers.iter().any(by_variable) && !named && !old;
    implied.then(|| Assignment {
        key: "issuer".to_owned(),
        values: vec![DEVELOPMENT_ISSUER.to_owned()],
        source: Source::Variable(format!("{ISSUERS}, not set")),
    })
}

/// What a variable of a Mercure hub is for.
#[derive(Clone, Copy, Debug)]
enum Meaning {
    /// It is a setting of ours, with this key.
    Setting(&'static str),
    Issuers,
    Transport,
    Directives,
    License,
}

fn meaning(name: &str) -> Option<Meaning> {
    match name {
        "MERCURE_PUBLISHER_JWT_KEY" => Some(Meaning::Setting("publisher-jwt-key")),
        "MERCURE_PUBLISHER_JWT_ALG" => Some(Meaning::Setting("publisher-jwt-alg")),
        "MERCURE_SUBSCRIBER_JWT_KEY" => Some(Meaning::Setting("subscriber-jwt-key")),
        "MERCURE_SUBSCRIBER_JWT_ALG" => Some(Meaning::Setting("subscriber-jwt-alg")),
        "MERCURE_TRANSPORT_URL" => Some(Meaning::Transport),
        "MERCURE_LICENSE" => Some(Meaning::License),
        ISSUERS => Some(Meaning::Issuers),
        DIRECTIVES => Some(Meaning::Directives),
        _ => None,
    }
}

/// Texts with spaces or commas between them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let between = |c: char| c.is_whitespace() || c == ',';
    text.split(between).filter(|word| !word.is_empty())
}

const THEIRS: &str = "MERCURE_";
const ISSUERS: &str = "MERCURE_TRUSTED_ISSUERS";

/// Variables that the image hands to its web server.
const CADDYS: [&str; 3] = [
    "GLOBAL_OPTIONS",
    "CADDY_EXTRA_CONFIG",
    "CADDY_SERVER_EXTRA_DIRECTIVES",
];

#[cfg(test)]
mod tests;
