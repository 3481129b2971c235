use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::connections::peer_key;
use crate::metrics;
use crate::refusals::Refusal;

/// The places of live streams, bounded overall and for each client.
#[derive(Debug, Clone)]
pub(crate) struct StreamPlaces {
    most: usize,
    most_of_peer: usize,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// The place of an open stream.
#[derive(Debug)]
pub(crate) struct StreamPlace {
    places: StreamPlaces,
    peer: IpAddr,
}

impl StreamPlaces {
    pub(crate) fn new(most: usize, most_of_peer: usize) -> Self {
        Self { most, most_of_peer, open: Arc::default() }
    }

    /// A place for a stream of `client`, or the limit that leaves none, and how much it allows.
    pub(crate) fn take(&self, client: IpAddr) -> Result<StreamPlace, (Refusal, usize)> {
        let peer = peer_key(client);
        let mut open = self.open();
        if open.get(&peer).is_some_and(|open| *open >= self.most_of_peer) {
            return Err((Refusal::StreamsOfClient, self.most_of_peer));
        }
        if open.values().sum::<usize>() >= self.most {
            return Err((Refusal::Streams, self.most));
        }
        *open.entry(peer).or_default() += 1;
        metrics::STREAMS.get().increment(1.0);
        Ok(StreamPlace { places: self.clone(), peer })
    }

    fn open(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for StreamPlace {
    fn drop(&mut self) {
        let mut open = self.places.open();
        if let Some(held) = open.get_mut(&self.peer) {
            *held -= 1;
            if *held == 0 {
                open.remove(&self.peer);
            }
        }
        metrics::STREAMS.get().decrement(1.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_client_leaves_streams_to_others() {
        let places = StreamPlaces::new(3, 2);
        let take = |peer: &str| places.take(peer.parse().unwrap());
        let held = [take("192.0.2.1").unwrap(), take("192.0.2.1").unwrap()];
        assert_eq!(take("192.0.2.1").unwrap_err(), (Refusal::StreamsOfClient, 2));
        let other = take("192.0.2.2").unwrap();
        assert_eq!(take("192.0.2.3").unwrap_err(), (Refusal::Streams, 3));
        drop(held);
        drop(other);
        assert!(places.open().is_empty());
        assert!(take("192.0.2.3").is_ok());
    }
}
