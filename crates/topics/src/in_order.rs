//! What is sent for a camera follows what was sent for it before; cameras do not wait for each other.

use std::collections::BTreeMap;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, try_join_all};
use tokio::sync::oneshot;
use vedette_bus::BusError;
use vedette_core::CameraId;

/// Resolves when what was sent is durable, or has failed. It only listens: work that polled the work before it would poll all of a
/// backlog from within each other.
type Done = Shared<BoxFuture<'static, Result<(), BusError>>>;

/// What the next work of each camera waits for.
#[derive(Default)]
pub struct InOrder {
    before: BTreeMap<CameraId, Done>,
}

impl InOrder {
    /// `work` for these cameras, which begins when what was begun for them before has succeeded. When that failed, it is not
    /// begun, and all of it comes again in order.
    pub fn after<W>(
        &mut self,
        cameras: impl IntoIterator<Item = CameraId>,
        work: W,
    ) -> BoxFuture<'static, Result<(), BusError>>
    where
        W: Future<Output = Result<(), BusError>> + Send + 'static,
    {
        let (tell, told) = oneshot::channel();
        let done: Done = told.map(|told| told.unwrap_or(Err(BusError::Closed))).boxed().shared();
        let before: Vec<Done> =
            cameras.into_iter().filter_map(|camera| self.before.insert(camera, done.clone())).collect();
        async move {
            let outcome = match try_join_all(before).await {
                Ok(_) => work.await,
                Err(error) => Err(error),
            };
            // Nobody may be waiting.
            let _ = tell.send(outcome.clone());
            outcome
        }
        .boxed()
    }

    /// Forgets cameras of which nothing is in hand.
    pub fn tidy(&mut self) {
        // Polled once, so that one that nobody waits for is seen to be over.
        self.before.retain(|_, done| done.clone().now_or_never().is_none_or(|outcome| outcome.is_err()));
    }
}
