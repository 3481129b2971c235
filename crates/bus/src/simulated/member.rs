//! A group member, modelled on the Kafka adapter: a task that sends heartbeats, feeds the subscription, sends commits,
//! and waits in a rebalance until records in flight are finished.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::feed::Feed;
use super::group::{Place, UnknownMember};
use super::membership::{Assigned, Leave, Membership};
use super::process::{Process, Unreachable};
use super::settings::Settings;
use crate::queue::bytes_bounded;
use crate::{Committer, GroupEvent, Revocation, Subscription, metrics};

/// Pause before a cluster that is down is asked again.
const RETRY: Duration = Duration::from_secs(1);
/// Longest wait when nothing is due.
const IDLE: Duration = Duration::from_hours(1);

/// Partitions being released.
struct Draining {
    places: Vec<Place>,
    // Revoked already; there is nothing to commit or release any more.
    lost: bool,
    released: oneshot::Receiver<()>,
    until: Instant,
}

struct Member {
    membership: Arc<Membership>,
    feed: Feed<GroupEvent>,
    draining: Option<Draining>,
    heartbeat_at: Instant,
    heard_at: Instant,
    commit_at: Instant,
}

/// Joins `group`; the events report when it has joined.
pub(super) fn start(process: &Arc<Process>, group: &str, topics: Vec<(Arc<str>, u32)>) -> Subscription {
    let (queue, events) = bytes_bounded(process.shared.settings.receive_queue_bytes, "group", group);
    let membership = Arc::new(Membership::new(process, group, topics));
    let now = Instant::now();
    let member = Member {
        membership: Arc::clone(&membership),
        feed: Feed::new(process, Arc::new(queue), GroupEvent::Record),
        draining: None,
        heartbeat_at: now,
        heard_at: now,
        commit_at: now,
    };
    tokio::spawn(member.run());
    let committer = Committer(Arc::<Membership>::clone(&membership));
    Subscription { events, committer, _leave: Box::new(Leave(membership)) }
}

impl Member {
    fn settings(&self) -> &Settings {
        &self.membership.process.shared.settings
    }

    /// Runs until the subscription is dropped; then commits and leaves.
    async fn run(mut self) {
        loop {
            self.membership.process.pass().await;
            let now = Instant::now();
            if self.membership.has_left() {
                // If the cluster is down, requested commits are lost and the session times out.
                let _ = self.membership.send_commits(None).await;
                let _ = self.membership.leave().await;
                return;
            }
            if self.draining.as_ref().is_some_and(|draining| draining.until <= now) {
                let group = self.membership.group.to_string();
                metrics::REVOCATION_TIMEOUTS.with([group]).increment(1);
                self.finish_revocation().await;
            } else if self.is_expired(now) {
                self.lose();
            } else if self.heartbeat_at <= now && !self.is_waiting_to_rejoin() {
                self.heartbeat().await;
            } else if self.commit_at <= now && self.membership.has_unsent() {
                self.send_commits().await;
            } else {
                self.wait().await;
            }
        }
    }

    /// Whether the cluster was unreachable for a whole session: it has then reassigned our partitions, or is down itself.
    fn is_expired(&self, now: Instant) -> bool {
        self.membership.is_member() && now - self.heard_at > self.settings().session
    }

    fn is_waiting_to_rejoin(&self) -> bool {
        self.draining.as_ref().is_some_and(|draining| draining.lost)
    }

    /// When the next action is due, in any case.
    fn due(&self) -> Instant {
        let heartbeat = (!self.is_waiting_to_rejoin()).then_some(self.heartbeat_at);
        let commit = self.membership.has_unsent().then_some(self.commit_at);
        let drained = self.draining.as_ref().map(|draining| draining.until);
        [heartbeat, commit, drained].into_iter().flatten().min().unwrap_or_else(|| Instant::now() + IDLE)
    }

