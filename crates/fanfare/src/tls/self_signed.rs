//! A certificate that vouches for itself, for development.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pem::Pem;
use rcgen::{CertificateParams, DnType, KeyPair, SanType};

use super::certificate::Certificate;

/// A certificate for `localhost` and the loopback addresses, with its key, as PEM text.
///
/// It is no authority: whoever gets its key can play this machine's `localhost`, and nothing else.
#[derive(Clone)]
#[non_exhaustive]
pub struct SelfSigned {
    /// The certificate.
    pub certificate: String,
    /// Its key.
    pub key: String,
}

impl SelfSigned {
    /// Makes one that holds for a year from `now` on.
    ///
    /// # Errors
    ///
    /// [`NoSelfSigned::Made`].
    pub fn new(now: SystemTime) -> Result<Self, NoSelfSigned> {
        Self::make(now).map_err(NoSelfSigned::Made)
    }

    fn make(now: SystemTime) -> Result<Self, rcgen::Error> {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()])?;
        let addresses = [
            IpAddr::from(Ipv4Addr::LOCALHOST),
            Ipv6Addr::LOCALHOST.into(),
        ];
        let addresses = addresses.map(SanType::IpAddress);
        params.subject_alt_names.extend(addresses);
        let name = &mut params.distinguished_name;
        name.remove(DnType::CommonName);
        name.push(DnType::CommonName, "Fanfare in development");
        // Clocks of virtual machines lag.
        params.not_before = (now - DAY).into();
        params.not_after = (now + 365 * DAY).into();
        let key = KeyPair::generate()?;
        let certificate = params.self_signed(&key)?;
        let text = |name: &str, bytes: &[u8]| pem::encode(&Pem::new(name, bytes));
        Ok(Self {
            certificate: text("CERTIFICATE", certificate.der()),
            key: text("PRIVATE KEY", key.serialized_der()),
        })
    }

    /// The one that is kept in `folder`; made when there is none that holds for another week.
    ///
    /// A kept one need be trusted once only. Returned with the certificate's file.
    ///
    /// # Errors
    ///
    /// [`NoSelfSigned`].
    pub fn kept_in(folder: &Path, now: SystemTime) -> Result<(Self, PathBuf), NoSelfSigned> {
        let (certificate, key) = (folder.join(CERTIFICATE_FILE), folder.join(KEY_FILE));
        let kept = fs::read_to_string(&certificate).and_then(|certificate| {
            let key = fs::read_to_string(&key)?;
            Ok(Self { certificate, key })
        });
        if let Ok(kept) = kept
            && kept.holds_until(now + 7 * DAY)
        {
            return Ok((kept, certificate));
        }
        let made = Self::new(now)?;
        // The key first: a certificate without its key would be trusted in vain.
        write(&key, &made.key).map_err(|source| NoSelfSigned::Kept { path: key, source })?;
        match write(&certificate, &made.certificate) {
            Ok(()) => Ok((made, certificate)),
            Err(source) => Err(NoSelfSigned::Kept {
                path: certificate,
                source,
            }),
        }
    }

    fn holds_until(&self, time: SystemTime) -> bool {
        let parsed = Certificate::from_pem(self.certificate.as_bytes(), self.key.as_bytes());
        parsed.is_ok_and(|it| time < it.ends_at)
    }
}

impl std::fmt::Debug for SelfSigned {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SelfSigned")
            .field("certificate", &self.certificate)
            .field("key", &"[redacted]")
            .finish()
    }
}

/// Replaces the file in one step; it is its owner's alone.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let beside = path.with_extension("new");
    _ = fs::remove_file(&beside);
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(text.as_bytes())?;
    fs::rename(&beside, path)
}

const CERTIFICATE_FILE: &str = "localhost-cert.pem";
const KEY_FILE: &str = "localhost-key.pem";
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Why there is no certificate of our own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoSelfSigned {
    /// The library could not make one.
    #[error("no certificate can be made")]
    Made(#[source] rcgen::Error),
    /// It could not be kept.
    #[error("cannot write {}", path.display())]
    Kept {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}
