//! How long a hub takes from its start to the first event that it replays.

use std::collections::HashSet;
use std::time::Duration;

use crate::hubcheck::line::Line;

/// For each subscriber that got one between a restart and the next publish: the time from the
/// start of the program to its first event.
pub(super) fn times(run: &[Line]) -> Vec<Duration> {
    let mut restarted = None;
    let mut served = HashSet::new();
    let mut times = Vec::new();
    for line in run {
        match line {
            Line::Restarted { at } => {
                restarted = Some(*at);
                served.clear();
            }
            Line::Reopened { .. } | Line::End { .. } => restarted = None,
            Line::Event { at, s, .. } => {
                if let Some(restarted) = restarted
                    && served.insert(*s)
                {
                    times.push(Duration::from_micros(at - restarted));
                }
            }
            _ => {}
        }
    }
    times
}

#[cfg(test)]
mod tests;
