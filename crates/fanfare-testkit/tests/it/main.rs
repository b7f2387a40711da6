//! The suites themselves: a broker that breaks a law, and a hub that breaks a promise, is found out.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test that fails shows where"
)]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a defect is in one place; everywhere else all is as it should be"
)]

mod defect;
mod defective_hub;
mod hubcheck_can_fail;
mod laws_can_fail;
