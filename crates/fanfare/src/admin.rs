//! What operators ask of a hub: what it does, who is connected, what came last; and who may ask.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::routing::{get, post};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CACHE_CONTROL, FORWARDED, ORIGIN};
use http::request::Parts;
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;
use url::{Host, Url};

use crate::accept::Peer;
use crate::error::{Denied, Refusal, Style, into_body, json_line, with_body};
use crate::form::Form;
use crate::revocations;
use crate::server::{Config, Server};
use crate::site::host;

mod events;
mod status;
mod subscribers;
mod token;

/// The routes; those that nobody could use do not exist.
pub(crate) fn router(config: &Config) -> Router<Arc<Server>> {
    let mut router = Router::new();
    if config.admin_token.is_some() {
        router = router.route("/admin/revoke", post(revocations::post));
    }
    if is_open(config) {
        router = router
            .route("/admin/status", get(status::get))
            .route("/admin/subscribers", get(subscribers::get))
            .route("/admin/events", get(events::get));
    }
    if config.dev.is_some() {
        router = router.route("/admin/token", post(token::post));
    }
    router
}

/// Whether anybody can look into the hub.
pub(crate) fn is_open(config: &Config) -> bool {
    config.dev.is_some() || config.admin_token.is_some()
}

impl Server {
    /// Judges whoever wants to administer: by the one token for that (S19).
    pub(crate) fn admin(&self, parts: &Parts) -> Result<(), Refusal> {
        let wanted = self.config.admin_token.as_ref().map(|token| token.reveal());
        self.holds_one_of(parts, wanted.into_iter())
    }

    /// Judges whoever wants to look: as [`Self::admin`]; in development whoever is on this machine,
    /// and whoever has the token that was printed there.
    pub(crate) fn onlooker(&self, parts: &Parts) -> Result<(), Refusal> {
        let admin = self.config.admin_token.as_ref().map(|token| token.reveal());
        let dev = self.config.dev.as_ref().map(|dev| &*dev.publisher_token);
        let dev = dev.filter(|token| !token.is_empty());
        if self.config.dev.is_some() && bearer(parts).is_none() && is_from_here(parts) {
            return Ok(());
        }
        self.holds_one_of(parts, admin.into_iter().chain(dev))
    }

    fn holds_one_of<'a>(
        &self,
        parts: &Parts,
        mut wanted: impl Iterator<Item = &'a str>,
    ) -> Result<(), Refusal> {
        let (denied, why) = match bearer(parts) {
            None => (Denied::NoToken, "no admin token"),
            // In constant time, or the answer's delay would tell how much of a guess is right.
            Some(token)
                if wanted.any(|it| verify_slices_are_equal(token, it.as_bytes()).is_ok()) =>
            {
                return Ok(());
            }
            Some(_) => (Denied::InvalidToken, "not the admin token"),
        };
        Err(self.deny(parts, "admin", denied, self.usual_dialect(), &why))
    }

    /// What an onlooker is answered.
    fn shown<T: Serialize>(&self, parts: &Parts, answer: Result<T, Refusal>) -> Response<Body> {
        let answer = answer.map(|value| json(&value));
        let answer = answer.unwrap_or_else(|refusal| self.refused(Style::Problem, parts, &refusal));
        into_body(answer)
    }
}

fn json(value: &impl Serialize) -> Response<Bytes> {
    let mut answer = with_body(StatusCode::OK, "application/json", json_line(value));
    let no_copy = HeaderValue::from_static("no-store");
    answer.headers_mut().insert(CACHE_CONTROL, no_copy);
    answer
}

fn bearer(parts: &Parts) -> Option<&[u8]> {
    let field = parts.headers.get(AUTHORIZATION);
    field.and_then(|field| field.as_bytes().strip_prefix(b"Bearer "))
}

/// Whether somebody on this machine asks, by a program or by the hub's own page.
///
/// In development pages of all origins may read the hub's answers, so the page's origin is looked
/// at here. A proxy on this machine makes everybody look near; and a stranger's page whose host's
/// name has come to mean this machine (DNS rebinding) is told by that name.
fn is_from_here(parts: &Parts) -> bool {
    let peer = parts.extensions.get::<Peer>().map(|peer| peer.0.ip());
    let near = peer.is_some_and(|ip| ip.to_canonical().is_loopback());
    let headers = &parts.headers;
    let relayed = headers.contains_key(FORWARDED) || headers.contains_key("x-forwarded-for");
    let own = host(parts);
    let named = own.and_then(|own| Url::parse(&format!("http://{own}/")).ok());
    let named_here = match named.as_ref().and_then(Url::host) {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(_) | Host::Ipv6(_)) => true,
        None => false,
    };
    let own_page = headers.get(ORIGIN).is_none_or(|origin| {
        let origin = origin.to_str().unwrap_or_default();
        origin.split_once("://").map(|(_, host)| host) == own
    });
    near && !relayed && named_here && own_page
}

/// A number in the query, which is at most `max`.
fn number(form: &Form, name: &'static str, usual: usize, max: usize) -> Result<usize, Refusal> {
    let Some(text) = form.first(name)? else {
        return Ok(usual);
    };
    let number = text.parse().ok().filter(|it| (1..=max).contains(it));
    number.ok_or(Refusal::OutOfRange { name, max })
}

fn query(request: Request) -> (Parts, Form) {
    let (parts, _) = request.into_parts();
    let form = Form::from_query(parts.uri.query().unwrap_or_default());
    (parts, form)
}

/// The first of `texts`, so that a page of answers stays small, and how many there are.
fn shortened<'a>(texts: impl ExactSizeIterator<Item = &'a str>) -> (Vec<&'a str>, usize) {
    let count = texts.len();
    (texts.take(TEXTS_MAX).collect(), count)
}

/// Topics of one event, or of one subscriber, that are shown.
const TEXTS_MAX: usize = 10;

type Shared = State<Arc<Server>>;
