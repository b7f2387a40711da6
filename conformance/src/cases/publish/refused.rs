//! What may not be published, and with which status it is refused.

use crate::case::{Case, Level};
use crate::http::Request;
use crate::hub::{HUB, Hub};
use crate::objection::{Checked, holds, same};

pub(super) fn cases() -> Vec<Case> {
    use Level::{Impl, Must};
    let mut cases = topics_not_granted();
    for pair in [
        Case::pair(Must, [&["D0-P1"], &["D1-E5"]], "no topic: 400", no_topic),
        Case::pair(
            Must,
            [&["D0-P6", "D0-P11"], &["D1-P5"]],
            "a retry that is no number: 400",
            bad_retry,
        ),
        Case::pair(
            Impl,
            [&["D0-P12"], &["D1-E5"]],
            "another media type, a malformed one, a raw semicolon: 400",
            bad_forms,
        ),
        Case::pair(
            Impl,
            [&["D0-P13"], &["D1-E5"]],
            "fields in the URL do not count",
            fields_in_url,
        ),
        Case::pair(
            Must,
            [&["D0-P4", "D0-P5"], &["D1-T1", "D1-P3", "D1-P4"]],
            "CR, LF and NUL in id and type: 400",
            line_ends_in_fields,
        ),
        Case::pair(
            Must,
            [&["D0-G2", "D0-P4"], &["D1-P3"]],
            "an id that begins with #: 400",
            |hub| refused_field(hub, "id", &["#x", "#"]),
        ),
    ] {
        cases.extend(pair);
    }
    cases.extend(no_protocol_strings());
    cases.extend(one_dialect());
    cases
}

fn one_dialect() -> Vec<Case> {
    use Level::{Impl, Must};
    vec![
        Case::new(
            Impl,
            &["D0-P1"],
            "no topic: the text of the answer",
            no_topic_text,
        ),
        Case::new(
            Impl,
            &["D0-P6"],
            "a retry that is no number: the text of the answer",
            bad_retry_text,
        ),
        Case::new(Impl, &["D0-P11"], "the order of the checks", order),
        Case::new(
            Impl,
            &["D0-P1"],
            "more than a thousand topics: 400",
            |hub| too_many_topics(hub, &[400]),
        ),
        Case::new(
            Must,
            &["D1-P6", "D1-G2", "D1-E6"],
            "more than a thousand topics: 413",
            |hub| too_many_topics(hub, &[413]),
        ),
        Case::new(
            Impl,
            &["D0-P12"],
            "a body of more than 10 MB: refused",
            |hub| large_body(hub, &[400, 413]),
        ),
        Case::new(
            Must,
            &["D1-P6", "D1-E6"],
            "a body over the limit: 413",
            |hub| large_body(hub, &[413]),
        ),
    ]
}

