//! A key that verifies, bound to the one algorithm that it is for.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{self, ParsedPublicKey, RsaPublicKeyComponents, VerificationAlgorithm};
use aws_lc_rs::{hmac, rsa};

use super::Secret;
use super::algorithm::{Algorithm, Kind, Scheme};

/// A secret or a public key, with its algorithm (S3: the token does not choose it).
#[derive(Clone)]
pub(super) struct Key {
    algorithm: Algorithm,
    material: Material,
}

#[derive(Clone)]
enum Material {
    Secret(Arc<hmac::Key>),
    Public(ParsedPublicKey),
}

impl Key {
    /// Takes the bytes of `secret` for HMAC, or a public key in PEM for everything else.
    pub(super) fn new(secret: &Secret, algorithm: Algorithm) -> Result<Self, InvalidKey> {
        let text = secret.reveal();
        if let Scheme::Hmac(hash) = algorithm.scheme() {
            // CF-4, S3: everybody knows a public key, so with one for a secret everybody could sign.
            return match is_pem(text) {
                true => Err(InvalidKey::PemAsSecret { algorithm }),
                false => Ok(Self::hmac(secret, algorithm, hash)),
            };
        }
        let pem = pem::parse(text).map_err(|_| InvalidKey::NotPem { algorithm })?;
        match pem.tag() {
            "PUBLIC KEY" => {}
            "RSA PUBLIC KEY" if algorithm.kind() == Kind::Rsa => {}
            tag if tag.ends_with("PRIVATE KEY") => return Err(InvalidKey::Private),
            _ => return Err(InvalidKey::WrongKind { algorithm }),
        }
        Self::public(pem.contents(), algorithm).ok_or(InvalidKey::WrongKind { algorithm })
    }

    /// Takes `secret` as the bytes that it is, never as PEM.
    pub(super) fn hs256(secret: &Secret) -> Self {
        Self::hmac(secret, Algorithm::Hs256, hmac::HMAC_SHA256)
    }

    fn hmac(secret: &Secret, algorithm: Algorithm, hash: hmac::Algorithm) -> Self {
        let key = hmac::Key::new(hash, secret.reveal().as_bytes());
        Self {
            algorithm,
            material: Material::Secret(Arc::new(key)),
        }
    }

    /// Takes the modulus and the exponent of an RSA key, in big-endian order.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8], algorithm: Algorithm) -> Option<Self> {
        let components = RsaPublicKeyComponents {
            n: without_leading_zeros(modulus),
            e: without_leading_zeros(exponent),
        };
        Self::public(components.as_der().ok()?.as_ref(), algorithm)
    }

    /// Takes a public key: SubjectPublicKeyInfo in DER, an RSAPublicKey in DER, an uncompressed
    /// point, or the 32 bytes of Ed25519. `None`: it is none of these, or not for `algorithm`.
    pub(super) fn public(bytes: &[u8], algorithm: Algorithm) -> Option<Self> {
        let verification: &'static dyn VerificationAlgorithm = match algorithm.scheme() {
            Scheme::Hmac(_) => return None,
            Scheme::Rsa(verification, _) => {
                // Checked now: a key of a wrong size would refuse every signature later.
                let spki = rsa::PublicKey::from_der(bytes).ok()?.as_der().ok()?;
                rsa::PublicEncryptingKey::from_der(spki.as_ref()).ok()?;
                verification
            }
            Scheme::Ecdsa(verification, _) => verification,
            Scheme::Ed25519 => &signature::ED25519,
        };
        let key = ParsedPublicKey::new(verification, bytes).ok()?;
        Some(Self {
            algorithm,
            material: Material::Public(key),
        })
    }

    pub(super) fn algorithm(&self) -> &Algorithm {
        &self.algorithm
    }

    /// Whether `signature` is genuine. HMAC is compared in constant time (S19).
    pub(super) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        match &self.material {
            Material::Secret(key) => hmac::verify(key, message, signature).is_ok(),
            Material::Public(key) => key.verify_sig(message, signature).is_ok(),
        }
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({}, [redacted])", self.algorithm)
    }
}

/// Why a text is no key for an algorithm. None of them shows it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidKey {
    /// A key in PEM came with an algorithm that takes a secret (CF-4).
    #[error(
        "a key in PEM is no secret for {algorithm}: \
         name the algorithm that it is for, such as RS256, ES256 or EdDSA"
    )]
    PemAsSecret {
        /// The algorithm that it came with.
        algorithm: Algorithm,
    },
    /// It is not in PEM.
    #[error(
        "{algorithm} takes a key in PEM (-----BEGIN PUBLIC KEY-----), {}",
        algorithm.kind()
    )]
    NotPem {
        /// The algorithm that it came with.
        algorithm: Algorithm,
    },
    /// It is a private key, where the public one is enough.
    #[error("this is a private key: give the public one, the other belongs to the issuer alone")]
    Private,
    /// It is a public key, where one signs.
    #[error("this is a public key: signing needs the private one")]
    Public,
    /// It is damaged, or of another kind than the algorithm needs.
    #[error("the key does not fit its algorithm: {algorithm} takes {}", algorithm.kind())]
    WrongKind {
        /// The algorithm that it came with.
        algorithm: Algorithm,
    },
}

/// Whether `text` was meant as PEM.
pub(super) fn is_pem(text: &str) -> bool {
    text.trim_start().starts_with("-----BEGIN ")
}

/// Some issuers write a sign byte before the number, although RFC 7518 §6.3.1.1 says not to.
fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
