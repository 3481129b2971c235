//! A network between one worker and the brokers that can be slow or cut.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// State of the network.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Network {
    /// Normal.
    Good,
    /// Everything is delayed by this time.
    Slow(Duration),
    /// Nothing comes through, and nobody is notified: connections stay open, as behind a pulled cable. Data in flight arrive when
    /// it is restored, as with TCP retransmission.
    Cut,
}

/// One port per broker.
pub(crate) struct Proxy {
    ports: Vec<u16>,
    targets: Vec<Arc<Mutex<Option<u16>>>>,
    network: watch::Sender<Network>,
}

impl Proxy {
    /// Listens on `count` free ports.
    pub(crate) async fn new(count: usize) -> io::Result<Self> {
        let (network, state) = watch::channel(Network::Good);
        let (mut ports, mut targets) = (Vec::new(), Vec::new());
        for _ in 0..count {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            ports.push(listener.local_addr()?.port());
            let target = Arc::new(Mutex::new(None));
            targets.push(target.clone());
            tokio::spawn(accept(listener, target, state.clone()));
        }
        Ok(Self { ports, targets, network })
    }

    /// Address of broker `number` through the proxy.
    pub(crate) fn port(&self, number: usize) -> u16 {
        self.ports[number]
    }

    /// Addresses of all brokers through the proxy.
    pub(crate) fn brokers(&self) -> Vec<String> {
        self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect()
    }

    /// Sets the real address of broker `number`.
    pub(crate) fn lead_to(&self, number: usize, port: u16) {
        *self.targets[number].lock().unwrap_or_else(PoisonError::into_inner) = Some(port);
    }

    /// Changes the state of the network.
    pub(crate) fn set(&self, network: Network) {
        self.network.send_replace(network);
    }
}

async fn accept(listener: TcpListener, target: Arc<Mutex<Option<u16>>>, network: watch::Receiver<Network>) {
    while let Ok((client, _)) = listener.accept().await {
        let target = *target.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(target) = target else { continue };
        let mut network = network.clone();
        tokio::spawn(async move {
            // Connections are not established either while the network is cut.
            carries(&mut network).await;
            let Ok(broker) = TcpStream::connect(("127.0.0.1", target)).await else { return };
            let ((from_client, to_client), (from_broker, to_broker)) = (client.into_split(), broker.into_split());
            // When one end closes, so does the other.
            tokio::select! {
                () = pump(from_client, to_broker, network.clone()) => {}
                () = pump(from_broker, to_client, network) => {}
            }
        });
    }
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut network: watch::Receiver<Network>) {
    let mut buffer = vec![0; 64 << 10];
    loop {
        let Ok(length @ 1..) = from.read(&mut buffer).await else { return };
        carries(&mut network).await;
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}

/// Waits until the network is up.
async fn carries(network: &mut watch::Receiver<Network>) {
    let state = network.wait_for(|network| *network != Network::Cut).await.map(|state| *state);
    if let Ok(Network::Slow(by)) = state {
        tokio::time::sleep(by).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_cut_loses_nothing_and_says_nothing() {
        let echo = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = echo.local_addr().unwrap().port();
        tokio::spawn(async move {
            let (stream, _) = echo.accept().await.unwrap();
            let (mut from, mut to) = stream.into_split();
            tokio::io::copy(&mut from, &mut to).await.unwrap();
        });
        let proxy = Proxy::new(1).await.unwrap();
        proxy.lead_to(0, port);
        let mut client = TcpStream::connect(("127.0.0.1", proxy.port(0))).await.unwrap();
        let mut answer = [0; 3];
        client.write_all(b"one").await.unwrap();
        client.read_exact(&mut answer).await.unwrap();
        proxy.set(Network::Cut);
        client.write_all(b"two").await.unwrap();
        let silent = tokio::time::timeout(Duration::from_millis(200), client.read_exact(&mut answer)).await;
        assert!(silent.is_err(), "{silent:?}");
        proxy.set(Network::Good);
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"two");
    }
}
