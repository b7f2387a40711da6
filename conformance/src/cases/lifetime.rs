//! How long a stream lives (§5.2), and what a slow reader costs the others (§5.3).

use std::time::Duration;

use futures_util::future::try_join_all;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use crate::case::{Case, Level};
use crate::clock;
use crate::hub::Hub;
use crate::objection::{Checked, Objection, failed, holds, same};
use crate::setup::Setup;

pub(super) fn cases() -> Vec<Case> {
    use Level::{Impl, Must, Own};
    [
        Case::pair(
            Must,
            [&["D0-S6"], &["D1-S9"]],
            "a stream ends no later than its token",
            end_of_token,
        ),
        Case::pair(
            Own,
            [&["D0-G8", "OP-2"], &["OP-2"]],
            "a stream lives until its token ends, or nearly",
            life_of_token,
        ),
        Case::pair(
            Impl,
            [&["OP-1"], &["D1-S9", "OP-1"]],
            "streams end in an orderly way within the write timeout, and not all at once",
            write_timeout,
        )
        .map(|case| case.on(Setup::ShortLife)),
        Case::pair(
            Own,
            [&["OP-4"], &["OP-4"]],
            "SIGTERM ends streams in an orderly way",
            drain,
        )
        .map(|case| case.on(Setup::Stoppable).alone()),
        Case::pair(
            Own,
            [&["OP-5"], &["OP-5"]],
            "a subscriber that reads nothing holds up nobody, and misses nothing in the end",
            slow_reader,
        )
        .map(|case| case.alone().heavy()),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// How much later than told a stream may end: clocks differ, and processes wait for their turn.
const SLACK: Duration = Duration::from_millis(1500);

/// Opens a stream whose token has `seconds` left, and says how long it lived.
async fn life(hub: &Hub, seconds: u64) -> Result<Duration, Objection> {
    let end = clock::seconds() + seconds;
    let token = hub.token(&[], &["*"]).claim("exp", json!(end)).sign();
    let began = clock::now();
    let mut stream = hub.subscribe_by(&token, &[&hub.topic("life")]).await?;
    let longest = Duration::from_secs(seconds) + SLACK;
    stream.end(longest).await?;
    Ok(began.elapsed())
}

async fn end_of_token(hub: Hub) -> Checked {
    let life = life(&hub, 3).await?;
    holds(
        life < Duration::from_secs(3) + SLACK,
        "an end within 3 s",
        format!("one after {life:?}"),
    )
}

async fn life_of_token(hub: Hub) -> Checked {
    let life = life(&hub, 4).await?;
    // A token tells whole seconds, so that up to one of them has gone by already.
    holds(
        life > Duration::from_millis(1500),
        "an end near that of a token that has 3 to 4 s left",
        format!("one after {life:?}"),
    )
}

async fn write_timeout(hub: Hub) -> Checked {
    let topic = hub.topic("write-timeout");
    let lives = (0..8).map(|_| {
        let (hub, topic) = (&hub, &topic);
        async move {
            let began = clock::now();
            let mut stream = hub.subscribe(&[topic]).await?;
            stream.end(Duration::from_secs(5)).await?;
            Ok::<_, Objection>(began.elapsed())
        }
    });
    let lives = try_join_all(lives).await?;
    let shortest = lives.iter().min().copied().unwrap_or_default();
    let longest = lives.iter().max().copied().unwrap_or_default();
    let got = format!("between {shortest:?} and {longest:?}");
    holds(
        longest < Duration::from_secs(3) + SLACK,
        "ends within 3 s",
        &got,
    )?;
    holds(
        longest - shortest > Duration::from_millis(30),
        "ends that are spread",
        got,
    )
}

async fn drain(hub: Hub) -> Checked {
    let pid = hub.process.and_then(|pid| i32::try_from(pid).ok());
    let Some(pid) = pid.and_then(Pid::from_raw) else {
        let why = "the hub would have to be stopped".to_owned();
        return Err(Objection::Inapplicable(why));
    };
    let topic = hub.topic("drain");
    let mut streams = Vec::new();
    for _ in 0..5 {
        streams.push(hub.subscribe(&[&topic]).await?);
    }
    kill_process(pid, Signal::TERM).map_err(|error| failed("a process to stop", error))?;
    for stream in &mut streams {
        stream.end(Duration::from_secs(5)).await?;
    }
    Ok(())
}

async fn slow_reader(hub: Hub) -> Checked {
    let topic = hub.topic("slow");
    let data = "x".repeat(50_000);
    // It reads the head and then nothing, so that it falls behind once the sockets are full.
    let mut slow = hub.subscribe(&[&topic]).await?;
    let mut quick = hub.subscribe(&[&topic]).await?;
    let mut ids = Vec::new();
    for number in 0..400 {
        let id = hub.id(&number.to_string());
        let began = clock::now();
        hub.publish(&[("topic", &topic), ("id", &id), ("data", &data)])
            .await?;
        quick.event_of(&id).await?;
        let taken = began.elapsed();
        holds(
            taken < Duration::from_secs(3),
            "an event at once for the others",
            format!("one after {taken:?}"),
        )?;
        ids.push(id);
    }
    let last = ids.pop().unwrap_or_default();
    let mut seen = Vec::new();
    loop {
        match slow.event().await {
            Ok(event) if event.id == last => break,
            Ok(event) => seen.push(event.id),
            // It was cut, as a hub may do. It returns with its cursor, and reads on.
            Err(objection) => {
                let cursor = seen.last().ok_or(objection)?;
                let request = hub.subscription(&[&topic]).bearer(&hub.reader());
                slow = hub.open(&request.field("Last-Event-ID", cursor)).await?;
            }
        }
    }
    same("events of the slow one", &ids.len(), &seen.len())?;
    holds(
        seen == ids,
        "every event once and in order",
        "another order",
    )
}
