//! The work for one client at a time: its requests wait for each other, so that one with many expensive requests keeps others waiting
//! for a few of them only.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::connections::peer_key;

/// Requests of a client for each kind of work that are worked on at the same time.
const AT_ONCE: usize = 2;

/// What is waited for separately: a list need not wait for pictures that are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Work {
    Answer,
    Picture,
    Trial,
}

impl Work {
    /// The work for a request; none for what needs neither the store nor much time.
    pub(crate) fn of(path: &str) -> Option<Self> {
        // Logins wait for each other, and must not keep the client's other requests waiting.
        if matches!(path, "/api/v1/session" | "/api/v1/session/sign-on" | "/api/v1/session/answer") {
            return None;
        }
        if ["/snapshot", "/clip", "/glance", "/still"].iter().any(|end| path.ends_with(end)) {
            Some(Self::Picture)
        } else if path.starts_with("/api/v1/what-if")
            || ["/suggest", "/scores", "/detections", "/explain"].iter().any(|end| path.ends_with(end))
        {
            Some(Self::Trial)
        } else {
            (path.starts_with("/api/") || matches!(path, "/healthz" | "/metrics")).then_some(Self::Answer)
        }
    }

    /// Whether it ends when the client leaves. Other work would go on without its turn.
    pub(crate) const fn ends_with_its_client(self) -> bool {
        matches!(self, Self::Trial)
    }
}

type Key = (IpAddr, Work);

/// The queues of all clients that wait or have a turn.
#[derive(Debug, Default)]
pub(crate) struct Turns(Mutex<HashMap<Key, Arc<Semaphore>>>);

/// A turn of a client, until dropped; while it is waited for, the place in its queue.
#[derive(Debug)]
pub(crate) struct Turn {
    turns: Arc<Turns>,
    key: Key,
    queue: Option<Arc<Semaphore>>,
    permit: Option<OwnedSemaphorePermit>,
}

impl Turns {
    /// Waits for a turn, behind the client's earlier requests.
    pub(crate) async fn take(self: &Arc<Self>, client: IpAddr, work: Work) -> Turn {
        let key = (peer_key(client), work);
        let queue = self.queues().entry(key).or_insert_with(|| Arc::new(Semaphore::new(AT_ONCE))).clone();
        let mut turn = Turn { turns: self.clone(), key, queue: Some(queue.clone()), permit: None };
        // It is never closed.
        turn.permit = queue.acquire_owned().await.ok();
        turn
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<Key, Arc<Semaphore>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut queues = self.turns.queues();
        (self.permit, self.queue) = (None, None);
        if queues.get(&self.key).is_some_and(|queue| Arc::strong_count(queue) == 1) {
            queues.remove(&self.key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt;

    #[tokio::test]
    async fn one_client_waits_for_itself_and_nobody_else_does() {
        let turns = Arc::new(Turns::default());
        let take = |peer: &str, work| {
            Box::pin({
                let (turns, peer) = (turns.clone(), peer.parse().unwrap());
                async move { turns.take(peer, work).await }
            })
        };
        let mut held: Vec<_> = vec![take("192.0.2.1", Work::Answer).await, take("192.0.2.1", Work::Answer).await];
        let (mut third, mut fourth) = (take("192.0.2.1", Work::Answer), take("192.0.2.1", Work::Answer));
        assert!((&mut third).now_or_never().is_none() && (&mut fourth).now_or_never().is_none());
        let others = [take("192.0.2.1", Work::Picture).await, take("192.0.2.2", Work::Answer).await];
        held.pop();
        let third = (&mut third).now_or_never().expect("its turn");
        assert!((&mut fourth).now_or_never().is_none());
        // One that leaves the queue holds nobody up.
        drop(fourth);
        drop((held, third, others));
        assert!(turns.queues().is_empty());
    }

    #[test]
    fn the_work_for_a_request() {
        for (path, work) in [
            ("/api/v1/alerts", Some(Work::Answer)),
            ("/api/v1/alerts/4711/snapshot", Some(Work::Picture)),
            ("/api/v1/alerts/4711/clip", Some(Work::Picture)),
            ("/api/v1/cameras/gate-1/glance", Some(Work::Picture)),
            ("/api/v1/cameras/gate-1/still", Some(Work::Picture)),
            ("/api/v1/what-if/sweep", Some(Work::Trial)),
            ("/api/v1/policies/group/gates/suggest", Some(Work::Trial)),
            ("/api/v1/cameras/gate-1/detections", Some(Work::Trial)),
            ("/api/v1/explain", Some(Work::Trial)),
            ("/api/v1/alerts/4711/explain", Some(Work::Trial)),
            ("/healthz", Some(Work::Answer)),
            ("/api/v1/session", None),
            ("/readyz", None),
            ("/assets/index.js", None),
        ] {
            assert_eq!(Work::of(path), work, "{path}");
        }
    }
}
