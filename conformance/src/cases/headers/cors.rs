//! Which pages may read an answer (D0-C1 to D0-C5, D1-C1, D1-C2).

use crate::case::{Case, Level};
use crate::http::{Answer, Request};
use crate::hub::{HUB, Hub};
use crate::objection::{Checked, Objection, holds};
use crate::setup::Setup;

pub(in crate::cases) fn cases() -> Vec<Case> {
    use Level::{Impl, Must, Own};
    let mut cases: Vec<_> = [
        Case::pair(
            Must,
            [&["D0-C2", "D0-C4"], &["D1-C1"]],
            "an allowed origin is named, with credentials; another is served and not named",
            actual_requests,
        )
        .map(|case| case.on(Setup::Origins)),
        Case::pair(
            Must,
            [&["D0-C5"], &["D1-C1"]],
            "* lets everybody read, without credentials",
            any_origin,
        )
        .map(|case| case.on(Setup::AnyOrigin)),
        Case::pair(
            Impl,
            [&["D0-C2"], &["D1-C1"]],
            "Vary: Origin, whoever asks",
            vary,
        )
        .map(|case| case.on(Setup::Origins)),
    ]
    .into_iter()
    .flatten()
    .collect();
    cases.extend([
        Case::new(
            Impl,
            &["D0-C1"],
            "no origin configured: no CORS header, and OPTIONS is 405",
            not_configured,
        )
        .on(Setup::NoOrigins),
        Case::new(
            Impl,
            &["D0-C3", "D0-C4"],
            "preflight: 204, with what was asked for if all of it is allowed",
            |hub| preflight(hub, &["GET", "POST"]),
        )
        .on(Setup::Origins),
        Case::new(Impl, &["D1-C2"], "preflight: also for QUERY", |hub| {
            preflight(hub, &["GET", "POST", "QUERY"])
        })
        .on(Setup::Origins),
        Case::new(
            Own,
            &["D0-G9"],
            "Last-Event-ID is readable for pages of other origins",
            |hub| exposed(hub, &["Last-Event-ID"]),
        )
        .on(Setup::Origins),
        Case::new(
            Must,
            &["D1-H6", "D1-C2"],
            "Link is readable for pages of other origins",
            |hub| exposed(hub, &["Link"]),
        )
        .on(Setup::Origins),
        Case::new(
            Own,
            &["D1-G5", "D1-H6"],
            "Mercure-Last-Event-ID is readable for pages of other origins",
            |hub| exposed(hub, &["Mercure-Last-Event-ID"]),
        )
        .on(Setup::Origins),
    ]);
    cases
}

const ALLOW_ORIGIN: &str = "Access-Control-Allow-Origin";
const ALLOW_CREDENTIALS: &str = "Access-Control-Allow-Credentials";
const EVIL: &str = "https://evil.example";

fn allowed(hub: &Hub) -> Result<String, Objection> {
    let unknown = || Objection::Inapplicable("no origin is known that may read".to_owned());
    hub.offer.cors_origin.clone().ok_or_else(unknown)
}

/// A stream, a publication, and a refusal, as a page of `origin` asks for them.
fn requests(hub: &Hub, origin: &str) -> [Request; 3] {
    let topic = hub.topic("cors");
    [
        hub.subscription(&[&topic]).bearer(&hub.reader()),
        hub.publication(&hub.writer(), &[("topic", &topic)]),
        Request::new("POST", HUB),
    ]
    .map(|request| request.field("Origin", origin))
}

async fn actual_requests(hub: Hub) -> Checked {
    let origin = allowed(&hub)?;
    for request in requests(&hub, &origin) {
        let answer = hub.ask(&request).await?;
        answer.must_have(ALLOW_ORIGIN, &origin)?;
        answer.must_have(ALLOW_CREDENTIALS, "true")?;
    }
    let [stream, publication, _] = requests(&hub, EVIL);
    for request in [stream, publication] {
        let answer = hub.ask(&request).await?;
        answer.must_be(200)?;
        answer.must_lack(ALLOW_ORIGIN)?;
        answer.must_lack(ALLOW_CREDENTIALS)?;
    }
    Ok(())
}

