//! Subscribing: who is let in, to what, and how the answer begins. The same for both lanes.

use std::convert::Infallible;
use std::time::{Instant, SystemTime};

use axum::body::Body;
use bytes::Bytes;
use fanfare_broker::{Selector, Selectors, Topic};
use fanfare_hub::{Admission, GapSignal, Heartbeat, Subscription};
use futures_util::{StreamExt, stream};
use http::request::Parts;
use http::{Method, Response};

use crate::accept::Peer;
use crate::auth::Grant;
use crate::authority::SUBSCRIBER;
use crate::dialect::Dialect;
use crate::error::{Denied, InvalidUserId, Refusal, Style};
use crate::form::Form;
use crate::greeting::{come_back, first_bytes, is_event_source, own_retry, stream_head};
use crate::interest::{self, Wanted};
use crate::journal;
use crate::last_event_id::Presented;
use crate::poll;
use crate::presence::Holder;
use crate::protocol_string;
use crate::server::Server;
use crate::site::Site;

/// A route whose GET is a stream.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum StreamRoute {
    /// The hub's URL.
    Mercure,
    /// `/events`
    Events,
}

/// A subscriber that is let in: what remains is a way to the wire.
#[derive(Debug)]
pub(crate) struct Accepted {
    /// The answer's head, without what every answer carries.
    pub(crate) head: Response<()>,
    pub(crate) admission: Admission,
    /// The first bytes of the body.
    pub(crate) first: Bytes,
    /// For [`Server::seen_in`].
    pub(crate) guest: Option<GuestOf>,
}

/// Whom a subscriber's entry in the list of presence belongs to.
#[derive(Debug)]
pub(crate) struct GuestOf {
    id: u64,
    holder: Option<Holder>,
}

impl StreamRoute {
    /// The stream route at `path`, if `server` has one there.
    pub(crate) fn of(server: &Server, path: &str) -> Option<Self> {
        match path {
            _ if !server.subscribable() => None,
            "/events" => Some(Self::Events),
            _ if path == server.config.hub_path => Some(Self::Mercure),
            _ => None,
        }
    }

    fn style(self, dialect: Dialect) -> Style {
        match self {
            Self::Mercure => Style::Mercure(dialect),
            Self::Events => Style::Problem,
        }
    }
}

impl Server {
    /// Judges a subscriber, and takes its place in the hub; or says what to answer instead.
    ///
    /// `form` is its query, and the body of a `QUERY` after it. Dropping the future, or what it
    /// returns, gives the place back.
    pub(crate) async fn admit(
        &self,
        route: StreamRoute,
        parts: &Parts,
        form: &Form,
    ) -> Result<Accepted, Response<Bytes>> {
        let asked = self.dialect_asked(route, parts, form);
        let dialect = asked.as_ref().ok().copied().flatten();
        let style = route.style(dialect.unwrap_or(self.usual_dialect()));
        // The checks, in the order of D0-S3: token, topics, registration.
        let grant = self.subscriber(parts, dialect).await;
        let grant = grant.map_err(|refusal| self.refused(style, parts, &refusal))?;
        let style = grant.as_ref().map_or(style, |it| style.with(it.dialect));
        let registered = async { self.register(route, parts, form, asked?, grant).await };
        let registered = registered.await;
        registered.map_err(|refusal| self.refused(style, parts, &refusal))
    }

    /// Answers a stream request on the hyper lane.
    pub(crate) async fn stream(
        &self,
        route: StreamRoute,
        parts: &Parts,
        form: &Form,
    ) -> Response<Body> {
        let accepted = match self.admit(route, parts, form).await {
            Ok(accepted) => accepted,
            Err(refused) => return refused.map(Body::from),
        };
        // HEAD is answered as GET would be, without a subscription (SRV-16, D0-G10).
        if parts.method == Method::HEAD {
            // Of unknown length, as the stream's is: a length would be a promise.
            let body = Body::from_stream(stream::empty::<Result<Bytes, Infallible>>());
            return accepted.head.map(|()| body);
        }
        let held = self.metrics.hold_stream();
        let first_len = accepted.first.len();
        let events = accepted.admission.into_stream(accepted.first);
        self.seen_in(accepted.guest);
        if poll::is_asked(parts) {
            let piece = poll::piece(events, first_len, poll::WAIT).await;
            return accepted.head.map(|()| Body::from(piece));
        }
        let counted = events.inspect(move |_| {
            // Lives as long as the stream does.
            let _ = &held;
        });
        accepted.head.map(|()| Body::from_stream(counted))
    }

    /// Looks once more, now that the subscriber is attached: a token that was revoked while it was
    /// judged would otherwise keep its stream.
    pub(crate) fn seen_in(&self, guest: Option<GuestOf>) {
        let Some(GuestOf { id, holder }) = guest else {
            return;
        };
        if holder.is_some_and(|holder| self.revocations.cover(&holder)) {
            self.hub.dismiss([id]);
        }
    }

