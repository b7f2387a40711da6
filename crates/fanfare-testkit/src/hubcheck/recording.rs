//! Recorded runs as NDJSON: a line of the file for each line of the run.

use std::io::{BufRead, Write};

use super::error::CheckError;
use super::line::Line;

/// Reads a run back.
///
/// # Errors
///
/// [`CheckError::Recording`] names the first line that is none; [`CheckError::Io`].
pub fn read(input: impl BufRead) -> Result<Vec<Line>, CheckError> {
    let mut run = Vec::new();
    for (number, text) in (1..).zip(input.lines()) {
        let text = text.map_err(CheckError::io("read the recording"))?;
        let line = serde_json::from_str(&text);
        run.push(line.map_err(|source| CheckError::Recording { number, source })?);
    }
    Ok(run)
}

/// Writes a whole run.
///
/// # Errors
///
/// Those of `output`.
pub fn write_all(output: impl Write, run: &[Line]) -> std::io::Result<()> {
    let mut output = std::io::BufWriter::new(output);
    for line in run {
        write(&mut output, line)?;
    }
    output.flush()
}

/// Writes a line.
pub(super) fn write(output: &mut impl Write, line: &Line) -> std::io::Result<()> {
    serde_json::to_writer(&mut *output, line)?;
    output.write_all(b"\n")
}

#[cfg(test)]
mod tests;
