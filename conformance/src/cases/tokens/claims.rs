//! What stands in a token (D0-A5 to D0-A7, D1-A1 to D1-A12).

use serde_json::{Value, json};

use super::{challenge, good, refused_in_both_roles, taken_in_both_roles};
use crate::case::{Case, Level};
use crate::hub::{DETAIL, Hub, detail};
use crate::objection::{Checked, holds};
use crate::setup::{ISSUER, OTHER_ISSUER, OTHER_KEY, Setup};
use crate::token::Token;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = older();
    cases.extend(newer());
    cases
}

fn older() -> Vec<Case> {
    use Level::{Impl, Must};
    vec![
        Case::new(
            Must,
            &["D0-A7"],
            "no grant to publish, null, or none in it: refused",
            |hub| no_publish_grant(hub, &[401, 403]),
        ),
        Case::new(
            Impl,
            &["D0-A7", "D0-G1"],
            "no grant to publish, null, or none in it: exactly 401",
            |hub| no_publish_grant(hub, &[401]),
        ),
        Case::new(
            Impl,
            &["D0-A6"],
            "the claim https://mercure.rocks/ replaces mercure",
            namespaced_claim,
        ),
        Case::new(
            Impl,
            &["D0-A6"],
            "grants that are no arrays, or have more than a thousand entries: 401",
            malformed_grants,
        ),
        Case::new(
            Impl,
            &["D0-A5"],
            "neither exp nor nbf is required; iat, iss and aud are not checked",
            free_claims,
        ),
    ]
}

#[expect(clippy::too_many_lines, reason = "a list, without control flow")]
fn newer() -> Vec<Case> {
    use Level::{Impl, Must, Own};
    vec![
        Case::new(
            Must,
            &["D1-A1"],
            "typ is at+jwt or application/at+jwt, in any case",
            typ_of_access_tokens,
        ),
        Case::new(
            Must,
            &["D1-A1", "D1-E2", "DX-6"],
            "without the typ it is no access token: 401",
            typ_missing,
        )
        .on(Setup::TwoIssuers),
        Case::new(
            Must,
            &["D1-A3", "D1-E2"],
            "wrong or missing aud, exp, iss: 401",
            required_claims,
        ),
        Case::new(
            Must,
            &["D1-A3"],
            "aud may be an array that contains the hub",
            array_of_audiences,
        ),
        Case::new(
            Must,
            &["D1-A7", "D1-A3"],
            "a key counts for its own issuer and role only",
            keys_are_bound,
        )
        .on(Setup::TwoIssuers),
        Case::new(
            Must,
            &["D1-A4"],
            "a pinned resource identifier is the only audience",
            pinned_audience,
        )
        .on(Setup::Pinned),
        Case::new(
            Must,
            &["D1-A8", "D1-A13", "D1-E3"],
            "a token without details is valid and grants nothing",
            no_details,
        ),
        Case::new(
            Must,
            &["D1-A8", "D1-A9"],
            "details of other types and unknown actions do no harm",
            harmless_details,
        ),
        Case::new(
            Must,
            &["D1-A9", "D1-A10", "D1-A12", "D1-M5"],
            "one bad detail spoils the whole token: 401",
            |hub| bad_details(hub, malformed()),
        ),
        Case::new(
            Own,
            &["D1-G8", "D1-A10"],
            "an empty match spoils the whole token: 401",
            |hub| bad_details(hub, vec![with_topics(&json!([{"match": ""}]))]),
        ),
        Case::new(
            Impl,
            &["D1-A12"],
            "more than a hundred details, or matchers in total: 401",
            |hub| {
                let many = vec![json!({"match": "a"}); 101];
                let details = json!(vec![detail("publish", &["a"]); 101]);
                bad_details(hub, vec![with_topics(&json!(many)), details])
            },
        ),
        Case::new(
            Own,
            &["D1-G7", "D1-A11"],
            "a payload may be any JSON value",
            any_payload,
        ),
    ]
}

async fn no_publish_grant(hub: Hub, statuses: &[u16]) -> Checked {
    let claims = [
        json!({"subscribe": ["*"]}),
        json!({"publish": null}),
        json!({"publish": []}),
        json!({}),
    ];
    let topic = hub.topic("no-grant");
    for claim in claims {
        let token = Token::d0(&hub.key, claim.clone()).sign();
        let answer = hub
            .ask(&hub.publication(&token, &[("topic", &topic)]))
            .await?;
        answer
            .must_be_one_of(statuses)
            .map_err(|it| it.about(format!("mercure: {claim}")))?;
    }
    Ok(())
}

