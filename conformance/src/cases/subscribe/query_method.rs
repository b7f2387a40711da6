//! The method `QUERY` (D1-S1), which a hub may offer.

use crate::case::{Case, Level};
use crate::http::Request;
use crate::hub::{HUB, Hub};
use crate::objection::{Checked, Objection, same};

pub(super) fn cases() -> Vec<Case> {
    use Level::{Must, Own};
    vec![
        Case::new(
            Must,
            &["D1-S1"],
            "QUERY: its body and the query component are united",
            union,
        ),
        Case::new(
            Must,
            &["D1-S1"],
            "QUERY: matchers in the body alone",
            body_alone,
        ),
        Case::new(
            Must,
            &["D1-S1", "D1-H1"],
            "QUERY: the query component's cursor wins over the body's, the header over both",
            cursors,
        ),
        Case::new(
            Own,
            &["D1-S1"],
            "QUERY: a body of another media type is 415",
            media_type,
        ),
        Case::new(
            Must,
            &["D1-S5", "D1-E6"],
            "QUERY: a body over the limit is 413",
            large_body,
        ),
        Case::new(
            Must,
            &["D1-S3", "D1-S4", "D1-S1"],
            "QUERY: names and values in the body are judged like those of the query",
            bad_bodies,
        ),
        Case::new(
            Own,
            &["DX-3"],
            "QUERY: a topic makes it ambiguous, 400",
            topic_in_query,
        ),
    ]
}

fn query(hub: &Hub, target: &str, body: &[(&str, &str)]) -> Request {
    Request::new("QUERY", target)
        .bearer(&hub.speaking(crate::hub::Dialect::D1).reader())
        .form(body)
}

/// Objects to nothing if the hub does not offer the method.
async fn offered(hub: &Hub) -> Checked {
    let answer = hub.ask(&query(hub, HUB, &[("match", "urn:x")])).await?;
    match answer.status {
        405 | 501 => Err(Objection::Inapplicable(
            "the hub does not offer QUERY, as it MAY".to_owned(),
        )),
        _ => Ok(()),
    }
}

async fn union(hub: Hub) -> Checked {
    offered(&hub).await?;
    let topics = ["in-query", "in-body", "marker"].map(|name| hub.topic(name));
    let [in_query, in_body, marker] = &topics;
    let component = form_urlencoded::Serializer::new(String::new())
        .append_pair("match", in_query)
        .finish();
    let body = [("match", in_body.as_str()), ("match_exact", marker)];
    let request = query(&hub, &format!("{HUB}?{component}"), &body);
    let mut stream = hub.open(&request).await?;
    for topic in &topics {
        hub.mark(topic, topic).await?;
    }
    let expected = vec![in_query.clone(), in_body.clone()];
    same("ids", &expected, &stream.ids_until(marker).await?)
}

async fn body_alone(hub: Hub) -> Checked {
    offered(&hub).await?;
    let topic = hub.topic("body");
    let mut stream = hub.open(&query(&hub, HUB, &[("match", &topic)])).await?;
    hub.mark(&topic, &hub.id("body")).await?;
    stream.event_of(&hub.id("body")).await?;
    Ok(())
}

async fn cursors(hub: Hub) -> Checked {
    offered(&hub).await?;
    let topic = hub.topic("cursors");
    let ids = ["1", "2", "3", "4"].map(|name| hub.id(name));
    for id in &ids {
        hub.mark(&topic, id).await?;
    }
    let [one, two, three, last] = &ids;
    let body = [("match", topic.as_str()), ("last_event_id", one)];
    let target = format!("{HUB}?last_event_id={three}");
    let mut stream = hub.open(&query(&hub, &target, &body)).await?;
    let none = Vec::<String>::new();
    same("ids after 3", &none, &stream.ids_until(last).await?)?;
    let request = query(&hub, &target, &body).field("Last-Event-ID", two);
    let mut stream = hub.open(&request).await?;
    let expected = vec![three.clone()];
    same("ids after 2", &expected, &stream.ids_until(last).await?)
}

async fn media_type(hub: Hub) -> Checked {
    offered(&hub).await?;
    for media_type in ["application/json", "text/plain", "multipart/form-data"] {
        let request = Request::new("QUERY", HUB).bearer(&hub.reader());
        let answer = hub.ask(&request.body(media_type, "match=x")).await?;
        answer.must_be(415).map_err(|it| it.about(media_type))?;
    }
    Ok(())
}

async fn large_body(hub: Hub) -> Checked {
    offered(&hub).await?;
    let large = "x".repeat(11_000_000);
    let request = query(&hub, HUB, &[("match", "x"), ("y", &large)]);
    hub.ask(&request).await?.must_be(413)
}

async fn bad_bodies(hub: Hub) -> Checked {
    offered(&hub).await?;
    for (name, value) in [
        ("Match", "x"),
        ("match", "a\nb"),
        ("match_urlpattern", "{x"),
        ("y", ""),
    ] {
        let answer = hub.ask(&query(&hub, HUB, &[(name, value)])).await?;
        let row = format!("{name}={value:?}");
        answer.must_be(400).map_err(|it| it.about(row))?;
    }
    Ok(())
}

async fn topic_in_query(hub: Hub) -> Checked {
    offered(&hub).await?;
    for body in [&[("topic", "x")][..], &[("topic", "x"), ("match", "x")]] {
        hub.ask(&query(&hub, HUB, body)).await?.must_be(400)?;
    }
    let target = format!("{HUB}?topic=x");
    let answer = hub.ask(&query(&hub, &target, &[("match", "x")])).await?;
    answer.must_be(400)
}
