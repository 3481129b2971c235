use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use serde_json::Value;
use tokio::sync::mpsc;
use vedette_console::{
    Arriving, Draft, Explained, Listed, NotTried, Scores, SuggestQuestion, SweepAnswer, TrialCameras, TuningSource,
    WhatIfLine,
};
use vedette_core::{CameraId, Timestamp};
use vedette_detection_store::DetectionStore;
use vedette_tuning::json::SuggestionJson;
use vedette_tuning::{Question, Term, Window};

use super::desk::Desk;
use super::threads::{NoThread, Threads};
use super::trials::Trials;
use crate::detection_recorder::TuningSettings;
use crate::registry::Registry;

/// Parts of an answer that wait for the client.
const WAITING: usize = 64;

/// Answers questions about drafts, each on a thread.
pub(super) struct Answers {
    threads: Threads,
    desk: Arc<Desk>,
}

impl Answers {
    pub(super) fn new(registry: Registry, store: DetectionStore, trials: Trials, settings: &TuningSettings) -> Self {
        Self { threads: Threads::new(settings.threads), desk: Arc::new(Desk::new(registry, store, trials)) }
    }

    async fn ask<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Desk, &Arc<AtomicBool>) -> Result<T, NotTried> + Send + 'static,
    ) -> Result<T, NotTried> {
        let desk = self.desk.clone();
        let (answer, _stop) = self.threads.run(move |stop| work(&desk, &stop)).await?;
        answer
    }

    /// An answer in parts. It begins once the first one is there, so that a question that cannot be answered has none.
    async fn stream<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Desk, &Arc<AtomicBool>, &dyn Fn(T) -> Result<(), NotTried>) -> Result<(), NotTried>
        + Send
        + 'static,
    ) -> Result<Arriving<T>, NotTried> {
        let desk = self.desk.clone();
        let (sender, mut parts) = mpsc::channel(WAITING);
        let run = move |stop| {
            let send = |part| sender.blocking_send(Ok(part)).map_err(|_| NotTried::GivenUp);
            if let Err(why) = work(&desk, &stop, &send) {
                // The client may be gone.
                let _ = sender.blocking_send(Err(why));
            }
        };
        let stop = self.threads.start(run).await?;
        let first = parts.recv().await.transpose()?;
        Ok(Arriving { first, parts, guard: Box::new(stop) })
    }
}

#[async_trait::async_trait]
impl TuningSource for Answers {
    async fn what_if(
        &self,
        cameras: TrialCameras,
        window: Window,
        draft: Draft,
        listed: Listed,
    ) -> Result<Arriving<WhatIfLine>, NotTried> {
        self.stream(move |desk, stop, send| desk.what_if(&cameras, window, &draft, listed, stop, send)).await
    }

    async fn sweep(
        &self,
        cameras: TrialCameras,
        window: Window,
        terms: Vec<(Term, Vec<Value>)>,
    ) -> Result<SweepAnswer, NotTried> {
        self.ask(move |desk, stop| desk.sweep(&cameras, window, &terms, stop)).await
    }

    async fn suggest(
        &self,
        cameras: TrialCameras,
        window: Window,
        question: SuggestQuestion,
    ) -> Result<Vec<SuggestionJson>, NotTried> {
        self.ask(move |desk, stop| desk.suggest(&cameras, window, &question, stop)).await
    }

    async fn scores(&self, camera: CameraId, window: Window) -> Result<Scores, NotTried> {
        self.ask(move |desk, stop| desk.scores(&camera, window, stop)).await
    }

    async fn explain(&self, camera: CameraId, at: Timestamp, question: Question) -> Result<Explained, NotTried> {
        self.ask(move |desk, stop| desk.explain(&camera, at, &question, stop)).await
    }

    async fn records(&self, camera: CameraId, window: Window) -> Result<Arriving<Vec<u8>>, NotTried> {
        self.stream(move |desk, _, send| desk.records(&camera, window, send)).await
    }
}

impl From<NoThread> for NotTried {
    fn from(why: NoThread) -> Self {
        match why {
            NoThread::Busy => Self::Busy,
            NoThread::Failed(reason) => Self::Failed(reason.into()),
        }
    }
}
