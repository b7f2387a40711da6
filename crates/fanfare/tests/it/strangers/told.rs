//! What publishers are told of their events.

use serde_json::Value;
use serde_json::value::RawValue;

use super::sent::Sent;

/// What a publisher is told of one event, and what is known of it from what was sent.
#[derive(Clone, Debug)]
pub(super) struct Told {
    pub(super) id: String,
    /// `None`: it was sent as JSON, whose text is not looked at.
    pub(super) data: Option<String>,
    pub(super) topics: Vec<String>,
    pub(super) private: bool,
}

impl Told {
    /// What came of `sent`, by the first answer.
    pub(super) fn all(sent: &Sent, answer: &str) -> Vec<Self> {
        let answer = answer
            .strip_prefix("HTTP/1.1 100 Continue\r\n\r\n")
            .unwrap_or(answer);
        let Some((head, rest)) = answer.split_once("\r\n\r\n") else {
            return Vec::new();
        };
        let is_post = sent.start_line.starts_with("POST ");
        // Of a batch a part may be stored, if a key was used before.
        let stored = matches!(head.get(9..12), Some("200" | "207"));
        if !is_post || !stored || head.contains("idempotent-replayed") {
            return Vec::new();
        }
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "));
        let body = &rest[..length.unwrap().parse().unwrap()];
        let json = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        if head.contains("content-type: text/plain") {
            return vec![Self::of_form(&sent.understood(), body)];
        }
        let events = String::from_utf8(sent.understood()).unwrap();
        if head.contains("content-type: application/json") {
            return vec![Self::of_json(&events, &json(body))];
        }
        let events: Vec<&str> = match events.trim().starts_with('[') {
            true => {
                let events: Vec<&RawValue> = serde_json::from_str(&events).unwrap();
                events.into_iter().map(RawValue::get).collect()
            }
            false => events
                .lines()
                .filter(|line| !line.trim().is_empty())
                .collect(),
        };
        let pairs = events.iter().zip(body.lines().map(json));
        let new = pairs.filter(|(_, told)| told["outcome"] == "stored" && told["replayed"] != true);
        new.map(|(event, told)| Self::of_json(event, &told))
            .collect()
    }

    fn of_form(form: &[u8], id: &str) -> Self {
        let pairs: Vec<_> = form_urlencoded::parse(form).into_owned().collect();
        let values = |name: &str| {
            let named = pairs.iter().filter(|(key, _)| key == name);
            named.map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        let data = values("data").first().cloned().unwrap_or_default();
        Self {
            id: id.to_owned(),
            data: Some(data.replace("\r\n", "\n").replace('\r', "\n")),
            topics: values("topic"),
            private: !values("private").is_empty(),
        }
    }

    fn of_json(event: &str, told: &Value) -> Self {
        // What is no text, such as half a surrogate pair, can only be part of bare data.
        let event: Value = serde_json::from_str(event).unwrap_or_default();
        let topics = match &event["topic"] {
            Value::String(topic) => vec![topic.clone()],
            Value::Array(topics) => topics
                .iter()
                .map(|it| it.as_str().unwrap().into())
                .collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
        };
        Self {
            id: told["id"].as_str().unwrap().to_owned(),
            data: None,
            topics,
            private: event["private"] == true || !event["userId"].is_null(),
        }
    }
}
