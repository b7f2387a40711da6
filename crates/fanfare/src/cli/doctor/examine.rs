//! The examination: requests to a hub, and what came back. It takes notes and judges nothing.

use std::time::Duration;

use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_ENCODING, CONTENT_TYPE, ORIGIN};
use http::{HeaderValue, Method, Request, StatusCode};
use tokio::time::{Instant, timeout};

use super::observations::{
    Delivery, Encoded, End, Head, Idle, Observations, Opening, Publishing, Resumed,
};
use super::stream::{Heard, Next, Stream};
use crate::cli::http::{Bearer, HttpError, HubUrl, send};

/// What to examine, and how long to wait for what.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) url: HubUrl,
    pub(super) token: Option<Bearer>,
    /// Where events are published, and a topic beside it that is hard to write into a URL.
    pub(super) topic: String,
    pub(super) origin: Option<HeaderValue>,
    pub(super) patience: Duration,
    pub(super) idle: Duration,
}

/// Examines the hub; `progress` is told now and then how long the stream has been idle.
///
/// # Errors
///
/// [`HttpError`] when nothing at all can be reached.
pub(super) async fn examine(
    plan: &Plan,
    progress: &mut dyn FnMut(Duration),
) -> Result<Observations, HttpError> {
    let (opening, stream) = plan.open(BROWSERS_CODINGS, &[]).await?;
    let mut seen = plan.nothing_seen(opening);
    let Some(mut stream) = stream else {
        return Ok(seen);
    };
    if let Some(coding) = seen.coding() {
        let Some(readable) = plan.look_at_compression(&mut seen, coding, stream).await? else {
            return Ok(seen);
        };
        stream = readable;
    }
    seen.first_byte = stream.first_byte(plan.patience).await;
    plan.publish_one_by_one(&mut seen, &mut stream).await;
    if seen.deliveries.iter().any(|it| *it != Delivery::Never) {
        let (resumed, next) = plan.resume(stream).await?;
        seen.resumed = Some(resumed);
        let Some(next) = next else {
            return Ok(seen);
        };
        stream = next;
    }
    seen.idle = Some(plan.watch_idle(&seen, stream, progress).await);
    Ok(seen)
}

impl Plan {
    fn nothing_seen(&self, opening: Opening) -> Observations {
        let origin = self.origin.as_ref().and_then(|it| it.to_str().ok());
        Observations {
            tls: self.url.url().scheme() == "https",
            here: self.url.is_here(),
            token: self.token.is_some(),
            origin: origin.map(str::to_owned),
            patience: self.patience,
            opening,
            encoded: None,
            first_byte: None,
            publishing: Publishing::NotTried,
            deliveries: Vec::new(),
            awkward: None,
            resumed: None,
            idle: None,
        }
    }

