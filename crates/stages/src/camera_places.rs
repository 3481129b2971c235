//! Groups and addresses of cameras in the alert store: they decide whose areas an alert lies in.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use vedette_alert_store::{AlertStore, CameraPlace};
use vedette_core::CameraId;
use vedette_runtime::Service;
use vedette_runtime::health::{Condition, Health};

use crate::registry::Registry;

const NAME: &str = "camera_places";
/// Wait after a failure.
const RETRY: Duration = Duration::from_secs(2);

/// The service that keeps them as in the registry. A camera that is removed keeps its last place, and so do its alerts.
pub(crate) fn service(store: &Arc<AlertStore>, registry: &Registry, health: &Health) -> Service {
    let (store, registry, health) = (store.clone(), registry.clone(), health.clone());
    Service::new(NAME, move |stop| follow(store.clone(), registry.clone(), health.clone(), stop))
}

async fn follow(
    store: Arc<AlertStore>,
    registry: Registry,
    health: Health,
    stop: CancellationToken,
) -> crate::Result<()> {
    let mut changes = registry.changes();
    let following = async {
        loop {
            changes.borrow_and_update();
            let (store, registry) = (store.clone(), registry.clone());
            let written = tokio::task::spawn_blocking(move || store.set_camera_places(&places(&registry))).await;
            let failure = match written {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => Some(error.to_string()),
                Err(error) => Some(error.to_string()),
            };
            match failure {
                None => {
                    health.set(NAME, Condition::Running, "");
                    if changes.changed().await.is_err() {
                        return;
                    }
                }
                Some(reason) => {
                    health.set(NAME, Condition::Failed, reason);
                    tokio::time::sleep(RETRY).await;
                }
            }
        }
    };
    stop.run_until_cancelled(following).await;
    health.set(NAME, Condition::Stopped, "");
    Ok(())
}

fn places(registry: &Registry) -> BTreeMap<CameraId, CameraPlace> {
    let place = |camera: Arc<vedette_core::Camera>| {
        let groups = camera.groups.iter().cloned().collect();
        (camera.id.clone(), CameraPlace { groups, code: camera.address })
    };
    registry.cameras().into_iter().map(place).collect()
}
