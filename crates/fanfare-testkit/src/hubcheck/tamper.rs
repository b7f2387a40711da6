//! Breaks one line of a recorded run: a judge that does not object is no judge (H4).

use rand::SeedableRng;
use rand::rngs::SmallRng;
use rand::seq::SliceRandom;

use super::judge::judge;
use super::line::{EventKey, Line, Outcome};
use super::selector::any_matches;
use super::verdict::Verdict;

/// A way to break a run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Tampering {
    /// An acknowledged event leaves the final history.
    DropHistory,
    /// A subscriber misses an event between two others.
    DropEvent,
    /// An event that is in the final history loses its line in the ledger.
    DropInvoke,
    /// Two neighbours of the final history that one subscriber saw change places.
    SwapHistory,
    /// A subscriber gets two events the other way round.
    SwapEvents,
    /// The final history has an event twice.
    DoubleHistory,
    /// A subscriber gets an event twice.
    DoubleEvent,
    /// The final history has other data.
    ForgeHistory,
    /// A subscriber gets an event under another id.
    ForgeId,
    /// The ledger says that an event was refused.
    ForgeRefusal,
    /// A subscriber is told of a gap where there is none.
    ForgeGap,
    /// A subscriber gets an event that is not for it.
    ForgeDelivery,
    /// A subscriber gets an event long after all was over.
    Delay,
}

/// What became of a [`Tampering`].
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(clippy::exhaustive_enums, reason = "there are three by nature")]
pub enum Objection {
    /// The judge gave the right verdict.
    Raised,
    /// It did not.
    Missing,
    /// The run has no line that could be broken so.
    Inapplicable,
}

impl Tampering {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::DropHistory,
        Self::DropEvent,
        Self::DropInvoke,
        Self::SwapHistory,
        Self::SwapEvents,
        Self::DoubleHistory,
        Self::DoubleEvent,
        Self::ForgeHistory,
        Self::ForgeId,
        Self::ForgeRefusal,
        Self::ForgeGap,
        Self::ForgeDelivery,
        Self::Delay,
    ];

    /// The verdict that has to be given on it.
    #[must_use]
    pub fn verdict(self) -> Verdict {
        match self {
            Self::DropHistory => Verdict::Lost,
            Self::DropEvent => Verdict::Gap,
            Self::SwapHistory | Self::SwapEvents => Verdict::Reorder,
            // An id is a place: under two of them it is there twice.
            Self::DoubleHistory | Self::DoubleEvent | Self::ForgeId => Verdict::Double,
            Self::DropInvoke | Self::ForgeHistory | Self::ForgeRefusal => Verdict::Phantom,
            Self::ForgeGap => Verdict::FalseGap,
            Self::ForgeDelivery => Verdict::Leak,
            Self::Delay => Verdict::Stale,
        }
    }

    /// Breaks one line of `run`, a clean one, at a place that `seed` chooses.
    ///
    /// `None` if it has no such line.
    #[must_use]
    pub fn apply(self, run: &[Line], seed: u64) -> Option<Vec<Line>> {
        let mut places: Vec<_> = (0..run.len()).collect();
        places.shuffle(&mut SmallRng::seed_from_u64(seed));
        let at = places.into_iter().find(|&at| self.fits(run, at))?;
        let mut broken = run.to_vec();
        match self {
            Self::DropHistory | Self::DropEvent | Self::DropInvoke => _ = broken.remove(at),
            Self::SwapHistory => broken.swap(at, at + 1),
            Self::SwapEvents => broken.swap(at, next_heard(run, at)?),
            Self::DoubleHistory | Self::DoubleEvent => broken.insert(at, run[at].clone()),
            Self::ForgeGap => broken.insert(at + 1, gap_behind(&run[at])?),
            Self::ForgeHistory
            | Self::ForgeId
            | Self::ForgeRefusal
            | Self::ForgeDelivery
            | Self::Delay => self.forge(run, &mut broken[at]),
        }
        Some(broken)
    }

    /// Makes `line` say something else.
    fn forge(self, run: &[Line], line: &mut Line) {
        match line {
            Line::History { payload, .. } => payload.h = "forged".to_owned(),
            Line::Outcome { outcome, .. } => *outcome = Outcome::No,
            Line::Event { id, .. } if self == Self::ForgeId => *id = "urn:forged".to_owned(),
            Line::Event { s, payload, .. } if self == Self::ForgeDelivery => {
                if let Some(Line::Invoke { payload: other, .. }) = stranger(run, *s) {
                    payload.clone_from(other);
                }
            }
            // Twice the bound after everything.
            Line::Event { at, .. } => {
                let times = run.iter().map(|line| match line {
                    Line::Begin { bound, .. } => bound * 2,
                    Line::End { at } => *at,
                    _ => 0,
                });
                *at = times.sum();
            }
            _ => {}
        }
    }

    /// Breaks `run` so, and tells whether the right verdict is given.
    #[must_use]
    pub fn hold(self, run: &[Line], seed: u64) -> Objection {
        match self.apply(run, seed) {
            None => Objection::Inapplicable,
            Some(broken) if judge(&broken).count(self.verdict()) > 0 => Objection::Raised,
            Some(_) => Objection::Missing,
        }
    }

    /// Whether breaking the line at `at` breaks a promise.
    fn fits(self, run: &[Line], at: usize) -> bool {
        match (self, &run[at]) {
            (Self::DropHistory | Self::ForgeHistory, Line::History { payload, .. }) => {
                is_acknowledged(run, payload.key())
            }
            (Self::DoubleHistory, Line::History { .. }) => true,
            (Self::SwapHistory, Line::History { payload, .. }) => match run.get(at + 1) {
                Some(Line::History { payload: next, .. }) => {
                    one_saw_both(run, payload.key(), next.key())
                }
                _ => false,
            },
            (Self::DropInvoke, Line::Invoke { payload, .. }) => is_kept(run, payload.key()),
            (Self::ForgeRefusal, Line::Outcome { event, .. }) => is_kept(run, *event),
            (Self::DoubleEvent, Line::Event { .. }) => true,
            (Self::ForgeId | Self::ForgeGap | Self::Delay, Line::Event { payload, .. }) => {
                is_kept(run, payload.key())
            }
            (Self::SwapEvents, Line::Event { payload, .. }) => {
                is_kept(run, payload.key()) && next_heard(run, at).is_some()
            }
            (Self::DropEvent, Line::Event { payload, .. }) => {
                let next = next_heard(run, at);
                let before = (0..at)
                    .rev()
                    .find(|&before| next_heard(run, before) == Some(at));
                is_kept(run, payload.key()) && next.is_some() && before.is_some()
            }
            (Self::ForgeDelivery, Line::Event { s, .. }) => stranger(run, *s).is_some(),
            _ => false,
        }
    }
}