    /// Asks for a stream of both topics, as a browser would; `extra` goes into the query, and an
    /// id into the header too.
    async fn open(
        &self,
        codings: &'static str,
        cursor: &[Cursor<'_>],
    ) -> Result<(Opening, Option<Stream>), HttpError> {
        let awkward = self.awkward_topic();
        let topics = [("topic", &*self.topic), ("topic", &awkward), ("gap", "1")];
        let mut url = self.url.route(HUB_PATH).with_query(topics);
        let mut request = Request::builder()
            .header(ACCEPT, EVENT_STREAM)
            .header(ACCEPT_ENCODING, codings);
        if let Some(origin) = &self.origin {
            request = request.header(ORIGIN, origin);
        }
        for cursor in cursor {
            match *cursor {
                Cursor::Header(id) => request = request.header("last-event-id", id),
                Cursor::Query(id) => url = url.with_query([("lastEventID", id)]),
            }
        }
        let asked = Instant::now();
        let sent = send(&url, self.token.as_ref(), request, "");
        let answer = match timeout(self.patience, sent).await {
            Ok(Ok(answer)) => answer,
            Ok(Err(HttpError::Silent)) | Err(_) => return Ok((Opening::Held, None)),
            Ok(Err(error)) => return Err(error),
        };
        let mut head = Head {
            status: answer.response.status(),
            version: answer.response.version(),
            headers: answer.response.headers().clone(),
            text: String::new(),
        };
        if head.is_stream() {
            let stream = Stream::new(answer.response, asked);
            return Ok((Opening::Answered(head), Some(stream)));
        }
        (_, head.text) = answer.text().await;
        Ok((Opening::Answered(head), None))
    }

    /// Notes whether compressed bytes move at once, and asks for a stream that is not compressed.
    async fn look_at_compression(
        &self,
        seen: &mut Observations,
        coding: String,
        mut stream: Stream,
    ) -> Result<Option<Stream>, HttpError> {
        let began = stream.first_byte(self.patience).await.is_some();
        let moved = match self.publish(&self.topic, "compressed").await {
            (Publishing::Stored, _) => {
                Some(began && stream.moves(Instant::now() + self.patience).await)
            }
            _ => None,
        };
        let (opening, readable) = self.open("identity", &[]).await?;
        let always = match &opening {
            Opening::Answered(head) => head.headers.contains_key(CONTENT_ENCODING),
            Opening::Held => true,
        };
        seen.encoded = Some(Encoded {
            coding,
            moved,
            always,
        });
        Ok(readable.filter(|_| !always))
    }

    /// Publishes one event after the other, and waits for each before the next.
    async fn publish_one_by_one(&self, seen: &mut Observations, stream: &mut Stream) {
        let awkward = self.awkward_topic();
        let topics = [&*self.topic, &*self.topic, &*awkward, &*self.topic];
        let mut outcomes = vec![None; topics.len()];
        for (number, topic) in topics.into_iter().enumerate() {
            let (outcome, _) = self.publish(topic, &format!("event {number}")).await;
            // A token may well not grant the awkward topic.
            if topic != awkward || outcome == Publishing::Unanswered {
                seen.publishing = outcome.clone();
            }
            if outcome != Publishing::Stored {
                if topic == awkward {
                    continue;
                }
                break;
            }
            if let Some(mine) = outcomes.get_mut(number) {
                *mine = Some(Delivery::Never);
            }
            self.wait_for(number, stream, &mut outcomes).await;
        }
        for (topic, delivery) in topics.into_iter().zip(outcomes) {
            match delivery {
                Some(_) if topic == awkward => seen.awkward = delivery,
                Some(delivery) => seen.deliveries.push(delivery),
                None => {}
            }
        }
    }

    /// Waits for event `number`; earlier ones that come meanwhile are late.
    async fn wait_for(
        &self,
        number: usize,
        stream: &mut Stream,
        outcomes: &mut [Option<Delivery>],
    ) {
        let published = Instant::now();
        while let Next::Heard(heard) = stream.next(published + self.patience).await {
            let Some(came) = heard.number() else {
                continue;
            };
            let delivery = match came == number {
                true => Delivery::AtOnce(published.elapsed()),
                false => Delivery::Late,
            };
            if let Some(outcome) = outcomes.get_mut(came) {
                *outcome = Some(delivery);
            }
            if came == number {
                return;
            }
        }
    }

    /// Leaves, misses an event, and comes back with the id of the one before it.
    async fn resume(&self, stream: Stream) -> Result<(Resumed, Option<Stream>), HttpError> {
        drop(stream);
        let (_, id) = self.publish(&self.topic, "the last one seen").await;
        let (missed, _) = self.publish(&self.topic, MISSED).await;
        let (Some(id), Publishing::Stored) = (id, missed) else {
            return Ok((Resumed::Refused, None));
        };
        let (_, stream) = self.open("identity", &[Cursor::Header(&id)]).await?;
        let Some(mut stream) = stream else {
            return Ok((Resumed::Refused, None));
        };
        if let Some(resumed) = self.first_after_resume(&mut stream).await {
            return Ok((resumed, Some(stream)));
        }
        let (_, by_query) = self.open("identity", &[Cursor::Query(&id)]).await?;
        let resumed = match by_query {
            Some(mut by_query) => match self.first_after_resume(&mut by_query).await {
                Some(Resumed::Exactly) => Resumed::ByQueryOnly,
                _ => Resumed::Nothing,
            },
            None => Resumed::Nothing,
        };
        Ok((resumed, Some(stream)))
    }

    /// What the first event of a resumed stream is.
    async fn first_after_resume(&self, stream: &mut Stream) -> Option<Resumed> {
        let deadline = Instant::now() + self.patience;
        while let Next::Heard(heard) = stream.next(deadline).await {
            match heard {
                Heard::Event { event_type, .. } if event_type == "fanfare-gap" => {
                    return Some(Resumed::Gap);
                }
                Heard::Event { data, .. } if data == mark(MISSED) => return Some(Resumed::Exactly),
                Heard::Event { .. } => return Some(Resumed::Otherwise),
                Heard::Comment => {}
            }
        }
        None
    }

    /// Watches a stream on which nothing is published, and then whether it still works.
    async fn watch_idle(
        &self,
        seen: &Observations,
        mut stream: Stream,
        progress: &mut dyn FnMut(Duration),
    ) -> Idle {
        // The greeting is no heartbeat.
        stream.forget();
        let began = Instant::now();
        let mut idle = Idle {
            planned: self.idle,
            heartbeats: 0,
            silence_max: Duration::ZERO,
            end: None,
            event_after: None,
        };
        while began.elapsed() < self.idle {
            let tick = (Instant::now() + TICK).min(began + self.idle);
            match stream.next(tick).await {
                Next::Heard(Heard::Comment) => idle.heartbeats += 1,
                Next::Heard(Heard::Event { .. }) | Next::Silent => {}
                Next::Ended => {
                    idle.end = Some(End {
                        age: stream.age(),
                        silence: stream.silence(),
                    });
                    break;
                }
            }
            progress(began.elapsed());
        }
        idle.silence_max = stream.silence_max();
        if idle.end.is_none() && seen.publishing == Publishing::Stored {
            let (outcome, _) = self.publish(&self.topic, "event 0").await;
            if outcome == Publishing::Stored {
                let mut outcomes = [Some(Delivery::Never)];
                self.wait_for(0, &mut stream, &mut outcomes).await;
                idle.event_after = Some(outcomes != [Some(Delivery::Never)]);
            }
        }
        idle
    }

    /// Publishes an event; its id, if it is stored. Without a token, as development allows it.
    async fn publish(&self, topic: &str, data: &str) -> (Publishing, Option<String>) {
        let data = mark(data);
        let (path, kind, body) = match &self.token {
            Some(_) => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.append_pair("topic", topic).append_pair("data", &data);
                let kind = "application/x-www-form-urlencoded";
                (HUB_PATH, kind, form.finish())
            }
            None => {
                let body = serde_json::json!({ "topic": topic, "data": data });
                ("/broadcast", "application/json", body.to_string())
            }
        };
        let request = Request::builder()
            .method(Method::POST)
            .header(CONTENT_TYPE, kind);
        let url = self.url.route(path);
        let sent = send(&url, self.token.as_ref(), request, body);
        let Ok(answer) = sent.await else {
            return (Publishing::Unanswered, None);
        };
        let (status, text) = answer.text().await;
        if status != StatusCode::OK {
            return (Publishing::Refused { status, text }, None);
        }
        let id = match self.token {
            Some(_) => Some(text),
            None => serde_json::from_str::<serde_json::Value>(&text)
                .ok()
                .and_then(|it| Some(it.get("id")?.as_str()?.to_owned())),
        };
        (Publishing::Stored, id)
    }

