//! TLS, as the settings say it: whose certificate, and what a client must be able to.

use std::path::PathBuf;
use std::time::SystemTime;

use clap::builder::BoolishValueParser;
use clap::{ArgAction, ValueEnum};
use fanfare::server;
use fanfare::tls::{OldestVersion, Tls, TlsError};

use super::quantity::TimeSpan;

/// The settings of TLS.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct Encryption {
    /// PEM file with the certificate to serve HTTPS with, and those that lead to its authority
    ///
    /// Together with `tls-key`. The port then speaks HTTP/2 and HTTP/1.1 over TLS, and nothing else.
    /// Changed files are read again within some seconds, and at once on SIGHUP; no stream is ended
    /// by it. If they are of no use, the old certificate is kept, and the log says why.
    #[arg(long, value_name = "FILE", help_heading = TLS)]
    pub(crate) tls_cert: Option<PathBuf>,

    /// PEM file with the certificate's key, without a passphrase
    #[arg(long, value_name = "FILE", help_heading = TLS)]
    pub(crate) tls_key: Option<PathBuf>,

    /// Development: HTTPS with a certificate that vouches for itself, for localhost
    ///
    /// It is kept in the directory of the history as `localhost-cert.pem`, with its key, for a year;
    /// with `memory` a new one is made at each start.
    #[arg(long, help_heading = TLS, value_name = "BOOL", action = ArgAction::Set)]
    #[arg(num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[arg(default_value_t = false, value_parser = BoolishValueParser::new())]
    #[arg(hide_possible_values = true)]
    pub(crate) tls: bool,

    /// The oldest version of TLS that a client may speak
    #[arg(long, value_name = "VERSION", default_value = "1.2", help_heading = TLS)]
    pub(crate) tls_version_min: TlsVersion,

    /// Time for each step of a TLS handshake
    #[arg(long, value_name = "TIME", help_heading = TLS)]
    #[arg(default_value_t = TimeSpan(server::Config::default().handshake_timeout))]
    pub(crate) handshake_timeout: TimeSpan,

    /// TLS handshakes that are computed at once; past it they wait in order; default: half of the cores
    #[arg(long, value_name = "COUNT", help_heading = TLS)]
    pub(crate) handshakes_max: Option<usize>,
}

const TLS: &str = "TLS";

/// A version of TLS.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum TlsVersion {
    /// 1.2, and 1.3
    #[value(name = "1.2")]
    Tls12,
    /// 1.3 alone
    #[value(name = "1.3")]
    Tls13,
}

impl From<TlsVersion> for OldestVersion {
    fn from(version: TlsVersion) -> Self {
        match version {
            TlsVersion::Tls12 => Self::Tls12,
            TlsVersion::Tls13 => Self::Tls13,
        }
    }
}

/// Where the hub's certificate comes from.
#[derive(Debug)]
pub(crate) enum CertificateSource {
    /// Nowhere: the hub speaks plain HTTP.
    Absent,
    /// Out of files that could be read.
    Files(Tls),
    /// It vouches for itself, and is to be made at the start.
    SelfSigned(OldestVersion),
}

impl CertificateSource {
    /// Reads the files, if some are named.
    pub(super) fn new(settings: &Encryption, dev: bool) -> Result<Self, Misencrypted> {
        let oldest = settings.tls_version_min.into();
        match (&settings.tls_cert, &settings.tls_key) {
            (Some(certificate), Some(key)) => Ok(Self::Files(Tls::open(certificate, key, oldest)?)),
            (Some(_), None) => Err(Misencrypted::NoKey),
            (None, Some(_)) => Err(Misencrypted::NoCertificate),
            (None, None) if !settings.tls => Ok(Self::Absent),
            (None, None) if dev => Ok(Self::SelfSigned(oldest)),
            (None, None) => Err(Misencrypted::SelfSignedInEarnest),
        }
    }

    /// Whether the hub speaks TLS.
    pub(super) fn is_there(&self) -> bool {
        !matches!(self, Self::Absent)
    }

    /// What works, but perhaps not as it was meant.
    #[expect(
        clippy::disallowed_methods,
        reason = "a certificate ends by the wall clock"
    )]
    pub(super) fn complaint(&self) -> Option<String> {
        match self {
            Self::Files(tls) => tls.complaint(SystemTime::now()),
            Self::Absent | Self::SelfSigned(_) => None,
        }
    }
}

/// Why the hub cannot speak TLS as it was told.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Misencrypted {
    #[error("`tls-cert` is set, and `tls-key` is not: the certificate's key is needed too")]
    NoKey,
    #[error("`tls-key` is set, and `tls-cert` is not: the key's certificate is needed too")]
    NoCertificate,
    #[error(
        "`tls` makes a certificate that no stranger trusts, for `dev` only; otherwise set \
         `tls-cert` and `tls-key`"
    )]
    SelfSignedInEarnest,
    #[error(transparent)]
    Tls(#[from] TlsError),
}