async fn any_origin(hub: Hub) -> Checked {
    for request in requests(&hub, EVIL) {
        let answer = hub.ask(&request).await?;
        answer.must_have(ALLOW_ORIGIN, "*")?;
        answer.must_lack(ALLOW_CREDENTIALS)?;
    }
    Ok(())
}

async fn vary(hub: Hub) -> Checked {
    let topic = hub.topic("vary");
    let without_origin = hub.subscription(&[&topic]).bearer(&hub.reader());
    let [stream, publication, refusal] = requests(&hub, EVIL);
    for request in [stream, publication, refusal, without_origin] {
        let answer = hub.ask(&request).await?;
        holds(
            answer.lists("Vary", "Origin"),
            "Vary: Origin",
            format!("Vary: {}", answer.value("Vary")),
        )?;
    }
    Ok(())
}

async fn not_configured(hub: Hub) -> Checked {
    for request in requests(&hub, EVIL) {
        hub.ask(&request).await?.must_lack(ALLOW_ORIGIN)?;
    }
    let preflight = preflight_of(&hub, EVIL, "GET", "authorization").await?;
    preflight.must_be(405)
}

async fn preflight_of(
    hub: &Hub,
    origin: &str,
    method: &str,
    fields: &str,
) -> Result<Answer, Objection> {
    let request = Request::new("OPTIONS", HUB)
        .field("Origin", origin)
        .field("Access-Control-Request-Method", method)
        .field("Access-Control-Request-Headers", fields);
    hub.ask(&request).await
}

async fn preflight(hub: Hub, methods: &[&str]) -> Checked {
    let origin = allowed(&hub)?;
    let fields = "authorization,cache-control,last-event-id";
    for method in methods {
        let answer = preflight_of(&hub, &origin, method, fields).await?;
        answer.must_be(204)?;
        answer.must_have(ALLOW_ORIGIN, &origin)?;
        answer.must_have(ALLOW_CREDENTIALS, "true")?;
        let is_listed = |name: &str, member: &str| {
            holds(
                answer.lists(name, member),
                format!("{name} with {member}"),
                format!("{name}: {}", answer.value(name)),
            )
        };
        is_listed("Access-Control-Allow-Methods", method)?;
        for field in fields.split(',') {
            is_listed("Access-Control-Allow-Headers", field)?;
        }
        is_listed("Vary", "Origin")?;
        is_listed("Vary", "Access-Control-Request-Method")?;
        is_listed("Vary", "Access-Control-Request-Headers")?;
    }
    for (origin, method, fields) in [
        (EVIL, "GET", "authorization"),
        (&origin, "DELETE", "authorization"),
        (&origin, "GET", "x-forbidden"),
    ] {
        let answer = preflight_of(&hub, origin, method, fields).await?;
        answer.must_be(204)?;
        let lets = answer.field(ALLOW_ORIGIN) == Some(origin)
            && answer.lists("Access-Control-Allow-Methods", method)
            && answer.lists("Access-Control-Allow-Headers", fields);
        let row = format!("{origin}, {method}, {fields}");
        holds(!lets, format!("{row} not let in"), "it is")?;
    }
    Ok(())
}

async fn exposed(hub: Hub, names: &[&str]) -> Checked {
    let origin = allowed(&hub)?;
    let [stream, ..] = requests(&hub, &origin);
    let answer = hub.ask(&stream.field("Last-Event-ID", "earliest")).await?;
    for name in names {
        let list = "Access-Control-Expose-Headers";
        holds(
            answer.lists(list, name),
            format!("{list} with {name}"),
            format!("{list}: {}", answer.value(list)),
        )?;
    }
    Ok(())
}
