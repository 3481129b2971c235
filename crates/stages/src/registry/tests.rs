#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use vedette_analysis::SharedVersion;
use vedette_bus::embedded::{EmbeddedBus, EmbeddedSettings};
use vedette_core::Span;
use vedette_runtime::clock;
use vedette_topics::BusSettings;

use super::*;
use crate::test_site;

#[tokio::test]
async fn what_left_the_files_leaves_the_registry() {
    let cameras = test_site::cameras();
    let policies = test_site::policies();
    let copy = Camera { id: CameraId::new("campus-1-2").unwrap(), ..cameras[0].clone() };
    let both = [cameras[0].clone(), copy];

    let folder = tempfile::tempdir().unwrap();
    let bus: SharedBus = EmbeddedBus::open(EmbeddedSettings::new(folder.path())).unwrap();
    bus.ensure_topics(&topics::specs(&BusSettings::default())).await.unwrap();
    let (first, _) = Registry::open(&bus).await.unwrap();
    assert_eq!(publish(&bus, &first, &both, &policies).await.unwrap(), 3);

    // The next start, with one camera and no policy left in the files.
    let (second, _) = Registry::open(&bus).await.unwrap();
    assert_eq!(second.cameras().len(), 2);
    let kept = second.entry(&cameras[0].id).unwrap();
    let policy =
        |registry: &Registry, at| registry.entry(&cameras[0].id).unwrap().setups.at(at).unwrap().policy.clone();
    assert!(policy(&second, clock::now()).is_some() && second.is_current(&kept));
    assert_eq!(retire(&bus, &second, &cameras, &[]).await.unwrap(), 2);
    assert!(!second.is_current(&kept), "its policy is gone");
    for registry in [&second, &Registry::open(&bus).await.unwrap().0] {
        assert_eq!(registry.cameras().iter().map(|camera| camera.id.as_str()).collect::<Vec<_>>(), ["campus-1"]);
        assert!(registry.policy(&cameras[0]).is_none());
        // Frames from before are analysed as they were.
        assert!(policy(registry, clock::now() - Span::from_secs(60)).is_some());
        assert!(policy(registry, clock::now() + Span::from_secs(60)).is_none());
        let removed = registry.entry(&both[1].id).unwrap().setups;
        assert!(!removed.is_removed(clock::now() - Span::from_secs(60)));
        assert!(removed.is_removed(clock::now() + Span::from_secs(60)));
        assert!(registry.is_retired(&both[1].id) && !registry.is_retired(&both[0].id));
    }
    assert_eq!(retire(&bus, &second, &cameras, &[]).await.unwrap(), 0);
}

/// The demo's policy as `version`, with another name of its first rule.
fn version(policy: &Policy, version: u32) -> Policy {
    let mut policy = Policy { version, ..policy.clone() };
    policy.rules[0].name = format!("as of version {version}");
    policy
}

#[tokio::test]
async fn an_older_version_replaces_no_newer_one() {
    let cameras = test_site::cameras();
    let policy = test_site::policies().remove(0);
    let folder = tempfile::tempdir().unwrap();
    let bus: SharedBus = EmbeddedBus::open(EmbeddedSettings::new(folder.path())).unwrap();
    bus.ensure_topics(&topics::specs(&BusSettings::default())).await.unwrap();
    let in_force = |registry: &Registry| registry.policy(&cameras[0]).unwrap().policy().version;
    let (owner, _) = Registry::open(&bus).await.unwrap();
    for number in [2, 3, 3] {
        let (owner, _) = Registry::open(&bus).await.unwrap();
        publish(&bus, &owner, &cameras, &[version(&policy, number)]).await.unwrap();
    }

    // A process with last week's files: it publishes nothing and says why.
    let (stale, _) = Registry::open(&bus).await.unwrap();
    assert_eq!(publish(&bus, &stale, &cameras, &[version(&policy, 2)]).await.unwrap(), 0);
    assert_eq!(in_force(&stale), 3);
    let (condition, detail) = RegistryView { registry: stale.clone(), content: Content::Policies }.condition();
    assert_eq!(condition, Condition::Degraded);
    assert!(detail.contains("version 2") && detail.contains("as version 4"), "{detail}");

    // A program that does not ask wrote it on the topic: whoever knows the newer one keeps it.
    let old = Policy { effective_from: clock::now(), ..version(&policy, 1) };
    let sent = topics::POLICIES.send(&bus, &PolicyVersion::of_policy(old), clock::now()).await.unwrap();
    sent.await.unwrap();
    let (late, _) = Registry::open(&bus).await.unwrap();
    assert_eq!(in_force(&late), 3);

    // Taken out, it may come back as any version.
    retire(&bus, &late, &cameras, &[]).await.unwrap();
    let (empty, _) = Registry::open(&bus).await.unwrap();
    publish(&bus, &empty, &cameras, &[version(&policy, 1)]).await.unwrap();
    assert_eq!(in_force(&Registry::open(&bus).await.unwrap().0), 1);
    assert_eq!(owner.differences(&cameras, &[version(&policy, 1)]).len(), 2, "it has followed nothing since");
}

