//! `many_topics`: one event to one of many topics must not cost more for there being many.

use std::time::Duration;

use fanfare::load::{Config, Pace};

use super::{connect, drive, measure, nanos_each};
use crate::figures::{Figures, Verdict};
use crate::server::{Program, Server};

const CPU: &str = "cpu_per_publish_ns";
const CASES: [(usize, &str); 3] = [
    (10, "fanfare with 10"),
    (100, "fanfare with 100"),
    (10_000, "fanfare with 10000"),
];

pub(super) fn run(run: u32, figures: &mut Figures) -> anyhow::Result<()> {
    for (topics, name) in CASES {
        let server = Server::start(Program::Fanfare)?;
        let mut config = Config::default();
        config.subscribers = topics;
        config.topics = topics;
        config.publishers = 1;
        let mut crowd = connect(&server, config)?;
        measure(&server, Program::Fanfare, || {
            drive(&mut crowd, Pace::Rounds, WARM_UP)
        })?;
        let measured = measure(&server, Program::Fanfare, || {
            drive(&mut crowd, Pace::Rounds, MEASURE)
        })?;
        let cpu = nanos_each(measured.cpu, measured.report.published);
        figures.add(name, run, CPU, cpu);
    }
    Ok(())
}

const WARM_UP: Duration = Duration::from_millis(500);
const MEASURE: Duration = Duration::from_secs(3);

pub(super) fn verdicts(figures: &Figures) -> Vec<Verdict> {
    vec![Verdict {
        // Caches know ten sockets better than ten thousand; a search would cost a factor.
        budget: "many_topics: CPU per publish with 10,000 topics, in those with 10",
        value: figures.ratio(("fanfare with 10000", CPU), ("fanfare with 10", CPU)),
        max: 1.25,
    }]
}
