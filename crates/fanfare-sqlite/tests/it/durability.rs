//! What a commit survives, as far as it can be seen without pulling a plug (W10).

use std::time::Duration;

use fanfare_broker::Broker;
use fanfare_sqlite::{Config, Durability};

use crate::folder::{Folder, close, store_numbers, until};

fn config(durability: Durability) -> Config {
    let mut config = Config::default();
    config.disk_free_min = 0;
    config.durability = durability;
    config
}

fn synced(folder: &Folder) -> i64 {
    folder.ask("SELECT synced FROM hub")
}

#[tokio::test]
async fn w10_interval_flushes_after_its_time_also_when_nobody_publishes() {
    let folder = Folder::new();
    let broker = folder.open(&config(Durability::Interval(Duration::from_millis(30))));
    for head in [3, 4] {
        store_numbers(&broker, synced(&folder).unsigned_abs() + 1..head + 1).await;
        until("all is flushed", || synced(&folder).unsigned_abs() == head).await;
    }
}

#[tokio::test]
async fn w10_what_is_not_due_is_not_flushed() {
    for durability in [
        Durability::Always,
        Durability::Never,
        Durability::Interval(Duration::from_secs(3600)),
    ] {
        let folder = Folder::new();
        let broker = folder.open(&config(durability));
        for next in 1..100 {
            store_numbers(&broker, next..next + 1).await;
        }
        assert_eq!(synced(&folder), 0, "{durability:?}");
    }
}

#[tokio::test]
async fn w10_each_names_itself_and_what_it_may_lose() {
    for (durability, name, loses) in [
        (Durability::Always, "always", false),
        (
            Durability::Interval(Duration::from_millis(250)),
            "interval",
            true,
        ),
        (Durability::Never, "never", true),
    ] {
        let folder = Folder::new();
        let broker = folder.open(&config(durability));
        assert_eq!(broker.capabilities().loss_window.is_some(), loses);
        let query = format!("SELECT durability = '{name}' AND clean = 0 FROM hub");
        assert_eq!(folder.ask(&query), 1);
        close(broker).await;
        assert_eq!(folder.ask("SELECT clean FROM hub"), 1, "{name}");
    }
}
