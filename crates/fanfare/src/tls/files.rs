//! The two files that a certificate is read from, and how a change of them is seen.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::TlsError;
use super::certificate::Certificate;

/// Where a certificate and its key are.
#[derive(Debug)]
pub(super) struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

/// What both files are like. A link is followed, so that one which leads elsewhere now, as those
/// of Kubernetes and certbot do, is a change.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Stamp([Look; 2]);

/// Device and number of a file, its length, and when it was written.
type Look = (u64, u64, u64, i64, i64);

impl Files {
    pub(super) fn new(certificate: PathBuf, key: PathBuf) -> Self {
        Self { certificate, key }
    }

    /// What they are like now; `None`: one cannot be looked at.
    pub(super) fn stamp(&self) -> Option<Stamp> {
        let look = |path: &Path| {
            let file = fs::metadata(path).ok()?;
            Some((
                file.dev(),
                file.ino(),
                file.size(),
                file.mtime(),
                file.mtime_nsec(),
            ))
        };
        Some(Stamp([look(&self.certificate)?, look(&self.key)?]))
    }

    pub(super) fn read(&self) -> Result<Certificate, TlsError> {
        let read = |path: &PathBuf| {
            fs::read(path).map_err(|source| TlsError::Unreadable {
                path: path.clone(),
                source,
            })
        };
        let (certificate, key) = (read(&self.certificate)?, read(&self.key)?);
        Certificate::from_pem(&certificate, &key).map_err(|source| TlsError::Files {
            certificate: self.certificate.clone(),
            key: self.key.clone(),
            source,
        })
    }
}
