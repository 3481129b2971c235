#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use std::collections::BTreeSet;

use tokio_util::sync::CancellationToken;
use vedette_bus::embedded::{EmbeddedBus, EmbeddedSettings};
use vedette_core::{FrameSize, Refusal};
use vedette_runtime::clock;
use vedette_runtime::health::Health;
use vedette_topics::BusSettings;
use vedette_wire::WorkerReport;

use super::*;
use crate::test_site;

const PARTITIONS: u32 = 4;

/// A site on an embedded bus: its registry is followed, and so are its workers.
struct Site {
    bus: SharedBus,
    changes: Changes,
    policy: Policy,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Site {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bus: SharedBus = EmbeddedBus::open(EmbeddedSettings::new(folder.path())).unwrap();
        let settings = BusSettings { partitions: PARTITIONS, ..BusSettings::default() };
        bus.ensure_topics(&topics::specs(&settings)).await.unwrap();
        let (cameras, policy) = (test_site::cameras(), test_site::policies().remove(0));
        registry::publish_onto(&bus, &cameras, std::slice::from_ref(&policy)).await.unwrap();
        let stop = CancellationToken::new();
        let (changes, follower) = Changes::open(&bus, &registry(&bus, &stop).await, clock::now);
        tokio::spawn(follower.run(Health::default(), stop.clone()));
        Self { bus, changes, policy, stop, _folder: folder }
    }

    /// A worker in a process of its own.
    async fn worker(&self, partitions: impl IntoIterator<Item = u32>) -> Registry {
        let (worker, registry) = (Worker::default(), registry(&self.bus, &self.stop).await);
        worker.hold(&partitions.into_iter().collect());
        tokio::spawn(worker.run(self.bus.clone(), registry.clone(), self.stop.clone()));
        registry
    }

    /// The policy with another name of its first rule.
    fn renamed(&self, name: &str) -> Policy {
        let mut policy = self.policy.clone();
        policy.rules[0].name = name.to_owned();
        policy
    }

    fn proposal(&self, content: Option<Policy>) -> Proposal {
        let scope = self.policy.applies_to.clone();
        let policy = ProposedPolicy { scope, content, only: BTreeSet::new(), from: None, based_on: None };
        Proposal {
            policies: vec![policy],
            author: "operator 7".to_owned(),
            reason: "fewer false alarms".to_owned(),
            owner: Owner::Console,
            takes_over: true,
            ..Proposal::default()
        }
    }

    async fn report(&self, answer: Option<WorkerAnswer>) {
        let report = WorkerReport { worker: "other".to_owned(), partitions: vec![3], answer };
        topics::WORKERS.send(&self.bus, &report, clock::now()).await.unwrap().await.unwrap();
    }

