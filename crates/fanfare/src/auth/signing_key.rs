//! A key that signs, bound to the one algorithm that it is for.

use std::fmt;

use aws_lc_rs::hmac;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{
    self, EcdsaKeyPair, EcdsaSigningAlgorithm, Ed25519KeyPair, RsaEncoding, RsaKeyPair,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::algorithm::Kind;
use super::key::{hash, is_pem};
use super::{Algorithm, InvalidKey, Secret};

/// A secret or a private key, with its algorithm.
pub struct SigningKey {
    algorithm: Algorithm,
    material: Material,
}

enum Material {
    Secret(hmac::Key),
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
        if algorithm.is_symmetric() {
            if is_pem(text) {
                return Err(InvalidKey::PemAsSecret { algorithm });
            }
            return Ok(Self::secret(key, algorithm));
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

    /// Takes `key` as the bytes that it is, never as PEM.
    pub fn secret(key: &Secret, algorithm: Algorithm) -> Self {
        let key = hmac::Key::new(hash(algorithm), key.reveal().as_bytes());
        Self {
            algorithm,
            material: Material::Secret(key),
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
    match algorithm.kind() {
        Kind::Secret => None,
        Kind::Rsa => {
            // PKCS #8 is `PRIVATE KEY`, the other is what OpenSSL once wrote, `RSA PRIVATE KEY`.
            let key = RsaKeyPair::from_pkcs8(der).or_else(|_| RsaKeyPair::from_der(der));
            Some(Material::Rsa(key.ok()?, rsa_encoding(algorithm)))
        }
        Kind::P256 => ecdsa(der, &signature::ECDSA_P256_SHA256_FIXED_SIGNING),
        Kind::P384 => ecdsa(der, &signature::ECDSA_P384_SHA384_FIXED_SIGNING),
        Kind::P521 => ecdsa(der, &signature::ECDSA_P521_SHA512_FIXED_SIGNING),
        Kind::Ed25519 => {
            let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(der);
            Some(Material::Ed25519(key.ok()?))
        }
    }
}

fn ecdsa(der: &[u8], algorithm: &'static EcdsaSigningAlgorithm) -> Option<Material> {
    let key = EcdsaKeyPair::from_private_key_der(algorithm, der);
    Some(Material::Ecdsa(key.ok()?))
}

fn rsa_encoding(algorithm: Algorithm) -> &'static dyn RsaEncoding {
    match algorithm {
        Algorithm::Rs384 => &signature::RSA_PKCS1_SHA384,
        Algorithm::Rs512 => &signature::RSA_PKCS1_SHA512,
        Algorithm::Ps256 => &signature::RSA_PSS_SHA256,
        Algorithm::Ps384 => &signature::RSA_PSS_SHA384,
        Algorithm::Ps512 => &signature::RSA_PSS_SHA512,
        _ => &signature::RSA_PKCS1_SHA256,
    }
}
