//! Finds out what a hub offers that somebody else runs.

use crate::http::Request;
use crate::hub::{D0_COOKIE, Dialect, HUB, Hub, SUBSCRIPTIONS};
use crate::objection::Objection;

/// Fills in what the hub's [`crate::setup::Offer`] leaves open.
///
/// `anonymous` and the origins are what the user has told; nothing told is asked for.
///
/// # Errors
///
/// The hub does not answer.
pub(crate) async fn probe(mut hub: Hub, anonymous: Option<bool>) -> Result<Hub, Objection> {
    let topics = ["urn:x-conformance:probe"];
    for dialect in [Dialect::D0, Dialect::D1] {
        let hub_in_dialect = hub.speaking(dialect);
        let request = hub_in_dialect
            .subscription(&topics)
            .bearer(&hub_in_dialect.reader());
        let speaks = hub.ask(&request).await?.status == 200;
        match dialect {
            Dialect::D1 => hub.offer.d1 = speaks,
            Dialect::D0 | Dialect::Both => hub.offer.d0 = speaks,
        }
    }
    let spoken = if hub.offer.d0 {
        Dialect::D0
    } else {
        Dialect::D1
    };
    let asked = hub.speaking(spoken);

    let without_token = asked.ask(&asked.subscription(&topics)).await?;
    hub.offer.anonymous = anonymous.unwrap_or(without_token.status == 200);

    let all = Request::new("GET", SUBSCRIPTIONS).bearer(&asked.reader());
    hub.offer.presence = asked.ask(&all).await?.status != 404;

    if let Some(origin) = hub.offer.cors_origin.clone() {
        let request = asked.subscription(&topics).bearer(&asked.reader());
        let answer = asked.ask(&request.field("Origin", origin)).await?;
        let lets_in = answer.field("Access-Control-Allow-Origin").is_some();
        hub.offer.cors_origin = hub.offer.cors_origin.filter(|_| lets_in);
    }
    if let Some(origin) = hub.offer.publish_origin.clone() {
        let request = Request::new("POST", HUB)
            .cookie(D0_COOKIE, &hub.speaking(Dialect::D0).writer())
            .field("Origin", origin)
            .form(&[("topic", "urn:x-conformance:probe")]);
        let lets_in = hub.ask(&request).await?.status == 200;
        hub.offer.publish_origin = hub.offer.publish_origin.filter(|_| lets_in);
    }
    Ok(hub)
}
