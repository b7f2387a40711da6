//! TLS: the certificate that the server shows, and the way to exchange it while streams go on.
//!
//! What was agreed on in a handshake lasts as long as its connection, so a new certificate is for
//! the connections after it, and no open one notices.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio::sync::Notify;
use tokio::time::{MissedTickBehavior, interval};

use certificate::Certificate;
use files::{Files, Stamp};

pub use certificate::InvalidCertificate;
pub use self_signed::{NoSelfSigned, SelfSigned};

mod certificate;
mod files;
pub(crate) mod handshake;
mod self_signed;

/// A certificate with its key, ready for handshakes. Cloning shares it.
///
/// HTTP/2 and HTTP/1.1 are offered by ALPN. Sessions are resumed by tickets whose keys change
/// every few hours; there is no 0-RTT, for a request in it can be replayed by whoever saw it.
#[derive(Clone, Debug)]
pub struct Tls(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    config: Arc<ServerConfig>,
    shown: Arc<Shown>,
    files: Option<Files>,
    /// What the files were like when they were last read, well or not.
    tried: Mutex<Option<Stamp>>,
    /// Wakes whoever reads them again.
    asked: Notify,
}

/// The oldest version that a client may speak.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum OldestVersion {
    /// TLS 1.2, and 1.3.
    Tls12,
    /// TLS 1.3 alone.
    Tls13,
}

impl Tls {
    /// Reads a certificate, with those that lead to its authority, and its key from PEM files.
    ///
    /// While a server runs with it, changed files are read again.
    ///
    /// # Errors
    ///
    /// [`TlsError`] names the file and what is wrong with it.
    pub fn open(
        certificate: impl Into<PathBuf>,
        key: impl Into<PathBuf>,
        oldest: OldestVersion,
    ) -> Result<Self, TlsError> {
        let files = Files::new(certificate.into(), key.into());
        let stamp = files.stamp();
        let certificate = files.read()?;
        let tls = Self::new(certificate, oldest, Some(files))?;
        tls.0.remember(stamp);
        Ok(tls)
    }

    /// Takes a certificate, with those that lead to its authority, and its key as PEM text.
    ///
    /// # Errors
    ///
    /// [`TlsError`] says what is wrong with it.
    pub fn from_pem(certificate: &str, key: &str, oldest: OldestVersion) -> Result<Self, TlsError> {
        let certificate = Certificate::from_pem(certificate.as_bytes(), key.as_bytes());
        Self::new(certificate.map_err(TlsError::Text)?, oldest, None)
    }

    fn new(
        certificate: Certificate,
        oldest: OldestVersion,
        files: Option<Files>,
    ) -> Result<Self, TlsError> {
        let versions: &[_] = match oldest {
            OldestVersion::Tls12 => &[&TLS13, &TLS12],
            OldestVersion::Tls13 => &[&TLS13],
        };
        let shown = Arc::new(Shown(RwLock::new(Arc::new(certificate))));
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&shown) as _);
        config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1.to_vec()];
        // Without it only the newest few hundred sessions can be resumed, and after a restart of
        // the network everybody returns at once (S26).
        config.ticketer = aws_lc_rs::Ticketer::new().map_err(TlsError::Setup)?;
        Ok(Self(Arc::new(Inner {
            config: Arc::new(config),
            shown,
            files,
            tried: Mutex::default(),
            asked: Notify::new(),
        })))
    }

    /// Asks the server that runs with it to read the files again, changed or not.
    ///
    /// If they are of no use, the old certificate is shown on, and the log says why. A certificate
    /// that came as text stays as it is.
    pub fn refresh(&self) {
        self.0.asked.notify_one();
    }

    /// When the certificate that is shown ends.
    #[must_use]
    pub fn ends_at(&self) -> SystemTime {
        self.0.shown.certificate().ends_at
    }

    /// What is wrong with the time of the certificate, which browsers will not accept.
    #[must_use]
    pub fn complaint(&self, now: SystemTime) -> Option<String> {
        let certificate = self.0.shown.certificate();
        let date = httpdate::fmt_http_date;
        if certificate.ends_at <= now {
            let end = date(certificate.ends_at);
            return Some(format!("the certificate ended on {end}; clients refuse it"));
        }
        let begin = date(certificate.begins_at);
        let early = now < certificate.begins_at;
        early.then(|| {
            format!("the certificate is not valid before {begin}; until then clients refuse it")
        })
    }

    /// Reads the files whenever they have changed or somebody asks, for ever, and tells `report`
    /// what came of it.
    pub(crate) async fn watch(self, report: impl Fn(&Self, Result<(), TlsError>)) {
        if self.0.files.is_none() {
            return;
        }
        let mut looks = interval(LOOK_INTERVAL);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut last = None;
        loop {
            let asked = tokio::select! {
                _ = looks.tick() => false,
                () = self.0.asked.notified() => true,
            };
            let inner = Arc::clone(&self.0);
            // A folder on a network may be slow, and these threads have streams to write.
            let work = tokio::task::spawn_blocking(move || {
                let seen = inner.look();
                // Twice the same: whoever replaces two files, one after the other, is done.
                let changed = last == Some(seen) && seen != inner.tried();
                (seen, (asked || changed).then(|| inner.reload()))
            });
            let Ok((seen, outcome)) = work.await else {
                return;
            };
            last = Some(seen);
            if let Some(outcome) = outcome {
                report(&self, outcome);
            }
        }
    }
}

const LOOK_INTERVAL: Duration = Duration::from_secs(1);

impl Inner {
    /// Shows what the files hold from the next handshake on.
    fn reload(&self) -> Result<(), TlsError> {
        let Some(files) = &self.files else {
            return Ok(());
        };
        // Before they are read: what is written meanwhile is noticed afterwards.
        self.remember(files.stamp());
        self.shown.replace(files.read()?);
        Ok(())
    }

    fn look(&self) -> Option<Stamp> {
        self.files.as_ref().and_then(Files::stamp)
    }

    fn tried(&self) -> Option<Stamp> {
        *self.tried.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, stamp: Option<Stamp>) {
        *self.tried.lock().unwrap_or_else(PoisonError::into_inner) = stamp;
    }
}

/// The certificate of the next handshake.
#[derive(Debug)]
struct Shown(RwLock<Arc<Certificate>>);

impl Shown {
    fn certificate(&self) -> Arc<Certificate> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, certificate: Certificate) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(certificate);
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.certificate().key))
    }
}

/// Names of the protocols in ALPN (RFC 7301 §6, RFC 9113 §3.1).
const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";

/// Why there can be no TLS.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// A file cannot be read.
    #[error("cannot read {}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The files can be read, and are of no use.
    #[error("{} cannot be used with the key {}", certificate.display(), key.display())]
    Files {
        /// The certificate's file.
        certificate: PathBuf,
        /// The key's file.
        key: PathBuf,
        /// What is wrong.
        source: InvalidCertificate,
    },
    /// The text is of no use.
    #[error("the certificate cannot be used")]
    Text(#[source] InvalidCertificate),
    /// The cryptographic library cannot do its work.
    #[error("TLS cannot be set up")]
    Setup(#[source] rustls::Error),
}

#[cfg(test)]
mod tests;
