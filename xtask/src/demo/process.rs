//! A program that runs beside the demo, with its output in a file.

use std::fs::File;
use std::io::{BufRead, BufReader, PipeReader, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};

/// A running program; dropping it ends the process, and waits for that.
pub(super) struct Process {
    child: Child,
}

impl Process {
    /// Starts `command` in `folder`, and waits until it prints a line that `is_ready`; returns all
    /// lines up to that. What it prints goes into `NAME.log` in `folder`.
    ///
    /// # Errors
    ///
    /// It cannot be started, or ends before such a line.
    pub(super) fn start(
        name: &str,
        mut command: Command,
        folder: &Path,
        is_ready: impl Fn(&str) -> bool,
    ) -> anyhow::Result<(Self, Vec<String>)> {
        let log = File::create(folder.join(format!("{name}.log")))?;
        let (pipe, writer) = std::io::pipe()?;
        let child = command
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(writer.try_clone()?)
            .stderr(writer)
            // Ctrl-C in a terminal reaches this program alone, which ends the others in order.
            .process_group(0)
            .spawn()
            .with_context(|| format!("cannot start {name}"))?;
        // It holds the other ends of the pipe, which is to end with the process.
        drop(command);
        let process = Self { child };
        let (sender, receiver) = sync_channel(LINES_MAX);
        let copy = move || copy(pipe, log, sender);
        thread::Builder::new().name(name.to_owned()).spawn(copy)?;
        let mut lines = Vec::new();
        for line in receiver {
            let ready = is_ready(&line);
            lines.push(line);
            if ready {
                return Ok((process, lines));
            }
        }
        anyhow::bail!("{name} does not start:\n{}", lines.join("\n"))
    }

    /// Its number in the operating system.
    pub(super) fn id(&self) -> u32 {
        self.child.id()
    }
}

/// More than any of them prints before it is ready.
const LINES_MAX: usize = 1000;

/// Copies lines into `log` to the end, and to `sender` as long as somebody listens.
fn copy(pipe: PipeReader, mut log: File, sender: SyncSender<String>) {
    let mut sender = Some(sender);
    for line in BufReader::new(pipe).lines().map_while(Result::ok) {
        // A full disk costs the log, not the demo.
        _ = writeln!(log, "{line}");
        sender = sender.filter(|sender| sender.send(line).is_ok());
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // An error means that it has ended by itself.
        _ = kill_process(Pid::from_child(&self.child), Signal::TERM);
        _ = self.child.wait();
    }
}
