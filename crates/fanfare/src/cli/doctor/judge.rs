//! From what was seen to what is wrong and what to change. Pure: no clock, no network.

use std::time::Duration;

use http::header::{ACCESS_CONTROL_ALLOW_ORIGIN, AGE, CACHE_CONTROL, CONTENT_TYPE, LOCATION};
use http::{HeaderMap, StatusCode, Version};
use serde::Serialize;

use super::observations::{Delivery, End, Head, Idle, Observations, Opening, Publishing, Resumed};
use super::remedy::{Change, Fault, Proxy, changes};

/// One question and its answer.
#[derive(Debug, Serialize)]
pub(super) struct Finding {
    pub(super) name: &'static str,
    pub(super) verdict: Verdict,
    pub(super) seen: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) change: Vec<Change>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Ok,
    /// It works, and somebody will be sorry.
    Warn,
    Fail,
    /// It could not be seen; `seen` says why.
    Unknown,
}

/// What follows from `seen`, in the order in which it should be read and mended.
pub(super) fn judge(seen: &Observations) -> Vec<Finding> {
    let head = match &seen.opening {
        Opening::Answered(head) => head,
        Opening::Held => {
            let what = format!(
                "not even the head of the stream's answer came within {:?}: something holds it back",
                seen.patience
            );
            return vec![Bench { proxy: None }.fail("first-bytes", what, Fault::Buffers)];
        }
    };
    let bench = Bench {
        proxy: Proxy::guess(&head.headers),
    };
    if !head.is_stream() {
        return vec![bench.no_stream(seen, head)];
    }
    let mut findings = vec![
        bench.answer(head),
        bench.protocol(seen, head),
        bench.caching(head),
        bench.compression(seen),
        bench.first_bytes(seen),
        bench.publishing(seen),
        bench.events(seen),
        bench.query(seen),
        bench.resumption(seen),
        bench.idle(seen),
    ];
    findings.extend(bench.cors(seen, head));
    findings
}

/// Judges, knowing perhaps which proxy it is.
#[derive(Debug)]
struct Bench {
    proxy: Option<Proxy>,
}

impl Bench {
    fn fail(&self, name: &'static str, seen: String, fault: Fault) -> Finding {
        Finding {
            name,
            verdict: Verdict::Fail,
            seen,
            change: changes(fault, self.proxy),
        }
    }

    fn warn(&self, name: &'static str, seen: String, fault: Fault) -> Finding {
        Finding {
            verdict: Verdict::Warn,
            ..self.fail(name, seen, fault)
        }
    }

    /// There is an answer, and it is not the beginning of a stream.
    fn no_stream(&self, seen: &Observations, head: &Head) -> Finding {
        let text = head.text.trim();
        let colon = if text.is_empty() { "" } else { ": " };
        let said = format!("{}{colon}{text}", head.status);
        if head.status == StatusCode::UNAUTHORIZED && seen.token {
            let said = format!(
                "{said}; if `fanfare token inspect` finds nothing wrong with the token, it did \
                 not reach the hub"
            );
            return self.fail("authorization", said, Fault::DropsAuthorization);
        }
        if head.status.is_redirection() {
            let place = head.headers.get(LOCATION);
            let place = place.and_then(|it| it.to_str().ok()).unwrap_or_default();
            return refuse(format!(
                "redirected to {place}: a browser keeps that place for as long as the stream is \
                 wanted; ask for it by its own URL"
            ));
        }
        match head.status {
            StatusCode::OK => {
                let kind = type_of(&head.headers);
                let said = format!("200, but `{kind}` where a stream is `text/event-stream`");
                self.fail("answer", said, Fault::ChangesType)
            }
            StatusCode::BAD_GATEWAY | StatusCode::GATEWAY_TIMEOUT => {
                refuse(format!("{}: the proxy does not reach the hub", head.status))
            }
            _ => refuse(said),
        }
    }

    /// SRV-02, SRV-03.
    fn answer(&self, head: &Head) -> Finding {
        let kind = type_of(&head.headers);
        let parameters = kind.split_once(';').map_or("", |(_, it)| it.trim());
        let fits = parameters.is_empty() || parameters.eq_ignore_ascii_case("charset=utf-8");
        if !fits {
            let seen = format!("`{kind}`: with this charset Chromium gives up for good");
            return self.fail("answer", seen, Fault::ChangesType);
        }
        let length = head.headers.contains_key("content-length");
        if length {
            let seen = "a stream with a Content-Length: it is held back, or will be cut".to_owned();
            return self.fail("answer", seen, Fault::Buffers);
        }
        let proxy = self
            .proxy
            .map_or(String::new(), |proxy| format!(", through {}", proxy.name()));
        fine("answer", format!("200, `{kind}`{proxy}"))
    }

