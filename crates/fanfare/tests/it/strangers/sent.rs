//! What strangers send: nearly requests, often requests.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::{Index, select};

use crate::fixture::{HUB, token};

/// What a stranger sends, and then a request that ends the connection if it is still understood.
#[derive(Clone, Debug)]
pub(super) struct Sent {
    pub(super) start_line: String,
    fields: Vec<Vec<u8>>,
    framing: Framing,
    body: Vec<u8>,
    /// Sends only this many bytes, fewer than it needs, and no farewell.
    cut_at: Option<Index>,
}

/// How the body is marked off.
#[derive(Clone, Copy, Debug)]
enum Framing {
    Length,
    /// A length that is as much too large.
    TooLong(usize),
    /// A length that is as much too small.
    TooShort(usize),
    Chunks,
    /// Chunks whose size is none.
    BrokenChunks,
    Both,
    None,
}

impl Sent {
    pub(super) fn bytes(&self) -> Vec<u8> {
        let mut bytes = format!("{}\r\n", self.start_line).into_bytes();
        for field in &self.fields {
            bytes.extend_from_slice(field);
            bytes.extend_from_slice(b"\r\n");
        }
        let length = self.announced();
        let chunked = "Transfer-Encoding: chunked\r\n\r\n";
        let head_end = match self.framing {
            Framing::Length | Framing::TooLong(_) | Framing::TooShort(_) => {
                format!("Content-Length: {length}\r\n\r\n")
            }
            Framing::Chunks => format!("{chunked}{length:x};a=b\r\n"),
            Framing::BrokenChunks => format!("{chunked}{length:x}x\r\n"),
            Framing::Both => format!("Content-Length: {length}\r\n{chunked}{length:x}\r\n"),
            Framing::None => "\r\n".to_owned(),
        };
        bytes.extend_from_slice(head_end.as_bytes());
        bytes.extend_from_slice(&self.body);
        if let Framing::Chunks | Framing::BrokenChunks | Framing::Both = self.framing {
            let end: &[u8] = match self.body.is_empty() {
                true => b"\r\n",
                false => b"\r\n0\r\n\r\n",
            };
            bytes.extend_from_slice(end);
        }
        if let Some(cut_at) = self.cut_at {
            let surplus = self.body.len().saturating_sub(self.announced());
            bytes.truncate(cut_at.index(bytes.len() - surplus));
        } else {
            bytes.extend_from_slice(FAREWELL);
        }
        bytes
    }

    fn announced(&self) -> usize {
        match self.framing {
            Framing::TooLong(by) => self.body.len() + by,
            Framing::TooShort(by) => self.body.len().saturating_sub(by),
            Framing::Length
            | Framing::Chunks
            | Framing::BrokenChunks
            | Framing::Both
            | Framing::None => self.body.len(),
        }
    }

    /// The body as it is marked off.
    pub(super) fn understood(&self) -> Vec<u8> {
        let mut bytes = self.body.clone();
        bytes.extend_from_slice(FAREWELL);
        bytes.truncate(self.announced());
        bytes
    }

    /// Whether the server is left waiting for more.
    pub(super) fn is_unfinished(&self) -> bool {
        self.cut_at.is_some() || self.announced() > self.body.len() + FAREWELL.len()
    }
}

const FAREWELL: &[u8] = b"GET /healthz HTTP/1.1\r\nHost: hub.example\r\nConnection: close\r\n\r\n";

pub(super) fn sent() -> impl Strategy<Value = Sent> {
    let framing = prop_oneof![
        12 => Just(Framing::Length),
        3 => Just(Framing::Chunks),
        1 => (1..40_usize).prop_map(Framing::TooLong),
        1 => (1..10_usize).prop_map(Framing::TooShort),
        1 => select(vec![Framing::BrokenChunks, Framing::Both]),
        1 => select(vec![Framing::None, Framing::TooLong(1_000)]),
    ];
    let cut_at = prop::option::weighted(0.1, any::<Index>());
    let envelopes = select(vec!["POST /broadcast HTTP/1.1", "POST /publish HTTP/1.1"]);
    let content = prop_oneof![
        3 => (Just(format!("POST {HUB} HTTP/1.1")), form()),
        2 => (envelopes.prop_map(str::to_owned), json()),
    ];
    let content = content.prop_map(|(start_line, body)| (start_line, body.into_bytes()));
    let content = prop_oneof![2 => content, 1 => (start_line(), body())];
    (content, fields(), framing, cut_at).prop_map(
        |((start_line, body), fields, framing, cut_at)| Sent {
            start_line,
            fields,
            framing,
            body,
            cut_at,
        },
    )
}

