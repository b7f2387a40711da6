//! A Mercure hub of the simplest kind, in this process, with one defect at most.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use fanfare_testkit::hubcheck::Selector;
use serde_json::Value;

/// What a hub does wrong.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum HubDefect {
    None,
    /// Every tenth event is acknowledged and not stored.
    ForgetsAcknowledged,
    /// Every tenth event is refused and stored.
    StoresRefused,
    /// Every tenth event is stored twice.
    StoresTwice,
    /// Resumes one event too far on.
    SkipsOnResume,
    /// Resumes with the event that was presented.
    RepeatsOnResume,
    /// Looks for an id among the newest events only, and says nothing if it is not there.
    LooksAmongNewest(usize),
    /// Delivers each two waiting events the wrong way round.
    SwapsLive,
    /// Shows private events to everybody who asks for their topic.
    IgnoresGrants,
    /// Calls every resume a gap.
    CriesGap,
    /// Delivers nothing any more once it has stored 300 events, but to who asks for everything.
    GoesSilent,
    /// Delivers the events of one topic not at all.
    KeepsTopicBack,
}

struct Hub {
    defect: HubDefect,
    history: Mutex<Vec<Stored>>,
    grown: Condvar,
}

#[derive(Clone)]
struct Stored {
    id: String,
    data: String,
    topics: Vec<String>,
    private: bool,
}

/// Starts a hub and returns its URL. It lives as long as the test.
pub(crate) fn start(defect: HubDefect) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let hub = Arc::new(Hub {
        defect,
        history: Mutex::default(),
        grown: Condvar::new(),
    });
    spawn(move || {
        for socket in listener.incoming() {
            let hub = hub.clone();
            // A peer that is cut off ends its thread.
            let socket = socket.unwrap();
            socket.set_nodelay(true).unwrap();
            spawn(move || _ = hub.serve(&socket));
        }
    });
    url
}

fn spawn(work: impl FnOnce() + Send + 'static) {
    thread::Builder::new().spawn(work).unwrap();
}

impl Hub {
    fn serve(&self, socket: &TcpStream) -> std::io::Result<()> {
        let mut reader = BufReader::new(socket);
        loop {
            let mut head = Vec::new();
            loop {
                let mut line = String::new();
                if reader.read_line(&mut line)? == 0 {
                    return Ok(());
                }
                match line.trim_end() {
                    "" => break,
                    line => head.push(line.to_owned()),
                }
            }
            let field = |name: &str| {
                let mut fields = head.iter().filter_map(|line| line.split_once(": "));
                fields
                    .find(|(field, _)| field.eq_ignore_ascii_case(name))
                    .map(|(_, value)| value.to_owned())
            };
            let target = head[0].split(' ').nth(1).unwrap();
            if head[0].starts_with("GET") {
                let (_, query) = target.split_once('?').unwrap();
                let grant = grant(&field("authorization").unwrap());
                return self.stream(
                    socket,
                    &pairs(query),
                    &grant,
                    field("last-event-id").as_deref(),
                );
            }
            let length: usize = field("content-length").unwrap().parse().unwrap();
            let mut body = vec![0; length];
            reader.read_exact(&mut body)?;
            let (status, said) = self.publish(&pairs(&String::from_utf8(body).unwrap()));
            let length = said.len();
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\n\r\n{said}");
            let mut socket = socket;
            socket.write_all(answer.as_bytes())?;
        }
    }

    fn publish(&self, form: &[(String, String)]) -> (u16, String) {
        let all = |name: &str| {
            let values = form.iter().filter(|(field, _)| field == name);
            values.map(|(_, value)| value.clone()).collect::<Vec<_>>()
        };
        let mut history = self.history.lock().unwrap();
        let number = history.len();
        let stored = Stored {
            id: format!("urn:id:{number}"),
            data: all("data").remove(0),
            topics: all("topic"),
            private: !all("private").is_empty(),
        };
        // Only what is one worker's: the check begins and ends with what everybody may see.
        let chosen = number % 10 == 9 && stored.topics.len() < 3;
        let answer = match self.defect {
            HubDefect::ForgetsAcknowledged if chosen => {
                // So that the next number is another.
                let other = Stored {
                    data: "{}".to_owned(),
                    ..stored.clone()
                };
                history.push(other);
                return (200, stored.id);
            }
            HubDefect::StoresRefused if chosen => (403, String::new()),
            _ => (200, stored.id.clone()),
        };
        history.push(stored.clone());
        if self.defect == HubDefect::StoresTwice && chosen {
            let id = format!("{}-again", stored.id);
            history.push(Stored { id, ..stored });
        }
        self.grown.notify_all();
        answer
    }

