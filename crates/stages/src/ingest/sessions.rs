use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use dashmap::DashMap;
use vedette_bus::{BusError, Delivered, SharedBus, StartAt};
use vedette_core::{CameraId, StreamSession};
use vedette_runtime::clock;
use vedette_topics::dead_letters::Refusal;
use vedette_topics::reading::{Follower, View};
use vedette_topics::topics;

use super::Share;

/// How long a new session waits until the bus has it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The newest stream session of each camera of a share, from the topic `sessions`. Cheap to clone.
///
/// Everything downstream takes the record of an older session for a repetition. So a session must be newer than all before it, also
/// when the clock was set back while nothing ran, or when another machine with a faster clock had the camera.
#[derive(Debug, Clone)]
pub struct Sessions {
    newest: Arc<DashMap<CameraId, u64>>,
    share: Share,
}

impl Sessions {
    /// Reads `sessions` up to now, and returns the follower that keeps the list current while it runs.
    ///
    /// # Errors
    /// When the topic cannot be read.
    pub async fn open(bus: &SharedBus, share: Share) -> Result<(Self, Arc<Follower>), BusError> {
        let sessions = Self { newest: Arc::default(), share };
        let name = topics::SESSIONS.name();
        let follower = Follower::new(bus, name, name, StartAt::Earliest, sessions.clone());
        follower.catch_up().await?;
        Ok((sessions, follower))
    }

    /// The epoch of the camera's newest session; 0 for a camera that never had one.
    #[must_use]
    pub fn newest(&self, camera: &CameraId) -> u64 {
        self.newest.get(camera).map_or(0, |epoch| *epoch)
    }

    /// Announces a session before its first record. A bus that does not take it takes no pictures either, so nothing waits for it
    /// longer than [`PATIENCE`].
    pub async fn announce(&self, bus: &SharedBus, camera: &CameraId, epoch: u64) {
        self.note(camera.clone(), epoch);
        let session = StreamSession { camera: camera.clone(), epoch };
        let sent = async { topics::SESSIONS.send(bus, &session, clock::now()).await?.await };
        match tokio::time::timeout(PATIENCE, sent).await {
            Ok(Ok(_)) => {}
            Ok(Err(error)) => tracing::warn!(%error, "the new stream session was not announced"),
            Err(_) => tracing::warn!(waited = ?PATIENCE, "the new stream session is not announced yet"),
        }
    }

    fn note(&self, camera: CameraId, epoch: u64) {
        let mut newest = self.newest.entry(camera).or_default();
        *newest = epoch.max(*newest);
    }
}

#[async_trait]
impl View for Sessions {
    async fn take(&self, record: &Delivered) -> Result<(), Refusal> {
        // A deleted camera has no session.
        if record.record.value.is_none() {
            return Ok(());
        }
        let StreamSession { camera, epoch } = topics::SESSIONS.read(record)?;
        if self.share.holds(&camera) {
            self.note(camera, epoch);
        }
        Ok(())
    }
}
