//! A key that signs, bound to the one algorithm that it is for.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{EcdsaKeyPair, Ed25519KeyPair, RsaEncoding, RsaKeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::algorithm::Scheme;
use super::key::is_pem;
use super::{Algorithm, InvalidKey, Secret};

/// A secret or a private key, with its algorithm.
pub struct SigningKey {
    algorithm: Algorithm,
    material: Material,
}

enum Material {
    Secret(Box<hmac::Key>),
    Rsa(RsaKeyPair, &'static dyn RsaEncoding),
    Ecdsa(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    /// Takes `key` for `algorithm`: for HS* the secret, as the bytes that it is; for all others a
    /// private key in PEM, `PRIVATE KEY`, `RSA PRIVATE KEY` or `EC PRIVATE KEY`.
    ///
    /// # Errors
    ///
    /// [`InvalidKey`] when it is damaged, or for another kind of algorithm.
    pub fn new(key: &Secret, algorithm: Algorithm) -> Result<Self, InvalidKey> {
        let text = key.reveal();
        if let Scheme::Hmac(hash) = algorithm.scheme() {
            return match is_pem(text) {
                true => Err(InvalidKey::PemAsSecret { algorithm }),
                false => Ok(Self::hmac(key, algorithm, hash)),
            };
        }
        let pem = pem::parse(text).map_err(|_| InvalidKey::NotPem { algorithm })?;
        if pem.tag().ends_with("PUBLIC KEY") {
            return Err(InvalidKey::Public);
        }
        let material = material(pem.contents(), algorithm);
        let material = material.ok_or(InvalidKey::WrongKind { algorithm })?;
        Ok(Self {
            algorithm,
            material,
        })
    }

    /// Takes `key` as the key of HMAC with SHA-256, as the bytes that it is.
    #[must_use]
    pub fn hs256(key: &Secret) -> Self {
        Self::hmac(key, Algorithm::Hs256, hmac::HMAC_SHA256)
    }

    fn hmac(key: &Secret, algorithm: Algorithm, hash: hmac::Algorithm) -> Self {
        let key = hmac::Key::new(hash, key.reveal().as_bytes());
        Self {
            algorithm,
            material: Material::Secret(Box::new(key)),
        }
    }

    /// The algorithm that it signs with.
    #[must_use]
    pub fn algorithm(&self) -> Algorithm {
        self.algorithm
    }

    /// Makes a token of exactly this header and these claims, both JSON, whatever they say.
    ///
    /// # Errors
    ///
    /// [`SigningFailed`] when the cryptographic library fails, which it does for keys that are
    /// damaged inside.
    pub fn sign(&self, header: &str, claims: &str) -> Result<String, SigningFailed> {
        let header = URL_SAFE_NO_PAD.encode(header);
        let signed = format!("{header}.{}", URL_SAFE_NO_PAD.encode(claims));
        let signature = self.signature(signed.as_bytes())?;
        Ok(format!("{signed}.{}", URL_SAFE_NO_PAD.encode(signature)))
    }

    fn signature(&self, message: &[u8]) -> Result<Vec<u8>, SigningFailed> {
        let random = SystemRandom::new();
        match &self.material {
            Material::Secret(key) => Ok(hmac::sign(key, message).as_ref().to_vec()),
            Material::Rsa(key, encoding) => {
                let mut signature = vec![0; key.public_modulus_len()];
                let signed = key.sign(*encoding, &random, message, &mut signature);
                signed.map(|()| signature).map_err(|_| SigningFailed)
            }
            Material::Ecdsa(key) => {
                let signature = key.sign(&random, message).map_err(|_| SigningFailed)?;
                Ok(signature.as_ref().to_vec())
            }
            Material::Ed25519(key) => {
                let signature = key.try_sign(message).map_err(|_| SigningFailed)?;
                Ok(signature.as_ref().to_vec())
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({}, [redacted])", self.algorithm)
    }
}

/// A key that looked right did not sign.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the key cannot sign")]
#[non_exhaustive]
pub struct SigningFailed;

fn material(der: &[u8], algorithm: Algorithm) -> Option<Material> {
    match algorithm.scheme() {
        Scheme::Hmac(_) => None,
        Scheme::Rsa(_, encoding) => {
            // PKCS #8 is `PRIVATE KEY`, the other is what OpenSSL once wrote, `RSA PRIVATE KEY`.
            let key = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der));
            Some(Material::Rsa(key.ok()?, encoding))
        }
        Scheme::Ecdsa(_, signing) => {
            let key = EcdsaKeyPair::from_private_key_der(signing, der);
            Some(Material::Ecdsa(key.ok()?))
        }
        Scheme::Ed25519 => {
            let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der);
            Some(Material::Ed25519(key.ok()?))
        }
    }
}
