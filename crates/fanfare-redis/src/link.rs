//! Connections to the server, and what an answer, or none, says.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::io::tcp::TcpSettings;
use redis::io::tcp::socket2::TcpKeepalive;
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ErrorKind, IntoConnectionInfo, Pipeline,
    ProtocolVersion, PushInfo, PushKind, RedisConnectionInfo, RedisError, TlsCertificates, Value,
};
use tokio::sync::{Semaphore, watch};

use crate::address::{Address, Place, Security};
use crate::error::ConnectError;
use crate::sentinel::Sentinels;

/// Makes connections to one server, or to the one that is the primary then.
#[derive(Clone, Debug)]
pub(crate) struct Link {
    address: Arc<Address>,
    /// Certificates that vouch for the server's, as PEM; `None`: those of the system.
    authority: Option<Vec<u8>>,
    sentinels: Option<Sentinels>,
    response_timeout: Duration,
}

impl Link {
    /// Reads the certificates that `address` names.
    pub(crate) fn new(address: &Address, response_timeout: Duration) -> Result<Self, ConnectError> {
        let mut link = Self {
            address: Arc::new(address.clone()),
            authority: None,
            sentinels: Sentinels::of(address),
            response_timeout,
        };
        let file = match address.security() {
            Security::Plain => None,
            Security::Tls { authority } => authority.as_ref(),
        };
        let unusable = |why: String| match file {
            Some(file) => ConnectError::Certificates {
                file: file.display().to_string(),
                why,
            },
            None => ConnectError::Unfit {
                server: address.server(),
                why,
            },
        };
        if let Some(file) = file {
            let pem = std::fs::read(file).map_err(|error| unusable(error.to_string()))?;
            link.authority = Some(pem);
        }
        for place in address.places() {
            let client = link.client(place, link.login());
            client.map_err(|error| unusable(error.to_string()))?;
        }
        Ok(link)
    }

    /// Opens a connection on which an answer may take the response time-out.
    pub(crate) async fn connect(&self) -> Result<Connection, Fault> {
        self.connect_for(self.response_timeout).await
    }

    /// Opens a connection on which an answer may take `patience`: for a blocking command, longer
    /// than that blocks.
    ///
    /// The client's own default is half a second, for blocking commands too (§6, pitfalls).
    pub(crate) async fn connect_for(&self, patience: Duration) -> Result<Connection, Fault> {
        match (&self.sentinels, self.address.places()) {
            (Some(sentinels), _) => sentinels.connect(self, patience).await,
            (None, [server, ..]) => self.connect_to(server, patience).await,
            (None, []) => Err(Fault::Lost("it has no place".to_owned())),
        }
    }

    /// Opens a connection to the server at `place`.
    pub(crate) async fn connect_to(
        &self,
        place: &Place,
        patience: Duration,
    ) -> Result<Connection, Fault> {
        let (broken, is_broken) = watch::channel(false);
        let notice = move |push: PushInfo| {
            if push.kind == PushKind::Disconnection {
                broken.send_replace(true);
            }
            Ok::<(), ()>(())
        };
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(self.response_timeout))
            .set_response_timeout(Some(patience))
            .set_push_sender(notice);
        let client = self.client(place, self.login())?;
        let made = client.get_multiplexed_async_connection_with_config(&config);
        // Its own time-out ends when the socket is open: a server that takes it and says nothing
        // must not hold us.
        let inner = tokio::time::timeout(self.response_timeout, made).await;
        let inner = inner.map_err(|_| Fault::Lost("it does not answer".to_owned()))??;
        Ok(Connection { inner, is_broken })
    }

    /// How long a server may take to answer.
    pub(crate) fn response_timeout(&self) -> Duration {
        self.response_timeout
    }

    /// As whom, and into which database, a connection goes.
    fn login(&self) -> RedisConnectionInfo {
        let login = self.with_password(RedisConnectionInfo::default());
        login
            .set_db(self.address.database())
            .set_protocol(ProtocolVersion::RESP3)
            .set_lib_name("fanfare", env!("CARGO_PKG_VERSION"))
    }

    /// The same login with the user and the password of the address.
    pub(crate) fn with_password(&self, mut login: RedisConnectionInfo) -> RedisConnectionInfo {
        if let Some(user) = self.address.user() {
            login = login.set_username(user);
        }
        if let Some(password) = self.address.password() {
            login = login.set_password(password);
        }
        login
    }

    /// What makes connections to `place`; it has made none yet.
    pub(crate) fn client(
        &self,
        place: &Place,
        login: RedisConnectionInfo,
    ) -> redis::RedisResult<Client> {
        let (host, port) = (place.host.clone(), place.port);
        let place = match self.address.security() {
            Security::Plain => ConnectionAddr::Tcp(host, port),
            Security::Tls { .. } => ConnectionAddr::TcpTls {
                host,
                port,
                insecure: false,
                tls_params: None,
            },
        };
        let info = place.into_connection_info()?;
        let info = info.set_redis_settings(login).set_tcp_settings(tcp());
        match &self.authority {
            None => Client::open(info),
            Some(pem) => Client::build_with_tls(
                info,
                TlsCertificates {
                    client_tls: None,
                    root_cert: Some(pem.clone()),
                },
            ),
        }
    }
}

