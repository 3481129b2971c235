//! Accepted connections that are not served yet. Clients take turns, so that one with thousands keeps others waiting for a few of
//! them only.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;

use crate::connections::{Place, peer_key};

/// The connections that wait, each with its place in the table of connections, which bounds them.
#[derive(Debug)]
pub(crate) struct Waiting<T> {
    of_client: HashMap<IpAddr, VecDeque<(T, Arc<Place>)>>,
    /// Clients with connections that wait; the first is the next to have one served.
    turns: VecDeque<IpAddr>,
}

impl<T> Default for Waiting<T> {
    fn default() -> Self {
        Self { of_client: HashMap::new(), turns: VecDeque::new() }
    }
}

impl<T> Waiting<T> {
    pub(crate) fn push(&mut self, client: IpAddr, connection: T, place: Arc<Place>) {
        let client = peer_key(client);
        let queue = self.of_client.entry(client).or_default();
        if queue.is_empty() {
            self.turns.push_back(client);
        }
        queue.push_back((connection, place));
    }

    /// The connection that has waited for longest of the client whose turn it is.
    pub(crate) fn pop(&mut self) -> Option<(T, Arc<Place>)> {
        let client = self.turns.pop_front()?;
        let queue = self.of_client.get_mut(&client)?;
        let next = queue.pop_front();
        if queue.is_empty() {
            self.of_client.remove(&client);
        } else {
            self.turns.push_back(client);
        }
        next
    }

    /// Closes the connections that lost their places to newer ones. Of a client's idle connections the oldest loses its place first.
    pub(crate) fn drop_displaced(&mut self) {
        self.of_client.retain(|_, queue| {
            while queue.front().is_some_and(|(_, place)| place.closed.is_cancelled()) {
                queue.pop_front();
            }
            !queue.is_empty()
        });
        self.turns.retain(|client| self.of_client.contains_key(client));
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.turns.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connections::{ConnectionLimits, Connections};

    fn client(number: u8) -> IpAddr {
        IpAddr::from([192, 0, 2, number])
    }

    /// Connections of clients, numbered in the order in which they were accepted.
    fn accepted(connections: &Connections, clients: &[u8]) -> Waiting<usize> {
        let mut waiting = Waiting::default();
        for (number, peer) in clients.iter().map(|number| client(*number)).enumerate() {
            let (place, _) = connections.admit(peer, false).unwrap();
            waiting.push(peer, number, place);
            waiting.drop_displaced();
        }
        waiting
    }

    fn served(mut waiting: Waiting<usize>) -> Vec<usize> {
        let order = std::iter::from_fn(|| waiting.pop().map(|(number, _)| number)).collect();
        assert!(waiting.is_empty() && waiting.of_client.is_empty());
        order
    }

    #[test]
    fn clients_take_turns_however_many_connections_one_of_them_has() {
        let connections = Connections::new(ConnectionLimits { overall: 16, per_peer: 16 });
        let waiting = accepted(&connections, &[1, 1, 1, 1, 1, 2, 3, 2]);
        assert_eq!(served(waiting), [0, 5, 6, 1, 7, 2, 3, 4]);
    }

    #[test]
    fn a_connection_that_lost_its_place_is_closed_and_never_served() {
        let one_client = Connections::new(ConnectionLimits { overall: 16, per_peer: 2 });
        assert_eq!(served(accepted(&one_client, &[1, 1, 2, 1, 1, 1])), [4, 2, 5]);
        let all = Connections::new(ConnectionLimits { overall: 4, per_peer: 4 });
        assert_eq!(served(accepted(&all, &[1, 1, 1, 2, 3, 4])), [2, 3, 4, 5]);
    }
}
