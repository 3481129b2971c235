//! The open connections, bounded overall and for each client, so that neither slow nor many ones take the descriptors that stages
//! need, and one client leaves room for others.
//!
//! At a limit the connection that has been without a request for longest is closed in favour of the new one. Only when each of
//! them has a request in progress is the new one refused.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::net::{IpAddr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::metrics;
use crate::refusals::Refusal;

/// The limits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ConnectionLimits {
    pub(crate) overall: usize,
    pub(crate) per_peer: usize,
}

impl ConnectionLimits {
    /// The configured limits, or less where the process may open few descriptors: half of them stay for the stages, and one client
    /// leaves a quarter of the rest to others.
    pub(crate) fn within(configured: Self, descriptors: Option<u64>) -> Self {
        let half = descriptors.map_or(usize::MAX, |most| usize::try_from(most / 2).unwrap_or(usize::MAX));
        let overall = configured.overall.min(half).max(4);
        Self { overall, per_peer: configured.per_peer.min(three_quarters(overall)) }
    }
}

/// Three quarters of a limit, at least one.
pub(crate) fn three_quarters(most: usize) -> usize {
    (most - most / 4).max(1)
}

/// The descriptors that this process may open; none when there is no limit.
pub(crate) fn descriptors() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::Nofile).current
}

/// Who shares a limit: an IPv4 address, or an IPv6 network of 64 bits, all of which one machine may use.
pub(crate) fn peer_key(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
        address @ IpAddr::V4(_) => address,
    }
}

/// The table of connections; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Connections {
    limits: ConnectionLimits,
    table: Arc<Mutex<Table>>,
}

#[derive(Debug, Default)]
struct Table {
    /// Grows with every event, so that the smallest is the oldest.
    clock: u64,
    open: usize,
    peers: HashMap<IpAddr, BTreeMap<u64, Held>>,
}

#[derive(Debug)]
struct Held {
    /// Since when it has had no request; none during one.
    idle_since: Option<u64>,
    closed: CancellationToken,
}

/// The place of an open connection in the table.
#[derive(Debug)]
pub(crate) struct Place {
    connections: Connections,
    peer: IpAddr,
    id: u64,
    /// Ends the connection.
    pub(crate) closed: CancellationToken,
    /// Whether something was received that is part of no request yet.
    pub(crate) received: AtomicBool,
}

/// A request in progress, until its answer is sent.
#[derive(Debug)]
pub(crate) struct Busy(Arc<Place>);

/// A new connection, and the limit because of which another one was closed.
pub(crate) type Admitted = (Arc<Place>, Option<Refusal>);

impl Connections {
    pub(crate) fn new(limits: ConnectionLimits) -> Self {
        Self { limits, table: Arc::default() }
    }

    /// A place for a connection of `peer`, or the limit that leaves none. A trusted proxy brings the requests of many clients, so
    /// the limit of one client is not for it.
    pub(crate) fn admit(&self, peer: IpAddr, proxy: bool) -> Result<Admitted, Refusal> {
        let peer = peer_key(peer);
        let mut table = self.table();
        let mut displaced = None;
        let held = table.peers.get(&peer).map_or(0, BTreeMap::len);
        if !proxy && held >= self.limits.per_peer {
            if !table.close_idle_of(peer) {
                return Err(Refusal::ConnectionsOfClient);
            }
            displaced = Some(Refusal::ConnectionsOfClient);
        }
        if table.open >= self.limits.overall {
            if !table.close_idle() {
                return Err(Refusal::Connections);
            }
            displaced = Some(Refusal::Connections);
        }
        let id = table.tick();
        let closed = CancellationToken::new();
        let held = Held { idle_since: Some(id), closed: closed.clone() };
        table.peers.entry(peer).or_default().insert(id, held);
        table.open += 1;
        metrics::CONNECTIONS.get().set(table.open as f64);
        drop(table);
        let place = Place { connections: self.clone(), peer, id, closed, received: AtomicBool::new(false) };
        Ok((Arc::new(place), displaced))
    }

    /// Closes a connection without a request, to free its descriptor.
    pub(crate) fn close_idle(&self) {
        self.table().close_idle();
    }