fn tcp() -> TcpSettings {
    // A dead peer is noticed by nothing else on a connection that only waits.
    let keepalive = TcpKeepalive::new()
        .with_time(Duration::from_secs(10))
        .with_interval(Duration::from_secs(3))
        .with_retries(3);
    let tcp = TcpSettings::default()
        .set_nodelay(true)
        .set_keepalive(keepalive);
    #[cfg(target_os = "linux")]
    let tcp = tcp.set_user_timeout(Duration::from_secs(20));
    tcp
}

/// One connection, which ends when the last copy of it is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Connection {
    inner: MultiplexedConnection,
    is_broken: watch::Receiver<bool>,
}

impl Connection {
    /// Sends one command and waits for its answer.
    pub(crate) async fn ask(&mut self, command: &Cmd) -> Result<Value, Fault> {
        refused(self.inner.send_packed_command(command).await?)
    }

    /// Sends commands in one go and waits for all answers; each may be a refusal.
    pub(crate) async fn ask_all(
        &mut self,
        commands: &Pipeline,
    ) -> Result<Vec<Result<Value, Fault>>, Fault> {
        let count = commands.len();
        let answers = self.inner.send_packed_commands(commands, 0, count).await?;
        Ok(answers.into_iter().map(refused).collect())
    }

    /// Whether the other end is known to have gone.
    pub(crate) fn is_broken(&self) -> bool {
        *self.is_broken.borrow() || self.is_broken.has_changed().is_err()
    }

    /// Resolves once the other end has gone.
    pub(crate) async fn broken(&self) {
        let mut is_broken = self.is_broken.clone();
        // An error: whoever would have told is gone, with the connection.
        _ = is_broken.wait_for(|broken| *broken).await;
    }
}

/// An answer that is no refusal.
pub(crate) fn refused(value: Value) -> Result<Value, Fault> {
    match value {
        Value::ServerError(error) => Err(Fault::Refused {
            code: error.code().to_owned(),
            why: error.details().unwrap_or_default().to_owned(),
        }),
        value => Ok(value),
    }
}

/// Why there is no answer that can be used.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub(crate) enum Fault {
    /// The server answered that it does not do it.
    #[error("it refuses: {code} {why}")]
    Refused {
        /// Its word for it.
        code: String,
        /// What it says.
        why: String,
    },
    /// There was no answer: it may have been done, or not.
    #[error("{0}")]
    Lost(String),
    /// The answer is not of the kind that was asked for.
    #[error("it answers something else: {0}")]
    Odd(String),
}

impl Fault {
    /// An answer of another kind.
    pub(crate) fn odd(answer: &impl std::fmt::Debug) -> Self {
        let mut text = format!("{answer:?}");
        text.truncate(text.floor_char_boundary(200));
        Self::Odd(text)
    }
}

impl From<RedisError> for Fault {
    fn from(error: RedisError) -> Self {
        match (error.kind(), error.code()) {
            (ErrorKind::Server(_) | ErrorKind::Extension, Some(code)) => Self::Refused {
                code: code.to_owned(),
                why: error.detail().unwrap_or_default().to_owned(),
            },
            (ErrorKind::AuthenticationFailed, _) => Self::Refused {
                code: "NOAUTH".to_owned(),
                why: error.to_string(),
            },
            _ if error.is_timeout() => Self::Lost("it does not answer in time".to_owned()),
            _ => Self::Lost(error.to_string()),
        }
    }
}

/// A connection that all reads share, made again when it is gone.
#[derive(Debug)]
pub(crate) struct SharedConnection {
    link: Link,
    current: Mutex<Option<Connection>>,
    /// One makes it, the others wait.
    making: Semaphore,
}

impl SharedConnection {
    pub(crate) fn new(link: Link) -> Arc<Self> {
        Arc::new(Self {
            link,
            current: Mutex::new(None),
            making: Semaphore::new(1),
        })
    }

    /// A copy of the connection.
    pub(crate) async fn get(&self) -> Result<Connection, Fault> {
        if let Some(connection) = self.alive() {
            return Ok(connection);
        }
        let _turn = self.making.acquire().await;
        if let Some(connection) = self.alive() {
            return Ok(connection);
        }
        let made = self.link.connect().await?;
        *self.lock() = Some(made.clone());
        Ok(made)
    }

    /// Says that `fault` came of it: what does not answer is replaced.
    pub(crate) fn report(&self, fault: &Fault) {
        match fault {
            Fault::Refused { code, .. } if code != "READONLY" => {}
            Fault::Refused { .. } | Fault::Lost(_) | Fault::Odd(_) => *self.lock() = None,
        }
    }

    /// Closes it for now.
    pub(crate) fn close(&self) {
        *self.lock() = None;
    }

    fn alive(&self) -> Option<Connection> {
        let current = self.lock();
        current.as_ref().filter(|it| !it.is_broken()).cloned()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Connection>> {
        // No code panics while it holds the lock.
        self.current.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