    /// Counts a refusal and makes it an answer, for a browser one after which it comes back.
    pub(crate) fn refused(
        &self,
        style: Style,
        parts: &Parts,
        refusal: &Refusal,
    ) -> Response<Bytes> {
        self.metrics.refused(refusal.reason());
        if refusal.passes() && is_event_source(&parts.headers) {
            let elsewhere = self.draining() && self.hub.capabilities().several_nodes;
            return come_back(refusal, elsewhere);
        }
        let (style, metadata_url) = self.words(style, parts, refusal);
        refusal.response(style, metadata_url.as_deref())
    }

    /// The answer to a refused publish, which says what became of it (O1).
    pub(crate) fn refused_publish(
        &self,
        style: Style,
        parts: &Parts,
        refusal: &Refusal,
    ) -> Response<Bytes> {
        self.metrics.refused(refusal.reason());
        let (style, metadata_url) = self.words(style, parts, refusal);
        refusal.publish_response(style, metadata_url.as_deref())
    }

    /// How a refusal is told, and where the hub's metadata are for whom a token could help.
    fn words(&self, style: Style, parts: &Parts, refusal: &Refusal) -> (Style, Option<String>) {
        let site = self
            .verifies_access_tokens()
            .then(|| Site::of(&self.config, parts));
        // DX-11: a token that could be read tells whose words the answer has.
        let style = if let Refusal::Denied { dialect, .. } = refusal {
            style.with(*dialect)
        } else {
            style
        };
        let metadata_url = site.and_then(Result::ok).map(|site| site.metadata_url());
        (style, metadata_url)
    }

    /// The dialect that a request speaks; on `/events` none.
    fn dialect_asked(
        &self,
        route: StreamRoute,
        parts: &Parts,
        form: &Form,
    ) -> Result<Option<Dialect>, Refusal> {
        match route {
            StreamRoute::Mercure => interest::dialect_of(self.config.dialects, &parts.method, form),
            StreamRoute::Events => Ok(None),
        }
    }

    async fn register(
        &self,
        route: StreamRoute,
        parts: &Parts,
        form: &Form,
        dialect: Option<Dialect>,
        grant: Option<Grant>,
    ) -> Result<Accepted, Refusal> {
        if route == StreamRoute::Mercure && !self.config.public_urls.is_empty() {
            Site::of(&self.config, parts)?;
        }
        let wanted = match route {
            StreamRoute::Mercure => self.mercure_interest(parts, form, dialect)?,
            StreamRoute::Events => self.events_interest(form)?,
        };
        let dialect = dialect.unwrap_or(Dialect::D0);
        let selectors = wanted.iter().map(|wanted| wanted.selector.clone());
        let mut subscription = Subscription::new(Selectors::new(selectors.collect()));
        if route == StreamRoute::Mercure && form.first("gap")? != Some("1") {
            subscription.gap_signal = GapSignal::Cursor;
        }
        let polls = poll::is_asked(parts);
        // Either would be the event that a piece ends with, each time.
        if !polls && form.first("heartbeat")? == Some("1") {
            subscription.heartbeat = Heartbeat::Event;
        }
        subscription.tells_live = !polls && form.first("live")? == Some("1");
        if route == StreamRoute::Events {
            subscription.grant = self.own_topic(parts, form, grant.as_ref())?;
        }
        if let Some(grant) = &grant {
            let granted = grant.subscribe.clone().unwrap_or_default();
            subscription.grant = union(&subscription.grant, &granted);
            subscription.ends_at = grant.expires_at.and_then(instant_of);
        }
        subscription.address = parts.extensions.get::<Peer>().map(|peer| peer.0);
        subscription.hidden = self.presence.hidden_from(dialect);
        let presented = Presented::of(&parts.headers, form, dialect)?;
        subscription.last_event_id.clone_from(&presented.id);

        let told = journal::wanted().then(|| wanted.clone());
        let guest = self.guest(parts, wanted, grant.as_ref())?;
        let id = guest.as_ref().map(fanfare_hub::Guest::id);
        subscription.guest = guest;
        let admission = self.seat(subscription, dialect, id).await?;
        if let Some(wanted) = told {
            let subscriber = id.and_then(|id| self.presence.subscriber(id));
            journal::subscribed(parts, subscriber, presented.id.as_ref(), &wanted);
        }
        let resumed = match route {
            StreamRoute::Mercure => admission.resumed_after().or(presented.answer()),
            // Also without a cursor, so that a reader has one before its first event.
            StreamRoute::Events => admission.starts_after(),
        };
        Ok(Accepted {
            head: stream_head(route, parts, resumed.as_ref()),
            admission,
            first: match polls {
                true => first_bytes(route, Some(poll::RETRY)),
                false => first_bytes(route, self.config.retry_hint.then(own_retry)),
            },
            guest: id.map(|id| GuestOf {
                id,
                holder: grant.as_ref().and_then(Holder::of),
            }),
        })
    }

