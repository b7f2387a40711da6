//! URL space, fields of every answer, CORS, metadata (§2.1, §2.10, §3.7, §3.11).

mod cors;

use serde_json::{Value, json};

use crate::case::{Case, Level};
use crate::http::Request;
use crate::hub::{DETAIL, HUB, Hub, SUBSCRIPTIONS};
use crate::objection::{Checked, failed, holds, same};
use crate::setup::Setup;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = url_space();
    cases.extend(metadata());
    cases.extend(cors::cases());
    cases
}

fn url_space() -> Vec<Case> {
    use Level::{Impl, Must};
    vec![
        Case::new(
            Must,
            &["D0-U1", "D0-U2"],
            "GET and POST of the hub's path; other methods: 405",
            methods,
        ),
        Case::new(
            Impl,
            &["D0-U4"],
            "other paths below the hub's: 404",
            other_paths,
        ),
        Case::new(
            Impl,
            &["D0-U4"],
            "without presence its paths are 404",
            no_presence,
        )
        .on(Setup::NoPresence),
        Case::new(
            Impl,
            &["D0-U6"],
            "every answer carries the security headers",
            security_headers,
        ),
        Case::new(
            Impl,
            &["D0-U7"],
            "errors are text/plain, and end with a line feed",
            error_bodies,
        ),
        Case::new(
            Impl,
            &["D0-U3"],
            "no key for publishers: publishing is 405",
            |hub| async move {
                let request = hub.publication(&hub.writer(), &[("topic", "urn:x")]);
                hub.ask(&request).await?.must_be(405)
            },
        )
        .on(Setup::SubscriberOnly),
        Case::new(
            Impl,
            &["D0-U3"],
            "no key for subscribers and no anonymous ones: subscribing is 405",
            |hub| async move {
                let request = hub.subscription(&["urn:x"]).bearer(&hub.reader());
                hub.ask(&request).await?.must_be(405)
            },
        )
        .on(Setup::PublisherOnly),
        Case::new(
            Impl,
            &["D1-E8", "D1-A4"],
            "a host that is none of the public URLs: 421",
            misdirected,
        )
        .on(Setup::PublicUrl),
    ]
}

fn metadata() -> Vec<Case> {
    use Level::{Impl, Should};
    vec![
        Case::new(
            Should,
            &["D1-D1", "D1-D2", "D1-D4"],
            "the metadata document",
            document,
        ),
        Case::new(
            Impl,
            &["D1-D5", "D1-D6", "D1-D7", "D1-D3"],
            "the metadata document's other members",
            other_members,
        ),
        Case::new(
            Impl,
            &["D1-D8"],
            "the metadata document tells of presence",
            |hub| tells_of_presence(hub, Some(json!(true))),
        )
        .on(Setup::Presence),
        Case::new(
            Impl,
            &["D1-D8"],
            "without presence the metadata document says nothing of it",
            |hub| tells_of_presence(hub, None),
        )
        .on(Setup::NoPresence),
        Case::new(
            Impl,
            &["D1-D2", "D1-A4"],
            "the metadata document names the pinned identifier",
            |hub| async move {
                let resource = metadata_of(&hub).await?.get("resource").cloned();
                same("resource", &Some(json!(hub.audience)), &resource)
            },
        )
        .on(Setup::Pinned),
        Case::new(
            Should,
            &["D1-E1", "D1-E9"],
            "a challenge names the metadata document",
            challenge_names_document,
        )
        .on(Setup::Closed),
        Case::new(
            Impl,
            &["D1-D1", "DX-6"],
            "a hub that trusts no issuer has no metadata, and takes none of its tokens",
            no_issuer,
        )
        .on(Setup::NoIssuer),
    ]
}

async fn methods(hub: Hub) -> Checked {
    let stream = hub.subscription(&[&hub.topic("methods")]);
    hub.ask(&stream.bearer(&hub.reader())).await?.must_be(200)?;
    hub.publish(&[("topic", &hub.topic("methods"))]).await?;
    for method in ["PUT", "DELETE", "PATCH"] {
        let request = Request::new(method, HUB).bearer(&hub.writer());
        let answer = hub.ask(&request).await?;
        answer.must_be(405).map_err(|it| it.about(method))?;
    }
    Ok(())
}

async fn other_paths(hub: Hub) -> Checked {
    for path in [format!("{HUB}/"), format!("{HUB}/x"), format!("{HUB}/x/y")] {
        let request = Request::new("GET", format!("{path}?topic=x")).bearer(&hub.reader());
        let answer = hub.ask(&request).await?;
        answer.must_be(404).map_err(|it| it.about(path))?;
    }
    Ok(())
}

async fn no_presence(hub: Hub) -> Checked {
    let request = Request::new("GET", SUBSCRIPTIONS).bearer(&hub.reader());
    hub.ask(&request).await?.must_be(404)
}

