//! When the log speaks of a receiver in trouble.

use std::time::Duration;

use tokio::time::Instant;

/// Keeps the log short: one line when trouble begins, one a minute at most while it lasts or
/// comes and goes.
#[derive(Debug, Default)]
pub(super) struct Complaint {
    standing: bool,
    quiet_until: Option<Instant>,
}

impl Complaint {
    /// Something went wrong; true if that is to be said.
    pub(super) fn raise(&mut self, now: Instant) -> bool {
        if self.quiet_until.is_some_and(|until| now < until) {
            return false;
        }
        self.standing = true;
        self.quiet_until = Some(now + QUIET);
        true
    }

    /// Something went well; true if that is to be said, because the opposite was.
    pub(super) fn withdraw(&mut self) -> bool {
        std::mem::take(&mut self.standing)
    }
}

const QUIET: Duration = Duration::from_secs(60);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trouble_is_said_once_a_minute_and_its_end_once() {
        let mut complaint = Complaint::default();
        let start = Instant::now();
        assert!(!complaint.withdraw());
        assert!(complaint.raise(start));
        assert!(!complaint.raise(start + QUIET / 2));
        assert!(complaint.withdraw());
        assert!(!complaint.withdraw());
        assert!(!complaint.raise(start + QUIET / 2));
        assert!(!complaint.withdraw());
        assert!(complaint.raise(start + QUIET));
    }
}
