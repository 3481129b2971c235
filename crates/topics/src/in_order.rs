//! Sends for one camera are serialised; cameras do not wait for each other.

use std::collections::BTreeMap;

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, try_join_all};
use tokio::sync::oneshot;
use vedette_bus::BusError;
use vedette_core::CameraId;

/// Resolves when the sent records are durable, or have failed. It only listens: work that polled its predecessor would poll a
/// whole backlog recursively.
type Done = Shared<BoxFuture<'static, Result<(), BusError>>>;

/// The work that each camera's next work waits for.
#[derive(Default)]
pub struct InOrder {
    before: BTreeMap<CameraId, Done>,
}

impl InOrder {
    /// `work` for these cameras, which starts when their previous work has succeeded. If that failed, it is not started, and all
    /// of it is redelivered in order.
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
            // There may be no waiter.
            let _ = tell.send(outcome.clone());
            outcome
        }
        .boxed()
    }

    /// Removes cameras without work in flight.
    pub fn tidy(&mut self) {
        // Polled once, so that finished work without a waiter is recognised.
        self.before.retain(|_, done| done.clone().now_or_never().is_none_or(|outcome| outcome.is_err()));
    }
}
