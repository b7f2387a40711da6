//! `fanfare subscribe`: prints events as they come, and comes back when the connection is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::anyhow;
use fanfare_client::config::{Judge, Oversize, Policy, Verdict};
use fanfare_client::error::Cause;
use fanfare_client::item::{End, Gap, GapReason};
use fanfare_client::network::Proxy;
use fanfare_client::{Client, Config, EventSource, Item, Network};
use fanfare_wire::EventId;
use futures_util::StreamExt;
use http::StatusCode;
use http::header::AUTHORIZATION;
use serde_json::json;

use super::exit::{Exit, Failure};
use super::http::{HubUrl, Peer, wait};
use super::output;

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
    let url = url_of(&args).map_err(|error| Failure::new(Exit::Usage, error))?;
    wait(print(url, args))
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

/// Prints events until the hub refuses or says that there will be none.
async fn print(url: HubUrl, args: Args) -> Result<(), Failure> {
    let reached = Arc::new(AtomicBool::new(false));
    let json = args.json;
    let mut source = source_of(&url, args, Arc::clone(&reached))?;
    while let Some(item) = source.next().await {
        match item {
            Item::Open(_) => reached.store(true, Ordering::Relaxed),
            Item::Event(event) => {
                let id = event.last_event_id.as_str();
                print_event(json, &event.event_type, id, &event.data)?;
            }
            Item::Gap(gap) => {
                let id = source.last_event_id().as_str();
                print_event(json, "fanfare-gap", id, &data_of(&gap))?;
            }
            Item::Skipped { .. } => output::complain("an event was too long and is left out"),
            Item::Lost { cause, retry_in } if reached.load(Ordering::Relaxed) => {
                output::complain(&format!("{cause}, next try in {retry_in:.1?}"));
            }
            Item::Lost { cause, .. } => return Err(unreachable(&url, cause)),
            Item::End(End::Failed(cause)) => return Err(final_failure(&url, cause)),
            Item::End(_) | Item::Live | Item::Comment(_) | _ => {}
        }
    }
    Ok(())
}

fn source_of(url: &HubUrl, args: Args, reached: Arc<AtomicBool>) -> Result<EventSource, Failure> {
    let mut config = Config::get(url.url().clone());
    config.last_event_id = args.last_event_id.unwrap_or_default();
    if let Some(token) = args.peer.token {
        config.headers.insert(AUTHORIZATION, token.0);
    }
    config.policy = Policy::Judge(Judge::new(move |status, _| {
        verdict(status, reached.load(Ordering::Relaxed))
    }));
    config.oversize = Oversize::Skip;
    // Not every server says something now and then; TCP finds out who is gone.
    config.read_timeout = None;
    config.retry = Duration::from_secs(2);
    config.retry_max = Duration::from_secs(30);
    config.retry_server_max = Duration::from_secs(5 * 60);
    let mut network = Network::default();
    if url.is_here() {
        network.proxy = Proxy::None;
    }
    let source = Client::new(&network).and_then(|client| client.event_source(config));
    Ok(source?)
}

/// What an answer that is no stream means (RC-16). A hub that was never `reached` is given up at
/// once: the URL is wrong, or the hub is not up.
fn verdict(status: StatusCode, reached: bool) -> Verdict {
    match status.as_u16() {
        204 => Verdict::End,
        408 | 425 | 429 | 500..=599 if reached => Verdict::Retry,
        _ => Verdict::Fail,
    }
}

/// There was no answer at all.
fn unreachable(url: &HubUrl, cause: Cause) -> Failure {
    let error = anyhow::Error::from(cause);
    let authority = url.authority();
    let error = error.context(format!("cannot reach a hub at {authority}"));
    Failure::new(Exit::Unreachable, error)
}

/// Something that another try would not change.
fn final_failure(url: &HubUrl, cause: Cause) -> Failure {
    if matches!(cause, Cause::Certificate(_) | Cause::ProxyCredentials) {
        return unreachable(url, cause);
    }
    if let Cause::Status { status, body } = &cause {
        let body = output::printable(body.trim());
        let colon = if body.is_empty() { "" } else { ": " };
        let error = anyhow!("the hub refused, {status}{colon}{body}");
        return Failure::new(Exit::Refused, error);
    }
    Failure::new(Exit::Refused, cause)
}

/// A gap in the words of the event by which hubs tell it.
fn data_of(gap: &Gap) -> String {
    let reason = gap.reason.as_ref().map(GapReason::as_str);
    json!({ "from": gap.from, "to": gap.to, "reason": reason }).to_string()
}

fn print_event(json: bool, event_type: &str, id: &str, data: &str) -> std::io::Result<()> {
    if json {
        return output::line(&json!({ "type": event_type, "id": id, "data": data }).to_string());
    }
    output::line(&output::printable(&format!(
        "# {event_type} {id}\n{data}\n"
    )))
}