    /// The changes on the bus, in order.
    async fn phases(&self) -> Vec<ChangePhase> {
        let start = vedette_bus::StartAt::Earliest;
        let mut reader = self.bus.read(topics::CHANGES.name(), start).await.unwrap();
        let mut phases = Vec::new();
        let take = |record| phases.push(topics::CHANGES.read(&record).unwrap().phase);
        vedette_topics::reading::to_end(&self.bus, topics::CHANGES.name(), &mut reader, take).await.unwrap();
        phases
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

async fn registry(bus: &SharedBus, stop: &CancellationToken) -> Registry {
    let (registry, followers) = Registry::open(bus).await.unwrap();
    for follower in followers {
        tokio::spawn(follower.run(Health::default(), stop.clone()));
    }
    registry
}

/// Waits until a registry has the policy of this name at a time.
async fn has(registry: &Registry, camera: &CameraId, at: Timestamp, name: &str) {
    let mut changes = registry.changes();
    loop {
        let entry = registry.entry(camera).unwrap();
        let policy = entry.setups.at(at).and_then(|setup| setup.policy.clone());
        if policy.is_some_and(|policy| policy.policy().rules[0].name == name) && entry.hold.is_none() {
            return;
        }
        tokio::time::timeout(Duration::from_secs(20), changes.changed()).await.expect("it hears").unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_worker_changes_at_the_same_time_once_all_are_ready() {
    let site = Site::new().await;
    let workers = [site.worker([0, 1]).await, site.worker([2, 3]).await];
    let before = clock::now();
    let applied = site.changes.apply(site.proposal(Some(site.renamed("new")))).await.unwrap();
    assert_eq!((applied.ready.len(), applied.unattended.len()), (2, 0), "{applied:?}");
    assert_eq!(applied.ready.values().map(|(cameras, _)| cameras).sum::<u32>(), 1);
    assert!(applied.effective_from >= before + LEAD);
    let (camera, from) = (test_site::cameras().remove(0).id, applied.effective_from);
    let late = registry(&site.bus, &site.stop).await;
    for registry in workers.iter().chain([&late, site.changes.registry()]) {
        has(registry, &camera, from, "new").await;
        has(registry, &camera, from - Span::from_micros(1), &site.policy.rules[0].name).await;
    }
    let newest = late.policy_versions(&site.policy.applies_to).pop().unwrap();
    let made = newest.made.clone().unwrap();
    assert_eq!(
        (made.author.as_str(), made.owner, made.parent),
        ("operator 7", Owner::Console, Some(Timestamp::default()))
    );
    assert_eq!(newest.content.unwrap().version, site.policy.version + 1);
    let phases = site.phases().await;
    assert_eq!(phases, [ChangePhase::Prepared, ChangePhase::Committed(from), ChangePhase::Published(from)]);
    // The same once more is no change; nor is it one for somebody who saw the version before.
    let again = site.proposal(Some(site.renamed("new")));
    assert!(matches!(site.changes.apply(again).await, Err(ChangeError::Nothing)));
    let mut outdated = site.proposal(Some(site.renamed("other")));
    outdated.policies[0].based_on = Some(Timestamp::default());
    let stale = site.changes.apply(outdated).await.unwrap_err().to_string();
    assert!(stale.contains("operator 7"), "{stale}");
    let by_file = Proposal { owner: Owner::File, takes_over: false, ..site.proposal(Some(site.renamed("file"))) };
    let kept = site.changes.apply(by_file).await.unwrap_err();
    assert!(matches!(kept, ChangeError::KeptElsewhere { owner: Owner::Console, .. }), "{kept}");
    assert_eq!(site.phases().await.len(), 3);
    // The files leave it alone.
    assert_eq!(registry::retire(&site.bus, &late, &test_site::cameras(), &[]).await.unwrap(), 0);
    let cameras = test_site::cameras();
    assert_eq!(registry::publish(&site.bus, &late, &cameras, std::slice::from_ref(&site.policy)).await.unwrap(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refusal_and_nothing_changes() {
    let site = Site::new().await;
    let _worker = site.worker([0, 1, 2]).await;
    let outside = Policy { frame: FrameSize { width: 64, height: 48 }, ..site.policy.clone() };
    let Err(ChangeError::Refused { refusals, worker: None, .. }) =
        site.changes.apply(site.proposal(Some(outside))).await
    else {
        panic!("its zones are outside of the frame");
    };
    assert!(refusals[0].path.contains("group/campus: rule[0] (lawn).when.zone"), "{refusals:?}");
    assert!(!refusals[0].rule.is_empty());
    assert_eq!(site.phases().await, []);
    // A worker of another release knows another rule.
    site.report(None).await;
    let (changes, proposal) = (site.changes.clone(), site.proposal(Some(site.renamed("new"))));
    let applying = tokio::spawn(async move { changes.apply(proposal).await });
    let change = loop {
        if let Some(change) = site.changes.registry().undecided().pop() {
            break change;
        }
        site.changes.registry().changes().changed().await.unwrap();
    };
    let camera = test_site::cameras().remove(0).id;
    let text = String::from;
    let refusal = Refusal {
        camera: Some(camera),
        path: text("rule[0].when.kind"),
        code: "t".into(),
        value: text("presence"),
        rule: text("unknown"),
        fix: text("upgrade"),
    };
    let (id, refusals) = (change.id.clone(), vec![refusal]);
    site.report(Some(WorkerAnswer::Refused { change: id, refusals: refusals.clone(), more: 2 })).await;
    let Err(ChangeError::Refused { refusals: heard, more: 2, worker }) = applying.await.unwrap() else {
        panic!("a worker refused");
    };
    assert_eq!((heard, worker.as_deref()), (refusals, Some("other")));
    assert!(matches!(site.phases().await[..], [ChangePhase::Prepared, ChangePhase::Aborted(_)]));
    assert_eq!(site.changes.registry().policy_versions(&site.policy.applies_to).len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_live_worker_without_an_answer_stops_a_change_and_a_dead_one_does_not() {
    let site = Site::new().await;
    let _worker = site.worker([0, 1, 2]).await;
    let (stop, bus) = (CancellationToken::new(), site.bus.clone());
    let reporting = stop.clone();
    site.report(None).await;
    let beating = tokio::spawn(async move {
        let report = WorkerReport { worker: "other".to_owned(), partitions: vec![3], answer: None };
        while reporting.run_until_cancelled(tokio::time::sleep(Duration::from_millis(300))).await.is_some() {
            topics::WORKERS.send(&bus, &report, clock::now()).await.unwrap();
        }
    });
    while !site.changes.workers.held().contains(&3) {
        site.changes.workers.reports().changed().await.unwrap();
    }
    let refused = site.changes.apply(site.proposal(Some(site.renamed("new")))).await.unwrap_err();
    assert!(matches!(&refused, ChangeError::NoAnswer { workers } if workers == &["other"]), "{refused}");
    stop.cancel();
    beating.await.unwrap();
    // It counts as gone after a while.
    let applied = site.changes.apply(site.proposal(Some(site.renamed("new")))).await.unwrap();
    assert_eq!((applied.ready.len(), applied.unattended), (1, vec![3]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_killed_console_left_is_ended_by_the_next() {
    let site = Site::new().await;
    let change = |name| site.changes.draft(&site.proposal(Some(site.renamed(name)))).unwrap();
    let (undecided, committed) = (change("undecided"), change("committed"));
    let from = clock::now();
    let committed = Change { phase: ChangePhase::Committed(from), ..committed };
    for change in [&undecided, &committed] {
        topics::CHANGES.send(&site.bus, change, clock::now()).await.unwrap().await.unwrap();
    }
    let (changes, _follower) = Changes::open(&site.bus, &registry(&site.bus, &site.stop).await, clock::now);
    changes.recover().await.unwrap();
    let phases = site.phases().await;
    assert!(matches!(phases[2], ChangePhase::Aborted(_)));
    assert_eq!(phases[3], ChangePhase::Published(from));
    let names = |registry: &Registry| {
        let versions = registry.policy_versions(&site.policy.applies_to);
        versions.into_iter().map(|version| version.content.unwrap().rules[0].name.clone()).collect::<Vec<_>>()
    };
    let next = registry(&site.bus, &site.stop).await;
    assert_eq!(names(&next), [site.policy.rules[0].name.clone(), "committed".to_owned()]);
    assert!(next.undecided().is_empty() && next.unpublished().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_larger_than_a_record_is_refused() {
    let site = Site::new().await;
    let mut policy = site.policy.clone();
    policy.rules = (0..9_000)
        .map(|number| {
            let mut rule = site.policy.rules[0].clone();
            rule.id = vedette_core::RuleId::new(&format!("r{number}")).unwrap();
            rule
        })
        .collect();
    let refused = site.changes.check(site.proposal(Some(policy))).await.unwrap_err();
    assert!(matches!(refused, ChangeError::TooLarge { bytes } if bytes > LARGEST_CHANGE), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_editors_of_one_version_the_second_is_told_of_the_first() {
    let site = Site::new().await;
    let _worker = site.worker([0, 1, 2, 3]).await;
    let edit = |author: &str| {
        let mut proposal = site.proposal(Some(site.renamed(author)));
        proposal.author = author.to_owned();
        proposal.policies[0].based_on = Some(Timestamp::default());
        site.changes.apply(proposal)
    };
    let (anna, ben) = tokio::join!(edit("anna"), edit("ben"));
    let (first, refused) = if anna.is_ok() { ("anna", ben) } else { ("ben", anna) };
    match refused.unwrap_err() {
        ChangeError::Stale { of, author, .. } => {
            assert_eq!((of.as_str(), author.as_str()), ("policy group/campus", first))
        }
        other => panic!("{other}"),
    }
    assert_eq!(site.changes.registry().policy_versions(&site.policy.applies_to).len(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_zone_on_the_ground_is_refused_for_a_camera_without_calibration() {
    let site = Site::new().await;
    let _worker = site.worker([0, 1, 2, 3]).await;
    let mut policy = site.policy.clone();
    let corners = [(22.5309, 113.9380), (22.5310, 113.9380), (22.5310, 113.9381)];
    let corners =
        corners.map(|(latitude, longitude)| serde_json::json!({ "latitude": latitude, "longitude": longitude }));
    let zone: vedette_core::Zone = serde_json::from_value(serde_json::json!({ "ground": corners })).unwrap();
    let condition = &mut policy.rules[0].condition;
    condition.params = condition.params.clone().with("zone", zone);
    let camera = vedette_core::Camera { calibration: None, ..test_site::cameras().remove(0) };
    let of_camera = |proposal: Proposal| Proposal {
        cameras: vec![ProposedCamera { id: camera.id.clone(), content: Some(camera.clone()), based_on: None }],
        ..proposal
    };
    let refused = site.changes.apply(of_camera(site.proposal(Some(policy)))).await.unwrap_err();
    let ChangeError::Refused { refusals, worker: None, .. } = refused else { panic!("{refused}") };
    let refusal = &refusals[0];
    assert_eq!(refusal.camera.as_ref(), Some(&camera.id));
    assert!(refusal.path.contains("rule[0] (lawn).when") && !refusal.fix.is_empty(), "{refusal:?}");
    assert_eq!(site.phases().await, []);
    // With zones in the picture it needs none.
    site.changes.apply(of_camera(site.proposal(Some(site.renamed("new"))))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_clock_that_is_set_back_or_forward_keeps_the_order_of_versions() {
    let site = Site::new().await;
    let _worker = site.worker([0, 1, 2, 3]).await;
    let mut last = Timestamp::default();
    let clocks: [fn() -> Timestamp; 5] = [
        clock::now,
        || clock::now() - Span::from_secs(10),
        || clock::now() + Span::from_secs(10),
        clock::now,
        || clock::now() - Span::from_secs(10),
    ];
    for (number, now) in clocks.into_iter().enumerate() {
        let (changes, follower) = Changes::open(&site.bus, site.changes.registry(), now);
        let following = tokio::spawn(follower.run(Health::default(), site.stop.clone()));
        let applied = changes.apply(site.proposal(Some(site.renamed(&format!("{number}"))))).await.unwrap();
        assert!(applied.effective_from > last, "{number}: {applied:?} after {last}");
        last = applied.effective_from;
        // None that was in force is taken back.
        let late = registry(&site.bus, &site.stop).await;
        assert_eq!(late.policy_versions(&site.policy.applies_to).len(), number + 2);
        following.abort();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_for_frames_that_were_analysed_is_refused_with_the_last_one() {
    let site = Site::new().await;
    let (worker, registry) = (Worker::default(), registry(&site.bus, &site.stop).await);
    worker.hold(&(0..PARTITIONS).collect());
    let camera = test_site::cameras().remove(0).id;
    let mark = worker.analysed().mark(&camera);
    tokio::spawn(worker.run(site.bus.clone(), registry, site.stop.clone()));
    // As if the clock of this process were an hour behind that of the cameras.
    let last = clock::now() + Span::from_secs(3_600);
    mark.set(last);
    let refused = site.changes.apply(site.proposal(Some(site.renamed("new")))).await.unwrap_err();
    let ChangeError::Refused { refusals, more: 0, worker: Some(_) } = refused else { panic!("{refused}") };
    let [refusal] = &refusals[..] else { panic!("{refusals:?}") };
    assert_eq!((refusal.camera.as_ref(), refusal.code.as_str()), (Some(&camera), "change.already-analysed"));
    assert!(refusal.rule.contains(&last.to_string()) && refusal.fix.contains("clock"), "{refusal:?}");
    assert!(matches!(site.phases().await[..], [ChangePhase::Prepared, ChangePhase::Aborted(_)]));
    // By less than a mistake would be it is in force that much later.
    let ahead = clock::now() + Span::from_secs(20);
    mark.set(ahead);
    let applied = site.changes.apply(site.proposal(Some(site.renamed("new")))).await.unwrap();
    assert!(applied.effective_from > ahead, "{applied:?}");
    // A camera that is analysed here no more says nothing.
    mark.set(last);
    drop(mark);
    site.changes.apply(site.proposal(Some(site.renamed("newer")))).await.unwrap();
}
