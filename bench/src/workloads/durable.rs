//! `durable`: publishers that wait until their event is stored, beside one flush for each event.

use serde_json::Value;

use crate::figures::{Figures, Verdict};
use crate::server::{folder, run_pinned};

const RATE: &str = "publishes_per_second";
const DURABILITIES: [&str; 3] = ["always", "interval", "never"];
const PUBLISHERS: [&str; 4] = ["1", "10", "100", "1000"];
const SECONDS: &str = "2";

pub(super) fn run(run: u32, figures: &mut Figures) -> anyhow::Result<()> {
    for floor in ["flush", "commit"] {
        let folder = folder()?;
        let directory = folder.path().to_string_lossy();
        let line = run_pinned("durable", &[floor, &directory, SECONDS])?;
        figures.add(floor, run, RATE, number(&line, "per_second"));
    }
    for durability in DURABILITIES {
        for publishers in PUBLISHERS {
            let folder = folder()?;
            let directory = folder.path().to_string_lossy();
            let line = run_pinned(
                "durable",
                &["publish", &directory, durability, publishers, SECONDS],
            )?;
            let name = format!("{durability} x {publishers}");
            figures.add(&name, run, RATE, number(&line, "per_second"));
            figures.add(&name, run, "ack_p50_us", number(&line, "p50_us"));
            figures.add(&name, run, "ack_p99_us", number(&line, "p99_us"));
        }
    }
    Ok(())
}

fn number(line: &Value, name: &str) -> f64 {
    line.get(name).and_then(Value::as_f64).unwrap_or(f64::NAN)
}

pub(super) fn verdicts(figures: &Figures) -> Vec<Verdict> {
    let verdict = |budget, floor| Verdict {
        budget,
        value: figures.ratio((floor, RATE), ("always x 100", RATE)),
        max: 0.1,
    };
    vec![
        verdict(
            "durable: one commit and flush for each event, in times of 100 publishers, `always`",
            "commit",
        ),
        verdict(
            "durable: a bare append and flush for each event, in times of the same",
            "flush",
        ),
    ]
}
