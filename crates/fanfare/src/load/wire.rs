//! A connection's bytes: on the wire as they are, or inside TLS.

use std::fmt;
use std::io::{self, Read, Write};
use std::sync::Arc;

use mio::net::TcpStream;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, RootCertStore, Stream};

/// A non-blocking connection. Over TLS its readiness is the socket's: read until it would block.
pub(crate) struct Wire {
    pub(crate) socket: TcpStream,
    tls: Option<Box<ClientConnection>>,
}

/// What a client of one hub needs for TLS; cloning shares it.
#[derive(Clone)]
pub(crate) struct Tls {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl Tls {
    /// For the hub that is called `host`: HTTP/1.1, with those trusted whom the system trusts.
    pub(crate) fn to(host: &str) -> Result<Self, rustls::Error> {
        let name = ServerName::try_from(host.to_owned());
        let name = name.map_err(|error| rustls::Error::General(error.to_string()))?;
        let mut roots = RootCertStore::empty();
        // What is there and cannot be read trusts nobody; the handshake will say so.
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider);
        let config = config.with_safe_default_protocol_versions()?;
        let mut config = config.with_root_certificates(roots).with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self {
            config: Arc::new(config),
            name,
        })
    }

    fn connection(&self) -> io::Result<ClientConnection> {
        let connection = ClientConnection::new(Arc::clone(&self.config), self.name.clone());
        connection.map_err(io::Error::other)
    }
}

impl Wire {
    /// `socket`, with `tls` around what is read and written.
    pub(crate) fn new(socket: TcpStream, tls: Option<&Tls>) -> io::Result<Self> {
        let tls = tls.map(Tls::connection).transpose()?;
        Ok(Self {
            socket,
            tls: tls.map(Box::new),
        })
    }

    /// Whether a short read says that the socket is empty.
    pub(crate) fn is_plain(&self) -> bool {
        self.tls.is_none()
    }
}

impl Read for Wire {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.read(bytes),
            Some(tls) => Stream::new(tls.as_mut(), &mut self.socket).read(bytes),
        }
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut self.tls {
            None => self.socket.write(bytes),
            Some(tls) => Stream::new(tls.as_mut(), &mut self.socket).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match &mut self.tls {
            None => self.socket.flush(),
            Some(tls) => Stream::new(tls.as_mut(), &mut self.socket).flush(),
        }
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire")
            .field("socket", &self.socket)
            .field("is_plain", &self.is_plain())
            .finish()
    }
}
