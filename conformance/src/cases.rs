//! The list of cases, by what they are about.

mod black_box;
mod both_dialects;
mod csrf;
mod headers;
mod history;
mod lifetime;
mod matching;
mod presence;
mod publish;
mod subscribe;
mod tokens;
mod wire;

use crate::case::Case;

/// Every case of the suite.
pub(crate) fn all() -> Vec<Case> {
    [
        publish::cases(),
        tokens::cases(),
        subscribe::cases(),
        matching::cases(),
        wire::cases(),
        csrf::cases(),
        history::cases(),
        presence::cases(),
        lifetime::cases(),
        headers::cases(),
        both_dialects::cases(),
        black_box::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