    /// Moves records until there is something else to do.
    async fn wait(&mut self) {
        let process = Arc::clone(&self.membership.process);
        let changed = process.shared.changed.notified();
        let due = self.due();
        let is_draining = self.draining.is_some();
        let draining = self.draining.as_mut();
        let released = async {
            match draining {
                // Dropping counts as done.
                Some(draining) => drop((&mut draining.released).await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = changed => {}
            () = self.membership.wake.notified() => {}
            () = self.membership.call.notified() => self.heartbeat_at = Instant::now(),
            () = released => self.finish_revocation().await,
            () = sleep_until(due) => {}
            // As in the Kafka adapter, nothing is read while a revocation waits.
            () = self.feed.advance(), if !is_draining => {}
        }
    }

    /// Sends a heartbeat, and acts on the answer.
    async fn heartbeat(&mut self) {
        self.heartbeat_at = Instant::now() + self.settings().heartbeat;
        match self.membership.heartbeat().await {
            Err(Unreachable) => self.heartbeat_at = Instant::now() + RETRY,
            Ok(Err(UnknownMember)) => self.lose(),
            Ok(Ok(told)) => {
                self.heard_at = Instant::now();
                self.assign(&told.assigned);
                self.revoke(told.revoked).await;
            }
        }
    }

    fn assign(&mut self, assigned: &[Assigned]) {
        for new in assigned {
            self.membership.add(new);
            self.feed.begin(new.place.clone(), new.next);
        }
        if !assigned.is_empty() {
            let places = assigned.iter().map(|new| new.place.clone()).collect();
            self.feed.event(Ok(GroupEvent::Assigned(places)));
        }
    }

    async fn revoke(&mut self, told: Vec<Place>) {
        // Revocations that arrive while another one is pending are repeated at the next heartbeat.
        if self.draining.is_some() {
            return;
        }
        let (places, given_up): (Vec<Place>, Vec<Place>) =
            told.into_iter().partition(|place| self.membership.has(place));
        if !places.is_empty() {
            self.drain(places, false);
        }
        if !given_up.is_empty() {
            // The cluster was down when these were released. If it is again, so is the release.
            let _ = self.membership.release(&given_up).await;
        }
    }

    /// All partitions are lost: the cluster has reassigned them, or will.
    fn lose(&mut self) {
        self.membership.forget_id();
        self.heartbeat_at = Instant::now();
        let places = self.membership.places();
        match &mut self.draining {
            // The rest is revoked when this is done.
            Some(draining) => draining.lost = true,
            None if places.is_empty() => {}
            None => self.drain(places, true),
        }
    }

    /// Revokes `places` from the subscription, and waits for its answer from now on.
    fn drain(&mut self, places: Vec<Place>, lost: bool) {
        // Unseen records go to the next owner; none of their offsets is committed.
        self.feed.forget(&places);
        let (release, released) = oneshot::channel();
        let revocation = Revocation { partitions: places.clone(), release: Some(release) };
        self.feed.event(Ok(GroupEvent::Revoked(revocation)));
        let until = Instant::now() + self.settings().revoke_timeout;
        self.draining = Some(Draining { places, lost, released, until });
    }

    /// A revocation is finished: sends the last commits, then releases the partitions.
    async fn finish_revocation(&mut self) {
        let Some(draining) = self.draining.take() else { return };
        if draining.lost {
            self.membership.forget(&draining.places);
            // Partitions outside the revocation in progress when all were lost.
            let rest = self.membership.places();
            if !rest.is_empty() {
                self.drain(rest, true);
            }
            return;
        }
        // Refused or not sent: the next owner repeats the records since the last commit.
        let _ = self.membership.send_commits(Some(&draining.places)).await;
        self.membership.forget(&draining.places);
        // If the cluster is down, it asks for them again when it is back.
        let _ = self.membership.release(&draining.places).await;
    }

    async fn send_commits(&mut self) {
        let now = Instant::now();
        self.commit_at = now + self.settings().commit_every;
        match self.membership.send_commits(None).await {
            Ok(true) => {}
            // It has reassigned some of ours: the next heartbeat says which.
            Ok(false) => self.heartbeat_at = now,
            Err(Unreachable) => {
                let group = self.membership.group.to_string();
                metrics::COMMIT_FAILURES.with([group]).increment(1);
            }
        }
    }
}
