//! The settings that say who is let in: keys, issuers, cookies, and other sites' pages.

use std::str::FromStr;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, ValueEnum};
use fanfare::auth::Secret;
use fanfare::origins::OriginPattern;
use fanfare::server;

use super::address::{KeySetUrl, absolute_url};
use super::algorithm::Algorithms;

/// The part of [`Settings`](super::Settings) under the heading "Access".
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Access {
    /// Key that publishers' tokens are verified with: a secret, or a public key in PEM
    ///
    /// It also serves every `issuer` that has no key of its own. Of a secret at least 32 bytes are
    /// advised. Better given as a variable or in the file: other users of the machine can see a
    /// command line.
    #[arg(long, value_name = "KEY", allow_hyphen_values = true, help_heading = ACCESS)]
    pub(crate) publisher_jwt_key: Option<Secret>,

    /// Algorithm that publishers' tokens are signed with: HS, RS or ES with 256, 384 or 512; EdDSA
    ///
    /// Without it, HS256 for a key; for a key set EdDSA and ES, RS and PS with 256, 384 or 512,
    /// which several names with spaces between them restrict. A key in PEM needs it.
    #[arg(long, value_name = "ALG", help_heading = ACCESS)]
    pub(crate) publisher_jwt_alg: Option<Algorithms>,

    /// JWK Set with the keys that publishers' tokens are verified with; wins over the key
    ///
    /// An `https:`, `http:` or `file:` URL; it is read again every five minutes.
    #[arg(long, value_name = "URL", help_heading = ACCESS)]
    pub(crate) publisher_jwks_url: Option<KeySetUrl>,

    /// Key that subscribers' tokens are verified with: a secret, or a public key in PEM
    ///
    /// Without any key, key set or issuer, subscribers' tokens are ignored, and private events
    /// reach nobody.
    #[arg(long, value_name = "KEY", allow_hyphen_values = true, help_heading = ACCESS)]
    pub(crate) subscriber_jwt_key: Option<Secret>,

    /// Algorithm that subscribers' tokens are signed with; as `publisher-jwt-alg`
    #[arg(long, value_name = "ALG", help_heading = ACCESS)]
    pub(crate) subscriber_jwt_alg: Option<Algorithms>,

    /// JWK Set with the keys that subscribers' tokens are verified with; as `publisher-jwks-url`
    #[arg(long, value_name = "URL", help_heading = ACCESS)]
    pub(crate) subscriber_jwks_url: Option<KeySetUrl>,

    /// Issuers whose access tokens (Mercure 1.0) are taken, exactly as the tokens' `iss` names them
    ///
    /// Each is verified with the keys of the settings below, or else with those above.
    #[arg(long, value_name = "URL", value_delimiter = ',', help_heading = ACCESS)]
    #[arg(value_parser = absolute_url)]
    pub(crate) issuer: Vec<String>,

    /// Keys that issuers sign publishers' tokens with: one for all issuers, or one for each
    ///
    /// Given once, it serves every issuer; otherwise the first belongs to the first issuer, and so
    /// on. `-` stands for none: without a key and a key set, that issuer's tokens cannot publish.
    /// A variable holds one key; several are for the command line or a list in the file.
    #[arg(long, value_name = "KEY", allow_hyphen_values = true, help_heading = ACCESS)]
    pub(crate) issuer_publisher_key: Vec<PerIssuer<Secret>>,

    /// Algorithms of the issuers' publisher keys: one for all, or one for each; `-`: the default
    #[arg(long, value_name = "ALG", value_delimiter = ',', help_heading = ACCESS)]
    pub(crate) issuer_publisher_alg: Vec<PerIssuer<Algorithms>>,

    /// JWK Sets of the issuers for publishers: one for all, or one for each; `-`: none
    #[arg(long, value_name = "URL", value_delimiter = ',', help_heading = ACCESS)]
    pub(crate) issuer_publisher_jwks_url: Vec<PerIssuer<KeySetUrl>>,

    /// Keys that issuers sign subscribers' tokens with; as `issuer-publisher-key`
    #[arg(long, value_name = "KEY", allow_hyphen_values = true, help_heading = ACCESS)]
    pub(crate) issuer_subscriber_key: Vec<PerIssuer<Secret>>,

    /// Algorithms of the issuers' subscriber keys: one for all, or one for each; `-`: the default
    #[arg(long, value_name = "ALG", value_delimiter = ',', help_heading = ACCESS)]
    pub(crate) issuer_subscriber_alg: Vec<PerIssuer<Algorithms>>,

    /// JWK Sets of the issuers for subscribers: one for all, or one for each; `-`: none
    #[arg(long, value_name = "URL", value_delimiter = ',', help_heading = ACCESS)]
    pub(crate) issuer_subscriber_jwks_url: Vec<PerIssuer<KeySetUrl>>,

    /// Issuers that the hub's metadata names to clients that look for a token
    #[arg(long, value_name = "URL", value_delimiter = ',', help_heading = ACCESS)]
    pub(crate) authorization_server: Vec<String>,

    /// What the `aud` of access tokens must name; default: the hub's URL as the client wrote it
    #[arg(long, value_name = "URL", value_parser = absolute_url, help_heading = ACCESS)]
    pub(crate) resource_identifier: Option<String>,

    /// Generations of the Mercure protocol that are spoken
    ///
    /// A key in `publisher-jwt-key` or `subscriber-jwt-key` also takes 0.x tokens, which need
    /// neither `exp` nor `aud`, unless this is `d1`.
    #[arg(long, value_name = "DIALECT", default_value = "both", help_heading = ACCESS)]
    pub(crate) dialect: DialectName,

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
    #[arg(visible_alias = "cors-origins")]
    pub(crate) cors_origin: Vec<OriginPattern>,

    /// Origins whose pages may publish with a cookie, separated by commas
    #[arg(long, value_name = "ORIGIN", value_delimiter = ',', help_heading = ACCESS)]
    #[arg(visible_alias = "publish-origins")]
    pub(crate) publish_origin: Vec<OriginPattern>,

    /// Cookie that may carry a token of Mercure 0.x
    #[arg(long, value_name = "NAME", value_parser = cookie_name, help_heading = ACCESS)]
    #[arg(default_value_t = server::Config::default().cookie_name)]
    pub(crate) cookie_name: String,

    /// Cookie that may carry an access token of Mercure 1.0
    ///
    /// Over plain HTTP browsers take no cookie whose name begins with `__Secure-`: there, give it
    /// another.
    #[arg(long, value_name = "NAME", value_parser = cookie_name, help_heading = ACCESS)]
    #[arg(default_value_t = server::Config::default().access_cookie_name)]
    pub(crate) access_cookie_name: String,

    /// Bearer token that may revoke tokens, at `/admin/revoke`, and opens the dashboard at `/`; without
    /// it nobody can
    #[arg(long, value_name = "SECRET", allow_hyphen_values = true, help_heading = ACCESS)]
    pub(crate) admin_token: Option<Secret>,

    /// Revocations that are remembered; past it new ones get 507
    #[arg(long, value_name = "COUNT", help_heading = ACCESS)]
    #[arg(default_value_t = server::Config::default().revocations_max)]
    pub(crate) revocations_max: usize,
}

const ACCESS: &str = "Access";

/// Which generations of the protocol are spoken.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum DialectName {
    /// Each request tells its own
    Both,
    /// Mercure 0.x alone
    D0,
    /// Mercure 1.0 alone; it needs an issuer
    D1,
}

/// An entry of a list whose n-th entry belongs to the n-th issuer; `-` stands for nothing.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct PerIssuer<T>(pub(crate) Option<T>);

impl<T: FromStr> FromStr for PerIssuer<T> {
    type Err = T::Err;

    fn from_str(text: &str) -> Result<Self, T::Err> {
        match text {
            NOTHING => Ok(Self(None)),
            text => text.parse().map(|value| Self(Some(value))),
        }
    }
}

/// An entry of a [`PerIssuer`] list that holds nothing.
pub(super) const NOTHING: &str = "-";

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
