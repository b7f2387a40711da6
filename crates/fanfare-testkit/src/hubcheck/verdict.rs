//! What a judge objects to, each with a count and one witness.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::line::EventKey;

/// What can be wrong with a run (H3).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
#[expect(clippy::exhaustive_enums, reason = "H3 lists them all")]
pub enum Verdict {
    /// Acknowledged or delivered, and neither in the final history nor trimmed.
    Lost,
    /// Present, although refused, never published, or not as it was published.
    Phantom,
    /// One event at two places, or under two ids.
    Double,
    /// Two subscribers disagree on a pair of events, or a worker's numbers go back.
    Reorder,
    /// A subscriber missed events between others, and was not told.
    Gap,
    /// A subscriber was told of a gap, although history covered its place.
    FalseGap,
    /// A subscriber got an event outside of its selectors or its grant.
    Leak,
    /// Delivered later than the bound, or not at all.
    Stale,
}

/// The verdicts over a run, and what they are about.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Verdicts {
    /// Each verdict that was found at least once.
    pub findings: BTreeMap<Verdict, Finding>,
    /// How much was judged.
    pub tally: Tally,
}

/// How often a verdict was found, and the smallest case of it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// How often.
    pub count: u64,
    /// The case with the fewest events, and of those the first.
    pub witness: Witness,
}

/// A case of a verdict.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Witness {
    /// The subscriber that saw it; `None` if it is between ledger and history.
    pub subscriber: Option<String>,
    /// The events in question.
    pub events: Vec<EventKey>,
    /// For people.
    pub says: String,
}

/// How much there was to judge.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Tally {
    /// Events that publishers were told are stored.
    pub acknowledged: u64,
    /// Events that publishers were told are not stored.
    pub refused: u64,
    /// Events of which nobody knows.
    pub unknown: u64,
    /// Events in the final history.
    pub history: u64,
    /// Acknowledged events that were allowed to leave history.
    pub trimmed: u64,
    /// Events that subscribers got.
    pub deliveries: u64,
    /// Streams that subscribers opened.
    pub connections: u64,
    /// Gaps that subscribers were told of.
    pub signals: u64,
}

impl Verdict {
    /// All of them, in the order of H3.
    pub const ALL: [Self; 8] = [
        Self::Lost,
        Self::Phantom,
        Self::Double,
        Self::Reorder,
        Self::Gap,
        Self::FalseGap,
        Self::Leak,
        Self::Stale,
    ];

    /// Its name, as in reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lost => "lost",
            Self::Phantom => "phantom",
            Self::Double => "double",
            Self::Reorder => "reorder",
            Self::Gap => "gap",
            Self::FalseGap => "false gap",
            Self::Leak => "leak",
            Self::Stale => "stale",
        }
    }
}

impl Verdicts {
    /// Whether there is nothing to object to.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.findings.is_empty()
    }

    /// How often `verdict` was found.
    #[must_use]
    pub fn count(&self, verdict: Verdict) -> u64 {
        self.findings.get(&verdict).map_or(0, |found| found.count)
    }

    /// The report as JSON: every verdict with its count, its witness if there is one, and the
    /// tally.
    #[must_use]
    pub fn to_json(&self) -> Value {
        let verdicts = Verdict::ALL.map(|verdict| {
            let found = self.findings.get(&verdict);
            let (count, witness) = (self.count(verdict), found.map(|found| &found.witness));
            json!({"verdict": verdict, "count": count, "witness": witness})
        });
        json!({"clean": self.is_clean(), "verdicts": verdicts, "tally": self.tally})
    }

    /// Adds what another run gave; of witnesses the smaller stays.
    pub fn add(&mut self, other: Self) {
        for (verdict, finding) in other.findings {
            self.add_finding(verdict, finding);
        }
        let Tally {
            acknowledged,
            refused,
            unknown,
            history,
            trimmed,
            deliveries,
            connections,
            signals,
        } = other.tally;
        self.tally.acknowledged += acknowledged;
        self.tally.refused += refused;
        self.tally.unknown += unknown;
        self.tally.history += history;
        self.tally.trimmed += trimmed;
        self.tally.deliveries += deliveries;
        self.tally.connections += connections;
        self.tally.signals += signals;
    }

    /// Objects once, with a case.
    pub(super) fn object(
        &mut self,
        verdict: Verdict,
        subscriber: Option<&str>,
        events: impl Into<Vec<EventKey>>,
        says: impl Into<String>,
    ) {
        let witness = Witness {
            subscriber: subscriber.map(str::to_owned),
            events: events.into(),
            says: says.into(),
        };
        self.add_finding(verdict, Finding { count: 1, witness });
    }

    fn add_finding(&mut self, verdict: Verdict, new: Finding) {
        match self.findings.get_mut(&verdict) {
            None => _ = self.findings.insert(verdict, new),
            Some(found) => {
                found.count += new.count;
                if new.witness.events.len() < found.witness.events.len() {
                    found.witness = new.witness;
                }
            }
        }
    }
}

impl fmt::Display for Verdicts {
    /// A table, a line for each verdict.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Tally {
            acknowledged,
            refused,
            unknown,
            history,
            trimmed,
            deliveries,
            connections,
            signals,
        } = self.tally;
        writeln!(
            f,
            "published:   {acknowledged} acknowledged, {refused} refused, {unknown} unknown"
        )?;
        writeln!(f, "history:     {history} read, {trimmed} trimmed")?;
        writeln!(
            f,
            "subscribers: {deliveries} deliveries over {connections} connections, {signals} gaps told"
        )?;
        writeln!(f, "\n{:<10} {:>8}  WITNESS", "VERDICT", "COUNT")?;
        for verdict in Verdict::ALL {
            let witness = match self.findings.get(&verdict).map(|found| &found.witness) {
                None => "-".to_owned(),
                Some(Witness {
                    subscriber: Some(subscriber),
                    says,
                    ..
                }) => format!("[{subscriber}] {says}"),
                Some(witness) => witness.says.clone(),
            };
            writeln!(
                f,
                "{:<10} {:>8}  {witness}",
                verdict.name(),
                self.count(verdict)
            )?;
        }
        Ok(())
    }
}
