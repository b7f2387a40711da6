//! Why the broker does not start.

use std::time::Duration;

/// Why the broker does not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The server did not answer while the start waited for it.
    #[error("Redis at {server} cannot be reached within {waited:?}: {why}")]
    Unreachable {
        /// Where it was looked for.
        server: String,
        /// How long.
        waited: Duration,
        /// What happened last.
        why: String,
    },
    /// The server answers, but cannot keep what is promised, or does not let us in.
    #[error("Redis at {server} cannot be used: {why}")]
    Unfit {
        /// Which one.
        server: String,
        /// What is wrong, and what would be right.
        why: String,
    },
    /// A file that the address names cannot be read.
    #[error("the certificates in {file} cannot be used: {why}")]
    Certificates {
        /// The file.
        file: String,
        /// What is wrong.
        why: String,
    },
}
