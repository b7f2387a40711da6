//! Subscribing (§2.4, §3.3): what is refused, and how a stream begins.

mod query_method;

use crate::case::{Case, Level};
use crate::http::Request;
use crate::hub::{HUB, Hub};
use crate::objection::{Checked, holds, same};
use crate::setup::Setup;

pub(super) fn cases() -> Vec<Case> {
    let mut cases = begun();
    cases.extend(refused());
    cases.extend(query_method::cases());
    cases
}

fn begun() -> Vec<Case> {
    use Level::{Impl, Must, Own};
    let mut cases: Vec<_> = [
        Case::pair(
            Must,
            [&["D0-A8"], &["D1-A14"]],
            "an anonymous subscriber gets public events, and no private ones",
            anonymous,
        )
        .map(|case| case.on(Setup::Anonymous)),
        Case::pair(
            Must,
            [&["D0-A8", "D0-A10"], &["D1-A13"]],
            "public events reach every subscriber, private ones only those with a grant",
            truth_table,
        ),
        Case::pair(
            Impl,
            [&["D0-S5", "D0-S8"], &["D1-S8"]],
            "the stream's headers, and a comment at once",
            stream_headers,
        ),
        Case::pair(
            Own,
            [&["D0-G10", "D0-U2"], &["D1-S1"]],
            "HEAD: the headers of the stream, and the end",
            head,
        ),
    ]
    .into_iter()
    .flatten()
    .collect();
    cases.extend([
        Case::new(
            Impl,
            &["D0-S5"],
            "the stream's first bytes are the comment, exactly",
            first_bytes,
        ),
        Case::new(
            Impl,
            &["D0-S4"],
            "unknown parameters are ignored, broken pairs are dropped",
            unknown_parameters,
        ),
        Case::new(
            Must,
            &["D1-S3"],
            "other unknown parameters are ignored",
            other_unknown_parameters,
        ),
        Case::new(
            Impl,
            &["D0-A9"],
            "without a key for subscribers tokens are ignored, and private events reach nobody",
            no_subscriber_key,
        )
        .on(Setup::AnonymousOnly),
    ]);
    cases
}

#[expect(clippy::too_many_lines, reason = "a list, without control flow")]
fn refused() -> Vec<Case> {
    use Level::{Impl, Must, Should};
    let no_topic = Case::pair(
        Must,
        [&["D0-S1"], &["D1-S4", "DX-4"]],
        "nothing asked for: 400",
        nothing_asked_for,
    );
    let order = Case::pair(
        Impl,
        [&["D0-S3"], &["D1-E2"]],
        "a bad token and nothing asked for: 401",
        order,
    );
    let mut cases: Vec<_> = [no_topic, order].into_iter().flatten().collect();
    cases.extend([
        Case::new(
            Impl,
            &["D0-S1", "D0-U7"],
            "nothing asked for: the text of the answer",
            |hub| {
                text_of(
                    hub,
                    Request::new("GET", HUB),
                    "Missing \"topic\" parameter.\n",
                )
            },
        ),
        Case::new(
            Impl,
            &["D0-S2"],
            "more than a thousand topics: 400, and its text",
            |hub| {
                let request = hub.subscription(&["a"; 1001]);
                text_of(hub, request, "Too many \"topic\" parameters.\n")
            },
        ),
        Case::new(Impl, &["D0-S2"], "a thousand topics are taken", |hub| {
            taken(hub, 1000)
        }),
        Case::new(
            Should,
            &["D1-S5"],
            "more than a thousand matchers: 400",
            |hub| too_much(hub, vec!["a".to_owned(); 1001]),
        ),
        Case::new(
            Impl,
            &["D1-S5"],
            "a hundred matchers are taken, and a hundred and one are too many",
            |hub| async {
                taken(hub.clone(), 100).await?;
                too_much(hub, vec!["a".to_owned(); 101]).await
            },
        ),
        Case::new(
            Impl,
            &["D1-S5"],
            "a matcher of more than 4096 bytes: 400",
            |hub| too_much(hub, vec!["a".repeat(4097)]),
        ),
        Case::new(
            Must,
            &["D1-S3"],
            "names that begin with match and are not supported: 400",
            unsupported_names,
        ),
        Case::new(
            Must,
            &["D1-S4", "D1-T1", "D1-S2"],
            "matchers that are no protocol strings: 400",
            no_protocol_strings,
        ),
        Case::new(
            Must,
            &["D1-S4", "D1-M5", "D1-M7"],
            "invalid patterns: 400 with one text for all of them",
            invalid_patterns,
        ),
    ]);
    cases
}

