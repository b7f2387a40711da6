//! Where a token may stand, and which place counts (D0-A1 to D0-A3, D1-A5, D1-E4).

use super::{both_roles, challenge, good};
use crate::case::{Case, Level};
use crate::http::Request;
use crate::hub::{D0_COOKIE, D1_COOKIE, HUB, Hub};
use crate::objection::Checked;
use crate::setup::Setup;

pub(super) fn cases() -> Vec<Case> {
    use Level::{Impl, Must, Should};
    vec![
        Case::new(
            Impl,
            &["D0-A1"],
            "no prefix, another one, in lower case, two spaces, too short, twice: 401",
            malformed_headers,
        ),
        Case::new(
            Impl,
            &["D0-A2"],
            "the query parameter authorization, also when publishing; twice or too short: 401",
            query_parameter,
        )
        .on(Setup::Closed),
        Case::new(
            Must,
            &["D0-A3", "DX-7"],
            "the cookie mercureAuthorization carries a token",
            |hub| cookie(hub, D0_COOKIE),
        )
        .on(Setup::Closed),
        Case::new(
            Must,
            &["D0-A1", "D0-A2", "D0-A3"],
            "header, then query, then cookie, even if the higher one is bad",
            precedence,
        )
        .on(Setup::Closed),
        Case::new(Must, &["D1-A5"], "the scheme bearer in any case", any_case).on(Setup::Closed),
        Case::new(
            Must,
            &["D1-E4"],
            "a malformed or repeated Authorization: 400 invalid_request",
            invalid_requests,
        ),
        Case::new(
            Must,
            &["D1-A5", "D1-E1", "DX-7"],
            "authorization and access_token in the query are ignored",
            ignored_query,
        )
        .on(Setup::Closed),
        Case::new(
            Should,
            &["D1-A5", "DX-7"],
            "the cookie __Secure-mercure_access_token carries a token",
            |hub| cookie(hub, D1_COOKIE),
        )
        .on(Setup::Closed),
        Case::new(
            Must,
            &["D1-A5", "DX-7"],
            "the older dialect's cookie is ignored",
            ignored_cookie,
        )
        .on(Setup::Closed),
        Case::new(
            Must,
            &["D1-A5"],
            "with a header the cookie is ignored, whichever is bad",
            header_before_cookie,
        )
        .on(Setup::Closed),
    ]
}

/// A subscription that a token would open.
fn subscription(hub: &Hub) -> Request {
    hub.subscription(&[&hub.topic("place")])
}

fn bad(hub: &Hub) -> String {
    good(hub)
        .key("another key, which the hub does not know")
        .sign()
}

/// The query parameter `name` in addition to those that the request has.
fn with_query(mut request: Request, name: &str, value: &str) -> Request {
    let separator = if request.target.contains('?') {
        '&'
    } else {
        '?'
    };
    request
        .target
        .push_str(&format!("{separator}{name}={value}"));
    request
}

async fn malformed_headers(hub: Hub) -> Checked {
    let token = good(&hub).sign();
    let values = [
        token.clone(),
        format!("Basic {token}"),
        format!("bearer {token}"),
        format!("BEARER {token}"),
        format!("Bearer  {token}"),
        "Bearer short".to_owned(),
    ];
    for request in both_roles(&hub) {
        for value in &values {
            let answer = hub
                .ask(&request.clone().field("Authorization", value))
                .await?;
            let row: String = value.chars().take(20).collect();
            answer.must_be(401).map_err(|it| it.about(row))?;
        }
        let twice = request.bearer(&token).bearer(&token);
        let answer = hub.ask(&twice).await?;
        answer.must_be(401).map_err(|it| it.about("two fields"))?;
    }
    Ok(())
}

async fn query_parameter(hub: Hub) -> Checked {
    let token = good(&hub).sign();
    for request in both_roles(&hub) {
        let once = with_query(request.clone(), "authorization", &token);
        hub.ask(&once).await?.must_be(200)?;
        let twice = with_query(once, "authorization", &token);
        let answer = hub.ask(&twice).await?;
        answer
            .must_be(401)
            .map_err(|it| it.about("two parameters"))?;
        let short = with_query(request, "authorization", "short");
        let answer = hub.ask(&short).await?;
        answer.must_be(401).map_err(|it| it.about("too short"))?;
    }
    Ok(())
}

