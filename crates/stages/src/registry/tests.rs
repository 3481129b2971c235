#![allow(clippy::unwrap_used, reason = "a test fails by it")]

use vedette_bus::embedded::{EmbeddedBus, EmbeddedSettings};
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
    assert!(kept.policy.is_some() && second.is_current(&kept));
    assert_eq!(retire(&bus, &second, &cameras, &[]).await.unwrap(), 2);
    assert!(!second.is_current(&kept), "its policy is gone");
    for registry in [&second, &Registry::open(&bus).await.unwrap().0] {
        assert_eq!(registry.cameras().iter().map(|camera| camera.id.as_str()).collect::<Vec<_>>(), ["campus-1"]);
        assert!(registry.policy(&cameras[0]).is_none());
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
    let (stale, followers) = Registry::open(&bus).await.unwrap();
    assert_eq!(publish(&bus, &stale, &cameras, &[version(&policy, 2)]).await.unwrap(), 0);
    assert_eq!(in_force(&stale), 3);
    let (condition, detail) = RegistryView { registry: stale.clone(), content: Content::Policies }.condition();
    assert_eq!(condition, Condition::Degraded);
    assert!(detail.contains("version 2") && detail.contains("as version 4"), "{detail}");
    assert_eq!(followers.len(), 2);

    // A program that does not ask wrote it on the topic: whoever knows the newer one keeps it.
    let sent = topics::POLICIES.send(&bus, &version(&policy, 1), clock::now()).await.unwrap();
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
