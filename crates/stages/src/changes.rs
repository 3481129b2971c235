//! Changes of cameras and policies while the product runs: a two-phase commit among the workers that analyse.
//!
//! A change is *prepared*: every live worker checks it on each of its cameras. If all are ready it is *committed*, to be effective
//! [`LEAD`] later; if one refuses, nothing changes. From the earliest time at which a commit could be effective until it hears a
//! decision, a worker holds back frames; after five seconds it aborts the change. The first decision on `changes` counts. So all
//! workers, and every replay, change between the same two frames.

pub(crate) mod analysed;
mod change_error;
pub(crate) mod check;
mod worker;
mod workers;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;
use vedette_bus::{BusError, SharedBus};
use vedette_core::{
    AppliedChange, Authorship, CameraId, CameraVersion, Change, ChangeId, ChangePhase, LARGEST_CHANGE, Owner, Policy,
    PolicyVersion, Proposal, ProposedCamera, ProposedPolicy, Span, Timestamp, Version,
};
use vedette_runtime::Service;
use vedette_runtime::health::{Condition, Health};
use vedette_topics::reading::Follower;
use vedette_topics::topics::{self, Message};
use vedette_wire::{WorkerAnswer, policy_key};

use crate::error::StageError;
use crate::metrics;
use crate::registry::{self, Registry};
use change_error::ANSWERS;
pub use change_error::ChangeError;
pub(crate) use check::ChangeRule;
pub use worker::Worker;
use workers::Workers;

const NAME: &str = "changes";
/// How long after its commit a change is effective.
const LEAD: Span = Span::from_millis(500);
/// Interval at which the reports of workers are looked at again.
const AGAIN: Duration = Duration::from_millis(250);
/// A clock that is set back by no more than this leaves the order of changes as it is; a time further ahead was a mistake.
const SET_BACK: Span = Span::from_secs(60);

/// What the workers answer when all are ready.
#[derive(Default)]
struct Ready {
    /// Each of them, with the number of its cameras that a change concerns and the time it took.
    workers: BTreeMap<String, (u32, Duration)>,
    /// The camera of each that is analysed furthest.
    analysed: Vec<(String, CameraId, Timestamp)>,
}

impl Ready {
    /// The earliest time from which a change can be in force: cameras whose clocks are ahead of this one's, by no more than a mistake
    /// would be, have it as late. From their answers on the workers hold what was captured later.
    fn earliest(&self, now: Timestamp) -> Timestamp {
        let reached = self.analysed.iter().map(|(.., last)| *last).max();
        reached.filter(|last| *last <= now + SET_BACK).map_or(now, |last| now.max(last)) + LEAD
    }

    /// Why a change cannot be in force from a time: the last frame of a camera that was analysed.
    fn refuse(&self, from: Timestamp) -> Option<ChangeError> {
        let (worker, camera, last) = self.analysed.iter().max_by_key(|(.., last)| *last)?;
        let refusals = vec![check::already_analysed(camera, *last, from)?];
        Some(ChangeError::Refused { refusals, more: 0, worker: Some(worker.clone()) })
    }
}

/// Where changes are decided: one place for a site.
#[derive(Clone)]
pub struct Changes {
    bus: SharedBus,
    registry: Registry,
    workers: Workers,
    /// One change at a time.
    turn: Arc<Mutex<()>>,
    /// Wall clock.
    now: fn() -> Timestamp,
}

impl Changes {
    /// The desk, and the follower that hears the workers while it runs.
    #[must_use]
    pub fn open(bus: &SharedBus, registry: &Registry, now: fn() -> Timestamp) -> (Self, Arc<Follower>) {
        let (workers, follower) = Workers::open(bus);
        (Self { bus: bus.clone(), registry: registry.clone(), workers, turn: Arc::default(), now }, follower)
    }

    /// The service that ends what a process left behind that decided before.
    #[must_use]
    pub fn service(&self, health: &Health) -> Service {
        let (changes, health) = (self.clone(), health.clone());
        Service::new(NAME, move |stop| {
            let (changes, health) = (changes.clone(), health.clone());
            async move {
                while let Err(error) = changes.recover().await {
                    match error {
                        ChangeError::Bus(error) => return Err(error.into()),
                        error => health.set(NAME, Condition::Degraded, vedette_runtime::report(&error)),
                    }
                }
                health.set(NAME, Condition::Running, "");
                stop.cancelled().await;
                Ok::<_, StageError>(())
            }
        })
    }

