//! A hub that speaks both dialects at once (§4): each request tells its own.

mod shared;

use serde_json::json;

use crate::case::{Case, Level};
use crate::http::{Answer, Request};
use crate::hub::{D0_COOKIE, D1_COOKIE, Dialect, HUB, Hub};
use crate::objection::{Checked, holds, same};
use crate::setup::Setup;

pub(super) fn cases() -> Vec<Case> {
    use Level::Own;
    let mut cases = vec![
        Case::new(
            Own,
            &["DX-1", "DX-2", "D1-G1"],
            "topic asks in the older dialect, match in the newer",
            parameters,
        ),
        Case::new(
            Own,
            &["DX-3"],
            "topic and match at once: 400, and the text names both",
            ambiguous,
        ),
        Case::new(
            Own,
            &["DX-4"],
            "neither: 401 with the challenge where a token is needed, else 400",
            neither,
        )
        .on(Setup::Closed),
        Case::new(
            Own,
            &["DX-5", "DX-10"],
            "a token's typ decides how it is judged, whatever the request's dialect",
            tokens,
        ),
        Case::new(
            Own,
            &["DX-6"],
            "an older token where the operator gave no older key: 401",
            no_older_key,
        )
        .on(Setup::TwoIssuers),
        Case::new(
            Own,
            &["DX-7"],
            "cookies count for the requests of their dialect only",
            cookies,
        )
        .on(Setup::Closed),
        Case::new(
            Own,
            &["DX-7", "D1-A5"],
            "the query parameter authorization carries no token of the newer dialect",
            query_parameter,
        )
        .on(Setup::Closed),
        Case::new(
            Own,
            &["DX-10", "DX-11", "DX-12"],
            "what is refused has the status of the token's dialect",
            statuses,
        ),
        Case::new(
            Own,
            &["DX-11", "D0-A11"],
            "without a readable token the request's dialect decides",
            unreadable,
        ),
    ];
    cases.extend(shared::cases());
    cases
}

/// The same hub in either dialect.
fn both(hub: &Hub) -> [Hub; 2] {
    [Dialect::D0, Dialect::D1].map(|dialect| hub.speaking(dialect))
}

async fn parameters(hub: Hub) -> Checked {
    let [older, newer] = both(&hub);
    let template = hub.topic("{id}");
    let topic = hub.topic("1");
    let mut by_topic = older.subscribe(&[&template, &hub.topic("marker")]).await?;
    let mut by_match = newer.subscribe(&[&template, &hub.topic("marker")]).await?;
    older.mark(&topic, &hub.id("1")).await?;
    older.mark(&hub.topic("marker"), &hub.id("marker")).await?;
    let marker = hub.id("marker");
    let seen = by_topic.ids_until(&marker).await?;
    same("ids by template", &vec![hub.id("1")], &seen)?;
    let seen = by_match.ids_until(&marker).await?;
    same("ids by exact match", &Vec::new(), &seen)
}

async fn ambiguous(hub: Hub) -> Checked {
    for (pairs, name) in [
        ([("topic", "a"), ("match", "a")], "match"),
        (
            [("match_urlpattern", "a"), ("topic", "a")],
            "match_urlpattern",
        ),
        ([("topic", "a"), ("Match", "a")], "Match"),
        ([("topic", "a"), ("matching", "a")], "matching"),
    ] {
        for hub in both(&hub) {
            let answer = hub.ask(&hub.query(&pairs).bearer(&hub.reader())).await?;
            answer.must_be(400).map_err(|it| it.about(name))?;
            holds(
                answer.body.contains("topic") && answer.body.contains(name),
                format!("a text that names topic and {name}"),
                &answer,
            )?;
        }
    }
    Ok(())
}

async fn neither(hub: Hub) -> Checked {
    let answer = hub.ask(&Request::new("GET", HUB)).await?;
    answer.must_be(401)?;
    super::tokens::challenge(&answer, None)?;
    for hub in both(&hub) {
        let request = Request::new("GET", HUB).bearer(&hub.reader());
        hub.ask(&request).await?.must_be(400)?;
    }
    Ok(())
}

