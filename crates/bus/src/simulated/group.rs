//! The coordinator of a group: its members, assignment and committed offsets.
//!
//! A partition has an owner and a target. When they differ, the owner is asked to release it at its next heartbeat; only
//! when it has done so, left or was expelled is it assigned to the target. That amounts to cooperative rebalancing.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

/// A partition of a topic.
pub(super) type Place = (Arc<str>, u32);

struct Member {
    client: Arc<str>,
    topics: BTreeSet<Arc<str>>,
    heard: Instant,
    // Asks it for an immediate heartbeat.
    call: Arc<Notify>,
}

#[derive(Default)]
struct Seat {
    target: Option<u64>,
    owner: Option<u64>,
    // Incremented with each assignment.
    generation: u64,
}

/// A group.
#[derive(Default)]
pub(super) struct Group {
    members: BTreeMap<u64, Member>,
    seats: BTreeMap<Place, Seat>,
    committed: BTreeMap<Place, u64>,
    generation: u64,
}

/// A heartbeat's answer.
#[derive(Default)]
pub(super) struct Heard {
    /// To be released.
    pub(super) revoked: Vec<Place>,
    /// Newly assigned, each with the generation that a commit must name.
    pub(super) assigned: Vec<(Place, u64)>,
}

/// The member is unknown: it was expelled or has left.
#[derive(Debug)]
pub(super) struct UnknownMember;

impl Group {
    /// Adds `member` to the group, for topics with the given partitions.
    pub(super) fn join(
        &mut self,
        member: u64,
        client: &Arc<str>,
        topics: &[(Arc<str>, u32)],
        call: &Arc<Notify>,
        rng: &mut fastrand::Rng,
    ) {
        for (topic, partitions) in topics {
            for partition in 0..*partitions {
                self.seats.entry((Arc::clone(topic), partition)).or_default();
            }
        }
        let topics = topics.iter().map(|(topic, _)| Arc::clone(topic)).collect();
        let (client, call) = (Arc::clone(client), Arc::clone(call));
        self.members.insert(member, Member { client, topics, heard: Instant::now(), call });
        self.balance(rng);
    }

    /// Removes `member` and its partitions from the group; returns its client, if it was a member.
    pub(super) fn remove(&mut self, member: u64, rng: &mut fastrand::Rng) -> Option<Arc<str>> {
        let gone = self.members.remove(&member)?;
        for seat in self.seats.values_mut() {
            seat.owner = seat.owner.filter(|owner| *owner != member);
            seat.target = seat.target.filter(|target| *target != member);
        }
        self.balance(rng);
        Some(gone.client)
    }

    /// Members without a heartbeat for `session`.
    pub(super) fn silent(&self, session: Duration) -> Vec<u64> {
        self.members.iter().filter(|(_, member)| member.heard.elapsed() > session).map(|(id, _)| *id).collect()
    }

    /// Restarts the session timeouts of all members, as a restarted coordinator does.
    pub(super) fn rearm(&mut self) {
        for member in self.members.values_mut() {
            member.heard = Instant::now();
        }
    }

    /// Processes a heartbeat of `member` and returns its changes.
    pub(super) fn heartbeat(&mut self, member: u64) -> Result<Heard, UnknownMember> {
        self.members.get_mut(&member).ok_or(UnknownMember)?.heard = Instant::now();
        let mut heard = Heard::default();
        for (place, seat) in &mut self.seats {
            if seat.owner == Some(member) && seat.target != Some(member) {
                heard.revoked.push(place.clone());
            } else if seat.owner.is_none() && seat.target == Some(member) {
                seat.owner = Some(member);
                seat.generation = self.generation;
                heard.assigned.push((place.clone(), seat.generation));
            }
        }
        Ok(heard)
    }

    /// `member` has finished with `place`. Whether it was its owner.
    pub(super) fn release(&mut self, member: u64, place: &Place) -> bool {
        let Some(seat) = self.seats.get_mut(place).filter(|seat| seat.owner == Some(member)) else { return false };
        seat.owner = None;
        // A released and reassigned partition gets a new generation, in which commits of the old one are refused.
        self.generation += 1;
        if let Some(next) = seat.target.and_then(|target| self.members.get(&target)) {
            next.call.notify_one();
        }
        true
    }

    /// Commits `next` if `place` has been assigned to `member` since `generation`. Whether it did.
    pub(super) fn commit(&mut self, member: u64, place: &Place, generation: u64, next: u64) -> bool {
        let is_owner = |seat: &&Seat| seat.owner == Some(member) && seat.generation == generation;
        let accepted = self.seats.get(place).filter(is_owner).is_some();
        if accepted {
            self.committed.insert(place.clone(), next);
        }
        accepted
    }

    pub(super) fn committed(&self, place: &Place) -> Option<u64> {
        self.committed.get(place).copied()
    }

    /// The assignment, by the name of the client.
    pub(super) fn owners(&self) -> BTreeMap<Place, Arc<str>> {
        let owner = |seat: &Seat| Some(Arc::clone(&self.members.get(&seat.owner?)?.client));
        self.seats.iter().filter_map(|(place, seat)| Some((place.clone(), owner(seat)?))).collect()
    }

    /// Assigns every member of a topic the same number of partitions, give or take one, with the fewest moves.
    fn balance(&mut self, rng: &mut fastrand::Rng) {
        self.generation += 1;
        for place in self.seats.keys().cloned().collect::<Vec<_>>() {
            if self.seats[&place].target.is_none() {
                let least = self.least_loaded(&place, rng);
                self.set_target(&place, least);
            }
        }
        while let Some((place, to)) = self.uneven(rng) {
            self.set_target(&place, Some(to));
        }
    }

    fn set_target(&mut self, place: &Place, target: Option<u64>) {
        if let Some(seat) = self.seats.get_mut(place) {
            seat.target = target;
        }
        if let Some(member) = target.and_then(|target| self.members.get(&target)) {
            member.call.notify_one();
        }
    }

    fn load(&self, member: u64) -> usize {
        self.seats.values().filter(|seat| seat.target == Some(member)).count()
    }

    fn least_loaded(&self, place: &Place, rng: &mut fastrand::Rng) -> Option<u64> {
        let can = self.members.iter().filter(|(_, member)| member.topics.contains(&place.0));
        let loads: Vec<(usize, u64)> = can.map(|(id, _)| (self.load(*id), *id)).collect();
        let least = loads.iter().map(|(load, _)| *load).min()?;
        let least: Vec<u64> = loads.into_iter().filter(|(load, _)| *load == least).map(|(_, id)| id).collect();
        rng.choice(least)
    }

    /// A partition whose member has two more than another eligible one, and that one.
    fn uneven(&self, rng: &mut fastrand::Rng) -> Option<(Place, u64)> {
        let mut moves = Vec::new();
        for (place, seat) in &self.seats {
            let (Some(from), Some(to)) = (seat.target, self.least_loaded(place, rng)) else { continue };
            if self.load(from) >= self.load(to) + 2 {
                moves.push((place.clone(), to));
            }
        }
        rng.choice(moves)
    }
}
