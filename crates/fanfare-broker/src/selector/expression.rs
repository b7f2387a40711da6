//! Compiled expressions, one for all selectors that need the same.

use std::sync::{Arc, LazyLock};

use regex::bytes::{Regex, RegexBuilder};

use super::memo::Memo;

/// A compiled regular expression that matches whole texts, in linear time.
#[derive(Debug)]
pub(super) struct Expression(Regex);

impl Expression {
    /// Compiles `source`, or shares what somebody else compiled; `None` when it is too large, or
    /// no expression.
    ///
    /// Most selectors of an application differ only before their first variable (a user's number,
    /// a tenant's name), so ten thousand subscribers need a handful of expressions.
    pub(super) fn shared(source: &str) -> Option<Arc<Self>> {
        if let Some(expression) = IN_USE.find(source) {
            return Some(expression);
        }
        // Compiled without the lock: the slowest ones take a millisecond.
        let expression = Arc::new(Self::compile(source)?);
        Some(IN_USE.share(source.into(), expression))
    }

    /// Whether it matches the whole of `text`.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.0.is_match(text.as_bytes())
    }

    fn compile(source: &str) -> Option<Self> {
        // Not `^` and `$`, so that no flag can make them mean lines.
        RegexBuilder::new(&format!(r"\A(?:{source})\z"))
            .unicode(false)
            .nest_limit(NESTING_MAX)
            .size_limit(PROGRAM_BYTES_MAX)
            .dfa_size_limit(AUTOMATON_BYTES_MAX)
            .build()
            .ok()
            .map(Self)
    }
}

/// How deep groups may stand in groups.
const NESTING_MAX: u32 = 32;

/// The compiled program's size; past it a template is too complex. Some 30 variables fit.
const PROGRAM_BYTES_MAX: usize = 64 << 10;

/// What each matching thread may keep to match fast. With less than 16 KiB, the expression with
/// the most variables takes milliseconds for the longest topic; with this, microseconds.
const AUTOMATON_BYTES_MAX: usize = 64 << 10;

/// The expressions that some selector holds.
static IN_USE: LazyLock<Memo<Box<str>, Expression>> = LazyLock::new(Memo::default);

#[cfg(test)]
mod tests;
