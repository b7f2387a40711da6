//! A certificate for `localhost`, and the files in which each proxy wants it.

use std::fs;
use std::path::{Path, PathBuf};

/// Files in a folder that outlives them.
#[derive(Debug)]
pub(crate) struct Certificate {
    pub(crate) chain: PathBuf,
    pub(crate) key: PathBuf,
    /// Both in one file, as HAProxy has them.
    pub(crate) both: PathBuf,
}

impl Certificate {
    /// Makes one that vouches for itself.
    pub(crate) fn make(folder: &Path) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let text = |tag, bytes: &[u8]| pem::encode(&pem::Pem::new(tag, bytes));
        let chain = text("CERTIFICATE", made.cert.der());
        let key = text("PRIVATE KEY", &made.signing_key.serialize_der());
        let write = |name: &str, text: &str| {
            let path = folder.join(name);
            fs::write(&path, text).unwrap();
            path
        };
        Self {
            chain: write("chain.pem", &chain),
            key: write("key.pem", &key),
            both: write("both.pem", &format!("{chain}{key}")),
        }
    }
}