    /// The cameras and policies.
    #[must_use]
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Ends what a process left behind that decided before: what it had committed is published, anything else is aborted.
    ///
    /// # Errors
    /// When the bus refuses.
    pub async fn recover(&self) -> Result<(), ChangeError> {
        let _turn = self.turn.lock().await;
        self.settle().await
    }

    /// The same for what this process left when the bus refused: a later change builds on what is in force.
    async fn settle(&self) -> Result<(), ChangeError> {
        for change in self.registry.undecided() {
            self.abort(&change, "it was left undecided").await?;
            self.reaches(&change.id, |phase| *phase != ChangePhase::Prepared).await?;
        }
        for change in self.registry.unpublished() {
            let Some(from) = change.effective_from() else { continue };
            self.publish(&change, from).await?;
        }
        Ok(())
    }

    /// Waits until this process has read of a phase: the first decision on the topic counts, whoever wrote it.
    async fn reaches(&self, id: &ChangeId, is_awaited: fn(&ChangePhase) -> bool) -> Result<ChangePhase, ChangeError> {
        let mut changes = self.registry.changes();
        let phase = async {
            loop {
                let made = self.registry.changes_made();
                match made.iter().find(|change| change.id == *id && is_awaited(&change.phase)) {
                    Some(change) => return Some(change.phase.clone()),
                    None => changes.changed().await.ok()?,
                }
            }
        };
        let phase = tokio::time::timeout(ANSWERS, phase).await;
        phase.ok().flatten().ok_or(ChangeError::Unsettled)
    }

    /// Checks a change on every camera of the site, without any effect.
    ///
    /// # Errors
    /// As [`Self::apply`], of what can be known without the workers.
    pub async fn check(&self, proposal: Proposal) -> Result<u32, ChangeError> {
        let change = self.draft(&proposal)?;
        self.check_here(&change, check::MOST_CHECKED).await
    }

    /// Puts a change in force.
    ///
    /// # Errors
    /// Why nothing changed.
    pub async fn apply(&self, proposal: Proposal) -> Result<AppliedChange, ChangeError> {
        let _turn = self.turn.lock().await;
        self.settle().await?;
        let change = self.draft(&proposal)?;
        self.check_here(&change, check::MOST_NAMED).await?;
        topics::CHANGES.send(&self.bus, &change, change.prepared).await?.await?;
        let ready = match self.answers(&change.id).await {
            Ok(ready) => ready,
            Err(error) => return Err(self.give_up(&change, error).await?),
        };
        let of = self.bus.watermarks(topics::DETECTIONS.name()).await?.len();
        let held = self.workers.held();
        let unattended = (0..u32::try_from(of).unwrap_or(u32::MAX)).filter(|number| !held.contains(number)).collect();
        // Never before the time up to which the workers do not wait.
        let effective_from = ready.earliest((self.now)()).max(change.earliest());
        if let Some(refused) = ready.refuse(effective_from) {
            return Err(self.give_up(&change, refused).await?);
        }
        let committed = Change { phase: ChangePhase::Committed(effective_from), ..change };
        topics::CHANGES.send(&self.bus, &committed, (self.now)()).await?.await?;
        if let ChangePhase::Aborted(reason) =
            self.reaches(&committed.id, |phase| *phase != ChangePhase::Prepared).await?
        {
            metrics::CHANGES.with(["aborted"]).increment(1);
            return Err(ChangeError::Aborted { reason });
        }
        metrics::CHANGES.with(["committed"]).increment(1);
        self.publish(&committed, effective_from).await?;
        Ok(AppliedChange { change: committed.id, effective_from, ready: ready.workers, unattended })
    }

    async fn publish(&self, change: &Change, from: Timestamp) -> Result<(), ChangeError> {
        registry::put_change(&self.bus, &self.registry, change.clone(), from).await?;
        let published = Change { phase: ChangePhase::Published(from), ..change.clone() };
        topics::CHANGES.send(&self.bus, &published, (self.now)()).await?.await?;
        self.reaches(&change.id, |phase| matches!(phase, ChangePhase::Published(_))).await.map(drop)
    }