async fn security_headers(hub: Hub) -> Checked {
    let topic = hub.topic("security");
    for request in [
        hub.subscription(&[&topic]).bearer(&hub.reader()),
        hub.publication(&hub.writer(), &[("topic", &topic)]),
        hub.publication(&hub.writer(), &[]),
        Request::new("POST", HUB).form(&[("topic", &topic)]),
    ] {
        let answer = hub.ask(&request).await?;
        answer.must_have("X-Frame-Options", "DENY")?;
        answer.must_have("X-Content-Type-Options", "nosniff")?;
        answer.must_have("X-XSS-Protection", "1; mode=block")?;
        let policy = answer.value("Content-Security-Policy");
        holds(
            policy.starts_with("default-src 'self'"),
            "Content-Security-Policy: default-src 'self'",
            format!("Content-Security-Policy: {policy}"),
        )?;
    }
    Ok(())
}

async fn error_bodies(hub: Hub) -> Checked {
    let topic = hub.topic("errors");
    for request in [
        Request::new("POST", HUB).form(&[("topic", &topic)]),
        hub.publication(&hub.writer(), &[("data", "x")]),
        Request::new("GET", HUB).bearer(&hub.reader()),
    ] {
        let answer = hub.ask(&request).await?;
        let media_type = answer.value("Content-Type").to_ascii_lowercase();
        same(
            "Content-Type",
            "text/plain; charset=utf-8",
            media_type.as_str(),
        )?;
        let is_line = answer.body.len() > 1 && answer.body.ends_with('\n');
        holds(is_line, "a text that ends with a line feed", &answer)?;
        if answer.status == 401 {
            same("body", "Unauthorized\n", answer.body.as_str())?;
        }
    }
    Ok(())
}

async fn misdirected(hub: Hub) -> Checked {
    let topic = hub.topic("misdirected");
    let audience = json!("https://hub.example/.well-known/mercure");
    let token = hub.token(&["*"], &["*"]).claim("aud", audience).sign();
    for (host, status) in [("hub.example", 200), ("other.example", 421)] {
        for request in [
            hub.subscription(&[&topic]).bearer(&token),
            hub.publication(&token, &[("topic", &topic)]),
        ] {
            let request = request
                .field("Host", host)
                .field("X-Forwarded-Proto", "https");
            let answer = hub.ask(&request).await?;
            answer.must_be(status).map_err(|it| it.about(host))?;
        }
    }
    Ok(())
}

const METADATA: &str = "/.well-known/oauth-protected-resource/.well-known/mercure";

async fn metadata_of(hub: &Hub) -> Result<Value, crate::objection::Objection> {
    let answer = hub.ask(&Request::new("GET", METADATA)).await?;
    answer.must_be(200)?;
    let media_type = answer.value("Content-Type");
    holds(
        media_type.split(';').next() == Some("application/json"),
        "Content-Type: application/json",
        format!("Content-Type: {media_type}"),
    )?;
    serde_json::from_str(&answer.body).map_err(|error| failed("JSON", error))
}

async fn document(hub: Hub) -> Checked {
    let document = metadata_of(&hub).await?;
    let resource = document.get("resource");
    same("resource", &Some(&json!(hub.audience)), &resource)?;
    let types = document.get("authorization_details_types_supported");
    same("types", &Some(&json!([DETAIL])), &types)
}

async fn other_members(hub: Hub) -> Checked {
    let document = metadata_of(&hub).await?;
    let methods = document.get("bearer_methods_supported");
    same(
        "bearer_methods_supported",
        &Some(&json!(["header"])),
        &methods,
    )?;
    let cookie = document.get("mercure_cookie");
    holds(
        cookie.is_none_or(|cookie| cookie.as_str().is_some_and(|name| !name.is_empty())),
        "mercure_cookie with a name, or none",
        &document,
    )?;
    let types = document.get("mercure_matcher_types_supported");
    let lists = |types: &Value, name: &str| {
        let all = types.as_array();
        all.is_some_and(|all| all.contains(&json!(name)))
    };
    holds(
        types.is_none_or(|types| lists(types, "exact") && lists(types, "urlpattern")),
        "exact and urlpattern among mercure_matcher_types_supported, or none",
        &document,
    )?;
    let servers = document.get("authorization_servers");
    holds(
        servers.is_none_or(|servers| servers.as_array().is_some_and(|all| !all.is_empty())),
        "authorization_servers with an issuer, or none",
        &document,
    )
}

async fn tells_of_presence(hub: Hub, expected: Option<Value>) -> Checked {
    let told = metadata_of(&hub)
        .await?
        .get("mercure_subscriptions")
        .cloned();
    same("mercure_subscriptions", &expected, &told)
}

async fn challenge_names_document(hub: Hub) -> Checked {
    let answer = hub.ask(&hub.subscription(&["urn:x"])).await?;
    answer.must_be(401)?;
    let challenge = answer.value("WWW-Authenticate");
    holds(
        challenge.contains("resource_metadata=\"") && challenge.contains(METADATA),
        format!("a challenge with resource_metadata and {METADATA}"),
        format!("WWW-Authenticate: {challenge}"),
    )
}

async fn no_issuer(hub: Hub) -> Checked {
    hub.ask(&Request::new("GET", METADATA))
        .await?
        .must_be(404)?;
    let request = hub.publication(&hub.writer(), &[("topic", "urn:x")]);
    hub.ask(&request).await?.must_be(401)
}
