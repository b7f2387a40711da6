//! A certificate and its key, out of PEM text.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use x509_parser::time::ASN1Time;

/// A certificate that can be shown, for its key belongs to it.
#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) begins_at: SystemTime,
    pub(super) ends_at: SystemTime,
}

impl Certificate {
    /// Reads a chain, the server's own certificate first, and the key.
    pub(super) fn from_pem(chain: &[u8], key: &[u8]) -> Result<Self, InvalidCertificate> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain)
            .collect::<Result<_, _>>()
            .map_err(InvalidCertificate::Pem)?;
        let first = chain.first().ok_or(InvalidCertificate::NoCertificate)?;
        let (_, parsed) = x509_parser::parse_x509_certificate(first)
            .map_err(|_| InvalidCertificate::Malformed)?;
        let validity = parsed.validity();
        let begins_at = time(validity.not_before);
        let ends_at = time(validity.not_after);

        let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| {
            if matches!(error, pem::Error::NoItemsFound) {
                InvalidCertificate::NoKey
            } else {
                InvalidCertificate::KeyPem(error)
            }
        })?;
        let key = CertifiedKey::from_der(chain, key, &aws_lc_rs::default_provider());
        let key = key.map_err(|error| {
            if error == Error::InconsistentKeys(InconsistentKeys::KeyMismatch) {
                InvalidCertificate::OtherKey
            } else {
                InvalidCertificate::Key(error)
            }
        })?;
        Ok(Self {
            key: Arc::new(key),
            begins_at,
            ends_at,
        })
    }
}

/// What lies before 1970 has ended for certain.
fn time(time: ASN1Time) -> SystemTime {
    let seconds = u64::try_from(time.timestamp()).unwrap_or(0);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

/// Why texts are no certificate with its key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCertificate {
    /// There is no certificate.
    #[error("the certificate's file holds none: it must have a block `BEGIN CERTIFICATE`")]
    NoCertificate,
    /// A block of the certificate's file is broken.
    #[error("the certificate's file is not PEM")]
    Pem(#[source] pem::Error),
    /// The first block is no certificate.
    #[error("the first block of the certificate's file is no X.509 certificate")]
    Malformed,
    /// There is no key.
    #[error(
        "the key's file holds none: it must have a block `BEGIN PRIVATE KEY`, `BEGIN EC PRIVATE \
         KEY` or `BEGIN RSA PRIVATE KEY`; a key with a passphrase cannot be used"
    )]
    NoKey,
    /// A block of the key's file is broken.
    #[error("the key's file is not PEM")]
    KeyPem(#[source] pem::Error),
    /// The key is of no kind that TLS uses.
    #[error("the key cannot be used: RSA of 2048 bits or more, P-256, P-384, P-521 or Ed25519 can")]
    Key(#[source] Error),
    /// The key is another certificate's.
    #[error(
        "the key is not that of the certificate; the server's own certificate must be the first \
         in its file"
    )]
    OtherKey,
}
