//! Long histories, whose look-up and replay have limits elsewhere (OP-6, OP-7).

use futures_util::future::try_join_all;

use crate::case::{Case, Level};
use crate::hub::Hub;
use crate::objection::{Checked, Objection, holds};

pub(super) fn cases() -> Vec<Case> {
    vec![
        Case::new(
            Level::Own,
            &["OP-6", "OP-7", "D1-G9"],
            "with more than 10,000 stored any cursor is found, and all that follows is sent",
            long,
        )
        .alone()
        .heavy(),
    ]
}

const COUNT: usize = 10_500;
const PUBLISHERS: usize = 20;

async fn long(hub: Hub) -> Checked {
    let topic = hub.topic("long");
    let first = hub.id("first");
    hub.mark(&topic, &first).await?;
    let publishers = (0..PUBLISHERS).map(|publisher| {
        let (hub, topic) = (&hub, &topic);
        async move {
            for number in 0..COUNT / PUBLISHERS {
                hub.mark(topic, &hub.id(&format!("{publisher}-{number}")))
                    .await?;
            }
            Ok::<(), Objection>(())
        }
    });
    try_join_all(publishers).await?;
    let (late, last) = (hub.id("late"), hub.id("last"));
    hub.mark(&topic, &late).await?;
    hub.mark(&topic, &last).await?;
    for (cursor, count) in [(&late, 0), (&first, COUNT + 1)] {
        let request = hub.subscription(&[&topic]).bearer(&hub.reader());
        let mut stream = hub.open(&request.field("Last-Event-ID", cursor)).await?;
        let seen = stream.ids_until(&last).await?.len();
        holds(
            seen == count,
            format!("{count} events after {cursor}"),
            format!("{seen} of them"),
        )?;
    }
    Ok(())
}
