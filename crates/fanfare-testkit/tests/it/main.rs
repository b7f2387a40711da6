//! The suite itself: a broker that breaks a law is found out by that law.
#![expect(clippy::unwrap_used, reason = "tests")]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a defect is in one place; everywhere else the broker is as it should be"
)]

mod defect;
mod laws_can_fail;