async fn tokens(hub: Hub) -> Checked {
    let topic = hub.topic("tokens");
    let [older, newer] = both(&hub);
    for (asking, holding) in [(&older, &newer), (&newer, &older)] {
        let exact = holding.token(&[], &[&topic]).sign();
        let mut stream = asking.subscribe_by(&exact, &[&topic]).await?;
        let id = hub.id(&uuid::Uuid::new_v4().to_string());
        holding
            .publish(&[("topic", &topic), ("id", &id), ("private", "on")])
            .await?;
        stream.event_of(&id).await?;
        let expired = holding.token(&[], &["*"]).claim("exp", json!(1)).sign();
        let request = asking.subscription(&[&topic]).bearer(&expired);
        hub.ask(&request).await?.must_be(401)?;
    }
    // Judged as the newer dialect's, it lacks what that one requires.
    let renamed = older.token(&["*"], &["*"]).header("typ", json!("at+jwt"));
    let request = older.subscription(&[&topic]).bearer(&renamed.sign());
    hub.ask(&request).await?.must_be(401)
}

async fn no_older_key(hub: Hub) -> Checked {
    let [older, newer] = both(&hub);
    let token = older.token(&["*"], &["*"]).sign();
    for request in [
        newer.subscription(&["urn:x"]).bearer(&token),
        older.publication(&token, &[("topic", "urn:x")]),
    ] {
        let answer = hub.ask(&request).await?;
        answer.must_be(401)?;
    }
    Ok(())
}

async fn cookies(hub: Hub) -> Checked {
    let [older, newer] = both(&hub);
    let (old, new) = (older.reader(), newer.reader());
    for (request, cookie, token, status) in [
        (older.subscription(&["urn:x"]), D0_COOKIE, &old, 200),
        (older.subscription(&["urn:x"]), D1_COOKIE, &new, 401),
        (newer.subscription(&["urn:x"]), D1_COOKIE, &new, 200),
        (newer.subscription(&["urn:x"]), D0_COOKIE, &old, 401),
    ] {
        let row = format!("{} with {cookie}", request.target);
        let answer = hub.ask(&request.cookie(cookie, token)).await?;
        answer.must_be(status).map_err(|it| it.about(row))?;
    }
    Ok(())
}

async fn query_parameter(hub: Hub) -> Checked {
    let [older, newer] = both(&hub);
    let token = newer.token(&["*"], &["*"]).sign();
    for mut request in [
        older.subscription(&["urn:x"]),
        Request::new("POST", format!("{HUB}?")).form(&[("topic", "urn:x")]),
    ] {
        request.target.push_str(&format!("&authorization={token}"));
        hub.ask(&request).await?.must_be(401)?;
    }
    Ok(())
}

async fn statuses(hub: Hub) -> Checked {
    let [older, newer] = both(&hub);
    for (hub, not_granted, reserved) in [(&older, 401, 403), (&newer, 403, 400)] {
        let narrow = hub.token(&[&hub.topic("granted")], &[]).sign();
        let request = hub.publication(&narrow, &[("topic", &hub.topic("other"))]);
        hub.ask(&request).await?.must_be(not_granted)?;
        let reserved_topic = [("topic", "/.well-known/mercure/x")];
        let request = hub.publication(&hub.writer(), &reserved_topic);
        hub.ask(&request).await?.must_be(reserved)?;
        let request = hub.publication(&hub.writer(), &[("topic", "*")]);
        hub.ask(&request).await?.must_be(400)?;
    }
    Ok(())
}

async fn unreadable(hub: Hub) -> Checked {
    let [older, newer] = both(&hub);
    let garbage = "x".repeat(60);
    let answer = hub
        .ask(&newer.subscription(&["urn:x"]).bearer(&garbage))
        .await?;
    answer.must_be(401)?;
    super::tokens::challenge(&answer, Some("invalid_token"))?;
    let answer = hub
        .ask(&older.subscription(&["urn:x"]).bearer(&garbage))
        .await?;
    older_style(&answer)?;
    let publication = Request::new("POST", HUB).form(&[("topic", "urn:x")]);
    let answer = hub.ask(&publication.bearer(&garbage)).await?;
    older_style(&answer)
}

fn older_style(answer: &Answer) -> Checked {
    answer.must_be(401)?;
    same("body", "Unauthorized\n", answer.body.as_str())
}