    fn table(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Table {
    fn tick(&mut self) -> u64 {
        self.clock += 1;
        self.clock
    }

    fn held(&mut self, place: &Place) -> Option<&mut Held> {
        self.peers.get_mut(&place.peer)?.get_mut(&place.id)
    }

    fn remove(&mut self, peer: IpAddr, id: u64) -> Option<Held> {
        let of_peer = self.peers.get_mut(&peer)?;
        let held = of_peer.remove(&id)?;
        if of_peer.is_empty() {
            self.peers.remove(&peer);
        }
        self.open -= 1;
        metrics::CONNECTIONS.get().set(self.open as f64);
        Some(held)
    }

    /// Closes the idle connection of `peer` that has been so for longest; whether there was one.
    fn close_idle_of(&mut self, peer: IpAddr) -> bool {
        let oldest = self.peers.get(&peer).and_then(oldest_idle);
        let closed = oldest.and_then(|(_, id)| self.remove(peer, id));
        closed.inspect(|held| held.closed.cancel()).is_some()
    }

    /// Closes an idle connection of the client that has most connections, of several the one with the oldest; whether there was one.
    fn close_idle(&mut self) -> bool {
        let peers = self.peers.iter();
        let with_idle = peers.filter_map(|(peer, held)| Some((held.len(), Reverse(oldest_idle(held)?.0), *peer)));
        with_idle.max().is_some_and(|(_, _, peer)| self.close_idle_of(peer))
    }
}

/// Of a client's connections the one that has been idle for longest: since when, and its id.
fn oldest_idle(held: &BTreeMap<u64, Held>) -> Option<(u64, u64)> {
    held.iter().filter_map(|(id, held)| Some((held.idle_since?, *id))).min()
}

impl Place {
    /// A request began.
    pub(crate) fn begin(self: &Arc<Self>) -> Busy {
        self.received.store(false, Ordering::Relaxed);
        if let Some(held) = self.connections.table().held(self) {
            held.idle_since = None;
        }
        Busy(self.clone())
    }

    /// Whether no request is in progress.
    pub(crate) fn is_idle(&self) -> bool {
        self.connections.table().held(self).is_none_or(|held| held.idle_since.is_some())
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.table().remove(self.peer, self.id);
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.received.store(false, Ordering::Relaxed);
        let mut table = self.0.connections.table();
        let now = table.tick();
        if let Some(held) = table.held(&self.0) {
            held.idle_since = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PEER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn limited(overall: usize, per_peer: usize) -> Connections {
        Connections::new(ConnectionLimits { overall, per_peer })
    }

    #[test]
    fn one_client_has_its_oldest_idle_connection_closed_and_leaves_others_theirs() {
        let connections = limited(10, 2);
        let admit = |peer| connections.admit(peer, false);
        let (first, _) = admit(PEER).unwrap();
        let busy = first.begin();
        let (second, displaced) = admit(PEER).unwrap();
        assert_eq!(displaced, None);
        let (third, displaced) = admit(PEER).unwrap();
        assert_eq!(displaced, Some(Refusal::ConnectionsOfClient));
        assert!(second.closed.is_cancelled() && !first.closed.is_cancelled() && !third.closed.is_cancelled());
        let _also = third.begin();
        assert_eq!(admit(PEER).unwrap_err(), Refusal::ConnectionsOfClient, "each has a request in progress");
        assert!(admit(OTHER).is_ok() && connections.admit(PEER, true).is_ok(), "others and proxies are not affected");
        drop(busy);
        assert!(first.is_idle() && admit(PEER).is_ok() && first.closed.is_cancelled());
    }

    #[test]
    fn overall_the_client_with_most_connections_gives_one() {
        let connections = limited(4, 4);
        let many: Vec<_> = (0..3).map(|_| connections.admit(PEER, false).unwrap().0).collect();
        let (one, _) = connections.admit(OTHER, false).unwrap();
        let (new, displaced) = connections.admit("2001:db8::1".parse().unwrap(), false).unwrap();
        assert_eq!(displaced, Some(Refusal::Connections));
        assert!(many[0].closed.is_cancelled() && !one.closed.is_cancelled());
        let _busy: Vec<_> = [&many[1], &many[2], &one, &new].into_iter().map(|place| place.begin()).collect();
        assert_eq!(connections.admit(OTHER, false).unwrap_err(), Refusal::Connections);
    }

    #[test]
    fn of_clients_with_as_many_the_oldest_idle_connection_goes() {
        let connections = limited(4, 4);
        let peer = |number| IpAddr::from([192, 0, 2, number]);
        let places: Vec<_> = (1..=4).map(|number| connections.admit(peer(number), false).unwrap().0).collect();
        drop(places[0].begin());
        let (_new, _) = connections.admit(peer(9), false).unwrap();
        let closed: Vec<_> = places.iter().map(|place| place.closed.is_cancelled()).collect();
        assert_eq!(closed, [false, true, false, false]);
    }

    #[test]
    fn a_closed_connection_frees_its_place() {
        let connections = limited(4, 1);
        for _ in 0..9 {
            let (place, displaced) = connections.admit(PEER, false).unwrap();
            assert_eq!(displaced, None);
            drop(place.begin());
        }
        assert_eq!(connections.table().open, 0);
        assert!(connections.table().peers.is_empty());
    }

    #[test]
    fn half_of_the_descriptors_stay_for_the_stages() {
        let configured = ConnectionLimits { overall: 1000, per_peer: 400 };
        let within = |descriptors| {
            let limits = ConnectionLimits::within(configured, descriptors);
            (limits.overall, limits.per_peer)
        };
        assert_eq!(within(None), (1000, 400));
        assert_eq!(within(Some(20_000)), (1000, 400));
        assert_eq!(within(Some(256)), (128, 96));
        assert_eq!(within(Some(4)), (4, 3));
    }

    #[test]
    fn an_ipv6_network_is_one_client() {
        let key = |text: &str| peer_key(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8:0:0:ffff::2"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_eq!(key("::ffff:192.0.2.1"), key("192.0.2.1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }
}