async fn anonymous(hub: Hub) -> Checked {
    let topic = hub.topic("anonymous");
    let mut stream = hub.open(&hub.subscription(&[&topic])).await?;
    let [public, private, marker] = ["public", "private", "marker"].map(|name| hub.id(name));
    hub.publish(&[("topic", &topic), ("id", &public)]).await?;
    hub.publish(&[("topic", &topic), ("id", &private), ("private", "on")])
        .await?;
    hub.mark(&topic, &marker).await?;
    same("ids", &vec![public], &stream.ids_until(&marker).await?)
}

async fn truth_table(hub: Hub) -> Checked {
    let (topic, other) = (hub.topic("truth"), hub.topic("other"));
    let [public, private, marker] = ["public", "private", "marker"].map(|name| hub.id(name));
    let exact = hub.token(&[], &[&topic]).sign();
    let without = hub.token(&[], &[&other]).sign();
    let mut all = hub.subscribe(&[&topic]).await?;
    let mut exact = hub.subscribe_by(&exact, &[&topic]).await?;
    let mut without = hub.subscribe_by(&without, &[&topic]).await?;
    let mut stranger = hub.subscribe_by(&hub.stranger(), &[&topic]).await?;
    hub.publish(&[("topic", &topic), ("id", &public)]).await?;
    hub.publish(&[("topic", &topic), ("id", &private), ("private", "on")])
        .await?;
    hub.mark(&topic, &marker).await?;
    let both = vec![public.clone(), private];
    let only_public = vec![public];
    same("granted *", &both, &all.ids_until(&marker).await?)?;
    same("granted the topic", &both, &exact.ids_until(&marker).await?)?;
    let seen = without.ids_until(&marker).await?;
    same("granted another topic", &only_public, &seen)?;
    let seen = stranger.ids_until(&marker).await?;
    same("granted nothing", &only_public, &seen)
}

async fn stream_headers(hub: Hub) -> Checked {
    let mut stream = hub.subscribe(&[&hub.topic("headers")]).await?;
    let head = &stream.head;
    head.must_have("Content-Type", "text/event-stream")?;
    for directive in [
        "private",
        "no-cache",
        "no-store",
        "must-revalidate",
        "max-age=0",
    ] {
        holds(
            head.lists("Cache-Control", directive),
            format!("Cache-Control with {directive}"),
            head.value("Cache-Control"),
        )?;
    }
    head.must_have("Pragma", "no-cache")?;
    head.must_have("Expire", "0")?;
    head.must_have("X-Accel-Buffering", "no")?;
    head.must_have("Connection", "keep-alive")?;
    head.must_lack("Last-Event-ID")?;
    head.must_lack("Mercure-Last-Event-ID")?;
    stream.read_until(":").await
}

async fn first_bytes(hub: Hub) -> Checked {
    let topic = hub.topic("first-bytes");
    let mut stream = hub.subscribe(&[&topic]).await?;
    hub.mark(&topic, &hub.id("marker")).await?;
    stream.event_of(&hub.id("marker")).await?;
    let first: String = stream.text.chars().take(20).collect();
    holds(
        stream.text.starts_with(":\n"),
        "\":\\n\" first",
        format!("{first:?}"),
    )
}

async fn head(hub: Hub) -> Checked {
    let mut request = hub
        .subscription(&[&hub.topic("head")])
        .bearer(&hub.reader());
    request.method = "HEAD";
    let answer = hub.ask(&request).await?;
    answer.must_be(200)?;
    answer.must_have("Content-Type", "text/event-stream")
}

async fn unknown_parameters(hub: Hub) -> Checked {
    let (topic, dropped) = (hub.topic("unknown"), hub.topic("dropped"));
    let mut request = hub.subscription(&[&topic]).bearer(&hub.reader());
    let more = format!("&colour=red&TOPIC=x&topic={dropped}%zz&topic={dropped};x=1&=&x");
    request.target.push_str(&more);
    let mut stream = hub.open(&request).await?;
    let marker = hub.id("marker");
    hub.mark(&dropped, &hub.id("dropped")).await?;
    hub.mark(&topic, &marker).await?;
    same(
        "ids",
        &Vec::<String>::new(),
        &stream.ids_until(&marker).await?,
    )
}

