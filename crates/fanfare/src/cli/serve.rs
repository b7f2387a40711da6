//! `fanfare serve`: puts the parts of a hub together, and runs them until a signal comes.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;

use anyhow::{Context, anyhow};
use fanfare::server::{self, Dev};
use fanfare_broker::MemoryBroker;
use fanfare_hub::Hub;
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpSocket};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::exit::{Exit, Failure};
use super::{logs, output};
use crate::config::{Environment, Loaded, Parts};

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
    let mut signals = Signals::listen()?;
    let listener = listen(parts.listen)?;
    let address = listener.local_addr()?;

    tracing::warn!("the memory broker survives nothing: with this process all events are gone");
    let broker = Arc::new(MemoryBroker::new(parts.memory));
    let hub = Hub::start(broker, parts.hub).await?;
    if let Err(error) = announce(address, parts.server.dev.as_ref()) {
        tracing::warn!(%error, "nobody reads stdout");
    }

    let stop = CancellationToken::new();
    let server = server::run(listener, hub, parts.server, stop.clone().cancelled_owned());
    tokio::select! {
        drained = server => {
            tracing::info!(ended = drained.ended, cut = drained.cut, "drained");
            Ok(())
        }
        () = signals.twice(&stop) => {
            Err(Failure::new(Exit::Cut, anyhow!("ended at once by a second signal")))
        }
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

/// Says on stdout that the hub takes connections: scripts wait for this line.
fn announce(address: SocketAddr, dev: Option<&Dev>) -> io::Result<()> {
    if let Some(dev) = dev {
        introduce(address, &dev.publisher_token)?;
    }
    output::line(&format!("fanfare is ready on http://{address}"))
}

/// Prints what a newcomer can paste (development only).
fn introduce(address: SocketAddr, token: &str) -> io::Result<()> {
    let mut reached = address;
    // What listens everywhere is reached, from here, by loopback.
    if address.ip().is_unspecified() {
        reached.set_ip(match address {
            SocketAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
        });
    }
    let hub = format!("http://{reached}");
    if token.is_empty() {
        // The publishers' key is one that only verifies: their tokens come from elsewhere.
        return output::line(&format!(
            "Development mode: nothing is kept.\n\npage:\n  {hub}/\n"
        ));
    }
    output::line(&format!(
        "\
Development mode: nothing is kept, and whoever reaches this address may publish.

page:
  {hub}/
publisher token:
  {token}
subscribe:
  curl -N '{hub}/.well-known/mercure?topic=demo'
publish:
  curl -H 'Authorization: Bearer {token}' -d topic=demo -d data=hello {hub}/.well-known/mercure
"
    ))
}

/// The signals that end the program: SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    fn listen() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
        })
    }

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
