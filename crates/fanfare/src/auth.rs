//! Who may publish and see what: finds the request's token, verifies it, and makes it a [`Grant`].
//!
//! A `token` is taken apart; what its header says tells the dialect. A `verifier` checks the
//! signature with a `key`, which was configured or comes from a `key_set`. The claims of 0.x are in
//! `claims`, those of 1.0 in `access_token`; `times` are the same for both.

pub use access_token::{Audience, Issuer, Role, verify_access_token};
pub use algorithm::{Algorithm, UnknownAlgorithm};
pub use grant::Grant;
pub use key::InvalidKey;
pub use key_set::InvalidKeySet;
pub use mint::{MintError, NewAccessToken, NewMatcher, NewToken, mint};
pub use secret::{EmptySecret, Secret};
pub use signing_key::{SigningFailed, SigningKey};
pub use token::Token;
pub use verifier::Verifier;

pub(crate) mod credential;
mod token;

mod algorithm;
mod key;
mod key_set;
mod secret;
mod verifier;

mod access_token;
mod claims;
pub(crate) mod detail;
mod grant;
mod object;
mod times;

mod mint;
mod signing_key;

/// Why a token gives no grant. None of them shows the token.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum TokenError {
    /// It is longer than [`Token::BYTES_MAX`].
    #[error("the token has {bytes} bytes, more than {}", Token::BYTES_MAX)]
    TooLong {
        /// How long it is.
        bytes: usize,
    },
    /// It is not three parts of base64url around a JSON header.
    #[error("the token is not a JWS in compact form (header.payload.signature, base64url)")]
    Malformed,
    /// Its header does not say that it is an access token (D1-A1).
    #[error("the token's `typ` is not `at+jwt`, as that of an access token")]
    Type,
    /// Its header names an algorithm that was not configured.
    #[error(
        "the token's `alg` is not what was configured: {}",
        algorithm::names(allowed)
    )]
    Algorithm {
        /// What would be right.
        allowed: Vec<Algorithm>,
    },
    /// Its header has `crit`: an extension that must be understood, and is not.
    #[error("the token's header asks for an extension (`crit`), which is not supported")]
    Critical,
    /// Its `iss` is none of the configured issuers (D1-A3).
    #[error("the token's `iss` is not a configured issuer")]
    UnknownIssuer,
    /// Its issuer is known, but has no key for the role that it is used in.
    #[error("the token's issuer has no key for this role")]
    RoleWithoutKey,
    /// The issuer's JWK Set could not be read; the log says why, once for each attempt.
    #[error("the keys that would verify the token cannot be fetched at the moment")]
    KeysUnavailable,
    /// The issuer's JWK Set has no key by its `kid`, or none for its algorithm.
    #[error("the issuer's JWK Set has no key for the token's `kid` and `alg`")]
    UnknownKey,
    /// It was signed with another key, or changed afterwards.
    #[error("the token's signature does not fit the configured key")]
    Signature,
    /// Its claims are not of the shape that D0-A6 gives, or a time is not a finite number.
    #[error(
        "the token's claims are malformed: `exp` and `nbf` are numbers, \
         `mercure.publish` and `mercure.subscribe` arrays of strings"
    )]
    Claims,
    /// The claims of an access token are incomplete or of the wrong type (D1-A3).
    #[error(
        "the token's claims are malformed: an access token has `iss` (a string), `aud` (one string \
         or more), `exp` (a number), and in `authorization_details` an array of objects"
    )]
    AccessClaims,
    /// Its `aud` names other hubs (D1-A3).
    #[error("the token's `aud` does not contain this hub's resource identifier")]
    Audience,
    /// One of its arrays has more than [`Grant::SELECTORS_MAX`] entries.
    #[error(
        "the token's `mercure.{claim}` has {count} entries, more than {}",
        Grant::SELECTORS_MAX
    )]
    TooManySelectors {
        /// `publish` or `subscribe`.
        claim: &'static str,
        /// How many there are.
        count: usize,
    },
    /// One of its details is not as D1-A9 to D1-A11 say, and spoils the others (D1-A12).
    #[error(
        "the token's `authorization_details` are malformed: each has a `type`, and those of \
         Mercure a list of `actions` and a list of `topics`, each \
         {{\"match\", \"match_type\": \"exact\" or \"urlpattern\"}}"
    )]
    Details,
    /// It has too many details, or matchers in them (D1-A12).
    #[error(
        "the token has {details} details with {matchers} matchers, more than {} or {}",
        detail::DETAILS_MAX,
        detail::MATCHERS_MAX
    )]
    TooManyDetails {
        /// How many details there are.
        details: usize,
        /// How many matchers they have together.
        matchers: usize,
    },
    /// A selector is past our bounds, or no pattern.
    #[error("a selector in the token is invalid")]
    Selector {
        /// What is wrong with it.
        #[source]
        source: fanfare_broker::InvalidSelector,
    },
    /// Its `exp` is past.
    #[error("the token has expired")]
    Expired,
    /// Its `nbf` is to come.
    #[error("the token is not valid yet")]
    NotYetValid,
}

#[cfg(test)]
mod test_keys;
#[cfg(test)]
mod tests;