/// The numbers of the policy versions that apply to the demo's camera, with whether each is effective only in the future.
fn numbers(registry: &Registry, camera: &Camera) -> Vec<(Option<u32>, bool)> {
    let scopes = std::iter::once(PolicyScope::Camera(camera.id.clone()))
        .chain(camera.groups.iter().cloned().map(PolicyScope::Group));
    let versions = scopes.filter_map(|scope| registry.policies.versions(&scope)).next().unwrap();
    let later = clock::now();
    let number = |version: &SharedVersion<SharedPolicy>| version.content.as_ref().map(|policy| policy.policy().version);
    versions.iter().map(|(from, policy)| (number(policy), from > Some(later))).collect()
}

#[tokio::test]
async fn a_change_is_a_version_of_its_own_and_its_undoing_another() {
    let cameras = test_site::cameras();
    let policy = test_site::policies().remove(0);
    let folder = tempfile::tempdir().unwrap();
    let bus: SharedBus = EmbeddedBus::open(EmbeddedSettings::new(folder.path())).unwrap();
    bus.ensure_topics(&topics::specs(&BusSettings::default())).await.unwrap();
    let renamed = [Camera { name: "renamed".into(), ..cameras[0].clone() }];
    let tomorrow = clock::now() + Span::from_secs(86_400);
    let last = Policy { effective_from: tomorrow, ..version(&policy, 3) };
    for (cameras, policies) in [
        (&cameras[..], [version(&policy, 1)]),
        (&cameras, [version(&policy, 2)]),
        (&renamed, [version(&policy, 2)]),
        (&renamed, [Policy { version: 3, ..version(&policy, 1) }]),
        // Nothing differs: no version.
        (&renamed, [Policy { version: 3, ..version(&policy, 1) }]),
        (&renamed, [last.clone()]),
        (&renamed, [last.clone()]),
    ] {
        publish_onto(&bus, cameras, &policies).await.unwrap();
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    let (registry, _) = Registry::open(&bus).await.unwrap();
    let expected = [(Some(1), false), (Some(2), true), (Some(3), true), (Some(3), true)];
    assert_eq!(numbers(&registry, &cameras[0]), expected);
    let setups = registry.entry(&cameras[0].id).unwrap().setups;
    let name = |at| setups.at(at).and_then(|setup| setup.camera.clone()).unwrap().name.clone();
    assert_eq!(name(clock::now() - Span::from_secs(3_600)), cameras[0].name);
    assert_eq!(name(clock::now() + Span::from_secs(3_600)), "renamed");
    let newest = setups.at(tomorrow).unwrap().policy.clone().unwrap();
    assert_eq!((newest.policy().version, newest.policy().effective_from), (3, tomorrow));

    // Removed while a version is scheduled for tomorrow.
    retire(&bus, &registry, &renamed, &[]).await.unwrap();
    let (registry, _) = Registry::open(&bus).await.unwrap();
    let expected = [(Some(1), false), (Some(2), true), (Some(3), true), (None, true)];
    assert_eq!(numbers(&registry, &cameras[0]), expected, "tomorrow's version is taken back");
}

#[tokio::test]
async fn the_records_of_releases_without_versions_are_first_versions() {
    let cameras = test_site::cameras();
    let policy = test_site::policies().remove(0);
    let registry = Registry::default();
    let since = Timestamp::from_micros(17);
    let dated = PolicyVersion::of_policy(Policy { effective_from: since, ..policy.clone() });
    let (id, scope) = (cameras[0].id.as_str(), policy_key(&policy.applies_to));
    let camera = vedette_wire::encode_camera(&CameraVersion::of_camera(cameras[0].clone(), Timestamp::default()));
    registry.take_camera(id, Some(camera)).unwrap();
    registry.take_policy(&scope, Some(vedette_wire::encode_policy_version(&dated))).unwrap();
    assert!(registry.camera(&cameras[0].id).is_some() && registry.policy(&cameras[0]).is_some());
    registry.take_policy(&scope, None).unwrap();
    registry.take_camera(id, None).unwrap();
    assert!(registry.is_retired(&cameras[0].id) && registry.policy(&cameras[0]).is_none());
}