    /// Takes the subscriber's place in the hub, and tells that it has come: those of 0.x do not
    /// see themselves arrive (D0-R5), those of 1.0 do (D1-R6).
    async fn seat(
        &self,
        subscription: Subscription,
        dialect: Dialect,
        guest: Option<u64>,
    ) -> Result<Admission, Refusal> {
        let Some(id) = guest else {
            return Ok(self.hub.subscribe(subscription).await?);
        };
        if dialect == Dialect::D0 {
            if let Some(offset) = self.presence.tell_arrival(&self.hub, id).await {
                self.hub.caught_up(offset).await;
            }
            return Ok(self.hub.subscribe(subscription).await?);
        }
        let admission = self.hub.subscribe(subscription).await?;
        self.presence.tell_arrival(&self.hub, id).await;
        Ok(admission)
    }

    /// The subscriber's entry in the list of presence; who only looks at the head gets none.
    fn guest(
        &self,
        parts: &Parts,
        wanted: Vec<Wanted>,
        grant: Option<&Grant>,
    ) -> Result<Option<fanfare_hub::Guest>, Refusal> {
        if parts.method == Method::HEAD {
            return Ok(None);
        }
        let address = parts.extensions.get::<Peer>().map(|peer| peer.0.ip());
        self.presence.enter(wanted, grant, address)
    }

    fn mercure_interest(
        &self,
        parts: &Parts,
        form: &Form,
        dialect: Option<Dialect>,
    ) -> Result<Vec<Wanted>, Refusal> {
        match dialect {
            None => Err(Refusal::NoSelector),
            Some(Dialect::D0) => interest::topics(form, self.config.selectors_max),
            Some(Dialect::D1) => {
                let site = Site::of(&self.config, parts)?;
                interest::matchers(form, self.config.matchers_max, &site.hub_url)
            }
        }
    }

    /// No topic is the topic `broadcast`; a `userId` adds that user's private topic.
    fn events_interest(&self, form: &Form) -> Result<Vec<Wanted>, Refusal> {
        let user = form.first("userId")?.map(user_topic).transpose()?;
        let mut wanted = match form.has("topic") {
            true => interest::topics(form, self.config.selectors_max)?,
            false => vec![Wanted::template("broadcast")?],
        };
        if let Some(user) = user {
            wanted.push(Wanted::template(user.as_str())?);
        }
        Ok(wanted)
    }

    /// The user's private topic, if a `userId` is named and the grant covers it; in development
    /// everybody may be anybody.
    fn own_topic(
        &self,
        parts: &Parts,
        form: &Form,
        grant: Option<&Grant>,
    ) -> Result<Selectors, Refusal> {
        let Some(user_id) = form.first("userId")? else {
            return Ok(Selectors::default());
        };
        let user = user_topic(user_id)?;
        if self.config.dev.is_some() {
            return Ok(Selectors::new(vec![Selector::parse(user.as_str())?]));
        }
        let Some(grant) = grant else {
            let (denied, dialect) = (Denied::NoToken, self.usual_dialect());
            let why = "a `userId` needs a token";
            return Err(self.deny(parts, SUBSCRIBER, denied, dialect, &why));
        };
        let granted = grant.subscribe.as_ref();
        match granted.is_some_and(|granted| granted.matches(&user)) {
            true => Ok(Selectors::default()),
            false => Err(Refusal::UserNotGranted {
                user_id: user_id.to_owned(),
            }),
        }
    }
}

/// The private topic of a user.
pub(crate) fn user_topic(user_id: &str) -> Result<Topic, InvalidUserId> {
    if user_id.is_empty() || user_id.len() > USER_ID_BYTES_MAX {
        return Err(InvalidUserId::Length);
    }
    // As a selector it must mean this user and nobody else.
    if user_id.contains(['{', '}']) {
        return Err(InvalidUserId::Braces);
    }
    protocol_string::check(user_id)?;
    Topic::parse(&format!("user/{user_id}")).map_err(|_| InvalidUserId::Length)
}

const USER_ID_BYTES_MAX: usize = 256;

fn union(one: &Selectors, other: &Selectors) -> Selectors {
    if one.is_empty() {
        return other.clone();
    }
    Selectors::new(one.iter().chain(other.iter()).cloned().collect())
}

/// A token's end on the clock that subscribers are timed by.
#[expect(
    clippy::disallowed_methods,
    reason = "the clocks are read once per request"
)]
fn instant_of(end: SystemTime) -> Option<Instant> {
    let left = end.duration_since(SystemTime::now()).unwrap_or_default();
    Instant::now().checked_add(left)
}

#[cfg(test)]
mod tests;
