//! Keeps a connection: makes it, compares the history over it, looks after it, makes the next.

use std::sync::Arc;
use std::time::Duration;

use fanfare_broker::Lineage;
use tokio_util::sync::CancellationToken;

use crate::address::Address;
use crate::config::{Ack, Config};
use crate::error::OpenError;
use crate::link::Link;
use crate::log::{LogError, View};
use crate::monitor;
use crate::shared::Shared;
use crate::verify::verify;

/// Keeps the connection of one broker.
#[derive(Debug)]
pub(crate) struct Keeper {
    pub(crate) address: Address,
    pub(crate) config: Config,
    pub(crate) shared: Arc<Shared>,
}

impl Keeper {
    /// Makes the first connection, until the configured time is over.
    ///
    /// # Errors
    ///
    /// [`OpenError`].
    pub(crate) async fn start(&self) -> Result<Arc<Link>, OpenError> {
        let deadline = tokio::time::Instant::now() + self.config.broker_start_patience;
        let mut pause = PAUSE_MIN;
        loop {
            let error = match self.connect(true).await {
                Ok(link) => return Ok(link),
                Err(error) => error,
            };
            let may_pass = matches!(
                error,
                OpenError::Unreachable { .. } | OpenError::Stream { .. }
            );
            if !may_pass || tokio::time::Instant::now() + pause > deadline {
                return Err(error);
            }
            tracing::warn!(%error, "waiting for NATS");
            wait(pause).await;
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Looks after `link`, and replaces it when it ends; until `stop`.
    pub(crate) async fn run(self, mut link: Arc<Link>, stop: CancellationToken) {
        let kept = async {
            loop {
                let why = self.look_after(&link).await;
                tracing::warn!(why, "the connection to NATS is lost");
                self.shared.down(why);
                link = self.reconnect().await;
                tracing::info!("connected to NATS again");
            }
        };
        stop.run_until_cancelled(kept).await;
    }

    async fn reconnect(&self) -> Arc<Link> {
        let mut pause = PAUSE_MIN;
        loop {
            // Full jitter: the nodes of a hub lose their server all at once.
            wait(pause.mul_f64(rand::random())).await;
            match self.connect(false).await {
                Ok(link) => return link,
                Err(error) => {
                    tracing::debug!(%error, "cannot connect to NATS");
                    self.shared.down(error.to_string());
                }
            }
            pause = (pause * 2).min(PAUSE_MAX);
        }
    }

    /// Connects, and says so once the history was compared.
    async fn connect(&self, is_start: bool) -> Result<Arc<Link>, OpenError> {
        let link = Arc::new(Link::connect(&self.address, &self.config).await?);
        self.prove().await?;
        let view = link.log.open(is_start).await?;
        let refused = |LogError(why)| OpenError::Stream {
            stream: self.address.stream(),
            why,
        };
        verify(&self.shared, &link.log, view)
            .await
            .map_err(refused)?;
        self.shared.up(&link);
        Ok(link)
    }

    /// Has the servers' monitoring show that they write before they acknowledge, if that is asked.
    async fn prove(&self) -> Result<(), OpenError> {
        match self.address.ack {
            Ack::Relaxed => Ok(()),
            Ack::Synced => monitor::prove(&self.address).await,
        }
    }

    /// Resolves with the reason once `link` is no longer good.
    async fn look_after(&self, link: &Link) -> String {
        let mut turn = tokio::time::interval(CHECK_INTERVAL);
        turn.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        turn.tick().await;
        loop {
            tokio::select! {
                why = link.ended() => return why,
                _ = turn.tick() => {}
            }
            let check = async {
                // Before the view: what is stored while that is under way is not in it.
                let newest = self.shared.known().trail.newest();
                let view = link.log.view().await?;
                self.check(link, newest, view).await
            };
            tokio::select! {
                why = link.ended() => return why,
                checked = check => if let Err(LogError(why)) = checked {
                    link.suspect(&why);
                }
            }
        }
    }

    /// Looks for another stream, for less than `newest`, the newest offset that was known before
    /// `view` was asked for, and for marks.
    async fn check(&self, link: &Link, newest: u64, view: View) -> Result<(), LogError> {
        let (first_epoch, mark, lineage) = {
            let known = self.shared.known();
            let lineage = Arc::clone(&known.lineage);
            (known.first_epoch, known.mark, lineage)
        };
        if first_epoch != Some(view.first_epoch) {
            return Err(LogError("the stream was made anew".to_owned()));
        }
        if newest > view.last {
            return Err(LogError("the stream has lost records".to_owned()));
        }
        if let Some((offset, lineage)) = link.log.newest_mark().await? {
            self.shared.known().adopt(offset, lineage);
        }
        let middle = view.first + (view.last.saturating_sub(view.first)) / 2;
        if mark > 0 && mark < middle {
            // Before it is trimmed: a node that starts later knows of the epochs only by it.
            let mut lineage = Lineage::clone(&lineage);
            lineage.forget_before(view.first);
            let newest = if mark < view.first { 0 } else { mark };
            link.log.append_mark(newest, &lineage).await?;
        }
        Ok(())
    }
}

async fn wait(time: Duration) {
    _ = tokio::time::timeout(time, std::future::pending::<()>()).await;
}

/// Between two attempts to connect.
const PAUSE_MIN: Duration = Duration::from_millis(50);
const PAUSE_MAX: Duration = Duration::from_secs(2);
/// How often the stream is looked at while all is well.
const CHECK_INTERVAL: Duration = Duration::from_secs(3);