    /// A topic with all that a proxy could decode, encode again, or take for something else.
    fn awkward_topic(&self) -> String {
        format!("{}/?a=1&b=x+y z%2F;ü#end", self.topic)
    }
}

/// Where a cursor is put.
#[derive(Clone, Copy, Debug)]
enum Cursor<'a> {
    Header(&'a str),
    Query(&'a str),
}

impl Head {
    pub(super) fn is_stream(&self) -> bool {
        let kind = self.headers.get(CONTENT_TYPE);
        let kind = kind.and_then(|it| it.to_str().ok()).unwrap_or_default();
        self.status == StatusCode::OK && kind.to_ascii_lowercase().starts_with(EVENT_STREAM)
    }
}

impl Observations {
    /// What the stream is compressed with.
    fn coding(&self) -> Option<String> {
        let Opening::Answered(head) = &self.opening else {
            return None;
        };
        let coding = head.headers.get(CONTENT_ENCODING)?.to_str().ok()?;
        (coding != "identity").then(|| coding.to_owned())
    }
}

impl Heard {
    /// Which of the numbered events this is.
    fn number(&self) -> Option<usize> {
        match self {
            Self::Event { data, .. } => data.strip_prefix(&mark("event "))?.parse().ok(),
            Self::Comment => None,
        }
    }
}

/// The doctor's events say whose they are, for whoever else listens.
fn mark(data: &str) -> String {
    format!("fanfare doctor: {data}")
}

const MISSED: &str = "the one missed";
const HUB_PATH: &str = "/.well-known/mercure";
const EVENT_STREAM: &str = "text/event-stream";
/// What browsers offer, also for streams.
const BROWSERS_CODINGS: &str = "gzip, deflate, br, zstd";
/// How often a person sees the time pass.
const TICK: Duration = Duration::from_millis(200);