    /// Aborts a change that cannot be committed; returns why.
    async fn give_up(&self, change: &Change, why: ChangeError) -> Result<ChangeError, BusError> {
        self.abort(change, &why.to_string()).await?;
        metrics::CHANGES.with(["aborted"]).increment(1);
        Ok(why)
    }

    async fn abort(&self, change: &Change, reason: &str) -> Result<(), BusError> {
        tracing::warn!(change = %change.id, reason, "a change was aborted");
        let aborted = Change { phase: ChangePhase::Aborted(reason.to_owned()), ..change.clone() };
        topics::CHANGES.send(&self.bus, &aborted, (self.now)()).await?.await.map(drop)
    }

    async fn check_here(&self, change: &Change, most: usize) -> Result<u32, ChangeError> {
        let bytes = change.encode().len();
        if bytes > LARGEST_CHANGE {
            return Err(ChangeError::TooLarge { bytes });
        }
        let (registry, change) = (self.registry.clone(), change.clone());
        let checked = tokio::task::spawn_blocking(move || {
            let mut checked = check::check(&registry, &change, registry.cameras().into_iter(), most);
            check::check_scopes(&registry, &change, &mut checked);
            checked
        });
        let checked = checked.await?;
        if checked.refusals.is_empty() {
            return Ok(checked.cameras);
        }
        Err(ChangeError::Refused { refusals: checked.refusals, more: checked.more, worker: None })
    }

    /// Waits until every live worker is ready.
    async fn answers(&self, change: &ChangeId) -> Result<Ready, ChangeError> {
        let (began, mut reports) = (Instant::now(), self.workers.reports());
        loop {
            // A report that is on the bus counts.
            let end = self.bus.watermarks(topics::WORKERS.name()).await?.iter().map(|mark| mark.high).max();
            let read = *reports.borrow_and_update();
            // None since this process began.
            let is_read = read == 0 || read >= end.unwrap_or_default();
            let (ready, silent) = self.heard(change, began)?;
            if silent.is_empty() && is_read && self.workers.are_known() {
                return Ok(ready);
            }
            if began.elapsed() >= ANSWERS {
                return Err(ChangeError::NoAnswer { workers: silent });
            }
            let _ = tokio::time::timeout(AGAIN, reports.changed()).await;
        }
    }

    /// The live workers that are ready, and those without an answer.
    fn heard(&self, change: &ChangeId, began: Instant) -> Result<(Ready, Vec<String>), ChangeError> {
        let (mut ready, mut silent) = (Ready::default(), Vec::new());
        for (name, member) in self.workers.members().iter().filter(|(_, member)| member.is_live()) {
            match member.answers.get(change) {
                Some((WorkerAnswer::Ready { cameras, analysed, .. }, at)) => {
                    let of_camera = |(camera, last): &(CameraId, Timestamp)| (name.clone(), camera.clone(), *last);
                    ready.analysed.extend(analysed.as_ref().map(of_camera));
                    ready.workers.insert(name.clone(), (*cameras, at.duration_since(began)));
                }
                Some((WorkerAnswer::Refused { refusals, more, .. }, _)) => {
                    let (refusals, more, worker) = (refusals.clone(), *more, Some(name.clone()));
                    return Err(ChangeError::Refused { refusals, more, worker });
                }
                Some((WorkerAnswer::Overdue { .. }, _)) => {
                    return Err(ChangeError::Overdue { worker: name.clone() });
                }
                None => silent.push(name.clone()),
            }
        }
        Ok((ready, silent))
    }

    /// The time, and never before the last change is in force: a clock that was set back makes no version of the past.
    fn after_the_last(&self) -> Timestamp {
        let now = (self.now)();
        let made = self.registry.changes_made();
        let last = made.iter().filter_map(|change| change.effective_from()).max();
        last.filter(|last| *last <= now + SET_BACK).map_or(now, |last| now.max(last))
    }

