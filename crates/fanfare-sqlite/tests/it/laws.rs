//! The twelve laws, on a history that dies with its files as they are.

use std::fs;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use fanfare_broker::Broker;
use fanfare_sqlite::{Config, SqliteBroker};
use fanfare_testkit::broker_suite::{Limits, Site};
use tempfile::TempDir;

/// A folder for each life of the broker.
struct Folders {
    root: TempDir,
    lives: Mutex<u32>,
}

impl Folders {
    fn new() -> Self {
        Self {
            root: tempfile::tempdir().unwrap(),
            lives: Mutex::new(0),
        }
    }

    fn folder(&self, life: u32) -> PathBuf {
        self.root.path().join(life.to_string())
    }

    fn open_here(&self, limits: Limits) -> Arc<dyn Broker> {
        let folder = self.folder(*self.lives.lock().unwrap());
        let mut config = Config::default();
        config.history_count_max = limits.history_count_max as u64;
        Arc::new(SqliteBroker::open(folder, config).unwrap())
    }
}

impl Site for Folders {
    async fn open(&self, limits: Limits) -> Arc<dyn Broker> {
        self.open_here(limits)
    }

    /// The next life begins with the files as they are while the last one still runs: what a kill
    /// leaves.
    async fn reopen(&self, broker: Arc<dyn Broker>, limits: Limits) -> Arc<dyn Broker> {
        let life = *self.lives.lock().unwrap();
        let (from, to) = (self.folder(life), self.folder(life + 1));
        fs::create_dir(&to).unwrap();
        for name in ["fanfare.db", "fanfare.db-wal"] {
            if from.join(name).exists() {
                fs::copy(from.join(name), to.join(name)).unwrap();
            }
        }
        *self.lives.lock().unwrap() += 1;
        drop(broker);
        self.open_here(limits)
    }
}

fanfare_testkit::broker_laws!(Folders::new());
