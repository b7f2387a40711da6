//! Other programs, shown before they run and with their output as they print it.

use std::fmt::Display;
use std::path::Path;
use std::process;

use anyhow::{Context, ensure};

/// A program and its arguments, run in the root of the checkout.
pub(crate) struct Command {
    shown: String,
    command: process::Command,
}

impl Command {
    pub(crate) fn new(program: &str) -> Self {
        let mut command = process::Command::new(program);
        command.current_dir(root());
        Self {
            shown: program.to_owned(),
            command,
        }
    }

    pub(crate) fn cargo<const N: usize>(arguments: [&str; N]) -> Self {
        Self::new("cargo").arguments(arguments)
    }

    pub(crate) fn arguments(
        mut self,
        arguments: impl IntoIterator<Item = impl AsRef<str>>,
    ) -> Self {
        for argument in arguments {
            self.shown.push(' ');
            self.shown.push_str(argument.as_ref());
            self.command.arg(argument.as_ref());
        }
        self
    }

    pub(crate) fn variable(mut self, name: &str, value: impl Display) -> Self {
        let value = value.to_string();
        self.shown = format!("{name}={value} {}", self.shown);
        self.command.env(name, value);
        self
    }

    /// Runs it to its end.
    ///
    /// # Errors
    ///
    /// It cannot be started, or ends with anything but success.
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        say(&format!("\n$ {}", self.shown));
        let status = self
            .command
            .status()
            .with_context(|| format!("cannot run `{}`", self.shown))?;
        ensure!(status.success(), "`{}` ended with {status}", self.shown);
        Ok(())
    }

    /// Runs it to its end; returns what it wrote to stderr.
    ///
    /// # Errors
    ///
    /// It cannot be started.
    pub(crate) fn complaints(mut self) -> anyhow::Result<String> {
        say(&format!("\n$ {}", self.shown));
        let output = self.command.output();
        let output = output.with_context(|| format!("cannot run `{}`", self.shown))?;
        Ok(String::from_utf8_lossy(&output.stderr).into_owned())
    }

    /// Whether it can be run and succeeds; its output is dropped.
    pub(crate) fn succeeds(mut self) -> bool {
        self.command
            .output()
            .is_ok_and(|output| output.status.success())
    }
}

/// The root of the checkout.
pub(crate) fn root() -> &'static Path {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    package.parent().unwrap_or(package)
}

#[expect(clippy::print_stdout, reason = "developer commands report to people")]
pub(crate) fn say(text: &str) {
    println!("{text}");
}
