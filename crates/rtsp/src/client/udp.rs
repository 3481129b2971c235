//! The pair of UDP sockets for RTP and RTCP.

use std::io;
use std::net::{IpAddr, SocketAddr};

use bytes::{Bytes, BytesMut};
use tokio::net::UdpSocket;
use tokio::task::coop::consume_budget;

use crate::TransportError;

/// How often a pair of neighbouring ports is looked for.
const TRIES: usize = 64;
/// Most bytes of a datagram.
const MAX_DATAGRAM: usize = 65_536;

#[derive(Debug)]
pub(super) struct Udp {
    rtp: UdpSocket,
    rtcp: UdpSocket,
    /// The addresses whose packets are taken: the camera's, and the one that it announces.
    senders: Vec<IpAddr>,
    reports_to: Option<SocketAddr>,
    buffers: [BytesMut; 2],
}

impl Udp {
    /// An even port and the next one, on the address from which the camera is reached.
    pub(super) async fn bind(local: IpAddr, peer: IpAddr) -> Result<Self, TransportError> {
        let pair = async || -> io::Result<Option<(UdpSocket, UdpSocket)>> {
            let first = UdpSocket::bind((local, 0)).await?;
            let port = first.local_addr()?.port();
            let other = UdpSocket::bind((local, port ^ 1)).await;
            Ok(other.ok().map(|other| if port % 2 == 0 { (first, other) } else { (other, first) }))
        };
        for _ in 0..TRIES {
            if let Some((rtp, rtcp)) = pair().await.map_err(|_| TransportError::NoPorts)? {
                let buffers = [BytesMut::new(), BytesMut::new()];
                return Ok(Self { rtp, rtcp, senders: vec![peer], reports_to: None, buffers });
            }
        }
        Err(TransportError::NoPorts)
    }

    /// The port for RTP; the one for RTCP follows.
    pub(super) fn port(&self) -> u16 {
        self.rtp.local_addr().map_or(0, |address| address.port())
    }

    /// The camera announces where it sends from.
    pub(super) fn announced(&mut self, source: Option<IpAddr>, rtcp_port: Option<u16>) {
        self.reports_to = rtcp_port.filter(|port| *port > 0).map(|port| SocketAddr::new(self.senders[0], port));
        self.senders.extend(source.filter(|source| !source.is_multicast() && !source.is_unspecified()));
    }

    /// The next datagram of the camera, and whether it is RTCP. Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> (bool, Bytes) {
        loop {
            consume_budget().await;
            let [first, second] = &mut self.buffers;
            first.reserve(MAX_DATAGRAM);
            second.reserve(MAX_DATAGRAM);
            let (is_control, received) = tokio::select! {
                received = self.rtp.recv_buf_from(first) => (false, received),
                received = self.rtcp.recv_buf_from(second) => (true, received),
            };
            let data = self.buffers[usize::from(is_control)].split().freeze();
            match received {
                Ok((_, sender)) if self.senders.contains(&sender.ip()) => return (is_control, data),
                // A stranger's; or the camera's host tells that nobody waits for our reports.
                _ => {}
            }
        }
    }

    /// Sends a receiver report, if the camera takes any.
    pub(super) fn report(&self, report: &[u8]) {
        if let Some(camera) = self.reports_to {
            let _ = self.rtcp.try_send_to(report, camera);
        }
    }
}