/// The head of a request for a stream, or nearly so, and nothing after it.
pub(super) fn question() -> impl Strategy<Value = Vec<u8>> {
    let target = prop_oneof![
        4 => query(vec![HUB, "/events"]),
        1 => target(),
    ];
    (target, fields()).prop_map(|(target, fields)| {
        let head = format!("GET {target} HTTP/1.1\r\n").into_bytes();
        let mut head = fields.iter().fold(head, |head, field| {
            [&head, field, b"\r\n".as_slice()].concat()
        });
        head.extend_from_slice(b"\r\n");
        head
    })
}

/// Mostly one of these, seldom one of those.
fn mostly(usual: Vec<&'static str>, odd: Vec<&'static str>) -> impl Strategy<Value = &'static str> {
    prop_oneof![15 => select(usual), 1 => select(odd)]
}

fn start_line() -> impl Strategy<Value = String> {
    let usual = vec!["POST", "POST", "POST", "GET"];
    let odd = vec![
        "HEAD", "QUERY", "OPTIONS", "PUT", "DELETE", "get", "CONNECT", "", "G\0T", "PRI",
    ];
    let versions = vec!["HTTP/1.0", "HTTP/2.0", "HTTP/1.2", "HTTP", "", "http/1.1"];
    (
        mostly(usual, odd),
        target(),
        mostly(vec!["HTTP/1.1"], versions),
    )
        .prop_map(|(method, target, version)| format!("{method} {target} {version}"))
}

fn target() -> impl Strategy<Value = String> {
    let path = prop_oneof![
        9 => select(vec![HUB, HUB, "/events", "/broadcast", "/publish"]).prop_map(str::to_owned),
        1 => select(vec![
            "/", "*", "", "//", "/healthz", "/readyz", "/metrics", "/admin/revoke",
            "hub.example:80", "http://hub.example/.well-known/mercure", "/.well-known/mercure/",
            "/.well-known/%6dercure",
            "/.well-known/oauth-protected-resource/.well-known/mercure",
        ]).prop_map(str::to_owned),
        1 => "/.well-known/mercure/subscriptions(/(exact|urlpattern))?(/[a-z%*+]{0,4}){0,3}",
        1 => any::<String>(),
    ];
    (path, query(vec![""])).prop_map(|(path, query)| path + &query)
}

/// One of `paths`, and perhaps a query.
fn query(paths: Vec<&'static str>) -> impl Strategy<Value = String> {
    let known = secrets();
    let query = vec![
        "topic=a",
        "topic=*",
        "topic=%7Bid%7D",
        "topic={",
        "match=a",
        "match=%00",
        "MATCH=x",
        "match_urlpattern=/:id",
        "match_urlpattern=(",
        "match_urlpattern=%28%5Ba-z%5D%2B%29",
        "lastEventID=earliest",
        "last_event_id=%FF",
        "userId=x",
        "gap=1",
        "%",
        "%zz",
        ";",
        "=",
        "a=b",
        "\u{e9}",
    ];
    let mut query: Vec<_> = query.into_iter().map(str::to_owned).collect();
    query.extend(
        known
            .iter()
            .take(3)
            .map(|token| format!("authorization={token}")),
    );
    (select(paths), vec(select(query), 0..4)).prop_map(|(path, query)| match query.is_empty() {
        true => path.to_owned(),
        false => format!("{path}?{}", query.join("&")),
    })
}

fn fields() -> impl Strategy<Value = Vec<Vec<u8>>> {
    let [all, some, invalid, _] = secrets();
    let tokens = vec![
        format!("Authorization: Bearer {all}"),
        format!("Authorization: Bearer {all}"),
        format!("Authorization: Bearer {all}"),
        format!("Authorization: Bearer {all}"),
        format!("Authorization: Bearer {some}"),
        format!("Authorization: bearer {all}"),
        format!("Authorization: Bearer {invalid}"),
        format!("Authorization: Basic {all}"),
        format!("Cookie: mercureAuthorization={all}"),
        format!("Cookie: __Secure-mercure_access_token={invalid}"),
        "X-None: 1".to_owned(),
    ];
    let form = "Content-Type: application/x-www-form-urlencoded";
    let odds = prop_oneof![3 => Just(Vec::new()), 1 => vec(odd_field(), 1..4)];
    (select(tokens), prop::bool::weighted(0.97), odds).prop_map(move |(token, has_host, odds)| {
        let host = if has_host {
            "Host: hub.example"
        } else {
            "a: b"
        };
        let usual = [token.as_str(), form, host];
        let usual = usual.iter().map(|field| field.as_bytes().to_vec());
        usual.chain(odds).collect()
    })
}

