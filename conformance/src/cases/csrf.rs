//! Publishing with a cookie (D0-A3, D0-C7, D1-E4): only for pages of allowed origins.

use crate::case::{Case, Level};
use crate::http::Request;
use crate::hub::{D0_COOKIE, D1_COOKIE, HUB, Hub};
use crate::objection::{Checked, Objection};
use crate::setup::Setup;

pub(super) fn cases() -> Vec<Case> {
    use Level::{Impl, Should};
    [
        Case::pair(
            Should,
            [&["D0-A3", "D0-C7"], &["D1-E4", "D1-A6"]],
            "with a cookie: Origin, or else Referer, must be of an allowed origin",
            table,
        )
        .map(|case| case.on(Setup::Origins)),
        Case::pair(
            Impl,
            [&["D0-A3"], &["D1-E4"]],
            "with a cookie, and no origin configured: refused",
            none_configured,
        )
        .map(|case| case.on(Setup::NoOrigins)),
        Case::pair(
            Impl,
            [&["D0-C7", "D0-A3"], &["D1-E4"]],
            "with a cookie, and * configured: any origin, but not none",
            any_origin,
        )
        .map(|case| case.on(Setup::AnyOrigin)),
        Case::pair(
            Impl,
            [&["D0-C7"], &["D1-E4"]],
            "with a cookie: a wildcard is for subdomains, and for nothing that looks like them",
            wildcard,
        )
        .map(|case| case.on(Setup::Origins)),
        Case::pair(
            Should,
            [&["D0-C7"], &["D1-A6"]],
            "with a header: the origin does not matter",
            with_header,
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A publication by a page, with the browser's cookie.
fn publication(hub: &Hub) -> Request {
    let name = if hub.is_d1() { D1_COOKIE } else { D0_COOKIE };
    Request::new("POST", HUB)
        .cookie(name, &hub.writer())
        .form(&[("topic", &hub.topic("csrf"))])
}

/// What a page of a foreign origin gets.
fn refused(hub: &Hub) -> u16 {
    if hub.is_d1() { 400 } else { 401 }
}

/// Publishes with these `Origin` and `Referer`.
async fn row(hub: &Hub, origin: &str, referer: &str, is_allowed: bool) -> Checked {
    let mut request = publication(hub);
    for (name, value) in [("Origin", origin), ("Referer", referer)] {
        if !value.is_empty() {
            request = request.field(name, value);
        }
    }
    let status = if is_allowed { 200 } else { refused(hub) };
    let answer = hub.ask(&request).await?;
    let right = answer.must_be(status);
    let right = match is_allowed || !hub.is_d1() {
        true => right,
        false => right.and_then(|()| super::tokens::challenge(&answer, Some("invalid_request"))),
    };
    right.map_err(|it| it.about(format!("Origin {origin:?}, Referer {referer:?}")))
}

async fn table(hub: Hub) -> Checked {
    let Some(allowed) = hub.offer.publish_origin.clone() else {
        let why = "no origin is known that may publish".to_owned();
        return Err(Objection::Inapplicable(why));
    };
    let page = format!("{allowed}/page?x=1");
    let other = "https://evil.example";
    for (origin, referer, is_allowed) in [
        (allowed.as_str(), "", true),
        ("", page.as_str(), true),
        ("", &allowed, true),
        (&allowed, "https://evil.example/", true),
        ("", "", false),
        (other, "", false),
        (other, &page, false),
        ("", "https://evil.example/?x=https://app.example", false),
        ("null", "", false),
        ("null", &page, false),
        (&format!("{allowed}.evil.example"), "", false),
        (&format!("{allowed}:8443"), "", false),
        (&allowed.replacen("https:", "ftp:", 1), "", false),
    ] {
        row(&hub, origin, referer, is_allowed).await?;
    }
    Ok(())
}

async fn none_configured(hub: Hub) -> Checked {
    let own = format!("http://{}", hub.authority);
    row(&hub, &own, "", false).await?;
    row(&hub, "", "", false).await
}

async fn any_origin(hub: Hub) -> Checked {
    row(&hub, "https://whoever.example", "", true).await?;
    row(&hub, "", "https://whoever.example/x", true).await?;
    row(&hub, "", "", false).await
}

async fn wildcard(hub: Hub) -> Checked {
    if hub.process.is_none() {
        let why = "needs the origin https://*.wild.example to be allowed".to_owned();
        return Err(Objection::Inapplicable(why));
    }
    row(&hub, "https://a.wild.example", "", true).await?;
    row(&hub, "https://a.b.wild.example", "", true).await?;
    row(&hub, "https://A.Wild.Example", "", true).await?;
    row(&hub, "https://wild.example", "", false).await?;
    row(&hub, "https://wild.example.evil.example", "", false).await?;
    row(&hub, "https://evilwild.example", "", false).await?;
    row(&hub, "http://a.wild.example", "", false).await
}

async fn with_header(hub: Hub) -> Checked {
    for origin in ["https://evil.example", "null"] {
        let pairs = [("topic", hub.topic("csrf"))];
        let pairs = pairs
            .each_ref()
            .map(|(name, value)| (*name, value.as_str()));
        let request = hub.publication(&hub.writer(), &pairs);
        hub.ask(&request.field("Origin", origin))
            .await?
            .must_be(200)?;
    }
    Ok(())
}
