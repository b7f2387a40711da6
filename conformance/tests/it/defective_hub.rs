//! A small hub of the older dialect, with exact selectors only, and with a defect if it is told to.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;

use aws_lc_rs::hmac;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use serde_json::Value;

pub(crate) const KEY: &str = "the key of a hub that is small and defective";

/// What is wrong with a hub.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Defect {
    None,
    TellsPrivate,
    IdFirst,
    RawData,
    TakesAnyToken,
    DispatchesRefused,
    LineFeedAfterId,
    RepeatsCursor,
    DisclosesNewestId,
    FoldsCase,
}

/// Starts a hub on a free port; it lives as long as the test process.
pub(crate) fn start(defect: Defect) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let state = Arc::new(Mutex::new(State::default()));
    let accept = move || {
        for socket in listener.incoming() {
            let hub = Hub {
                defect,
                state: Arc::clone(&state),
            };
            let serve = move || hub.serve(socket.unwrap());
            thread::Builder::new().spawn(serve).unwrap();
        }
    };
    thread::Builder::new().spawn(accept).unwrap();
    url
}

#[derive(Default)]
struct State {
    events: Vec<Event>,
    subscribers: Vec<Subscriber>,
}

#[derive(Clone)]
struct Event {
    topics: Vec<String>,
    id: String,
    is_private: bool,
    bytes: String,
}

struct Subscriber {
    socket: TcpStream,
    selectors: Vec<String>,
    granted: Vec<String>,
}

struct Hub {
    defect: Defect,
    state: Arc<Mutex<State>>,
}

/// The parts of a request that a hub needs.
struct Request {
    method: String,
    path: String,
    query: Vec<(String, String)>,
    form: Vec<(String, String)>,
    token: Option<String>,
    cursor: Option<String>,
}

impl Hub {
    fn serve(&self, mut socket: TcpStream) {
        let Some(request) = Request::read(&socket) else {
            return;
        };
        let (status, body) = match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/.well-known/mercure") => self.publish(&request),
            ("GET", "/.well-known/mercure") => match self.subscribe(&request, &socket) {
                Ok(()) => return,
                Err(status) => (status, String::new()),
            },
            _ => (404, String::new()),
        };
        let answer = format!(
            "HTTP/1.1 {status} X\r\nContent-Type: text/plain\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        _ = socket.write_all(answer.as_bytes());
    }

    fn publish(&self, request: &Request) -> (u16, String) {
        let Some(granted) = self.granted(request, "publish") else {
            return (401, String::new());
        };
        let all = |name: &str| -> Vec<String> {
            let fields = request.form.iter().filter(|(field, _)| field == name);
            fields.map(|(_, value)| value.clone()).collect()
        };
        let one = |name: &str| all(name).first().cloned().unwrap_or_default();
        let topics = all("topic");
        if topics.is_empty() {
            return (400, String::new());
        }
        let is_granted = topics.iter().all(|topic| self.matches(&granted, topic));
        let mut state = self.state.lock().unwrap();
        let id = match one("id") {
            none if none.is_empty() => format!("urn:x-small:{}", state.events.len()),
            id => id,
        };
        let event = Event {
            bytes: self.encode(&id, &one("type"), &one("retry"), &one("data")),
            topics,
            id: id.clone(),
            is_private: !all("private").is_empty(),
        };
        if is_granted || self.defect == Defect::DispatchesRefused {
            for subscriber in &mut state.subscribers {
                self.deliver(&event, subscriber);
            }
            state.events.push(event);
        }
        match is_granted {
            true if self.defect == Defect::LineFeedAfterId => (200, format!("{id}\n")),
            true => (200, id),
            false => (401, String::new()),
        }
    }

    fn encode(&self, id: &str, event_type: &str, retry: &str, data: &str) -> String {
        let mut bytes = String::new();
        if self.defect == Defect::IdFirst {
            bytes.push_str(&format!("id: {id}\n"));
        }
        if !event_type.is_empty() {
            bytes.push_str(&format!("event: {event_type}\n"));
        }
        if !retry.is_empty() {
            bytes.push_str(&format!("retry: {retry}\n"));
        }
        if self.defect != Defect::IdFirst {
            bytes.push_str(&format!("id: {id}\n"));
        }
        if self.defect == Defect::RawData {
            return format!("{bytes}data: {data}\n\n");
        }
        for line in data.replace("\r\n", "\n").replace('\r', "\n").split('\n') {
            bytes.push_str(&format!("data: {line}\n"));
        }
        bytes + "\n"
    }

