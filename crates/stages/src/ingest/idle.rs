//! The cameras from which nothing is to be expected now, as the heartbeats tell: their silence is no signal loss.

use std::sync::Arc;

use dashmap::DashMap;
use vedette_core::CameraId;
use vedette_wire::{HeartbeatRole, MOST_IDLE};

use super::Share;

/// Recordings that ended, or whose next picture is not due. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Idle(Arc<DashMap<CameraId, ()>>);

impl Idle {
    /// One camera's entry.
    pub(super) fn of(&self, camera: &CameraId) -> IdleCamera {
        IdleCamera { all: self.clone(), camera: camera.clone(), is_idle: false }
    }

    pub(super) fn forget(&self, camera: &CameraId) {
        self.0.remove(camera);
    }

    /// What `ingest` says of its share.
    pub(super) fn heartbeat(&self, share: Share) -> HeartbeatRole {
        let idle: Vec<CameraId> = self.0.iter().take(MOST_IDLE).map(|entry| entry.key().clone()).collect();
        let more_idle = idle.len() == MOST_IDLE && self.0.len() > MOST_IDLE;
        HeartbeatRole::Ingest { number: share.number(), of: share.of(), idle, more_idle }
    }
}

/// Whether a camera is idle; no longer when it is dropped.
pub(super) struct IdleCamera {
    all: Idle,
    camera: CameraId,
    is_idle: bool,
}

impl IdleCamera {
    pub(super) fn set(&mut self, is_idle: bool) {
        if std::mem::replace(&mut self.is_idle, is_idle) != is_idle {
            match is_idle {
                true => drop(self.all.0.insert(self.camera.clone(), ())),
                false => self.all.forget(&self.camera),
            }
        }
    }

    /// Leaves the entry as it is.
    pub(super) fn keep(mut self) {
        self.is_idle = false;
    }
}

impl Drop for IdleCamera {
    fn drop(&mut self) {
        self.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(idle: &Idle) -> (Vec<String>, bool) {
        let HeartbeatRole::Ingest { idle, more_idle, .. } = idle.heartbeat(Share::default()) else { panic!() };
        (idle.iter().map(ToString::to_string).collect(), more_idle)
    }

    #[test]
    fn a_camera_is_idle_until_it_sends_or_its_intake_fails() {
        let idle = Idle::default();
        let gate = CameraId::new("gate").unwrap();
        let mut entry = idle.of(&gate);
        entry.set(true);
        assert_eq!(names(&idle).0, ["gate"]);
        entry.set(false);
        assert!(names(&idle).0.is_empty());
        entry.set(true);
        drop(entry);
        assert!(names(&idle).0.is_empty());
        let mut ended = idle.of(&gate);
        ended.set(true);
        ended.keep();
        assert_eq!(names(&idle).0, ["gate"]);
        idle.forget(&gate);
        assert!(names(&idle).0.is_empty());
    }

    #[test]
    fn a_heartbeat_is_bounded_and_says_so() {
        let idle = Idle::default();
        for number in 0..=MOST_IDLE {
            let mut entry = idle.of(&CameraId::new(&format!("camera-{number}")).unwrap());
            entry.set(true);
            entry.keep();
            assert_eq!(names(&idle), (names(&idle).0, number == MOST_IDLE));
        }
        assert_eq!(names(&idle).0.len(), MOST_IDLE);
    }
}
