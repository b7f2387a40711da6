//! What to change: the lines of each proxy's configuration by which a fault comes and goes.

use http::HeaderMap;
use http::header::{SERVER, VIA};
use serde::Serialize;

/// A proxy whose configuration is known here.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub(super) enum Proxy {
    #[serde(rename = "nginx")]
    Nginx,
    #[serde(rename = "HAProxy")]
    Haproxy,
    Caddy,
    Envoy,
    #[serde(rename = "Google Cloud")]
    Google,
}

impl Proxy {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Nginx => "nginx",
            Self::Haproxy => "HAProxy",
            Self::Caddy => "Caddy",
            Self::Envoy => "Envoy",
            Self::Google => "Google Cloud",
        }
    }

    /// The proxy that says its name in an answer's head. HAProxy never does.
    pub(super) fn guess(headers: &HeaderMap) -> Option<Self> {
        let fields = [SERVER, VIA].into_iter();
        let texts = fields.flat_map(|name| headers.get_all(name));
        let text: String = texts
            .filter_map(|it| it.to_str().ok())
            .map(|it| format!("{} ", it.to_ascii_lowercase()))
            .collect();
        let names = [
            ("nginx", Self::Nginx),
            ("openresty", Self::Nginx),
            ("caddy", Self::Caddy),
            ("haproxy", Self::Haproxy),
            ("envoy", Self::Envoy),
            ("google", Self::Google),
        ];
        let found = names.into_iter().find(|(name, _)| text.contains(name));
        found.map(|(_, proxy)| proxy)
    }
}

/// What a proxy can do to a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Fault {
    /// Holds the answer back.
    Buffers,
    Compresses,
    /// Ends a stream after some silence.
    TimesOut,
    /// Ends a stream at some age, however much it says.
    EndsByAge,
    DropsLastEventId,
    DropsAuthorization,
    ChangesQuery,
    SpeaksOnlyHttp1,
    Caches,
    ChangesType,
    ChangesCors,
}

/// A line of a proxy's configuration, and what to do about it.
#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
pub(super) struct Change {
    pub(super) proxy: Proxy,
    pub(super) what: Action,
    pub(super) line: &'static str,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Action {
    Set,
    Remove,
}

/// The changes that end `fault`: those of `proxy`, if it is known and can be at fault; else all.
pub(super) fn changes(fault: Fault, proxy: Option<Proxy>) -> Vec<Change> {
    let rows = CHANGES.iter().filter(|(of, ..)| *of == fault);
    let all = rows.map(|&(_, proxy, what, line)| Change { proxy, what, line });
    let own: Vec<_> = all.clone().filter(|it| Some(it.proxy) == proxy).collect();
    match own.is_empty() {
        true => all.collect(),
        false => own,
    }
}

const CHANGES: &[(Fault, Proxy, Action, &str)] = {
    use Action::{Remove, Set};
    use Fault::{
        Buffers, Caches, ChangesCors, ChangesQuery, ChangesType, Compresses, DropsAuthorization,
        DropsLastEventId, EndsByAge, SpeaksOnlyHttp1, TimesOut,
    };
    use Proxy::{Caddy, Envoy, Google, Haproxy, Nginx};
    &[
        (Buffers, Nginx, Set, "proxy_buffering off;"),
        (Buffers, Nginx, Set, "proxy_cache off;"),
        (
            Buffers,
            Nginx,
            Remove,
            "proxy_ignore_headers X-Accel-Buffering;",
        ),
        (Buffers, Haproxy, Remove, "http-response wait-for-body"),
        (Buffers, Caddy, Remove, "buffer_responses"),
        (Buffers, Caddy, Remove, "response_buffers"),
        (Compresses, Nginx, Set, "gzip off;"),
        (
            Compresses,
            Haproxy,
            Remove,
            "compression type text/event-stream",
        ),
        (
            Compresses,
            Haproxy,
            Remove,
            "http-response del-header cache-control",
        ),
        (
            Compresses,
            Caddy,
            Remove,
            "header Content-Type text/event-stream*",
        ),
        (Compresses, Caddy, Remove, "header_down -Cache-Control"),
        (TimesOut, Nginx, Set, "proxy_read_timeout 75s;"),
        (TimesOut, Haproxy, Set, "timeout server 75s"),
        (TimesOut, Haproxy, Set, "timeout client 75s"),
        (TimesOut, Caddy, Remove, "read_timeout"),
        (TimesOut, Envoy, Set, "stream_idle_timeout: 75s"),
        (EndsByAge, Caddy, Remove, "timeouts { write … }"),
        (EndsByAge, Envoy, Set, "timeout: 0s"),
        (EndsByAge, Google, Set, "timeoutSec: 86400"),
        (
            DropsLastEventId,
            Nginx,
            Set,
            "proxy_set_header Last-Event-ID $http_last_event_id;",
        ),
        (
            DropsLastEventId,
            Haproxy,
            Remove,
            "http-request del-header last-event-id",
        ),
        (DropsLastEventId, Caddy, Remove, "header_up -Last-Event-ID"),
        (
            DropsAuthorization,
            Nginx,
            Set,
            "proxy_set_header Authorization $http_authorization;",
        ),
        (
            DropsAuthorization,
            Haproxy,
            Remove,
            "http-request del-header authorization",
        ),
        (
            DropsAuthorization,
            Caddy,
            Remove,
            "header_up -Authorization",
        ),
        (ChangesQuery, Nginx, Set, "proxy_pass http://fanfare;"),
        (ChangesQuery, Nginx, Remove, "rewrite"),
        (ChangesQuery, Haproxy, Remove, "http-request set-query"),
        (ChangesQuery, Haproxy, Remove, "http-request normalize-uri"),
        (ChangesQuery, Caddy, Remove, "uri"),
        (SpeaksOnlyHttp1, Nginx, Set, "listen 443 ssl http2;"),
        (
            SpeaksOnlyHttp1,
            Haproxy,
            Set,
            "bind :443 ssl crt /etc/haproxy/hub.pem alpn h2,http/1.1",
        ),
        (SpeaksOnlyHttp1, Caddy, Set, "protocols h1 h2"),
        (Caches, Nginx, Set, "proxy_cache off;"),
        (Caches, Nginx, Remove, "proxy_hide_header Cache-Control;"),
        (Caches, Haproxy, Remove, "http-request cache-use"),
        (
            Caches,
            Haproxy,
            Remove,
            "http-response del-header cache-control",
        ),
        (Caches, Caddy, Remove, "header_down -Cache-Control"),
        (ChangesType, Nginx, Set, "charset off;"),
        (
            ChangesType,
            Haproxy,
            Remove,
            "http-response set-header content-type",
        ),
        (ChangesType, Caddy, Remove, "header Content-Type"),
        (
            ChangesCors,
            Nginx,
            Remove,
            "proxy_hide_header Access-Control-Allow-Origin;",
        ),
        (
            ChangesCors,
            Haproxy,
            Remove,
            "http-response del-header access-control-allow-origin",
        ),
        (
            ChangesCors,
            Caddy,
            Remove,
            "header_down -Access-Control-Allow-Origin",
        ),
    ]
};