    fn stream(
        &self,
        mut socket: &TcpStream,
        query: &[(String, String)],
        grant: &[Selector],
        from: Option<&str>,
    ) -> std::io::Result<()> {
        let topics = query.iter().filter(|(name, _)| name == "topic");
        let selectors: Vec<_> = topics
            .map(|(_, value)| Selector::from(value.clone()))
            .collect();
        let mut next = self.resume(from);
        let answered = match (from, self.defect) {
            (None, _) => String::new(),
            (Some(_), HubDefect::CriesGap) => "Last-Event-ID: earliest\r\n".to_owned(),
            (Some(from), _) => format!("Last-Event-ID: {from}\r\n"),
        };
        let head =
            format!("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{answered}\r\n:\n");
        socket.write_all(head.as_bytes())?;
        loop {
            let history = self.history.lock().unwrap();
            let waits = |history: &mut Vec<Stored>| history.len() <= next;
            let (history, _) = self
                .grown
                .wait_timeout_while(history, Duration::from_millis(100), waits)
                .unwrap();
            let mut news: Vec<_> = history.get(next..).unwrap_or_default().to_vec();
            next = history.len();
            drop(history);
            if self.defect == HubDefect::GoesSilent && next > 300 && from != Some("earliest") {
                news.clear();
            }
            if self.defect == HubDefect::SwapsLive && news.len() == 2 {
                news.swap(0, 1);
            }
            let seen = news
                .iter()
                .filter(|stored| self.shows(stored, &selectors, grant));
            let events = seen.map(|it| format!("id: {}\ndata: {}\n\n", it.id, it.data));
            // The comment finds out who is gone.
            let text: String = events.chain([":\n".to_owned()]).collect();
            socket.write_all(text.as_bytes())?;
        }
    }

    /// Where in the history a stream begins.
    fn resume(&self, from: Option<&str>) -> usize {
        let history = self.history.lock().unwrap();
        let Some(from) = from else {
            return history.len();
        };
        if from == "earliest" {
            return 0;
        }
        let place = history
            .iter()
            .rposition(|stored| stored.id == from)
            .unwrap();
        match self.defect {
            HubDefect::SkipsOnResume => place + 2,
            HubDefect::RepeatsOnResume => place,
            HubDefect::LooksAmongNewest(count) if place + count < history.len() => history.len(),
            _ => place + 1,
        }
    }

    fn shows(&self, stored: &Stored, selectors: &[Selector], grant: &[Selector]) -> bool {
        let any = |selectors: &[Selector]| {
            let mut topics = stored.topics.iter();
            topics.any(|topic| selectors.iter().any(|selector| selector.matches(topic)))
        };
        let is_kept_back = self.defect == HubDefect::KeepsTopicBack
            && stored.topics.len() < 3
            && stored.topics[0].ends_with("/0")
            && !selectors.contains(&Selector::All);
        let granted = !stored.private || self.defect == HubDefect::IgnoresGrants || any(grant);
        any(selectors) && granted && !is_kept_back
    }
}

/// What a token lets see; nobody checks its signature.
fn grant(authorization: &str) -> Vec<Selector> {
    let claims = authorization.split('.').nth(1).unwrap();
    let claims = BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap();
    let claims: Value = serde_json::from_slice(&claims).unwrap();
    serde_json::from_value(claims["mercure"]["subscribe"].clone()).unwrap()
}

/// The names and values of a form or a query.
fn pairs(text: &str) -> Vec<(String, String)> {
    let pairs = text.split('&').filter_map(|pair| pair.split_once('='));
    pairs
        .map(|(name, value)| (name.to_owned(), decoded(value)))
        .collect()
}

fn decoded(value: &str) -> String {
    let mut parts = value.split('%');
    let mut bytes = parts.next().unwrap().as_bytes().to_vec();
    for part in parts {
        let (byte, rest) = part.split_at(2);
        bytes.push(u8::from_str_radix(byte, 16).unwrap());
        bytes.extend(rest.bytes());
    }
    String::from_utf8(bytes).unwrap()
}