/// The newer dialect's rules of input, which a hub that speaks both holds all publishers to.
fn no_protocol_strings() -> Vec<Case> {
    let both = |newer: &'static [&'static str],
                name: &str,
                field: &'static str,
                reserved: &'static str| {
        let check = move |hub| no_protocol_string(hub, field, reserved);
        [
            Case::new(Level::Own, &["DX-12"], name, check),
            Case::new(Level::Must, newer, name, check),
        ]
    };
    let invalid = [
        (Level::Own, &["DX-12"][..]),
        (Level::Must, &["D1-P2", "D1-T1"]),
    ]
    .map(|(level, rules)| Case::new(level, rules, "invalid UTF-8: 400", invalid_utf8));
    [
        both(
            &["D1-T1", "D1-P1"],
            "topics that are no protocol strings, and the topic *: 400",
            "topic",
            "*",
        ),
        both(
            &["D1-P3", "D1-T1"],
            "ids that are no protocol strings, and the id earliest: 400",
            "id",
            "earliest",
        ),
        both(
            &["D1-P4", "D1-T1"],
            "types that are no protocol strings, and the type mercure: 400",
            "type",
            "mercure",
        ),
        invalid,
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn topics_not_granted() -> Vec<Case> {
    let mut cases: Vec<_> = [
        Case::pair(
            Level::Must,
            [&["D0-A7"], &["D1-A13", "D1-E3"]],
            "a topic that is not granted is refused, public or private",
            not_granted,
        ),
        Case::pair(
            Level::Must,
            [&["D0-A7"], &["D1-A13"]],
            "one topic of several not granted: refused, and nothing is dispatched",
            partly_granted,
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    cases.push(Case::new(
        Level::Impl,
        &["D0-G1", "D0-A7"],
        "a topic that is not granted: exactly 401",
        not_granted_is_401,
    ));
    cases
}

/// C0, DEL, C1, and category Cf: soft hyphen, zero width, bidirectional, tags.
const NO_PROTOCOL_STRINGS: &[&str] = &[
    "a\u{1}b",
    "a\tb",
    "a\u{1f}b",
    "a\u{7f}b",
    "a\u{85}b",
    "a\u{ad}b",
    "a\u{200b}\u{200d}b",
    "a\u{202e}b",
    "a\u{2066}b",
    "a\u{feff}b",
    "a\u{e0001}b",
];

/// Refused are `reserved` and whatever is no protocol string.
async fn no_protocol_string(hub: Hub, name: &str, reserved: &str) -> Checked {
    refused_field(hub.clone(), name, &[reserved]).await?;
    refused_field(hub, name, NO_PROTOCOL_STRINGS).await
}

async fn refused_field(hub: Hub, name: &str, values: &[&str]) -> Checked {
    let topic = hub.topic("refused");
    for value in values {
        let mut pairs = vec![(name, *value)];
        if name != "topic" {
            pairs.push(("topic", &topic));
        }
        let answer = hub.ask(&hub.publication(&hub.writer(), &pairs)).await?;
        answer
            .must_be(400)
            .map_err(|it| it.about(format!("{name} {value:?}")))?;
    }
    Ok(())
}

async fn no_topic(hub: Hub) -> Checked {
    let request = hub.publication(&hub.writer(), &[("data", "x")]);
    hub.ask(&request).await?.must_be(400)
}

async fn no_topic_text(hub: Hub) -> Checked {
    let request = hub.publication(&hub.writer(), &[("data", "x")]);
    let answer = hub.ask(&request).await?;
    same(
        "body",
        "Missing \"topic\" parameter\n",
        answer.body.as_str(),
    )
}

async fn bad_retry(hub: Hub) -> Checked {
    refused_field(hub, "retry", BAD_RETRIES).await
}

async fn bad_retry_text(hub: Hub) -> Checked {
    let topic = hub.topic("retry");
    let pairs = [("topic", topic.as_str()), ("retry", "soon")];
    let answer = hub.ask(&hub.publication(&hub.writer(), &pairs)).await?;
    same(
        "body",
        "Invalid \"retry\" parameter\n",
        answer.body.as_str(),
    )
}

const BAD_RETRIES: &[&str] = &[
    "soon",
    "-1",
    "+1",
    "1.5",
    "0x10",
    "1 ",
    "18446744073709551616",
];

async fn bad_forms(hub: Hub) -> Checked {
    let topic = hub.topic("form");
    let form = format!("topic={topic}&data=x");
    let multipart = format!(
        "--b\r\nContent-Disposition: form-data; name=\"topic\"\r\n\r\n{topic}\r\n--b--\r\n"
    );
    let semicolon = format!("{form};x=y");
    let mut rows = vec![
        ("text/plain", form.as_str()),
        ("application/json", &form),
        ("multipart/form-data; boundary=b", &multipart),
        ("application/x-www-form-urlencoded; =", &form),
    ];
    if !hub.is_d1() {
        rows.push(("application/x-www-form-urlencoded", &semicolon));
    }
    for (media_type, body) in rows {
        let request = Request::new("POST", HUB).bearer(&hub.writer());
        let answer = hub.ask(&request.body(media_type, body)).await?;
        // The newer specification asks for 400 or for nothing in particular; 415 says the same.
        let statuses: &[u16] = if hub.is_d1() { &[400, 415] } else { &[400] };
        answer
            .must_be_one_of(statuses)
            .map_err(|it| it.about(format!("{media_type}, {body:?}")))?;
    }
    Ok(())
}

async fn fields_in_url(hub: Hub) -> Checked {
    let request = Request::new("POST", format!("{HUB}?topic=https://example.com/x"));
    let request = request.bearer(&hub.writer()).form(&[("data", "x")]);
    hub.ask(&request).await?.must_be(400)
}

async fn line_ends_in_fields(hub: Hub) -> Checked {
    for name in ["id", "type"] {
        refused_field(hub.clone(), name, &["a\rb", "a\nb", "a\r\nb", "a\0b"]).await?;
    }
    Ok(())
}

async fn invalid_utf8(hub: Hub) -> Checked {
    for body in [
        "topic=https://example.com/%ff",
        "topic=https://example.com/x&data=%ff",
        "topic=https://example.com/x&id=a%c3",
        "topic=https://example.com/x&type=%ed%a0%80",
    ] {
        let request = Request::new("POST", HUB).bearer(&hub.writer());
        let answer = hub
            .ask(&request.body("application/x-www-form-urlencoded", body))
            .await?;
        answer.must_be(400).map_err(|it| it.about(body))?;
    }
    Ok(())
}

async fn too_many_topics(hub: Hub, statuses: &[u16]) -> Checked {
    let pairs = vec![("topic", "https://example.com/x"); 1001];
    let answer = hub.ask(&hub.publication(&hub.writer(), &pairs)).await?;
    answer.must_be_one_of(statuses)
}

async fn large_body(hub: Hub, statuses: &[u16]) -> Checked {
    let data = "x".repeat(11_000_000);
    let pairs = [("topic", "https://example.com/x"), ("data", &data)];
    let answer = hub.ask(&hub.publication(&hub.writer(), &pairs)).await?;
    answer.must_be_one_of(statuses)
}

async fn order(hub: Hub) -> Checked {
    let bad = hub
        .token(&["*"], &[])
        .key("another key that nobody knows")
        .sign();
    let narrow = hub.token(&[&hub.topic("granted")], &[]).sign();
    let other = hub.topic("other");
    let rows = [
        (&bad, &[("data", "x")][..], 401),
        (&narrow, &[("data", "x")], 400),
        (&narrow, &[("topic", &other), ("retry", "x")], 400),
        (&narrow, &[("topic", &other), ("id", "a\nb")], 401),
        (&narrow, &[("topic", "/.well-known/mercure/x")], 401),
    ];
    for (token, pairs, status) in rows {
        let answer = hub.ask(&hub.publication(token, pairs)).await?;
        answer
            .must_be(status)
            .map_err(|it| it.about(format!("{pairs:?}")))?;
    }
    Ok(())
}

async fn not_granted(hub: Hub) -> Checked {
    let token = hub.token(&[&hub.topic("granted")], &[]).sign();
    let other = hub.topic("other");
    for private in [&[][..], &[("private", "on")]] {
        let pairs = [&[("topic", other.as_str())], private].concat();
        let answer = hub.ask(&hub.publication(&token, &pairs)).await?;
        answer.must_be_one_of(hub.not_granted())?;
        if hub.is_d1() {
            let challenge = answer.value("WWW-Authenticate");
            holds(
                challenge.contains("error=\"insufficient_scope\""),
                "WWW-Authenticate with error=\"insufficient_scope\"",
                format!("WWW-Authenticate: {challenge}"),
            )?;
        }
    }
    Ok(())
}

async fn not_granted_is_401(hub: Hub) -> Checked {
    let token = hub.token(&[&hub.topic("granted")], &[]).sign();
    let request = hub.publication(&token, &[("topic", &hub.topic("other"))]);
    hub.ask(&request).await?.must_be(401)
}

async fn partly_granted(hub: Hub) -> Checked {
    let (granted, other) = (hub.topic("granted"), hub.topic("other"));
    let token = hub.token(&[&granted], &[]).sign();
    let mut stream = hub.subscribe(&[&granted, &other]).await?;
    let pairs = [("topic", granted.as_str()), ("topic", &other)];
    let answer = hub.ask(&hub.publication(&token, &pairs)).await?;
    answer.must_be_one_of(hub.not_granted())?;
    let marker = hub.id("marker");
    hub.mark(&granted, &marker).await?;
    let seen = stream.ids_until(&marker).await?;
    holds(seen.is_empty(), "nothing dispatched", format!("{seen:?}"))
}
