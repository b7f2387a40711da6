//! The twelve laws that every broker keeps, one test each.
//!
//! A broker's crate tells where its broker lives by a [`Site`], and gets the tests by
//! [`broker_laws!`](crate::broker_laws):
//!
//! ```
//! use std::sync::Arc;
//!
//! use fanfare_broker::{Broker, MemoryBroker, memory};
//! use fanfare_testkit::broker_suite::{Limits, Site};
//!
//! struct Memory;
//!
//! impl Site for Memory {
//!     async fn open(&self, limits: Limits) -> Arc<dyn Broker> {
//!         let mut config = memory::Config::default();
//!         config.history_count_max = limits.history_count_max;
//!         Arc::new(MemoryBroker::new(config))
//!     }
//! }
//!
//! fanfare_testkit::broker_laws!(Memory);
//! # fn main() {}
//! ```
//!
//! The laws need nothing but the public trait. They run on a runtime of several threads, and a law
//! that waits for ever fails by its deadline.

mod ending;
mod follower;
mod lineage;
mod outcome;
mod reading;
mod sample;
mod sequence;

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::Broker;

pub use self::ending::{law_11_cancel_safety, law_12_close};
pub use self::lineage::{law_06_no_reuse, law_07_lineage};
pub use self::outcome::{
    law_03_stored_means_readable, law_04_not_stored_is_never_seen, law_05_dedupe,
};
pub use self::reading::{law_08_ack_then_seen, law_09_budget, law_10_filter_neutrality};
pub use self::sequence::{law_01_order, law_02_dense};

/// Where the broker under test keeps its history: a folder, a key prefix, nothing at all.
///
/// Every law gets a site of its own, with nothing stored in it.
pub trait Site: Send + Sync {
    /// Opens a broker here. What earlier ones stored here is there, as far as it survives.
    fn open(&self, limits: Limits) -> impl Future<Output = Arc<dyn Broker>> + Send;

    /// Lets `broker` die without `close`, and opens the next one here.
    ///
    /// Dropping it is the default. A broker that claims to survive the death of its process dies
    /// here in the hardest way that it can die in a test: files as they are at this moment, threads
    /// stopped, connections cut.
    fn reopen(
        &self,
        broker: Arc<dyn Broker>,
        limits: Limits,
    ) -> impl Future<Output = Arc<dyn Broker>> + Send {
        async move {
            drop(broker);
            self.open(limits).await
        }
    }
}

/// What a law asks of the broker that it opens; all else as the broker's users have it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    /// Records that are kept; once there are more, the oldest go, perhaps a little later.
    pub history_count_max: usize,
}

impl Limits {
    /// Nothing that a law stores is trimmed.
    #[must_use]
    pub fn ample() -> Self {
        Self {
            history_count_max: 100_000,
        }
    }

    /// A history so short that a law can outrun it.
    #[must_use]
    pub fn short() -> Self {
        Self {
            history_count_max: 32,
        }
    }
}

/// Runs a law to its end.
///
/// # Panics
///
/// When the law does not hold, or has not come to its end in a minute.
pub fn run(law: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(4)
        .enable_all()
        .build()
        .unwrap()
        .block_on(async { tokio::time::timeout(LAW_TIMEOUT, law).await })
        .expect("a law comes to its end");
}

const LAW_TIMEOUT: Duration = Duration::from_secs(60);

/// Makes twelve tests that hold a broker to its laws; the argument is an expression that makes a
/// fresh [`Site`](crate::broker_suite::Site) for each.
#[macro_export]
macro_rules! broker_laws {
    ($site:expr) => {
        $crate::broker_laws! { $site;
            law_01_order
            law_02_dense
            law_03_stored_means_readable
            law_04_not_stored_is_never_seen
            law_05_dedupe
            law_06_no_reuse
            law_07_lineage
            law_08_ack_then_seen
            law_09_budget
            law_10_filter_neutrality
            law_11_cancel_safety
            law_12_close
        }
    };
    ($site:expr; $($law:ident)*) => {$(
        #[test]
        fn $law() {
            $crate::broker_suite::run($crate::broker_suite::$law($site));
        }
    )*};
}
