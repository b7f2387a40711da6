//! Compiled expressions, one for all selectors that need the same.

use std::sync::{Arc, LazyLock};

use regex::bytes::{Regex, RegexBuilder};

use super::memo::Memo;

/// A compiled regular expression that matches whole texts, in linear time.
#[derive(Debug)]
pub(super) struct Expression(Regex);

/// What an expression is compiled from.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Source {
    /// In the syntax of `regex`, for bytes.
    pub(super) text: String,
    /// The compiled program's size, past which it is too large.
    pub(super) program_bytes_max: usize,
}

impl Expression {
    /// Compiles `source`, or shares what somebody else compiled; `None` when it is too large, or
    /// no expression.
    ///
    /// Most selectors of an application differ only before their first variable (a user's number,
    /// a tenant's name), so ten thousand subscribers need a handful of expressions.
    pub(super) fn shared(source: &Source) -> Option<Arc<Self>> {
        if let Some(expression) = IN_USE.find(source) {
            return Some(expression);
        }
        // Compiled without the lock: the slowest ones take a millisecond.
        let expression = Arc::new(Self::compile(source)?);
        Some(IN_USE.share(source.clone(), expression))
    }

    /// Whether it matches the whole of `text`.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.0.is_match(text.as_bytes())
    }

    fn compile(source: &Source) -> Option<Self> {
        // Not `^` and `$`, so that no flag can make them mean lines.
        RegexBuilder::new(&format!(r"\A(?:{})\z", source.text))
            .unicode(false)
            .nest_limit(NESTING_MAX)
            .size_limit(source.program_bytes_max)
            .dfa_size_limit(AUTOMATON_BYTES_MAX)
            .build()
            .ok()
            .map(Self)
    }
}

/// How deep groups may stand in groups.
const NESTING_MAX: u32 = 32;

/// What each matching thread may keep to match fast. With less than 16 KiB, the expression with
/// the most variables takes milliseconds for the longest topic; with this, microseconds.
const AUTOMATON_BYTES_MAX: usize = 64 << 10;

/// The expressions that some selector holds.
static IN_USE: LazyLock<Memo<Source, Expression>> = LazyLock::new(Memo::default);

#[cfg(test)]
mod tests;