async fn cookie(hub: Hub, name: &str) -> Checked {
    let request = subscription(&hub).cookie(name, &good(&hub).sign());
    hub.ask(&request).await?.must_be(200)?;
    let request = subscription(&hub).cookie(name, &bad(&hub));
    hub.ask(&request).await?.must_be(401)
}

async fn precedence(hub: Hub) -> Checked {
    let (good, bad) = (good(&hub).sign(), bad(&hub));
    let rows = [
        (Some(&good), Some(&bad), Some(&bad), 200),
        (Some(&bad), Some(&good), Some(&good), 401),
        (None, Some(&good), Some(&bad), 200),
        (None, Some(&bad), Some(&good), 401),
        (Some(&good), None, Some(&bad), 200),
        (Some(&bad), None, Some(&good), 401),
    ];
    for (header, query, cookie, status) in rows {
        let mut request = subscription(&hub);
        if let Some(token) = header {
            request = request.bearer(token);
        }
        if let Some(token) = query {
            request = with_query(request, "authorization", token);
        }
        if let Some(token) = cookie {
            request = request.cookie(D0_COOKIE, token);
        }
        let verdict = |token: Option<&String>| match token {
            Some(token) if *token == good => "good",
            Some(_) => "bad",
            None => "none",
        };
        let row = format!(
            "header {}, query {}, cookie {}",
            verdict(header),
            verdict(query),
            verdict(cookie)
        );
        let answer = hub.ask(&request).await?;
        answer.must_be(status).map_err(|it| it.about(row))?;
    }
    Ok(())
}

async fn any_case(hub: Hub) -> Checked {
    for scheme in ["Bearer", "bearer", "BEARER"] {
        let value = format!("{scheme} {}", good(&hub).sign());
        for request in both_roles(&hub) {
            let answer = hub.ask(&request.field("Authorization", &value)).await?;
            answer.must_be(200).map_err(|it| it.about(scheme))?;
        }
    }
    Ok(())
}

async fn invalid_requests(hub: Hub) -> Checked {
    let token = good(&hub).sign();
    let subscription = subscription(&hub);
    let rows = [
        (
            "too short",
            subscription.clone().field("Authorization", "Bearer"),
        ),
        (
            "no scheme",
            subscription.clone().field("Authorization", &token),
        ),
        ("two fields", subscription.bearer(&token).bearer(&token)),
    ];
    for (row, request) in rows {
        let answer = hub.ask(&request).await?;
        let right = answer.must_be(400);
        right
            .and_then(|()| challenge(&answer, Some("invalid_request")))
            .map_err(|it| it.about(row))?;
    }
    Ok(())
}

async fn ignored_query(hub: Hub) -> Checked {
    let token = good(&hub).sign();
    for name in ["authorization", "access_token"] {
        let answer = hub
            .ask(&with_query(subscription(&hub), name, &token))
            .await?;
        let right = answer.must_be(401);
        right
            .and_then(|()| challenge(&answer, None))
            .map_err(|it| it.about(name))?;
        let publication = Request::new("POST", HUB).form(&[("topic", &hub.topic("place"))]);
        let answer = hub.ask(&with_query(publication, name, &token)).await?;
        answer.must_be(401).map_err(|it| it.about(name))?;
        let good_header = with_query(subscription(&hub), name, "x").bearer(&token);
        let answer = hub.ask(&good_header).await?;
        answer.must_be(200).map_err(|it| it.about(name))?;
    }
    Ok(())
}

async fn ignored_cookie(hub: Hub) -> Checked {
    let request = subscription(&hub).cookie(D0_COOKIE, &good(&hub).sign());
    let answer = hub.ask(&request).await?;
    answer.must_be(401)?;
    challenge(&answer, None)
}

async fn header_before_cookie(hub: Hub) -> Checked {
    let (good, bad) = (good(&hub).sign(), bad(&hub));
    for (header, cookie, status) in [(&good, &bad, 200), (&bad, &good, 401)] {
        let request = subscription(&hub).bearer(header).cookie(D1_COOKIE, cookie);
        hub.ask(&request).await?.must_be(status)?;
    }
    Ok(())
}