    /// SRV-21: over HTTP/1.1 a browser's seventh stream waits without an error.
    fn protocol(&self, seen: &Observations, head: &Head) -> Finding {
        let version = match head.version {
            Version::HTTP_2 => return fine("protocol", "HTTP/2".to_owned()),
            Version::HTTP_10 => "HTTP/1.0",
            _ => "HTTP/1.1",
        };
        const SIX: &str = "a browser opens six streams to an origin, and the seventh waits";
        match (seen.tls, seen.here) {
            (true, _) => self.warn(
                "protocol",
                format!("{version}, although HTTP/2 was offered: {SIX}"),
                Fault::SpeaksOnlyHttp1,
            ),
            (false, true) => fine("protocol", format!("{version}, on this machine")),
            (false, false) => Finding {
                change: Vec::new(),
                ..self.warn(
                    "protocol",
                    format!("{version}, for browsers speak HTTP/2 over TLS alone: {SIX}"),
                    Fault::SpeaksOnlyHttp1,
                )
            },
        }
    }

    /// N1: what keeps others from storing and changing the stream must arrive.
    fn caching(&self, head: &Head) -> Finding {
        let hit = ["x-cache", "x-cache-status", "cf-cache-status"].map(|name| {
            let value = head.headers.get(name).and_then(|it| it.to_str().ok());
            value.is_some_and(|it| it.to_ascii_lowercase().contains("hit"))
        });
        if head.headers.contains_key(AGE) || hit.contains(&true) {
            let seen = "the answer came from a cache: somebody else's stream".to_owned();
            return self.fail("caching", seen, Fault::Caches);
        }
        let fields = head.headers.get_all(CACHE_CONTROL).iter();
        let control: Vec<_> = fields.filter_map(|it| it.to_str().ok()).collect();
        let control = control.join(", ").to_ascii_lowercase();
        let missing: Vec<_> = ["no-store", "no-transform"]
            .into_iter()
            .filter(|directive| !control.contains(directive))
            .collect();
        match missing.is_empty() {
            true => fine("caching", "forbidden, as the hub asks".to_owned()),
            false => self.warn(
                "caching",
                format!("`Cache-Control` came without {}", missing.join(" and ")),
                Fault::Caches,
            ),
        }
    }

    /// SRV-19.
    fn compression(&self, seen: &Observations) -> Finding {
        let Some(encoded) = &seen.encoded else {
            return fine("compression", "none".to_owned());
        };
        let coding = &encoded.coding;
        if encoded.always {
            let seen = format!("`{coding}`, even for clients that do not offer it");
            return self.fail("compression", seen, Fault::Compresses);
        }
        match encoded.moved {
            Some(false) => self.fail(
                "compression",
                format!(
                    "`{coding}`, and an event did not come out of it within {:?}",
                    seen.patience
                ),
                Fault::Compresses,
            ),
            Some(true) => self.warn(
                "compression",
                format!("`{coding}`: it costs the proxy memory for each stream"),
                Fault::Compresses,
            ),
            None => self.warn(
                "compression",
                format!("`{coding}`; whether events come out of it at once is not known"),
                Fault::Compresses,
            ),
        }
    }

    /// N2.
    fn first_bytes(&self, seen: &Observations) -> Finding {
        const NAME: &str = "first-bytes";
        match seen.first_byte {
            Some(after) => fine(NAME, format!("at once, {} after the head", shown(after))),
            None if seen.unreadable() => unknown(NAME, COMPRESSED),
            None => self.fail(
                NAME,
                format!(
                    "the head came, and nothing else within {:?}: what the hub says first is held \
                     back",
                    seen.patience
                ),
                Fault::Buffers,
            ),
        }
    }

