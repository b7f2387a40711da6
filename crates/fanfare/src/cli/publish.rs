//! `fanfare publish`: one event, by a form like any publisher's.

use std::io::{self, Read};

use anyhow::Context;
use fanfare_wire::{EventId, EventType};
use http::header::CONTENT_TYPE;
use http::{Method, Request};

use super::exit::Failure;
use super::http::{HttpError, Peer, send, wait};
use super::output;

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Topic to publish to
    topic: String,

    /// The event's data; `-` or nothing: read it from stdin, without its last line end
    data: Option<String>,

    #[command(flatten)]
    peer: Peer,

    /// The event's type
    #[arg(long = "type", value_name = "TYPE", value_parser = EventType::parse)]
    event_type: Option<EventType>,

    /// The event's id; without it the hub makes one
    #[arg(long, value_parser = EventId::parse)]
    id: Option<EventId>,

    /// Reconnection time for whoever receives it, in milliseconds
    #[arg(long, value_name = "MILLISECONDS")]
    retry: Option<u64>,

    /// When it is no longer worth delivering: seconds from now, or a date
    #[arg(long, value_name = "WHEN")]
    expires: Option<String>,

    /// Only for subscribers whose token covers the topic
    #[arg(long)]
    private: bool,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let data = match args.data {
        Some(data) if data != "-" => data,
        Some(_) | None => piped().context("cannot read the data from stdin")?,
    };
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("topic", &args.topic)
        .append_pair("data", &data);
    if let Some(event_type) = &args.event_type {
        form.append_pair("type", event_type.as_str());
    }
    if let Some(id) = &args.id {
        form.append_pair("id", id.as_str());
    }
    if let Some(retry) = args.retry {
        form.append_pair("retry", &retry.to_string());
    }
    if let Some(expires) = &args.expires {
        // Which of its forms it has, and whether it is over, the hub knows.
        form.append_pair("expires", expires);
    }
    if args.private {
        form.append_pair("private", "on");
    }

    let url = args
        .peer
        .url
        .unwrap_or_default()
        .route("/.well-known/mercure");
    let request = Request::builder()
        .method(Method::POST)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
    wait(async {
        let answer = send(&url, args.peer.token.as_ref(), request, form.finish());
        let answer = answer.await.map_err(HttpError::failure)?;
        if !answer.response.status().is_success() {
            return Err(answer.refusal().await);
        }
        let (_, id) = answer.text().await;
        Ok(output::line(&output::printable(&id))?)
    })
}

/// All of stdin, without the line end that `echo` appends.
fn piped() -> io::Result<String> {
    let mut data = String::new();
    io::stdin().lock().read_to_string(&mut data)?;
    if data.ends_with('\n') {
        data.pop();
    }
    if data.ends_with('\r') {
        data.pop();
    }
    Ok(data)
}