/// Where the same subscriber gets its next event, if both are in the final history and no new
/// connection or gap is between them.
fn next_heard(run: &[Line], at: usize) -> Option<usize> {
    let Line::Event { s, .. } = run[at] else {
        return None;
    };
    let own = |line: &Line| match line {
        Line::Event { s: own, .. } | Line::Connect { s: own, .. } | Line::Gap { s: own, .. } => {
            *own == s
        }
        _ => false,
    };
    let next = (at + 1..run.len()).find(|&next| own(&run[next]))?;
    match &run[next] {
        Line::Event { payload, .. } => is_kept(run, payload.key()).then_some(next),
        _ => None,
    }
}

fn is_kept(run: &[Line], key: EventKey) -> bool {
    let mut history = run.iter().rev();
    history.any(|line| matches!(line, Line::History { payload, .. } if payload.key() == key))
}

fn is_acknowledged(run: &[Line], key: EventKey) -> bool {
    run.iter().any(|line| match line {
        Line::Outcome { event, outcome, .. } => {
            *event == key && matches!(outcome, Outcome::Ok { .. })
        }
        _ => false,
    })
}

fn one_saw_both(run: &[Line], first: EventKey, second: EventKey) -> bool {
    let saw = |key: EventKey, who: u32| {
        let is_it = |line: &Line| matches!(line, Line::Event { s, payload, .. } if *s == who && payload.key() == key);
        run.iter().any(is_it)
    };
    run.iter().any(|line| match line {
        Line::Subscriber { s, .. } => saw(first, *s) && saw(second, *s),
        _ => false,
    })
}

/// An event that subscriber `who` may not see.
fn stranger(run: &[Line], who: u32) -> Option<&Line> {
    let (selectors, grant) = run.iter().find_map(|line| match line {
        Line::Subscriber {
            s,
            selectors,
            grant,
            ..
        } if *s == who => Some((selectors, grant)),
        _ => None,
    })?;
    run.iter().find(|line| match line {
        Line::Invoke {
            topics, private, ..
        } => !any_matches(selectors, topics) || (*private && !any_matches(grant, topics)),
        _ => false,
    })
}

fn gap_behind(line: &Line) -> Option<Line> {
    match line {
        Line::Event { at, s, c, id, .. } => Some(Line::Gap {
            at: *at,
            s: *s,
            c: *c,
            from: id.clone(),
            reason: "trimmed".to_owned(),
        }),
        _ => None,
    }
}
