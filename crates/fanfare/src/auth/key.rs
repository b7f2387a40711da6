//! A key that verifies, bound to the one algorithm that it is for.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::signature::{
    self, EcdsaVerificationAlgorithm, ParsedPublicKey, RsaParameters, RsaPublicKeyComponents,
    VerificationAlgorithm,
};

use super::Secret;
use super::algorithm::{Algorithm, Kind};

/// A secret or a public key, with its algorithm (S3: the token does not choose it).
#[derive(Clone)]
pub(super) struct Key {
    algorithm: Algorithm,
    material: Material,
}

#[derive(Clone)]
enum Material {
    Secret(hmac::Key),
    Public(ParsedPublicKey),
}

impl Key {
    /// Takes the bytes of `secret` for HMAC, or a public key in PEM for everything else.
    pub(super) fn new(secret: &Secret, algorithm: Algorithm) -> Result<Self, InvalidKey> {
        let text = secret.reveal();
        if algorithm.is_symmetric() {
            // CF-4, S3: everybody knows a public key, so with one for a secret everybody could sign.
            if is_pem(text) {
                return Err(InvalidKey::PemAsSecret { algorithm });
            }
            return Ok(Self::secret(secret, algorithm));
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
    pub(super) fn secret(secret: &Secret, algorithm: Algorithm) -> Self {
        let key = hmac::Key::new(hash(algorithm), secret.reveal().as_bytes());
        Self {
            algorithm,
            material: Material::Secret(key),
        }
    }

    /// Takes the modulus and the exponent of an RSA key, in big-endian order.
    pub(super) fn rsa(modulus: &[u8], exponent: &[u8], algorithm: Algorithm) -> Option<Self> {
        let components = RsaPublicKeyComponents {
            n: without_leading_zeros(modulus),
            e: without_leading_zeros(exponent),
        };
        let key = components.to_parsed_public_key(rsa_parameters(algorithm)?);
        Self::parsed(key.ok()?, algorithm)
    }

    /// Takes a public key: SubjectPublicKeyInfo in DER, an RSAPublicKey in DER, an uncompressed
    /// point, or the 32 bytes of Ed25519. `None`: it is none of these, or not for `algorithm`.
    pub(super) fn public(bytes: &[u8], algorithm: Algorithm) -> Option<Self> {
        let verification: &'static dyn VerificationAlgorithm = match algorithm.kind() {
            Kind::Secret => return None,
            Kind::Rsa => rsa_parameters(algorithm)?,
            Kind::P256 => P256,
            Kind::P384 => P384,
            Kind::P521 => P521,
            Kind::Ed25519 => &signature::ED25519,
        };
        let key = ParsedPublicKey::new(verification, bytes).ok()?;
        Self::parsed(key, algorithm)
    }

    fn parsed(key: ParsedPublicKey, algorithm: Algorithm) -> Option<Self> {
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

pub(super) fn hash(algorithm: Algorithm) -> hmac::Algorithm {
    match algorithm {
        Algorithm::Hs512 => hmac::HMAC_SHA512,
        Algorithm::Hs384 => hmac::HMAC_SHA384,
        _ => hmac::HMAC_SHA256,
    }
}

const P256: &EcdsaVerificationAlgorithm = &signature::ECDSA_P256_SHA256_FIXED;
const P384: &EcdsaVerificationAlgorithm = &signature::ECDSA_P384_SHA384_FIXED;
const P521: &EcdsaVerificationAlgorithm = &signature::ECDSA_P521_SHA512_FIXED;

fn rsa_parameters(algorithm: Algorithm) -> Option<&'static RsaParameters> {
    match algorithm {
        Algorithm::Rs256 => Some(&signature::RSA_PKCS1_2048_8192_SHA256),
        Algorithm::Rs384 => Some(&signature::RSA_PKCS1_2048_8192_SHA384),
        Algorithm::Rs512 => Some(&signature::RSA_PKCS1_2048_8192_SHA512),
        Algorithm::Ps256 => Some(&signature::RSA_PSS_2048_8192_SHA256),
        Algorithm::Ps384 => Some(&signature::RSA_PSS_2048_8192_SHA384),
        Algorithm::Ps512 => Some(&signature::RSA_PSS_2048_8192_SHA512),
        _ => None,
    }
}

/// Some issuers write a sign byte before the number, although RFC 7518 §6.3.1.1 says not to.
fn without_leading_zeros(number: &[u8]) -> &[u8] {
    let zeros = number.iter().take_while(|&&byte| byte == 0).count();
    number.get(zeros..).unwrap_or_default()
}