async fn other_unknown_parameters(hub: Hub) -> Checked {
    let mut request = hub.subscription(&[&hub.topic("unknown")]);
    request
        .target
        .push_str("&colour=red&rematch=x&=&x&lastEventID=x");
    hub.ask(&request.bearer(&hub.reader())).await?.must_be(200)
}

async fn no_subscriber_key(hub: Hub) -> Checked {
    let topic = hub.topic("no-key");
    let bad = hub
        .token(&[], &["*"])
        .key("a key of nobody's, long enough")
        .sign();
    let mut streams = Vec::new();
    for token in [hub.reader(), bad] {
        streams.push(hub.subscribe_by(&token, &[&topic]).await?);
    }
    let (private, marker) = (hub.id("private"), hub.id("marker"));
    hub.publish(&[("topic", &topic), ("id", &private), ("private", "on")])
        .await?;
    hub.mark(&topic, &marker).await?;
    for stream in &mut streams {
        let seen = stream.ids_until(&marker).await?;
        holds(seen.is_empty(), "no private event", format!("{seen:?}"))?;
    }
    Ok(())
}

async fn nothing_asked_for(hub: Hub) -> Checked {
    let request = Request::new("GET", HUB).bearer(&hub.reader());
    hub.ask(&request).await?.must_be(400)
}

async fn order(hub: Hub) -> Checked {
    let bad = hub
        .token(&[], &["*"])
        .key("a key of nobody's, long enough")
        .sign();
    let request = Request::new("GET", HUB).bearer(&bad);
    hub.ask(&request).await?.must_be(401)
}

async fn text_of(hub: Hub, request: Request, text: &str) -> Checked {
    let answer = hub.ask(&request.bearer(&hub.reader())).await?;
    answer.must_be(400)?;
    let media_type = answer.value("Content-Type").to_ascii_lowercase();
    same(
        "Content-Type",
        "text/plain; charset=utf-8",
        media_type.as_str(),
    )?;
    same("body", text, answer.body.as_str())
}

async fn taken(hub: Hub, count: usize) -> Checked {
    let request = hub.subscription(&vec!["a"; count]).bearer(&hub.reader());
    hub.ask(&request).await?.must_be(200)
}

async fn too_much(hub: Hub, matchers: Vec<String>) -> Checked {
    let matchers: Vec<_> = matchers.iter().map(String::as_str).collect();
    let request = hub.subscription(&matchers).bearer(&hub.reader());
    hub.ask(&request).await?.must_be(400)
}

async fn unsupported_names(hub: Hub) -> Checked {
    for name in [
        "Match",
        "MATCH",
        "matchURLPattern",
        "match_URLPATTERN",
        "match_regexp",
        "matching",
        "match_",
        "matchExact",
        "match%5fregexp",
        "%6datching",
    ] {
        let mut request = hub.subscription(&[&hub.topic("names")]);
        request.target.push_str(&format!("&{name}=x"));
        let answer = hub.ask(&request.bearer(&hub.reader())).await?;
        answer.must_be(400).map_err(|it| it.about(name))?;
    }
    Ok(())
}

async fn no_protocol_strings(hub: Hub) -> Checked {
    for value in [
        "a%00b",
        "a%0ab",
        "%7f",
        "a%c2%85",
        "a%e2%80%8b",
        "a%e2%80%ae",
        "%ff",
        "a%c3",
    ] {
        for name in ["match", "match_exact", "match_urlpattern"] {
            let request = Request::new("GET", format!("{HUB}?{name}={value}"));
            let answer = hub.ask(&request.bearer(&hub.reader())).await?;
            let row = format!("{name}={value}");
            answer.must_be(400).map_err(|it| it.about(row))?;
        }
    }
    Ok(())
}

async fn invalid_patterns(hub: Hub) -> Checked {
    let mut texts = Vec::new();
    for pattern in [
        "{unclosed",
        "https://example.com/(",
        "https://example.com/:a:a",
        "/(?<x>a)",
    ] {
        let request = hub.query(&[("match_urlpattern", pattern)]);
        let answer = hub.ask(&request.bearer(&hub.reader())).await?;
        answer.must_be(400).map_err(|it| it.about(pattern))?;
        texts.push(answer.body);
    }
    texts.dedup();
    same("different texts", &1, &texts.len())
}
