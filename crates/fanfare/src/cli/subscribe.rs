//! `fanfare subscribe`: prints events as they come, and comes back when the connection is lost.

use anyhow::anyhow;
use fanfare_wire::{Decoder, EventId, Item};
use http::header::{ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Request, StatusCode};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use serde_json::json;
use tokio::time::{Instant, sleep_until};

use super::exit::{Exit, Failure};
use super::http::{Answer, Bearer, HttpError, HubUrl, Peer, send, wait};
use super::output;
use super::retry::Retry;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Topics; or the whole URL of a stream, if it is the only one and --url is not given
    #[arg(value_name = "URL|TOPIC")]
    #[arg(required_unless_present_any = ["exact", "patterns"])]
    topics: Vec<String>,

    /// Instead of topics, a matcher of Mercure 1.0: exactly this topic, or `*`; may be repeated
    #[arg(long = "match", value_name = "TOPIC", conflicts_with = "topics")]
    exact: Vec<String>,

    /// The same for topics that fit a URL Pattern, such as `https://example.com/books/:id`
    #[arg(
        long = "match-urlpattern",
        value_name = "PATTERN",
        conflicts_with = "topics"
    )]
    patterns: Vec<String>,

    #[command(flatten)]
    peer: Peer,

    /// Print each event as a line of JSON, with `type`, `id` and `data`
    #[arg(long)]
    json: bool,

    /// Go on after this id; `earliest`: from the oldest event that is kept
    #[arg(long, value_name = "ID", value_parser = EventId::parse)]
    last_event_id: Option<EventId>,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let mut source = Source {
        url: url_of(&args).map_err(|error| Failure::new(Exit::Usage, error))?,
        token: args.peer.token,
        decoder: Decoder::new(&args.last_event_id.unwrap_or_default()),
        retry: Retry::default(),
        json: args.json,
    };
    wait(source.print())
}

fn url_of<'a>(args: &'a Args) -> Result<HubUrl, super::http::InvalidHubUrl> {
    if let ([url], None) = (args.topics.as_slice(), &args.peer.url)
        && (url.starts_with("http://") || url.starts_with("https://"))
    {
        return url.parse();
    }
    let named = |name, values: &'a [String]| values.iter().map(move |it| (name, it.as_str()));
    let query = named("topic", &args.topics)
        .chain(named("match", &args.exact))
        .chain(named("match_urlpattern", &args.patterns))
        // A gap is told by an event, so that it can be printed (SRV-15).
        .chain([("gap", "1")]);
    let hub = args.peer.url.clone().unwrap_or_default();
    Ok(hub.route("/.well-known/mercure").with_query(query))
}

/// One stream of events over as many connections as it takes.
struct Source {
    url: HubUrl,
    token: Option<Bearer>,
    /// Keeps the last event id over all connections (RC-10).
    decoder: Decoder,
    retry: Retry,
    json: bool,
}

impl Source {
    /// Prints events until the hub refuses or says that there will be none.
    async fn print(&mut self) -> Result<(), Failure> {
        let mut reached = false;
        loop {
            let opened = Instant::now();
            let brought_event = match self.connect().await {
                Ok(answer) => match meaning(&answer, reached) {
                    Meaning::Open => {
                        reached = true;
                        self.print_body(answer.response.into_body()).await?
                    }
                    Meaning::Retry => false,
                    Meaning::End => return Ok(()),
                    Meaning::NoStream => return Err(no_stream(answer.response.headers())),
                    Meaning::Refused => return Err(answer.refusal().await),
                },
                Err(_) if reached => false,
                Err(error) => return Err(error.failure()),
            };
            self.decoder.restart();
            self.retry.ended(brought_event, opened.elapsed());
            let wait = self.retry.wait(rand::random());
            output::complain(&format!("connection lost, next try in {wait:.1?}"));
            sleep_until(Instant::now() + wait).await;
        }
    }

    async fn connect(&self) -> Result<Answer, HttpError> {
        let mut request = Request::builder()
            .header(ACCEPT, EVENT_STREAM)
            .header(ACCEPT_ENCODING, "identity")
            .header(CACHE_CONTROL, "no-cache");
        let last_event_id = self.decoder.last_event_id();
        let mut url = self.url.clone();
        if !last_event_id.is_empty() {
            match HeaderValue::from_bytes(last_event_id.as_bytes()) {
                Ok(value) => request = request.header("last-event-id", value),
                // A control byte cannot travel in a header (RC-09).
                Err(_) => url = url.with_query([("lastEventId", last_event_id)]),
            }
        }
        send(&url, self.token.as_ref(), request, "").await
    }

    /// Prints the events of one connection; returns whether there was any.
    async fn print_body(&mut self, mut body: Incoming) -> Result<bool, Failure> {
        let mut brought_event = false;
        // An error in mid-stream is the end of the connection, like its end.
        while let Some(Ok(frame)) = body.frame().await {
            let Ok(chunk) = frame.into_data() else {
                continue;
            };
            let mut items = self.decoder.feed(&chunk);
            while let Some(item) = items.next() {
                match item {
                    Item::Event {
                        event_type,
                        data,
                        last_event_id,
                    } => {
                        brought_event = true;
                        print_event(self.json, event_type, last_event_id, data)?;
                    }
                    Item::Retry(millis) => self.retry.hint(millis),
                    Item::TooLong => output::complain("an event was too long and is left out"),
                    Item::Comment(_) | Item::Cursor(_) | _ => {}
                }
            }
        }
        Ok(brought_event)
    }
}

const EVENT_STREAM: &str = "text/event-stream";

/// What an answer means (RC-16).
enum Meaning {
    Open,
    NoStream,
    /// The hub has nothing more for this subscriber, ever (SRV-09).
    End,
    Retry,
    Refused,
}

/// A hub that was never `reached` is given up at once: the URL is wrong, or the hub is not up.
fn meaning(answer: &Answer, reached: bool) -> Meaning {
    let status = answer.response.status();
    match status {
        StatusCode::OK if is_event_stream(answer.response.headers()) => Meaning::Open,
        StatusCode::OK => Meaning::NoStream,
        StatusCode::NO_CONTENT => Meaning::End,
        StatusCode::REQUEST_TIMEOUT | StatusCode::TOO_EARLY | StatusCode::TOO_MANY_REQUESTS
            if reached =>
        {
            Meaning::Retry
        }
        _ if reached && status.is_server_error() => Meaning::Retry,
        _ => Meaning::Refused,
    }
}

/// RC-17: the text before the first `;` is the type, whatever comes after.
fn is_event_stream(headers: &HeaderMap) -> bool {
    let content_type = headers.get(CONTENT_TYPE).and_then(|it| it.to_str().ok());
    let essence = content_type.and_then(|text| text.split(';').next());
    essence.is_some_and(|essence| essence.trim().eq_ignore_ascii_case(EVENT_STREAM))
}

fn no_stream(headers: &HeaderMap) -> Failure {
    let content_type = headers.get(CONTENT_TYPE);
    let content_type = content_type
        .and_then(|it| it.to_str().ok())
        .unwrap_or("nothing");
    let error = anyhow!("what is there is no event stream but {content_type}");
    Failure::new(Exit::Refused, error)
}

fn print_event(json: bool, event_type: &str, id: &str, data: &str) -> std::io::Result<()> {
    if json {
        return output::line(&json!({ "type": event_type, "id": id, "data": data }).to_string());
    }
    output::line(&output::printable(&format!(
        "# {event_type} {id}\n{data}\n"
    )))
}