    fn publishing(&self, seen: &Observations) -> Finding {
        const NAME: &str = "authorization";
        match &seen.publishing {
            Publishing::Stored if seen.token => fine(NAME, "the token reaches the hub".to_owned()),
            Publishing::Stored => unknown(NAME, "the hub wants no token"),
            Publishing::NotTried => unknown(NAME, COMPRESSED),
            Publishing::Unanswered => Finding {
                change: Vec::new(),
                ..self.fail(
                    NAME,
                    "a publish was not answered".to_owned(),
                    Fault::DropsAuthorization,
                )
            },
            Publishing::Refused { status, text } => {
                let text = text.trim();
                if seen.token && *status == StatusCode::UNAUTHORIZED {
                    let said = format!(
                        "publishing was refused, {status}, {text}: if `fanfare token inspect` \
                         says that the token may publish, it did not reach the hub"
                    );
                    return self.fail(NAME, said, Fault::DropsAuthorization);
                }
                let advice = match seen.token {
                    true => "",
                    false => "; give a token that may publish: --token, or FANFARE_TOKEN",
                };
                unknown(NAME, &format!("publishing was refused, {status}{advice}"))
            }
        }
    }

    /// SRV-25: each event comes before the next is published.
    fn events(&self, seen: &Observations) -> Finding {
        const NAME: &str = "events";
        let count = seen.deliveries.len();
        let of = |kind: Delivery| {
            seen.deliveries
                .iter()
                .filter(move |it| **it == kind)
                .count()
        };
        let (late, never) = (of(Delivery::Late), of(Delivery::Never));
        if count == 0 {
            return unknown(NAME, seen.why_no_events());
        }
        if late > 0 {
            let what = format!(
                "{late} of {count} events came only after the next had been published: they are \
                 not passed on at once"
            );
            return self.fail(NAME, what, Fault::Buffers);
        }
        if never == count {
            let what = format!(
                "none of {count} events came within {:?}: they are held back, or were published \
                 on a hub that shares no history with the stream's",
                seen.patience
            );
            return self.fail(NAME, what, Fault::Buffers);
        }
        if never > 0 {
            return no_line(
                NAME,
                format!(
                    "{never} of {count} events never came, and the others at once: there are \
                     several hubs that do not share one history"
                ),
            );
        }
        let slowest = seen.deliveries.iter().filter_map(|it| match it {
            Delivery::AtOnce(after) => Some(*after),
            Delivery::Late | Delivery::Never => None,
        });
        let slowest = shown(slowest.max().unwrap_or_default());
        fine(
            NAME,
            format!("{count} events came one by one, the slowest after {slowest}"),
        )
    }

    fn query(&self, seen: &Observations) -> Finding {
        const NAME: &str = "query";
        let others_came = seen
            .deliveries
            .iter()
            .all(|it| matches!(it, Delivery::AtOnce(_)));
        match seen.awkward {
            Some(Delivery::AtOnce(_)) => fine(NAME, "arrives as it was sent".to_owned()),
            Some(Delivery::Never) if others_came => self.fail(
                NAME,
                "a topic with `?`, `&`, `+`, `%` and `;` in its name is another one at the hub"
                    .to_owned(),
                Fault::ChangesQuery,
            ),
            Some(_) => unknown(NAME, "events do not come at once"),
            None => unknown(NAME, seen.why_no_events()),
        }
    }

    /// SRV-13, C7.
    fn resumption(&self, seen: &Observations) -> Finding {
        const NAME: &str = "resume";
        match seen.resumed {
            None => unknown(NAME, seen.why_no_events()),
            Some(Resumed::Exactly) => fine(NAME, "the missed event came, first of all".to_owned()),
            Some(Resumed::ByQueryOnly) => self.fail(
                NAME,
                "the header `Last-Event-ID` does not reach the hub: whoever comes back has lost \
                 what it missed"
                    .to_owned(),
                Fault::DropsLastEventId,
            ),
            Some(Resumed::Nothing) => self.fail(
                NAME,
                "the missed event did not come, and nothing told of it".to_owned(),
                Fault::DropsLastEventId,
            ),
            Some(Resumed::Gap) => no_line(
                NAME,
                "the hub did not know the id, and said so: the balancer went to another hub that \
                 does not share the history"
                    .to_owned(),
            ),
            Some(Resumed::Otherwise) => {
                no_line(NAME, "another event came than the one missed".to_owned())
            }
            Some(Resumed::Refused) => unknown(NAME, "the second request was refused"),
        }
    }

