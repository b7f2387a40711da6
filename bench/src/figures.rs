//! What was measured: rows for a CSV, medians for people, ratios for the budgets.

use std::collections::BTreeSet;
use std::fmt::{self, Write};
use std::process::Command;

use anyhow::{Context, ensure};

/// The figures of one workload.
#[derive(Debug)]
pub(crate) struct Figures {
    workload: &'static str,
    rows: Vec<Row>,
}

#[derive(Debug)]
struct Row {
    server: String,
    run: u32,
    figure: &'static str,
    value: f64,
}

/// Where figures come from, as it stands in every row.
#[derive(Debug)]
pub(crate) struct Origin {
    commit: String,
    versions: String,
}

/// A budget of the design, and what it came to.
#[derive(Debug)]
pub(crate) struct Verdict {
    pub(crate) budget: &'static str,
    pub(crate) value: Option<f64>,
    pub(crate) max: f64,
}

impl Figures {
    pub(crate) fn new(workload: &'static str) -> Self {
        Self {
            workload,
            rows: Vec::new(),
        }
    }

    /// Adds what `server` came to; a figure's name ends with its unit.
    pub(crate) fn add(&mut self, server: &str, run: u32, figure: &'static str, value: f64) {
        self.rows.push(Row {
            server: server.to_owned(),
            run,
            figure,
            value,
        });
    }

    /// The median over all runs.
    pub(crate) fn median(&self, server: &str, figure: &str) -> Option<f64> {
        median(self.values(server, figure))
    }

    /// How many times `other`'s value `server`'s is: the median of the ratios of each run, so what
    /// slows the whole machine for a while slows both sides of a ratio.
    pub(crate) fn ratio(
        &self,
        (server, figure): (&str, &str),
        (other, other_figure): (&str, &str),
    ) -> Option<f64> {
        let others = self.values(other, other_figure);
        median(
            self.values(server, figure)
                .zip(others)
                .map(|(value, other)| value / other),
        )
    }

    /// A table: a line for each figure, a column for each server.
    pub(crate) fn table(&self) -> String {
        let servers = distinct(self.rows.iter().map(|row| row.server.as_str()));
        let figures = distinct(self.rows.iter().map(|row| row.figure));
        let mut table = format!("  {:34}", "median (least to most)");
        for server in &servers {
            _ = write!(table, "{server:>38}");
        }
        for figure in figures {
            _ = write!(table, "\n  {figure:34}");
            for server in &servers {
                let cell = self.cell(server, figure).unwrap_or_default();
                _ = write!(table, "{cell:>38}");
            }
        }
        table
    }

    fn cell(&self, server: &str, figure: &str) -> Option<String> {
        let median = self.median(server, figure)?;
        let least = self.values(server, figure).fold(f64::INFINITY, f64::min);
        let most = self.values(server, figure).fold(0.0, f64::max);
        Some(format!("{median:.2} ({least:.2} to {most:.2})"))
    }

    /// The rows as CSV, with a head.
    pub(crate) fn csv(&self, origin: &Origin) -> String {
        let mut csv = "commit,command,versions,workload,server,run,figure,value\n".to_owned();
        for row in &self.rows {
            _ = writeln!(
                csv,
                "{},cargo xtask bench {},{},{},{},{},{},{:.3}",
                origin.commit,
                self.workload,
                origin.versions,
                self.workload,
                row.server,
                row.run,
                row.figure,
                row.value,
            );
        }
        csv
    }

    fn values(&self, server: &str, figure: &str) -> impl Iterator<Item = f64> {
        self.rows
            .iter()
            .filter(move |row| row.server == server && row.figure == figure)
            .map(|row| row.value)
    }
}

fn median(values: impl Iterator<Item = f64>) -> Option<f64> {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let upper = values.get(values.len() / 2)?;
    let lower = values.get((values.len() - 1) / 2)?;
    Some(f64::midpoint(*lower, *upper))
}

/// Each text once, in the order of its first occurrence.
fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let mut seen = BTreeSet::new();
    texts.filter(|text| seen.insert(*text)).collect()
}

impl Origin {
    /// The commit, the versions and the machine that are here now.
    pub(crate) fn here() -> anyhow::Result<Self> {
        let mut commit = output("git", &["describe", "--always", "--dirty", "--exclude=*"])?;
        commit.truncate(32);
        let versions = format!(
            "{}; Linux {}",
            output("rustc", &["--version"])?,
            output("uname", &["-r"])?,
        );
        Ok(Self {
            commit,
            versions: versions.replace(',', " "),
        })
    }
}

fn output(program: &str, args: &[&str]) -> anyhow::Result<String> {
    let output = Command::new(program)
        .args(args)
        .output()
        .with_context(|| format!("cannot run {program}"))?;
    ensure!(output.status.success(), "{program} failed");
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { budget, value, max } = self;
        match value {
            Some(value) if value <= max => write!(f, "reached      ")?,
            Some(_) => write!(f, "NOT REACHED  ")?,
            None => write!(f, "not measured ")?,
        }
        let value = value.unwrap_or(f64::NAN);
        write!(f, "{value:>7.2}  (at most {max:.2})  {budget}")
    }
}

#[cfg(test)]
mod tests;
