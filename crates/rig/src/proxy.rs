//! A network that fails: a TCP proxy in front of one server, whose behaviour a test changes while it runs.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::runtime::Builder;
use tokio::sync::watch;
use tokio::time::sleep;

/// How the network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Network {
    /// Everything arrives.
    Pass,
    /// Connections are accepted and stay, and nothing arrives; what was sent arrives when it passes again.
    Stall,
    /// Connections are reset, those that are there and those that come.
    Cut,
    /// Everything arrives this much later, each way.
    Delay(Duration),
}

/// The proxy; it has a thread of its own and ends with the value.
pub struct Proxy {
    address: SocketAddr,
    network: watch::Sender<Network>,
}

impl Proxy {
    /// Listens on a port of 127.0.0.1 and passes everything on to `upstream`.
    pub fn start(upstream: impl Into<SocketAddr>) -> Self {
        let upstream = upstream.into();
        let listener = TcpListener::bind("127.0.0.1:0");
        let opened = listener.and_then(|listener| {
            listener.set_nonblocking(true)?;
            let address = listener.local_addr()?;
            Ok((listener, address, Builder::new_current_thread().enable_all().build()?))
        });
        let (listener, address, runtime) =
            opened.unwrap_or_else(|error| panic!("no proxy can be had: {error}"));
        let (network, seen) = watch::channel(Network::Pass);
        thread::spawn(move || {
            // Everything in it ends with the runtime.
            let _ = runtime.block_on(accept(listener, upstream, seen));
        });
        Self { address, network }
    }

    /// In front of a server on a port of 127.0.0.1.
    pub fn in_front_of(port: u16) -> Self {
        Self::start(([127, 0, 0, 1], port))
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Changes the network, for connections that are there too.
    pub fn set(&self, network: Network) {
        self.network.send_replace(network);
    }
}

async fn accept(
    listener: TcpListener,
    upstream: SocketAddr,
    mut network: watch::Receiver<Network>,
) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                let (client, _) = accepted?;
                tokio::spawn(carry(client, upstream, network.clone()));
            }
            // The proxy is gone.
            changed = network.changed() => if changed.is_err() { return Ok(()) },
        }
    }
}

/// One connection, until either side or the network ends it.
async fn carry(mut client: TcpStream, upstream: SocketAddr, mut network: watch::Receiver<Network>) {
    let _ = client.set_nodelay(true);
    let mut seen = network.clone();
    let well = tokio::select! {
        outcome = exchange(&mut client, upstream, &mut seen) => outcome.is_ok(),
        _ = network.wait_for(|network| *network == Network::Cut) => false,
    };
    if !well {
        // The client is told by a reset instead of a farewell.
        let _ = client.set_zero_linger();
    }
}

async fn exchange(
    client: &mut TcpStream,
    upstream: SocketAddr,
    network: &mut watch::Receiver<Network>,
) -> io::Result<()> {
    // While the network stalls nothing arrives, not even the wish to connect.
    flowing(network).await?;
    let mut server = TcpStream::connect(upstream).await?;
    server.set_nodelay(true)?;
    let ((from_client, to_client), (from_server, to_server)) = (client.split(), server.split());
    let there = pump(from_client, to_server, network.clone());
    tokio::try_join!(there, pump(from_server, to_client, network.clone())).map(drop)
}

/// Waits while nothing gets through.
async fn flowing(network: &mut watch::Receiver<Network>) -> io::Result<Network> {
    let flows = network.wait_for(|network| *network != Network::Stall).await;
    flows.map(|network| *network).map_err(|_| io::ErrorKind::ConnectionAborted.into())
}

async fn pump(
    mut from: ReadHalf<'_>,
    mut to: WriteHalf<'_>,
    mut network: watch::Receiver<Network>,
) -> io::Result<()> {
    let mut bytes = vec![0; 64 * 1024];
    loop {
        let read = from.read(&mut bytes).await?;
        if let Network::Delay(delay) = flowing(&mut network).await? {
            sleep(delay).await;
            flowing(&mut network).await?;
        }
        if read == 0 {
            return to.shutdown().await;
        }
        to.write_all(&bytes[..read]).await?;
    }
}
