//! The rules of HTML §9.2.5 and §9.2.6, followed character by character: slow and plain on purpose.
//!
//! An oracle for the decoder. It sees the whole body at once, so it knows nothing of chunks.

use crate::said::Said;

/// What a source that last saw `last_event_id` hears from `body`, and its last event id after it.
pub(crate) fn interpret(body: &[u8], last_event_id: &str) -> (Vec<Said>, String) {
    let text = String::from_utf8_lossy(body).into_owned();
    let mut source = Source {
        id: last_event_id.to_owned(),
        last_event_id: last_event_id.to_owned(),
        ..Source::default()
    };
    let mut line = String::new();
    let mut characters = text
        .strip_prefix('\u{feff}')
        .unwrap_or(&text)
        .chars()
        .peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' => {
                characters.next_if_eq(&'\n');
                source.line(&std::mem::take(&mut line));
            }
            '\n' => source.line(&std::mem::take(&mut line)),
            other => line.push(other),
        }
    }
    // A line without an end, and a block without a blank line, are forgotten here.
    (source.said, source.last_event_id)
}

#[derive(Default)]
struct Source {
    data: String,
    event_type: String,
    id: String,
    /// An `id` was taken since the last blank line; the Standard does not need to know.
    id_taken: bool,
    last_event_id: String,
    said: Vec<Said>,
}

impl Source {
    fn line(&mut self, line: &str) {
        if line.is_empty() {
            self.dispatch();
        } else if let Some(comment) = line.strip_prefix(':') {
            self.said.push(Said::Comment(comment.to_owned()));
        } else if let Some((name, value)) = line.split_once(':') {
            self.field(name, value.strip_prefix(' ').unwrap_or(value));
        } else {
            self.field(line, "");
        }
    }

    fn field(&mut self, name: &str, value: &str) {
        match name {
            "event" => value.clone_into(&mut self.event_type),
            "data" => {
                self.data.push_str(value);
                self.data.push('\n');
            }
            "id" if !value.contains('\0') => {
                value.clone_into(&mut self.id);
                self.id_taken = true;
            }
            "retry" if !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit()) => {
                self.said
                    .push(Said::Retry(value.parse().unwrap_or(u64::MAX)));
            }
            _ => {}
        }
    }

    fn dispatch(&mut self) {
        self.last_event_id = self.id.clone();
        let id_taken = std::mem::take(&mut self.id_taken);
        let event_type = std::mem::take(&mut self.event_type);
        let data = std::mem::take(&mut self.data);
        if let Some(data) = data.strip_suffix('\n') {
            let event_type = if event_type.is_empty() {
                "message"
            } else {
                &event_type
            };
            self.said
                .push(Said::event(event_type, data, &self.last_event_id));
        } else if id_taken {
            self.said.push(Said::Cursor(self.last_event_id.clone()));
        }
    }
}