    /// N3.
    fn idle(&self, seen: &Observations) -> Finding {
        const NAME: &str = "idle";
        let Some(idle) = &seen.idle else {
            return unknown(NAME, "there was no stream to watch");
        };
        if let Some(end) = &idle.end {
            return self.ended(idle, *end);
        }
        let planned = idle.planned;
        if planned.is_zero() {
            return unknown(NAME, "not watched");
        }
        if idle.event_after == Some(false) {
            let what = format!("open after {planned:?}, but an event did not come any more");
            return self.fail(NAME, what, Fault::TimesOut);
        }
        let heartbeats = idle.heartbeats;
        match heartbeats {
            0 => self.warn(
                NAME,
                format!(
                    "open after {planned:?}, without a single heartbeat: the hub's `heartbeat` is \
                     off or longer, or they are held back"
                ),
                Fault::Buffers,
            ),
            _ => fine(
                NAME,
                format!("open after {planned:?}, with {heartbeats} heartbeats"),
            ),
        }
    }

    /// A time-out is a silence that was too long. If others were about as long, it is the stream's
    /// age; heartbeats come with a jitter of a fifth, so one silence can be half as long again.
    fn ended(&self, idle: &Idle, end: End) -> Finding {
        const NAME: &str = "idle";
        let (age, silence) = (shown(end.age), shown(end.silence));
        if idle.heartbeats == 0 && end.silence < Duration::from_secs(1) {
            let what = "ended at once, in good order: the hub drains, or takes no more \
                        subscribers, or the proxy reaches none";
            return no_line(NAME, what.to_owned());
        }
        if idle.heartbeats > 0 && end.silence <= idle.silence_max * 3 / 2 {
            let what = format!(
                "ended when it was {age} old, {silence} after a heartbeat: something bounds the \
                 time of a whole answer (so do the hub's `lifetime-max`, and a token's end), or a \
                 time-out is no longer than the hub's `heartbeat`"
            );
            let mut finding = self.fail(NAME, what, Fault::EndsByAge);
            finding.change.extend(changes(Fault::TimesOut, self.proxy));
            return finding;
        }
        let what = format!(
            "ended after {silence} without a byte: a time-out, which must be longer than the hub's \
             `heartbeat` and a quarter"
        );
        self.fail(NAME, what, Fault::TimesOut)
    }

    fn cors(&self, seen: &Observations, head: &Head) -> Option<Finding> {
        const NAME: &str = "cors";
        let origin = seen.origin.as_ref()?;
        let mut allowed = head.headers.get_all(ACCESS_CONTROL_ALLOW_ORIGIN).iter();
        let said = allowed.next().and_then(|it| it.to_str().ok());
        Some(match (said, allowed.next()) {
            (Some(said), None) if said == "*" || said == origin => {
                fine(NAME, format!("pages of {origin} may read the stream"))
            }
            (Some(_), Some(_)) => self.fail(
                NAME,
                "two `Access-Control-Allow-Origin`: browsers take neither; leave it to the hub"
                    .to_owned(),
                Fault::ChangesCors,
            ),
            (said, _) => self.fail(
                NAME,
                format!(
                    "pages of {origin} may not read the stream ({}): `--cors-origin {origin}` at \
                     the hub, unless a proxy takes it away",
                    said.unwrap_or("nothing is allowed")
                ),
                Fault::ChangesCors,
            ),
        })
    }
}

impl Observations {
    fn unreadable(&self) -> bool {
        self.encoded.as_ref().is_some_and(|it| it.always)
    }

    fn why_no_events(&self) -> &'static str {
        match self.publishing {
            Publishing::Stored => "no event came",
            Publishing::NotTried => COMPRESSED,
            Publishing::Refused { .. } | Publishing::Unanswered => "nothing could be published",
        }
    }
}

const COMPRESSED: &str = "the stream is compressed whatever is offered";

fn fine(name: &'static str, seen: String) -> Finding {
    let verdict = Verdict::Ok;
    let change = Vec::new();
    Finding {
        name,
        verdict,
        seen,
        change,
    }
}

fn unknown(name: &'static str, why: &str) -> Finding {
    Finding {
        verdict: Verdict::Unknown,
        ..fine(name, why.to_owned())
    }
}

/// Wrong, and no line of a proxy's mends it.
fn no_line(name: &'static str, seen: String) -> Finding {
    Finding {
        verdict: Verdict::Fail,
        ..fine(name, seen)
    }
}

fn refuse(seen: String) -> Finding {
    no_line("answer", seen)
}

fn type_of(headers: &HeaderMap) -> &str {
    let kind = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    kind.unwrap_or("no type")
}

/// Milliseconds below a second, tenths of seconds above.
fn shown(time: Duration) -> String {
    match time < Duration::from_secs(1) {
        true => format!("{} ms", time.as_millis()),
        false => format!("{:.1} s", time.as_secs_f64()),
    }
}

#[cfg(test)]
mod tests;
