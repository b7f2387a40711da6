//! One connection to a server: it ends where it breaks, with all that was queued for it (NA7).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_nats::{Auth, AuthError, Client, ConnectError, ConnectErrorKind, ConnectOptions, Event};
use tokio::sync::watch;

use crate::address::{Address, Login};
use crate::blocks::Blocks;
use crate::config::{ANSWER_TIMEOUT, Config};
use crate::error::OpenError;
use crate::log::Log;
use crate::views::Views;

/// One connection, from its handshake to its first fault.
///
/// The client library would go on by itself after a fault: it sends then what was queued meanwhile,
/// which its publishers were long told is not stored, and nobody compares the history first. So
/// none of its connections is a second one: see [`Link::connect`].
#[derive(Debug)]
pub(crate) struct Link {
    pub(crate) log: Log,
    pub(crate) views: Views,
    pub(crate) blocks: Blocks,
    client: Client,
    /// Why it is no longer good; `None`: it is.
    ended: watch::Sender<Option<String>>,
}

impl Link {
    /// Connects to one of the servers.
    ///
    /// # Errors
    ///
    /// [`OpenError::Refused`] or [`OpenError::Unreachable`].
    pub(crate) async fn connect(address: &Address, config: &Config) -> Result<Self, OpenError> {
        let ended = watch::Sender::new(None);
        let is_connected = Arc::new(AtomicBool::new(false));
        let auth = address.login.auth();
        let gate = Arc::clone(&is_connected);
        // The library asks for the login before each handshake: there is one for the first only.
        let mut options = ConnectOptions::with_auth_callback(move |_| {
            let answer = match gate.load(Ordering::Relaxed) {
                false => Ok(auth.clone()),
                true => Err(AuthError::new("a connection that broke is not resumed")),
            };
            async move { answer }
        });
        let told = ended.clone();
        options = options.event_callback(move |event| {
            let told = told.clone();
            async move {
                if let Event::Disconnected | Event::Closed | Event::LameDuckMode = event {
                    end(&told, &format!("the connection ended: {event}"));
                }
            }
        });
        options = options
            .name("fanfare")
            .max_reconnects(address.servers.len())
            .reconnect_delay_callback(|_| std::time::Duration::ZERO)
            .connection_timeout(ANSWER_TIMEOUT)
            .ping_interval(ANSWER_TIMEOUT)
            .client_capacity(QUEUE_MAX);
        if let Some(ca) = &address.ca {
            options = options.add_root_certificates(ca.clone());
        }
        let servers = address.urls();
        let client = options.connect(servers).await;
        let client = client.map_err(|error| explain(address, &error))?;
        is_connected.store(true, Ordering::Relaxed);
        Ok(Self {
            log: Log::new(client.clone(), address, config),
            views: Views::default(),
            blocks: Blocks::default(),
            client,
            ended,
        })
    }

    /// Makes the keeper connect anew, and compare the history before anything else is done.
    pub(crate) fn suspect(&self, why: &str) {
        end(&self.ended, why);
    }

    /// Why it is no longer good; `None`: it is.
    pub(crate) fn why_ended(&self) -> Option<String> {
        self.ended.borrow().clone()
    }

    /// Resolves with the reason once it is no longer good.
    pub(crate) async fn ended(&self) -> String {
        let mut ended = self.ended.subscribe();
        let why = ended.wait_for(Option::is_some).await;
        why.ok().and_then(|why| why.clone()).unwrap_or_default()
    }

    /// Bytes of the largest message that the server takes, headers included.
    pub(crate) fn bytes_max(&self) -> usize {
        self.client.max_payload()
    }
}

fn end(ended: &watch::Sender<Option<String>>, why: &str) {
    ended.send_if_modified(|ended| {
        let is_first = ended.is_none();
        if is_first {
            *ended = Some(why.to_owned());
        }
        is_first
    });
}

impl Address {
    /// The name of the stream.
    pub(crate) fn stream(&self) -> String {
        format!("FANFARE_{}", self.hub)
    }

    fn urls(&self) -> Vec<String> {
        let scheme = if self.tls { "tls" } else { "nats" };
        let servers = self.servers.iter();
        servers
            .map(|server| format!("{scheme}://{server}"))
            .collect()
    }
}

impl Login {
    fn auth(&self) -> Auth {
        let mut auth = Auth::new();
        match self {
            Self::None => {}
            Self::Token(token) => auth.token = Some(token.clone()),
            Self::User { name, password } => {
                auth.username = Some(name.clone());
                auth.password = Some(password.clone());
            }
        }
        auth
    }
}

fn explain(address: &Address, error: &ConnectError) -> OpenError {
    let why = match std::error::Error::source(error) {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    };
    let refusals = [
        ConnectErrorKind::Authentication,
        ConnectErrorKind::AuthorizationViolation,
    ];
    match refusals.contains(&error.kind()) {
        true => OpenError::Refused { why },
        false => OpenError::Unreachable {
            address: address.to_string(),
            why,
        },
    }
}

/// Commands that wait in the client for the socket.
const QUEUE_MAX: usize = 256;
