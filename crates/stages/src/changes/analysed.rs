//! How far this process has analysed its cameras: a change that would be in force earlier came too late.

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Weak};

use dashmap::DashMap;
use vedette_core::{CameraId, Timestamp};

/// The capture times up to which cameras are analysed. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Analysed(Arc<DashMap<CameraId, Weak<AtomicI64>>>);

/// How far one camera is; forgotten when it is dropped.
#[derive(Debug)]
pub(crate) struct Mark(Arc<AtomicI64>);

impl Analysed {
    /// The mark of a camera that is analysed from now on.
    pub(crate) fn mark(&self, camera: &CameraId) -> Mark {
        self.0.retain(|_, mark| mark.strong_count() > 0);
        let mark = Arc::new(AtomicI64::new(i64::MIN));
        self.0.insert(camera.clone(), Arc::downgrade(&mark));
        Mark(mark)
    }

    /// The capture time of a camera's last analysed frame, if it is analysed here.
    pub(crate) fn last(&self, camera: &CameraId) -> Option<Timestamp> {
        let last = self.0.get(camera)?.upgrade()?.load(Ordering::Acquire);
        (last > i64::MIN).then(|| Timestamp::from_micros(last))
    }
}

impl Mark {
    /// The camera is analysed up to this capture time.
    pub(crate) fn set(&self, last: Timestamp) {
        self.0.store(last.as_micros(), Ordering::Release);
    }
}
