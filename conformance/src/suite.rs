//! Runs cases: side by side where they do not disturb each other, one by one where they would.

use std::path::{Path, PathBuf};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::iter;
use tokio::time::timeout;

use crate::case::Case;
use crate::hub::{Dialect, Hub};
use crate::objection::Objection;
use crate::serve::Server;
use crate::setup::Setup;

/// Which hub is asked.
#[derive(Debug)]
pub(crate) enum Place {
    /// One that somebody else runs.
    Given(Box<Hub>),
    /// Fanfare, started anew for each set-up.
    Started {
        program: PathBuf,
        /// The key that it is given.
        key: String,
    },
}

/// What came of a case.
#[derive(Debug)]
pub(crate) enum Outcome {
    Passed,
    Failed { expected: String, got: String },
    Skipped(String),
}

/// Runs every case of `cases`; outcome `i` belongs to case `i`.
pub(crate) async fn run(cases: &[Case], place: &Place, heavy: bool) -> Vec<Outcome> {
    let mut outcomes = match place {
        Place::Given(hub) => run_on_given(cases, hub, heavy).await,
        Place::Started { program, key } => run_on_started(cases, program, key).await,
    };
    outcomes.sort_by_key(|(index, _)| *index);
    outcomes.into_iter().map(|(_, outcome)| outcome).collect()
}

/// A case by its place in the list.
type Numbered<'a> = (usize, &'a Case);

async fn run_on_given(cases: &[Case], hub: &Hub, heavy: bool) -> Vec<(usize, Outcome)> {
    let mut outcomes = Vec::new();
    let mut fitting = Vec::new();
    for (index, case) in cases.iter().enumerate() {
        match reason_to_skip(case, hub, heavy) {
            Some(reason) => outcomes.push((index, Outcome::Skipped(reason.to_owned()))),
            None => fitting.push((index, case)),
        }
    }
    let (alone, together): (Vec<_>, Vec<_>) =
        fitting.into_iter().partition(|(_, case)| case.is_alone);
    outcomes.extend(side_by_side(&together, |index| tagged(hub, index)).await);
    for (index, case) in alone {
        outcomes.push((index, outcome(case, &tagged(hub, index)).await));
    }
    outcomes
}

fn reason_to_skip(case: &Case, hub: &Hub, heavy: bool) -> Option<&'static str> {
    let offer = &hub.offer;
    let speaks = match case.dialect {
        Dialect::D0 => offer.d0,
        Dialect::D1 => offer.d1,
        Dialect::Both => offer.d0 && offer.d1,
    };
    if !speaks {
        return Some("the hub does not speak this dialect, or not with this key");
    }
    if case.is_heavy && !heavy {
        return Some("it publishes thousands of events; see --heavy");
    }
    case.setup.missing(offer)
}

fn tagged(hub: &Hub, index: usize) -> Hub {
    Hub {
        tag: format!("{}-{index}", hub.tag),
        ..hub.clone()
    }
}

async fn run_on_started(cases: &[Case], program: &Path, key: &str) -> Vec<(usize, Outcome)> {
    let mut groups: Vec<(Setup, Vec<Numbered<'_>>)> = Vec::new();
    for numbered @ (_, case) in cases.iter().enumerate() {
        match groups.iter_mut().find(|(setup, _)| *setup == case.setup) {
            Some((_, group)) => group.push(numbered),
            None => groups.push((case.setup, vec![numbered])),
        }
    }
    let outcomes = groups.into_iter().map(|(setup, group)| async move {
        let (alone, together): (Vec<_>, Vec<_>) =
            group.into_iter().partition(|(_, case)| case.is_alone);
        let mut outcomes = run_group(program, setup, key, &together).await;
        for numbered in alone {
            outcomes.extend(run_group(program, setup, key, &[numbered]).await);
        }
        outcomes
    });
    join_all(outcomes).await.into_iter().flatten().collect()
}

/// Runs cases of one set-up on one server.
async fn run_group(
    program: &Path,
    setup: Setup,
    key: &str,
    cases: &[Numbered<'_>],
) -> Vec<(usize, Outcome)> {
    if cases.is_empty() {
        return Vec::new();
    }
    let server = match Server::start(program, setup, key).await {
        Ok(server) => server,
        Err(error) => {
            let failed = |index| {
                let arguments = setup.arguments("KEY").join(" ");
                let expected = format!("a hub started with {arguments}");
                let got = format!("{error:#}");
                (index, Outcome::Failed { expected, got })
            };
            return cases.iter().map(|(index, _)| failed(*index)).collect();
        }
    };
    side_by_side(cases, |index| server.hub(format!("case-{index}"))).await
}

/// Runs `cases` at the same time, but not all of them.
async fn side_by_side(cases: &[Numbered<'_>], hub: impl Fn(usize) -> Hub) -> Vec<(usize, Outcome)> {
    let runs = cases.iter().map(|(index, case)| {
        let hub = hub(*index);
        async move { (*index, outcome(case, &hub).await) }
    });
    iter(runs).buffer_unordered(AT_ONCE).collect().await
}

const AT_ONCE: usize = 8;

async fn outcome(case: &Case, hub: &Hub) -> Outcome {
    match timeout(CASE_PATIENCE, case.check(hub)).await {
        Ok(Ok(())) => Outcome::Passed,
        Ok(Err(Objection::Failed { expected, got })) => Outcome::Failed { expected, got },
        Ok(Err(Objection::Inapplicable(why))) => Outcome::Skipped(why),
        Err(_) => Outcome::Failed {
            expected: "an end of the case".to_owned(),
            got: format!("none within {CASE_PATIENCE:?}"),
        },
    }
}

const CASE_PATIENCE: Duration = Duration::from_secs(90);