    /// The change that a proposal makes, of what differs from what is in force.
    fn draft(&self, proposal: &Proposal) -> Result<Change, ChangeError> {
        let now = self.after_the_last();
        let (mut cameras, mut policies) = (Vec::new(), Vec::new());
        for ProposedCamera { id, content, based_on } in &proposal.cameras {
            let newest = self.registry.camera_versions(id).pop();
            let made = authorship(proposal, format!("camera {id}"), newest.as_ref(), now)?;
            if let Some(newest) = &newest {
                not_stale(&format!("camera {id}"), newest, *based_on)?;
            }
            if newest.and_then(|version| version.content) != *content {
                let (of, content) = (id.clone(), content.clone());
                let only = BTreeSet::new();
                cameras.push(CameraVersion {
                    of,
                    effective_from: Timestamp::default(),
                    content,
                    made: Some(made),
                    only,
                });
            }
        }
        for proposed in &proposal.policies {
            policies.extend(self.policy_version(proposal, proposed, now)?);
        }
        if cameras.is_empty() && policies.is_empty() {
            return Err(ChangeError::Nothing);
        }
        let id = ChangeId::new(&format!("{:016x}", fastrand::u64(..))).expect("letters and digits");
        Ok(Change { id, cameras, policies, prepared: now, lead: LEAD, phase: ChangePhase::Prepared })
    }

    fn policy_version(
        &self,
        proposal: &Proposal,
        proposed: &ProposedPolicy,
        now: Timestamp,
    ) -> Result<Option<PolicyVersion>, ChangeError> {
        let ProposedPolicy { scope, content, only, from, based_on } = proposed;
        let versions = self.registry.policy_versions(scope);
        // The newest that is in force or will be; versions for later are taken back by a change.
        let newest = versions.last();
        let made = authorship(proposal, format!("policy {}", policy_key(scope)), newest, now)?;
        if let Some(newest) = newest {
            not_stale(&format!("policy {}", policy_key(scope)), newest, *based_on)?;
        }
        let number = versions.iter().filter_map(|version| version.content.as_ref()).map(|policy| policy.version).max();
        let effective_from = from.unwrap_or_default();
        let content = content.clone().map(|policy| {
            // Files number their versions themselves.
            let next = number.map_or(1, |number| number.saturating_add(1));
            let version = if proposal.owner == Owner::File { policy.version } else { next };
            Policy { applies_to: scope.clone(), effective_from, version, ..policy }
        });
        let same = |newest: &PolicyVersion| {
            let unnumbered = |policy: &Option<Policy>| {
                let fixed =
                    |policy: &Policy| Policy { version: 0, effective_from: Timestamp::default(), ..policy.clone() };
                policy.as_ref().map(fixed)
            };
            unnumbered(&newest.content) == unnumbered(&content)
                && newest.only == *only
                && newest.owner() == proposal.owner
                && from.is_none()
        };
        if newest.is_some_and(same) || (newest.is_none() && content.is_none()) {
            return Ok(None);
        }
        Ok(Some(PolicyVersion { of: scope.clone(), effective_from, content, made: Some(made), only: only.clone() }))
    }
}

fn authorship<K, T>(
    proposal: &Proposal,
    of: String,
    newest: Option<&Version<K, T>>,
    now: Timestamp,
) -> Result<Authorship, ChangeError> {
    let owner = newest.filter(|newest| newest.content.is_some()).map(Version::owner);
    match owner {
        Some(owner) if owner != proposal.owner && !proposal.takes_over => Err(ChangeError::KeptElsewhere { of, owner }),
        _ => Ok(Authorship {
            author: proposal.author.clone(),
            reason: proposal.reason.clone(),
            at: now,
            owner: proposal.owner,
            parent: newest.map(|newest| newest.effective_from),
        }),
    }
}

/// Refuses a change that is not based on the newest version.
fn not_stale<K, T>(of: &str, newest: &Version<K, T>, based_on: Option<Timestamp>) -> Result<(), ChangeError> {
    if based_on.is_none_or(|based_on| based_on == newest.effective_from) {
        return Ok(());
    }
    let author = newest.made.as_ref().map(|made| made.author.clone()).unwrap_or_default();
    Err(ChangeError::Stale { of: of.to_owned(), author, from: newest.effective_from })
}

#[cfg(test)]
mod tests;
