//! The suite itself is held to what it promises: each defect of a hub is caught by its case.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests only: what does not hold is a panic"
)]

mod defective_hub;
mod defects;
