//! Tokens, presented by publishers and by subscribers (§2.7, §3.5, §3.6).

mod claims;
mod places;

use serde_json::json;

use crate::case::{Case, Level};
use crate::clock;
use crate::http::{Answer, Request};
use crate::hub::{HUB, Hub};
use crate::objection::{Checked, holds};
use crate::setup::Setup;
use crate::token::Token;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = signatures();
    cases.extend(claims::cases());
    cases.extend(places::cases());
    cases
}

fn signatures() -> Vec<Case> {
    use Level::Must;
    [
        Case::pair(
            Must,
            [&["D0-A7", "D0-A11"], &["D1-E1", "D1-E9"]],
            "publishing without a token: 401",
            publishing_without_token,
        ),
        Case::pair(
            Must,
            [&["D0-A8"], &["D1-E1", "D1-A14"]],
            "subscribing without a token to a hub that wants one: 401",
            subscribing_without_token,
        )
        .map(|case| case.on(Setup::Closed)),
        Case::pair(
            Must,
            [&["D0-A4"], &["D1-A2", "D1-E2"]],
            "another key, another algorithm, none, no token at all: 401",
            bad_signatures,
        ),
        Case::pair(
            Must,
            [&["D0-A5"], &["D1-A3", "D1-E2"]],
            "expired, or not valid yet: 401",
            out_of_time,
        ),
        Case::pair(
            Must,
            [&["D0-A8"], &["D1-A14", "D1-E2"]],
            "a token that fails is 401 also where anonymous subscribers are admitted",
            bad_token_where_anonymous,
        )
        .map(|case| case.on(Setup::Anonymous)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A publication and a subscription that would be taken with a token.
fn both_roles(hub: &Hub) -> [Request; 2] {
    let publication = Request::new("POST", HUB).form(&[("topic", &hub.topic("token"))]);
    [publication, hub.subscription(&[&hub.topic("token")])]
}

/// Everything is granted, so that only what is wrong with it can refuse it.
fn good(hub: &Hub) -> Token {
    hub.token(&["*"], &["*"])
}

/// Presents each of `tokens` as publisher and as subscriber, and wants 401 each time.
async fn refused_in_both_roles(hub: &Hub, tokens: &[(&str, String)]) -> Checked {
    for (what, token) in tokens {
        for request in both_roles(hub) {
            let answer = hub.ask(&request.clone().bearer(token)).await?;
            let role = request.method;
            invalid(hub, &answer).map_err(|it| it.about(format!("{role}, {what}")))?;
        }
    }
    Ok(())
}

/// Presents each of `tokens` as publisher and as subscriber, and wants 200 each time.
async fn taken_in_both_roles(hub: &Hub, tokens: &[(&str, String)]) -> Checked {
    for (what, token) in tokens {
        for request in both_roles(hub) {
            let answer = hub.ask(&request.clone().bearer(token)).await?;
            let role = request.method;
            answer
                .must_be(200)
                .map_err(|it| it.about(format!("{role}, {what}")))?;
        }
    }
    Ok(())
}

/// What a token gets that is not valid.
fn invalid(hub: &Hub, answer: &Answer) -> Checked {
    answer.must_be(401)?;
    if hub.is_d1() {
        challenge(answer, Some("invalid_token"))?;
    }
    Ok(())
}

/// Holds the challenge of RFC 6750 to its `error`, or to having none.
pub(super) fn challenge(answer: &Answer, error: Option<&str>) -> Checked {
    let challenge = answer.value("WWW-Authenticate");
    let got = format!("status {}, WWW-Authenticate: {challenge:?}", answer.status);
    holds(
        challenge.starts_with("Bearer"),
        "a WWW-Authenticate: Bearer",
        &got,
    )?;
    match error {
        Some(error) => holds(
            challenge.contains(&format!("error=\"{error}\"")),
            format!("a challenge with error=\"{error}\""),
            got,
        ),
        None => holds(
            !challenge.contains("error="),
            "a challenge without an error",
            got,
        ),
    }
}

async fn publishing_without_token(hub: Hub) -> Checked {
    let [publication, _] = both_roles(&hub);
    let answer = hub.ask(&publication).await?;
    answer.must_be(401)?;
    match hub.is_d1() {
        true => challenge(&answer, None),
        false => Ok(()),
    }
}

async fn subscribing_without_token(hub: Hub) -> Checked {
    let [_, subscription] = both_roles(&hub);
    let answer = hub.ask(&subscription).await?;
    answer.must_be(401)?;
    match hub.is_d1() {
        true => challenge(&answer, None),
        false => Ok(()),
    }
}

fn bad_tokens(hub: &Hub) -> Vec<(&'static str, String)> {
    let good_one = good(hub).sign();
    let (signed, signature) = good_one.rsplit_once('.').unwrap_or_default();
    let other_claims = hub.token(&["*"], &["*"]).claim("x", json!(1)).sign();
    let (other, _) = other_claims.rsplit_once('.').unwrap_or_default();
    let other_key = good(hub).key("another key, which the hub does not know");
    let key_of_its_own =
        json!({"kty": "oct", "k": "YW5vdGhlciBrZXksIHdoaWNoIHRoZSBodWIgZG9lcyBub3Qga25vdw"});
    let mut tokens = vec![
        ("another key", other_key.sign()),
        (
            "a key inside the token",
            other_key.header("jwk", key_of_its_own).sign(),
        ),
        ("HS512", good(hub).header("alg", json!("HS512")).sign()),
        ("HS384", good(hub).header("alg", json!("HS384")).sign()),
        ("alg none", good(hub).header("alg", json!("none")).sign()),
        ("alg None", good(hub).header("alg", json!("None")).sign()),
        ("no signature", format!("{signed}.")),
        ("another token's signature", format!("{other}.{signature}")),
    ];
    // What cannot be read is of no dialect, so a hub that speaks both may answer as either.
    if !hub.is_d1() {
        tokens.push(("two parts", signed.to_owned()));
        tokens.push(("no token at all", "x".repeat(60)));
    }
    tokens
}

async fn bad_signatures(hub: Hub) -> Checked {
    refused_in_both_roles(&hub, &bad_tokens(&hub)).await
}

async fn out_of_time(hub: Hub) -> Checked {
    let now = clock::seconds();
    let tokens = [
        ("expired", good(&hub).claim("exp", json!(now - 600)).sign()),
        (
            "not valid yet",
            good(&hub).claim("nbf", json!(now + 600)).sign(),
        ),
    ];
    refused_in_both_roles(&hub, &tokens).await
}

async fn bad_token_where_anonymous(hub: Hub) -> Checked {
    let [_, subscription] = both_roles(&hub);
    hub.ask(&subscription).await?.must_be(200)?;
    let expired = good(&hub).claim("exp", json!(clock::seconds() - 600));
    for (what, token) in bad_tokens(&hub)
        .into_iter()
        .chain([("expired", expired.sign())])
    {
        let answer = hub.ask(&subscription.clone().bearer(&token)).await?;
        invalid(&hub, &answer).map_err(|it| it.about(what))?;
    }
    Ok(())
}