    fn deliver(&self, event: &Event, subscriber: &mut Subscriber) {
        let any = |selectors: &[String]| {
            let mut topics = event.topics.iter();
            topics.any(|topic| self.matches(selectors, topic))
        };
        let may_see =
            !event.is_private || any(&subscriber.granted) || self.defect == Defect::TellsPrivate;
        if any(&subscriber.selectors) && may_see {
            // A reader that has left is no failure.
            _ = subscriber.socket.write_all(event.bytes.as_bytes());
        }
    }

    fn matches(&self, selectors: &[String], topic: &str) -> bool {
        let folds_case = self.defect == Defect::FoldsCase;
        selectors.iter().any(|selector| {
            let folded = folds_case && selector.eq_ignore_ascii_case(topic);
            selector == "*" || selector == topic || folded
        })
    }

    fn subscribe(&self, request: &Request, socket: &TcpStream) -> Result<(), u16> {
        let granted = self.granted(request, "subscribe").ok_or(401_u16)?;
        let asked = request.query.iter().filter(|(name, _)| name == "topic");
        let selectors: Vec<_> = asked.map(|(_, topic)| topic.clone()).collect();
        if selectors.is_empty() {
            return Err(400);
        }
        let mut state = self.state.lock().unwrap();
        let mut head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n".to_owned();
        let mut start = state.events.len();
        if let Some(cursor) = &request.cursor {
            let place = state.events.iter().position(|event| event.id == *cursor);
            let newest = state.events.last().map(|event| event.id.clone());
            let told = match (place, newest) {
                (Some(_), _) => cursor.clone(),
                (None, Some(newest)) if self.defect == Defect::DisclosesNewestId => newest,
                (None, _) => "earliest".to_owned(),
            };
            head.push_str(&format!("Last-Event-ID: {told}\r\n"));
            let next = usize::from(self.defect != Defect::RepeatsCursor);
            start = place.map_or(start, |place| place + next);
        }
        let mut socket = socket.try_clone().unwrap();
        _ = socket.write_all(format!("{head}\r\n:\n").as_bytes());
        let mut subscriber = Subscriber {
            socket,
            selectors,
            granted,
        };
        for event in &state.events[start..] {
            self.deliver(event, &mut subscriber);
        }
        state.subscribers.push(subscriber);
        Ok(())
    }

    /// What the request's token grants for `action`; `None` if it has no good token.
    fn granted(&self, request: &Request, action: &str) -> Option<Vec<String>> {
        let token = request.token.as_deref()?;
        if self.defect == Defect::TakesAnyToken {
            return Some(vec!["*".to_owned()]);
        }
        let (signed, signature) = token.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let decoded = |part: &str| BASE64_URL_SAFE_NO_PAD.decode(part).ok();
        let key = hmac::Key::new(hmac::HMAC_SHA256, KEY.as_bytes());
        hmac::verify(&key, signed.as_bytes(), &decoded(signature)?).ok()?;
        let header: Value = serde_json::from_slice(&decoded(header)?).ok()?;
        let claims: Value = serde_json::from_slice(&decoded(claims)?).ok()?;
        let granted = claims["mercure"][action].as_array();
        let granted = granted.into_iter().flatten().filter_map(Value::as_str);
        let right = header["alg"] == "HS256" && claims["mercure"].is_object();
        right.then(|| granted.map(str::to_owned).collect())
    }
}

impl Request {
    fn read(socket: &TcpStream) -> Option<Self> {
        let mut reader = BufReader::new(socket);
        let mut line = String::new();
        reader.read_line(&mut line).ok()?;
        let mut words = line.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?.to_owned());
        let (path, query) = target.split_once('?').unwrap_or((&target, ""));
        let mut fields = Vec::new();
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok()?;
            match line.trim_end().split_once(": ") {
                Some((name, value)) => fields.push((name.to_lowercase(), value.to_owned())),
                None => break,
            }
        }
        let field = |name: &str| {
            let field = fields.iter().find(|(field, _)| field == name);
            field.map(|(_, value)| value.clone())
        };
        let length = field("content-length").and_then(|it| it.parse().ok());
        let mut body = vec![0; length.unwrap_or(0)];
        reader.read_exact(&mut body).ok()?;
        let pairs = |text: &[u8]| {
            form_urlencoded::parse(text)
                .into_owned()
                .collect::<Vec<_>>()
        };
        let query = pairs(query.as_bytes());
        let in_query = query.iter().find(|(name, _)| name == "lastEventID");
        let cursor = field("last-event-id").or_else(|| in_query.map(|(_, id)| id.clone()));
        let bearer = field("authorization");
        Some(Self {
            method,
            path: path.to_owned(),
            form: pairs(&body),
            token: bearer.and_then(|it| it.strip_prefix("Bearer ").map(str::to_owned)),
            cursor: cursor.filter(|cursor| !cursor.is_empty()),
            query,
        })
    }
}