/// A field that is not of a usual publish.
fn odd_field() -> impl Strategy<Value = Vec<u8>> {
    let fields = vec![
        "Accept: text/event-stream",
        "Accept: application/json",
        "Origin: https://app.example",
        "Origin: null",
        "Referer: http://x",
        "Last-Event-ID: earliest",
        "Last-Event-ID:",
        "Idempotency-Key: \"k\"",
        "Idempotency-Key: a b",
        "Connection: close",
        "Connection: upgrade",
        "Upgrade: h2c",
        "Expect: 100-continue",
        "Expect: x",
        "Content-Encoding: gzip",
        "Content-Length: 0",
        "Content-Length: 7",
        "Content-Length: -1",
        "Content-Length: 99999999999999999999",
        "Transfer-Encoding: gzip",
        "Transfer-Encoding: chunked, x",
        "Host: other",
        "X-Forwarded-For: x",
        "Access-Control-Request-Method: POST",
        "If-None-Match: *",
        " folded",
        "no colon",
        ": x",
        "a b: c",
        "a:",
        "Content-Type: application/json",
        "Content-Type: x",
        "Content-Type: multipart/form-data",
    ];
    let names = vec![
        "Host",
        "Authorization",
        "Cookie",
        "Last-Event-ID",
        "Content-Type",
        "X",
    ];
    prop_oneof![
        3 => select(fields).prop_map(|field| field.as_bytes().to_vec()),
        1 => (select(names), vec(any::<u8>(), 0..20))
            .prop_map(|(name, value)| [name.as_bytes(), b": ", &value].concat()),
    ]
}

fn body() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        6 => form().prop_map(String::into_bytes),
        4 => json().prop_map(String::into_bytes),
        1 => vec(any::<u8>(), 0..200),
        1 => (select(vec!["[", "{\"data\":", "%41", "topic=a&"]), 1..2_000_usize)
            .prop_map(|(text, times)| text.repeat(times).into_bytes()),
    ]
}

fn form() -> impl Strategy<Value = String> {
    let usual = vec![
        "topic=a",
        "topic=b",
        "topic=%C3%A9",
        "private",
        "private=on",
        "data=x",
        "data=%00",
        "data=%0D%0A%0D  x%0Ddata: y%0A%0Aid: 9",
        "data=%F0%9F%8E%89",
        "id=1",
        "id=a%22[b]:/c",
        "type=t",
        "type=error",
        "retry=10",
        "a=b",
        "",
    ];
    let odd = vec![
        "topic=*",
        "topic=mercure/x",
        "topic=",
        "topic=%ff",
        "data=%ff",
        "id=%0A",
        "id=earliest",
        "id=%e2%80%8b",
        "type=%0Ax",
        "type=mercure",
        "retry=x",
        "%",
        ";",
    ];
    (prop::bool::weighted(0.9), vec(mostly(usual, odd), 0..6)).prop_map(|(has_topic, pairs)| {
        let topic = if has_topic { "topic=a&" } else { "" };
        format!("{topic}{}", pairs.join("&"))
    })
}

fn json() -> impl Strategy<Value = String> {
    let usual = vec![
        r#"{"topic":"a","data":"x\ny\u0000"}"#,
        r#"{"topic":["a","b"],"data":{"n":1.0},"private":true}"#,
        r#"{"userId":"7","data":1}"#,
        r#"{"data":1,"topic":"a","idempotencyKey":"j"}"#,
        r#"{"event":"t","id":5,"retry":10,"data":[]}"#,
        "1",
        "null",
        "\"x\"",
        "{}",
    ];
    let odd = vec![
        r#"{"data":[],"topic":[]}"#,
        r#"{"data":"\ud800"}"#,
        r#"{"userid":"7","data":1}"#,
        "{",
        r#"{"event":"\n","data":1}"#,
        r#"{"retry":1e9,"data":1}"#,
        r#"{"topic":"mercure","data":1}"#,
        r#"{"id":"i\u0000","data":1}"#,
        r#"{"topic":1,"data":1}"#,
        r#"{"data":1,"data":2}"#,
    ];
    let between = select(vec!["\n", ",", ""]);
    (vec(mostly(usual, odd), 1..4), between).prop_map(|(events, between)| match between {
        "," => format!("[{}]", events.join(",")),
        "\n" => events.join("\n"),
        _ => events[0].to_owned(),
    })
}

/// What strangers know of tokens; none of it may be told again.
pub(super) fn secrets() -> [String; 4] {
    [
        token(&["*"], &["*"]),
        token(&["a"], &[]),
        format!("{}.not.valid", "eyJhbGciOiJIUzI1NiJ9".repeat(2)),
        "an administrator's token".to_owned(),
    ]
}
