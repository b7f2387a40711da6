//! Compiled expressions, one for all selectors that need the same.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use regex::bytes::{Regex, RegexBuilder};

/// A compiled regular expression that matches whole texts, in linear time.
#[derive(Debug)]
pub(super) struct Expression(Regex);

impl Expression {
    /// Compiles `source`, or shares what somebody else compiled; `None` when it is too large.
    ///
    /// Most selectors of an application differ only before their first variable (a user's number,
    /// a tenant's name), so ten thousand subscribers need a handful of expressions.
    pub(super) fn shared(source: &str) -> Option<Arc<Self>> {
        if let Some(expression) = IN_USE.find(source) {
            return Some(expression);
        }
        // Compiled without the lock: the slowest ones take a millisecond.
        let expression = Arc::new(Self::compile(source)?);
        Some(IN_USE.share(source, expression))
    }

    /// Whether it matches the whole of `text`.
    pub(super) fn matches(&self, text: &str) -> bool {
        self.0.is_match(text.as_bytes())
    }

    fn compile(source: &str) -> Option<Self> {
        // Not `^` and `$`, so that no flag can make them mean lines.
        RegexBuilder::new(&format!(r"\A(?:{source})\z"))
            .unicode(false)
            .size_limit(PROGRAM_BYTES_MAX)
            .dfa_size_limit(AUTOMATON_BYTES_MAX)
            .build()
            .ok()
            .map(Self)
    }
}

/// The compiled program's size; past it a template is too complex. Some 30 variables fit.
const PROGRAM_BYTES_MAX: usize = 64 << 10;

/// What each matching thread may keep to match fast. With less than 16 KiB, the expression with
/// the most variables takes milliseconds for the longest topic; with this, microseconds.
const AUTOMATON_BYTES_MAX: usize = 64 << 10;

/// The expressions that some selector holds.
static IN_USE: LazyLock<InUse> = LazyLock::new(InUse::default);

#[derive(Default)]
struct InUse(Mutex<Entries>);

#[derive(Default)]
struct Entries {
    by_source: HashMap<Box<str>, Weak<Expression>>,
    /// Entries at which those that nobody holds any more are next removed.
    sweep_at: usize,
}

impl InUse {
    fn find(&self, source: &str) -> Option<Arc<Expression>> {
        self.lock().by_source.get(source)?.upgrade()
    }

    /// Keeps `expression` unless another was faster; the one to use.
    fn share(&self, source: &str, expression: Arc<Expression>) -> Arc<Expression> {
        let mut entries = self.lock();
        if let Some(first) = entries.by_source.get(source).and_then(Weak::upgrade) {
            return first;
        }
        entries.sweep();
        let held = Arc::downgrade(&expression);
        entries.by_source.insert(source.into(), held);
        expression
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Entries> {
        // It is only a memo: whatever a panic left behind is right or absent.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entries {
    /// Removes what nobody holds, whenever the entries have doubled since the last time.
    fn sweep(&mut self) {
        if self.by_source.len() >= self.sweep_at {
            self.by_source.retain(|_, held| held.strong_count() > 0);
            self.by_source.shrink_to_fit();
            self.sweep_at = 2 * self.by_source.len().max(SWEEP_MIN);
        }
    }
}

/// Fewer entries than this are not worth a sweep.
const SWEEP_MIN: usize = 64;

#[cfg(test)]
mod tests;
