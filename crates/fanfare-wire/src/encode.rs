//! Events to bytes: the only place where bytes for a subscriber are made.

use crate::event::{Comment, Event, Retry};

/// What a silent stream sends so that nobody on the way thinks it dead (ENC-08).
pub const HEARTBEAT: &[u8] = b":\n";

impl Event {
    /// Appends the event's block to `out`, its blank line included.
    ///
    /// Fields stand in the order `event`, `retry`, `id`, `data` (ENC-02); `data` is split at CRLF,
    /// CR and LF (ENC-03), and at least one `data` line is written, so the block is an event.
    pub fn encode(&self, out: &mut Vec<u8>) {
        if let Some(event_type) = &self.event_type {
            write_line(out, b"event: ", event_type.as_str());
        }
        if let Some(retry) = self.retry {
            write_retry(out, retry);
        }
        if let Some(id) = &self.id {
            write_line(out, b"id: ", id.as_str());
        }
        for line in lines(&self.data) {
            write_line(out, b"data: ", line);
        }
        out.push(b'\n');
    }
}

impl Comment {
    /// Appends `: ` + text + LF to `out`. A comment stands between blocks, never inside one.
    pub fn encode(&self, out: &mut Vec<u8>) {
        write_line(out, b": ", self.as_str());
    }
}

impl Retry {
    /// Appends a block that holds this hint alone; it reaches a reader without an event.
    pub fn encode(self, out: &mut Vec<u8>) {
        write_retry(out, self);
        out.push(b'\n');
    }
}

fn write_retry(out: &mut Vec<u8>, retry: Retry) {
    write_line(out, b"retry: ", &retry.as_millis().to_string());
}

fn write_line(out: &mut Vec<u8>, name: &[u8], value: &str) {
    out.extend_from_slice(name);
    out.extend_from_slice(value.as_bytes());
    out.push(b'\n');
}

/// Splits at CRLF, CR and LF; a trailing line end gives a last empty line.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let text = rest?;
        let Some(end) = memchr::memchr2(b'\r', b'\n', text.as_bytes()) else {
            return rest.take();
        };
        let (line, tail) = text.split_at(end);
        rest = tail.strip_prefix("\r\n").or_else(|| tail.get(1..));
        Some(line)
    })
}

#[cfg(test)]
mod tests;
