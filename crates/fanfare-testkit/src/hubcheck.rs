//! A black-box check of any Mercure hub, over plain HTTP: is anything lost, doubled, out of order,
//! skipped in silence, or shown to the wrong people?
//!
//! Publishers send numbered events and write down what they were told (H1), subscribers write down
//! what they got and keep coming back (H2), and at the end a reader of record reads everything. What
//! was written is a run, a list of [`Line`]s; [`judge()`] makes [`Verdicts`] of it (H3), and
//! [`Tampering`] shows that the judge objects to a broken one (H4).
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "who reads a run picks the lines that concern it"
)]

mod check;
mod error;
mod gate;
mod http;
mod hub;
mod judge;
mod line;
mod owed;
mod plan;
mod process;
mod publisher;
mod reader;
mod recorder;
pub mod recording;
mod selector;
mod standing;
mod subscriber;
mod tamper;
mod token;
mod torture;
mod valve;
mod verdict;

pub use check::{Check, Run};
pub use error::CheckError;
pub use hub::{Credentials, Hub};
pub use judge::judge;
pub use line::{EventKey, Line, Outcome, Payload};
pub use plan::Plan;
pub use process::{HubProcess, HubProgram, free_address};
pub use selector::Selector;
pub use standing::{restart_then_resume, resume_in_long_history};
pub use tamper::{Objection, Tampering};
pub use torture::{Report, Torture};
pub use verdict::{Finding, Tally, Verdict, Verdicts, Witness};
