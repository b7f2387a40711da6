//! The bytes of an event (§2.5), and the comment on silence.

use crate::case::{Case, Level};
use crate::clock;
use crate::hub::Hub;
use crate::objection::{Checked, holds, same};
use crate::setup::Setup;

pub(super) fn cases() -> Vec<Case> {
    use Level::{Impl, Must, Should};
    let order: [&'static [&'static str]; 2] = [&["D0-W1", "D0-P5", "D0-P6"], &["D1-S8"]];
    [
        Case::pair(
            Impl,
            order,
            "the order of the fields, and no field that was not given",
            field_order,
        ),
        [(Impl, &["D0-W2"][..]), (Must, &["D1-S8", "D1-P2"])].map(|(level, rules)| {
            Case::new(
                level,
                rules,
                "one data field for each line, whatever the line's end",
                line_ends,
            )
        }),
        Case::pair(
            Impl,
            [&["D0-W2"], &["D1-S8"]],
            "empty data is dispatched; spaces, blank lines and look-alikes of fields survive",
            survivors,
        ),
        [(Impl, &["D0-W3"][..]), (Should, &["D1-S8"])].map(|(level, rules)| {
            Case::new(level, rules, "a comment after silence only", heartbeat)
                .on(Setup::ShortHeartbeat)
                .alone()
        }),
    ]
    .into_iter()
    .flatten()
    .collect()
}

async fn field_order(hub: Hub) -> Checked {
    let topic = hub.topic("order");
    let mut stream = hub.subscribe(&[&topic]).await?;
    let (full, bare) = (hub.id("full"), hub.id("bare"));
    hub.publish(&[
        ("data", "first\nsecond"),
        ("id", &full),
        ("retry", "5000"),
        ("type", "price"),
        ("topic", &topic),
    ])
    .await?;
    hub.publish(&[("topic", &topic), ("id", &bare), ("data", "x")])
        .await?;
    stream.event_of(&bare).await?;
    let expected = format!(
        "event: price\nretry: 5000\nid: {full}\ndata: first\ndata: second\n\n\
         id: {bare}\ndata: x\n\n"
    );
    holds(
        stream.text.contains(&expected),
        format!("{expected:?}"),
        format!("{:?}", stream.text),
    )
}

async fn line_ends(hub: Hub) -> Checked {
    let topic = hub.topic("line-ends");
    let mut stream = hub.subscribe(&[&topic]).await?;
    for (number, (data, lines)) in [
        ("a\nb\rc\r\nd", "a\nb\nc\nd"),
        ("a\n\rb", "a\n\nb"),
        ("a\r\n\r\nb", "a\n\nb"),
        ("a\r\rb", "a\n\nb"),
        ("\n", "\n"),
        ("a\n", "a\n"),
        (
            "x\r\nid: forged\revent: forged\nretry: 1",
            "x\nid: forged\nevent: forged\nretry: 1",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let id = hub.id(&number.to_string());
        hub.publish(&[("topic", &topic), ("id", &id), ("data", data)])
            .await?;
        let event = stream.event().await?;
        same("id", id.as_str(), event.id.as_str())?;
        same("type", "message", event.event_type.as_str())?;
        same("data", lines, event.data.as_str())?;
    }
    Ok(())
}

async fn survivors(hub: Hub) -> Checked {
    let topic = hub.topic("survivors");
    let mut stream = hub.subscribe(&[&topic]).await?;
    for (number, data) in [
        "",
        " ",
        "  two spaces\n    four",
        "first\n\n  third",
        ": no comment",
        "data: no field",
        "\u{feff}mark",
        "été \u{1f600}",
    ]
    .into_iter()
    .enumerate()
    {
        let id = hub.id(&number.to_string());
        hub.publish(&[("topic", &topic), ("id", &id), ("data", data)])
            .await?;
        let event = stream.event_of(&id).await?;
        same("data", data, event.data.as_str())?;
    }
    Ok(())
}

async fn heartbeat(hub: Hub) -> Checked {
    let topic = hub.topic("heartbeat");
    let mut stream = hub.subscribe(&[&topic]).await?;
    // Events without a pause for longer than the heartbeat: each of them re-arms the timer.
    let began = clock::now();
    let mut number = 0;
    while began.elapsed().as_millis() < 2500 {
        let id = hub.id(&number.to_string());
        hub.mark(&topic, &id).await?;
        stream.event_of(&id).await?;
        number += 1;
    }
    let busy = comments_after_first_event(&stream.text);
    same("comments between events", &0, &busy)?;
    let silent_since = clock::now();
    let length = stream.text.len();
    stream.read_until("\n\n:").await?;
    let silence = silent_since.elapsed();
    holds(
        silence.as_millis() > 500 && silence.as_millis() < 3000,
        "a comment after about a second of silence",
        format!("one after {silence:?}"),
    )?;
    let comment = stream.text.get(length..).unwrap_or_default();
    same("heartbeat", ":\n", comment)
}

/// Lines that are comments, after the first event.
fn comments_after_first_event(text: &str) -> usize {
    let events = text.split_once("id: ").map_or("", |(_, events)| events);
    events.lines().filter(|line| line.starts_with(':')).count()
}
