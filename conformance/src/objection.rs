//! What a case says of a hub that it does not pass.

use std::fmt::{Debug, Display};

/// What a case comes to: the hub keeps to its rules, or an objection.
pub(crate) type Checked = Result<(), Objection>;

/// Why a case is not passed.
#[derive(Debug)]
pub(crate) enum Objection {
    /// The hub did something else.
    Failed {
        /// What the rule asks for.
        expected: String,
        /// What the hub did.
        got: String,
    },
    /// The case says nothing of this hub, for the reason given.
    Inapplicable(String),
}

impl Objection {
    /// The same objection, saying which row of a table it is about.
    pub(crate) fn about(self, row: impl Display) -> Self {
        match self {
            Self::Failed { expected, got } => failed(format!("{row}: {expected}"), got),
            Self::Inapplicable(why) => Self::Inapplicable(why),
        }
    }
}

/// The hub did `got` where the rule asks for `expected`.
pub(crate) fn failed(expected: impl Display, got: impl Display) -> Objection {
    Objection::Failed {
        expected: expected.to_string(),
        got: got.to_string(),
    }
}

/// Compares what the rule asks for with what came; `what` names it.
///
/// # Errors
///
/// They differ.
pub(crate) fn same<T: Debug + PartialEq + ?Sized>(what: &str, expected: &T, got: &T) -> Checked {
    if expected == got {
        return Ok(());
    }
    Err(failed(
        format!("{what} {expected:?}"),
        format!("{what} {got:?}"),
    ))
}

/// Objects unless `holds`; `got` is what came instead of `expected`.
///
/// # Errors
///
/// It does not hold.
pub(crate) fn holds(holds: bool, expected: impl Display, got: impl Display) -> Checked {
    if holds {
        return Ok(());
    }
    Err(failed(expected, got))
}