async fn namespaced_claim(hub: Hub) -> Checked {
    let all = json!({"publish": ["*"], "subscribe": ["*"]});
    let nothing = json!({"publish": [], "subscribe": []});
    let name = "https://mercure.rocks/";
    let granting = Token::d0(&hub.key, nothing.clone()).claim(name, all.clone());
    let alone = granting.clone().without("mercure");
    taken_in_both_roles(&hub, &[("both", granting.sign()), ("alone", alone.sign())]).await?;
    let denying = Token::d0(&hub.key, all).claim(name, nothing).sign();
    let request = hub.publication(&denying, &[("topic", &hub.topic("denied"))]);
    hub.ask(&request).await?.must_be_one_of(&[401, 403])
}

async fn malformed_grants(hub: Hub) -> Checked {
    let many = vec!["a"; 1001];
    let claims = [
        json!({"publish": "*", "subscribe": "*"}),
        json!({"publish": ["*", 1], "subscribe": ["*", 1]}),
        json!({"publish": {"a": "*"}, "subscribe": {"a": "*"}}),
        json!({"publish": ["*"], "subscribe": many}),
        json!({"publish": many, "subscribe": ["*"]}),
        json!("*"),
    ];
    for claim in claims {
        let token = Token::d0(&hub.key, claim.clone()).sign();
        let what: String = format!("mercure: {claim}").chars().take(60).collect();
        refused_in_both_roles(&hub, &[(&what, token)]).await?;
    }
    Ok(())
}

async fn free_claims(hub: Hub) -> Checked {
    let mut token = good(&hub);
    for claim in ["iss", "aud"] {
        token = token.claim(claim, json!("somebody else"));
    }
    let token = token.claim("iat", json!(crate::clock::seconds() + 600));
    taken_in_both_roles(&hub, &[("foreign claims", token.sign())]).await
}

async fn typ_of_access_tokens(hub: Hub) -> Checked {
    let types = [
        "at+jwt",
        "AT+JWT",
        "application/at+jwt",
        "Application/At+Jwt",
    ];
    let tokens = types.map(|typ| (typ, good(&hub).header("typ", json!(typ)).sign()));
    taken_in_both_roles(&hub, &tokens).await
}

async fn typ_missing(hub: Hub) -> Checked {
    let types = [json!("JWT"), json!("at"), json!(null), json!("x/at+jwt")];
    for typ in types {
        let what = format!("typ {typ}");
        let token = good(&hub).header("typ", typ).sign();
        refused_in_both_roles(&hub, &[(&what, token)]).await?;
    }
    Ok(())
}

async fn required_claims(hub: Hub) -> Checked {
    let other = json!("https://other.example/.well-known/mercure");
    let tokens = [
        ("no aud", good(&hub).without("aud").sign()),
        ("another aud", good(&hub).claim("aud", other.clone()).sign()),
        (
            "aud of others",
            good(&hub).claim("aud", json!([other])).sign(),
        ),
        ("no exp", good(&hub).without("exp").sign()),
        ("no iss", good(&hub).without("iss").sign()),
        (
            "unknown iss",
            good(&hub)
                .claim("iss", json!("https://nobody.example"))
                .sign(),
        ),
    ];
    refused_in_both_roles(&hub, &tokens).await
}

async fn array_of_audiences(hub: Hub) -> Checked {
    let audiences = json!(["https://other.example/", hub.audience]);
    let token = good(&hub).claim("aud", audiences).sign();
    taken_in_both_roles(&hub, &[("two audiences", token)]).await
}

async fn keys_are_bound(hub: Hub) -> Checked {
    let other = good(&hub).claim("iss", json!(OTHER_ISSUER));
    let with_its_key = other.clone().key(OTHER_KEY);
    let request = hub.publication(&with_its_key.sign(), &[("topic", &hub.topic("other"))]);
    hub.ask(&request).await?.must_be(200)?;
    // This issuer has no key for subscribers, and nobody else's counts.
    let subscription = hub.subscription(&[&hub.topic("other")]);
    let answer = hub.ask(&subscription.bearer(&with_its_key.sign())).await?;
    super::invalid(&hub, &answer).map_err(|it| it.about("a role without a key"))?;
    let swapped = good(&hub).claim("iss", json!(ISSUER)).key(OTHER_KEY);
    let tokens = [
        ("the other issuer's name", other.sign()),
        ("the other issuer's key", swapped.sign()),
    ];
    refused_in_both_roles(&hub, &tokens).await
}

