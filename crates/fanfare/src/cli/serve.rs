//! `fanfare serve`: puts the parts of a hub together, and runs them until a signal comes.

use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use anyhow::{Context, anyhow};
use fanfare::server::{self, Dev};
use fanfare::tls::{SelfSigned, Tls};
use fanfare_broker::{Broker, MemoryBroker};
use fanfare_hub::{Drained, Hub};
use fanfare_nats::{self as nats, NatsBroker};
use fanfare_redis::{ConnectError, RedisBroker};
use fanfare_sqlite::SqliteBroker;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::exit::{Exit, Failure};
use super::{logs, output};
use crate::config::{
    BrokerConfig, CertificateSource, Environment, Loaded, OnHistoryFailure, Parts,
};

pub(super) fn run(loaded: Loaded, environment: &Environment) -> Result<(), Failure> {
    let settings = loaded.settings;
    logs::start(&settings.log_level, settings.log_format, environment);
    let parts = Parts::new(settings).map_err(Failure::unfit)?;
    for warning in loaded.warnings.iter().chain(&parts.warnings) {
        tracing::warn!("{warning}");
    }
    raise_descriptor_limit();

    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let outcome = runtime.block_on(serve(parts));
    // After a second signal, nothing that is still under way is waited for.
    runtime.shutdown_background();
    outcome
}

async fn serve(parts: Parts) -> Result<(), Failure> {
    // Before the ready line: a script may send its signal as soon as it has read that.
    let reads_files = matches!(parts.certificate, CertificateSource::Files(_));
    let mut signals = Signals::listen(reads_files)?;
    let listener = listen(parts.listen)?;
    let address = listener.local_addr()?;

    let folder = match &parts.broker {
        BrokerConfig::Memory(_) | BrokerConfig::Nats(..) | BrokerConfig::Redis(..) => None,
        BrokerConfig::Sqlite(folder, _) => Some(folder.clone()),
    };
    let opened = tokio::select! {
        opened = Opened::new(parts.broker) => opened?,
        // It may wait for a server that does not come.
        () = signals.ending.next() => return Ok(()),
    };
    let shown = Shown::new(parts.certificate, folder.as_deref())?;
    let mut config = parts.server;
    config.tls = shown.tls.clone();
    let hub = Hub::start(opened.broker(), parts.hub).await?;
    if let Some(may_be_lost) = hub.capabilities().loss_window {
        tracing::warn!(may_be_lost, "not every stored event is safe");
    }
    if let Err(error) = announce(address, &shown, config.dev.as_ref()) {
        tracing::warn!(%error, "nobody reads stdout");
    }

    let stop = CancellationToken::new();
    let server = server::run(listener, hub, config, stop.clone().cancelled_owned());
    tokio::select! {
        never = refresh(shown.tls, signals.hangup) => match never {},
        outcome = until_drained(server, &opened, parts.on_history_failure, &stop) => outcome,
        () = signals.ending.twice(&stop) => {
            Err(Failure::new(Exit::Cut, anyhow!("ended at once by a second signal")))
        }
    }
}

/// Waits for the end of the server; a history that cannot be written any more brings it about.
async fn until_drained(
    server: impl Future<Output = Drained>,
    opened: &Opened,
    on_failure: OnHistoryFailure,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    let mut server = std::pin::pin!(server);
    let failure = async {
        match on_failure {
            OnHistoryFailure::Exit => opened.failed().await,
            OnHistoryFailure::Stay => std::future::pending().await,
        }
    };
    let (drained, failure) = tokio::select! {
        drained = &mut server => (drained, None),
        why = failure => {
            stop.cancel();
            (server.await, Some(why))
        }
    };
    tracing::info!(ended = drained.ended, cut = drained.cut, "drained");
    match failure {
        None => Ok(()),
        Some(why) => Err(Failure::new(Exit::History, anyhow!(why))),
    }
}

/// The broker, open.
enum Opened {
    Memory(Arc<MemoryBroker>),
    Sqlite(Arc<SqliteBroker>),
    Nats(Arc<NatsBroker>),
    Redis(Arc<RedisBroker>),
}

impl Opened {
    async fn new(config: BrokerConfig) -> Result<Self, Failure> {
        match config {
            BrokerConfig::Memory(config) => Ok(Self::Memory(Arc::new(MemoryBroker::new(config)))),
            BrokerConfig::Sqlite(directory, config) => {
                let broker = SqliteBroker::open(directory, config);
                let broker = broker.map_err(|error| Failure::new(Exit::Data, error))?;
                Ok(Self::Sqlite(Arc::new(broker)))
            }
            BrokerConfig::Nats(address, config) => {
                let broker = NatsBroker::connect(address, config).await;
                let broker = broker.map_err(|error| Failure::new(exit_of(&error), error))?;
                Ok(Self::Nats(Arc::new(broker)))
            }
            BrokerConfig::Redis(address, config) => {
                let broker = RedisBroker::connect(*address, config).await;
                let broker = broker.map_err(|error| {
                    let away = matches!(error, ConnectError::Unreachable { .. });
                    let exit = if away { Exit::Unreachable } else { Exit::Data };
                    Failure::new(exit, error)
                })?;
                Ok(Self::Redis(Arc::new(broker)))
            }
        }
    }

    fn broker(&self) -> Arc<dyn Broker> {
        match self {
            Self::Memory(broker) => Arc::clone(broker) as _,
            Self::Sqlite(broker) => Arc::clone(broker) as _,
            Self::Nats(broker) => Arc::clone(broker) as _,
            Self::Redis(broker) => Arc::clone(broker) as _,
        }
    }

