//! One case: the rules that it proves, what it needs, and what it asks the hub.

use std::fmt;
use std::pin::Pin;

use crate::hub::{Dialect, Hub};
use crate::objection::Checked;
use crate::setup::Setup;

/// How binding the rule is that a case proves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Level {
    /// The specification's MUST and MUST NOT.
    Must,
    /// The specification's SHOULD.
    Should,
    /// The specification leaves it open; the reference hub does it, and clients may lean on it.
    Impl,
    /// Fanfare's own rule, or its choice where specification and reference hub differ.
    Own,
}

impl Level {
    /// Whether another hub breaks the protocol by not passing.
    pub(crate) fn binds(self) -> bool {
        matches!(self, Self::Must | Self::Should)
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Must => "MUST",
            Self::Should => "SHOULD",
            Self::Impl => "impl",
            Self::Own => "FF",
        })
    }
}

/// A case of the suite.
pub(crate) struct Case {
    pub(crate) dialect: Dialect,
    pub(crate) rules: &'static [&'static str],
    pub(crate) level: Level,
    pub(crate) name: String,
    pub(crate) setup: Setup,
    /// Whether events of other cases would disturb it.
    pub(crate) is_alone: bool,
    /// Whether it publishes thousands of events.
    pub(crate) is_heavy: bool,
    check: Box<dyn Fn(Hub) -> Running>,
}

type Running = Pin<Box<dyn Future<Output = Checked>>>;

impl Case {
    /// A case of the dialect that its first rule is of.
    pub(crate) fn new<F: Future<Output = Checked> + 'static>(
        level: Level,
        rules: &'static [&'static str],
        name: &str,
        check: impl Fn(Hub) -> F + 'static,
    ) -> Self {
        let dialect = match rules.first() {
            Some(rule) if rule.starts_with("D1") => Dialect::D1,
            Some(rule) if rule.starts_with("DX") => Dialect::Both,
            _ => Dialect::D0,
        };
        Self {
            dialect,
            rules,
            level,
            name: name.to_owned(),
            setup: Setup::Keys,
            is_alone: false,
            is_heavy: false,
            check: Box::new(move |hub| Box::pin(check(hub))),
        }
    }

    /// The same check for either dialect, under each one's rules.
    pub(crate) fn pair<F: Future<Output = Checked> + 'static>(
        level: Level,
        rules: [&'static [&'static str]; 2],
        name: &str,
        check: fn(Hub) -> F,
    ) -> [Self; 2] {
        let mut cases = rules.map(|rules| Self::new(level, rules, name, check));
        // The rules of operation are of neither.
        for (case, dialect) in cases.iter_mut().zip([Dialect::D0, Dialect::D1]) {
            case.dialect = dialect;
        }
        cases
    }

    pub(crate) fn on(mut self, setup: Setup) -> Self {
        self.setup = setup;
        self
    }

    pub(crate) fn alone(mut self) -> Self {
        self.is_alone = true;
        self
    }

    pub(crate) fn heavy(mut self) -> Self {
        self.is_heavy = true;
        self
    }

    /// Asks `hub`, in the case's dialect.
    pub(crate) async fn check(&self, hub: &Hub) -> Checked {
        (self.check)(hub.speaking(self.dialect)).await
    }
}