async fn pinned_audience(hub: Hub) -> Checked {
    taken_in_both_roles(&hub, &[("the pinned one", good(&hub).sign())]).await?;
    let contacted = format!("http://{}{}", hub.authority, crate::hub::HUB);
    let token = good(&hub).claim("aud", json!(contacted)).sign();
    refused_in_both_roles(&hub, &[("the URL contacted", token)]).await
}

async fn no_details(hub: Hub) -> Checked {
    let other_type = json!([{"type": "https://example.com/other", "actions": ["publish"]}]);
    for token in [
        hub.detailed(json!([])).without("authorization_details"),
        hub.detailed(json!([])),
        hub.detailed(other_type),
    ] {
        let token = token.sign();
        let topic = hub.topic("no-details");
        let answer = hub
            .ask(&hub.publication(&token, &[("topic", &topic)]))
            .await?;
        answer.must_be(403)?;
        challenge(&answer, Some("insufficient_scope"))?;
        let mut stream = hub.subscribe_by(&token, &[&topic]).await?;
        let (secret, marker) = (hub.id("secret"), hub.id("marker"));
        hub.publish(&[("topic", &topic), ("private", ""), ("id", &secret)])
            .await?;
        hub.mark(&topic, &marker).await?;
        let seen = stream.ids_until(&marker).await?;
        holds(seen.is_empty(), "no private event", format!("{seen:?}"))?;
    }
    Ok(())
}

async fn harmless_details(hub: Hub) -> Checked {
    let details = json!([
        {"type": "https://example.com/other", "actions": 7, "topics": "x"},
        {"type": "https://MERCURE.rocks/authorization-detail", "topics": null},
        {"type": DETAIL, "actions": ["fly", "publish"], "topics": [{"match": "*"}], "x": 1},
        {"type": DETAIL, "actions": ["subscribe"], "topics": [{"match": "*", "match_type": "exact"}]},
    ]);
    taken_in_both_roles(&hub, &[("harmless details", hub.detailed(details).sign())]).await
}

/// `authorization_details` that are good but for `topics`.
fn with_topics(topics: &Value) -> Value {
    json!([{"type": DETAIL, "actions": ["publish", "subscribe"], "topics": topics}])
}

fn malformed() -> Vec<Value> {
    let topics = [
        json!([]),
        json!(null),
        json!("*"),
        json!(["*"]),
        json!([null]),
        json!([{}]),
        json!([{"match": 1}]),
        json!([{"match": null}]),
        json!([{"match": "a", "match_type": "regexp"}]),
        json!([{"match": "a", "match_type": "Exact"}]),
        json!([{"match": "{unclosed", "match_type": "urlpattern"}]),
        json!([{"match": "a\u{200b}"}]),
    ];
    let actions = [
        json!([]),
        json!(null),
        json!("publish"),
        json!(["publish", 1]),
    ];
    let with_actions =
        |actions: &Value| json!([{"type": DETAIL, "actions": actions, "topics": [{"match": "*"}]}]);
    let mut details: Vec<_> = topics.iter().map(with_topics).collect();
    details.extend(actions.iter().map(with_actions));
    details.push(json!([{"type": DETAIL, "actions": ["publish"]}]));
    details.push(json!([{"type": DETAIL, "topics": [{"match": "*"}]}]));
    details
}

/// Each of `details` stands in a token that would otherwise grant everything.
async fn bad_details(hub: Hub, details: Vec<Value>) -> Checked {
    for bad in details {
        let what: String = bad.to_string().chars().take(120).collect();
        let mut entries = vec![detail("publish", &["*"]), detail("subscribe", &["*"])];
        entries.extend(bad.as_array().into_iter().flatten().cloned());
        let token = hub.detailed(json!(entries)).sign();
        refused_in_both_roles(&hub, &[(&what, token)]).await?;
    }
    Ok(())
}

async fn any_payload(hub: Hub) -> Checked {
    for payload in [json!("text"), json!(1), json!([true]), json!({"a": null})] {
        let mut entry = detail("subscribe", &["*"]);
        if let Some(entry) = entry.as_object_mut() {
            entry.insert("payload".to_owned(), payload);
        }
        let token = hub.detailed(json!([entry])).sign();
        let request = hub.subscription(&[&hub.topic("payload")]).bearer(&token);
        hub.ask(&request).await?.must_be(200)?;
    }
    Ok(())
}
