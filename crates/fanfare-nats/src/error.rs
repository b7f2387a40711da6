//! Why the stream cannot be used.

/// Why the stream cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// No server answered in time.
    #[error("no NATS server answers at {address}: {why}")]
    Unreachable {
        /// Where it was looked for, without the password.
        address: String,
        /// What went wrong last.
        why: String,
    },
    /// The server refuses our name, password or token.
    #[error(
        "the NATS server refuses us: {why}; look at the user, password or token of the address"
    )]
    Refused {
        /// What it said.
        why: String,
    },
    /// There is a stream of that name that is not a history of ours, or is set up so that it could
    /// lose records from its middle.
    #[error("the stream {stream} is no history of Fanfare: {what}; choose another `hub`")]
    Foreign {
        /// Its name.
        stream: String,
        /// What it has instead.
        what: String,
    },
    /// The server does not give us the stream.
    #[error("the NATS server does not give us the stream {stream}: {why}")]
    Stream {
        /// Its name.
        stream: String,
        /// What it said.
        why: String,
    },
    /// It cannot be shown that the servers write before they acknowledge (NA8).
    #[error(
        "it cannot be shown that the NATS servers write to disk before they acknowledge: {why}; \
         set `sync_interval: always` there and name their monitoring in `monitor=`, or say \
         `ack=relaxed`, and a loss of power may cost acknowledged events"
    )]
    Unproven {
        /// What is missing.
        why: String,
    },
}