    /// Resolves when nothing can be stored any more.
    async fn failed(&self) -> String {
        match self {
            // A server that is away comes back.
            Self::Memory(_) | Self::Nats(_) | Self::Redis(_) => std::future::pending().await,
            Self::Sqlite(broker) => broker.failed().await,
        }
    }
}

fn exit_of(error: &nats::OpenError) -> Exit {
    match error {
        nats::OpenError::Unreachable { .. } => Exit::Unreachable,
        nats::OpenError::Refused { .. } => Exit::Refused,
        nats::OpenError::Foreign { .. }
        | nats::OpenError::Stream { .. }
        | nats::OpenError::Unproven { .. }
        | _ => Exit::Data,
    }
}

/// Every subscriber is a descriptor, and the soft limit is often 1,024.
pub(super) fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    let raised = rustix::process::Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    if let Err(error) = setrlimit(Resource::Nofile, raised) {
        tracing::warn!(%error, "the limit of open files stays at {:?}", limit.current);
    }
}

fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    let open = || -> io::Result<TcpListener> {
        let socket = match address.is_ipv4() {
            true => TcpSocket::new_v4()?,
            false => TcpSocket::new_v6()?,
        };
        // Without it, a restart finds its own port taken by connections in TIME_WAIT.
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    let listener = open().with_context(|| format!("cannot listen on {address}"));
    listener.map_err(|error| Failure::new(Exit::Address, error))
}

/// Connections that wait to be accepted, for the moment when all subscribers return at once; the
/// kernel caps it (`net.core.somaxconn`).
const BACKLOG: u32 = 65_535;

/// What the hub shows whoever connects, if it speaks TLS.
struct Shown {
    tls: Option<Tls>,
    /// What curl needs to be told of it.
    curl_flags: String,
}

impl Shown {
    /// Makes the certificate that vouches for itself, if that is wanted, and keeps it in `folder`.
    #[expect(
        clippy::disallowed_methods,
        reason = "a certificate ends by the wall clock"
    )]
    fn new(source: CertificateSource, folder: Option<&Path>) -> Result<Self, Failure> {
        let now = SystemTime::now();
        let (tls, curl_flags) = match source {
            CertificateSource::Absent => (None, String::new()),
            CertificateSource::Files(tls) => (Some(tls), String::new()),
            CertificateSource::SelfSigned(oldest) => {
                let (made, flags) = match folder {
                    Some(folder) => {
                        let (kept, file) = SelfSigned::kept_in(folder, now)?;
                        (kept, format!("--cacert '{}' ", file.display()))
                    }
                    // There is no file of it that curl could read.
                    None => (SelfSigned::new(now)?, "--insecure ".to_owned()),
                };
                let tls = Tls::from_pem(&made.certificate, &made.key, oldest)?;
                (Some(tls), flags)
            }
        };
        Ok(Self { tls, curl_flags })
    }

    fn scheme(&self) -> &'static str {
        self.tls.as_ref().map_or("http", |_| "https")
    }
}

/// Has the certificate read again at each SIGHUP, for ever.
async fn refresh(tls: Option<Tls>, hangup: Option<Signal>) -> Infallible {
    let (Some(tls), Some(mut hangup)) = (tls, hangup) else {
        return std::future::pending().await;
    };
    loop {
        match hangup.recv().await {
            Some(()) => tls.refresh(),
            None => std::future::pending().await,
        }
    }
}

/// Says on stdout that the hub takes connections: scripts wait for this line.
fn announce(address: SocketAddr, shown: &Shown, dev: Option<&Dev>) -> io::Result<()> {
    if let Some(dev) = dev {
        introduce(address, shown, &dev.publisher_token)?;
    }
    let scheme = shown.scheme();
    output::line(&format!("fanfare is ready on {scheme}://{address}"))
}

/// Prints what a newcomer can paste (development only).
fn introduce(address: SocketAddr, shown: &Shown, token: &str) -> io::Result<()> {
    let mut reached = address;
    // What listens everywhere is reached, from here, by loopback.
    if address.ip().is_unspecified() {
        reached.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let hub = format!("{}://{reached}", shown.scheme());
    let flags = &shown.curl_flags;
    if token.is_empty() {
        // The publishers' key is one that only verifies: their tokens come from elsewhere.
        return output::line(&format!("Development mode.\n\npage:\n  {hub}/\n"));
    }
    output::line(&format!(
        "\
Development mode: whoever reaches this address may publish.

page:
  {hub}/
publisher token:
  {token}
subscribe:
  curl {flags}-N '{hub}/.well-known/mercure?topic=demo'
publish:
  curl {flags}-H 'Authorization: Bearer {token}' -d topic=demo -d data=hello {hub}/.well-known/mercure
"
    ))
}

/// The signals that the program minds.
struct Signals {
    ending: EndingSignals,
    /// SIGHUP, where there are files to be read again; otherwise it ends the program at once, as
    /// when a terminal is closed.
    hangup: Option<Signal>,
}

impl Signals {
    fn listen(reads_files: bool) -> io::Result<Self> {
        let hangup = reads_files.then(|| signal(SignalKind::hangup()));
        Ok(Self {
            ending: EndingSignals {
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
            },
            hangup: hangup.transpose()?,
        })
    }
}

/// The signals that end the program: SIGTERM and SIGINT.
struct EndingSignals {
    terminate: Signal,
    interrupt: Signal,
}

impl EndingSignals {
    /// Cancels `stop` at the first signal, and resolves at the second.
    async fn twice(&mut self, stop: &CancellationToken) {
        self.next().await;
        stop.cancel();
        self.next().await;
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}
