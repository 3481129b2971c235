use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use vedette_core::{Detection, FrameSize, ModelRef, Span};
use vedette_metrics::SharedString;

use crate::detector::Detector;
use crate::error::DetectError;
use crate::geometry::InputImage;
use crate::manifest::InputSpec;
use crate::metrics;
use crate::queue::Queue;
use crate::runtime::ProviderReport;

/// Policy for a picture when the queue is full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WhenFull {
    /// Its sender waits: nothing is lost, the upstream stage slows down.
    #[default]
    Wait,
    /// It is refused at once with [`DetectError::QueueFull`] and counted.
    Refuse,
}

/// Batching of pictures from many cameras.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BatchSettings {
    /// Largest batch; at least 1. The model's own limit applies too.
    pub max_batch: usize,
    /// How long the first picture of a batch waits for others. On the CPU a batch is hardly faster than its
    /// pictures one by one; use 0 there.
    pub max_wait: Duration,
    /// Capacity of the queue in pictures, at least 1.
    pub queue: usize,
    /// Policy when the queue is full.
    pub when_full: WhenFull,
}

impl Default for BatchSettings {
    fn default() -> Self {
        Self { max_batch: 8, max_wait: Duration::from_millis(5), queue: 64, when_full: WhenFull::Wait }
    }
}

/// The result of a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Detected {
    /// Its detections, best score first.
    pub detections: Vec<Detection>,
    /// From the call until its batch began.
    pub wait: Span,
    /// Pre-processing, inference and post-processing of its batch.
    pub inference: Span,
}

struct Job {
    image: InputImage,
    called: Instant,
    answer: oneshot::Sender<Result<Detected, DetectError>>,
    /// The queue slot, released when the job is taken.
    permit: OwnedSemaphorePermit,
}

struct Shared {
    queue: Queue<Job>,
    places: Arc<Semaphore>,
    settings: BatchSettings,
    input: InputSpec,
    model: ModelRef,
    workers: AtomicUsize,
}

impl Shared {
    fn size(&self) -> FrameSize {
        self.input.size()
    }

    fn show_length(&self) {
        metrics::QUEUE_IMAGES.with([self.model.name.clone()]).set(self.queue.len() as f64);
    }

    fn count_drop(&self, reason: &'static str, count: usize) {
        if count > 0 {
            let labels = [SharedString::from(self.model.name.clone()), reason.into()];
            metrics::DROPPED_IMAGES.with(labels).increment(count as u64);
        }
    }

    fn close(&self) {
        self.queue.close();
        self.places.close();
    }
}

/// Sends pictures to a [`DetectService`]. Clones are cheap.
#[derive(Clone)]
pub struct DetectHandle {
    shared: Arc<Shared>,
}

impl DetectHandle {
    /// Detects the objects in the picture. Dropping the future removes the picture from its batch, unless that has started.
    ///
    /// # Errors
    /// When the picture does not fit the model, the queue is full and refuses, the model fails, or the service shuts
    /// down.
    pub async fn detect(&self, image: InputImage) -> Result<Detected, DetectError> {
        let shared = &self.shared;
        image.check(shared.size())?;
        let called = Instant::now();
        let places = Arc::clone(&shared.places);
        let permit = match shared.settings.when_full {
            WhenFull::Wait => places.acquire_owned().await.map_err(|_| DetectError::Closed)?,
            WhenFull::Refuse => places.try_acquire_owned().map_err(|error| match error {
                tokio::sync::TryAcquireError::Closed => DetectError::Closed,
                tokio::sync::TryAcquireError::NoPermits => {
                    shared.count_drop("queue_full", 1);
                    DetectError::QueueFull { capacity: shared.settings.queue }
                }
            })?,
        };
        let (answer, answered) = oneshot::channel();
        shared.queue.push(Job { image, called, answer, permit }).map_err(|_| DetectError::Closed)?;
        shared.show_length();
        answered.await.unwrap_or(Err(DetectError::Closed))
    }

    /// Size of the model's input, the largest size of a picture.
    #[must_use]
    pub fn input_size(&self) -> FrameSize {
        self.shared.size()
    }

    /// The model's input; [`InputSpec::fit`] returns the size to scale a frame to.
    #[must_use]
    pub fn input(&self) -> &InputSpec {
        &self.shared.input
    }

    /// Name and version of the model.
    #[must_use]
    pub fn model_ref(&self) -> &ModelRef {
        &self.shared.model
    }
}

/// Worker threads, one per detector, that process the pictures of all [`DetectHandle`]s in batches.
pub struct DetectService {
    shared: Arc<Shared>,
    report: ProviderReport,
    workers: Vec<JoinHandle<()>>,
}

impl DetectService {
    /// Starts a worker thread for each detector. All run the same model.
    ///
    /// # Errors
    /// When there is no detector or a thread cannot be started.
    pub fn start(detectors: Vec<Detector>, settings: BatchSettings) -> std::io::Result<Self> {
        let Some(first) = detectors.first() else {
            return Err(std::io::Error::new(std::io::ErrorKind::InvalidInput, "a detection service needs a detector"));
        };
        let queue = settings.queue.clamp(1, Semaphore::MAX_PERMITS);
        let settings = BatchSettings { max_batch: settings.max_batch.max(1), queue, ..settings };
        let shared = Arc::new(Shared {
            queue: Queue::new(),
            places: Arc::new(Semaphore::new(queue)),
            settings,
            input: first.input().clone(),
            model: first.model_ref(),
            workers: AtomicUsize::new(detectors.len()),
        });
        let report = first.report().clone();
        let mut service = Self { shared, report, workers: Vec::with_capacity(detectors.len()) };
        for (index, detector) in detectors.into_iter().enumerate() {
            let shared = Arc::clone(&service.shared);
            let worker = std::thread::Builder::new().name(format!("detect-{index}")).spawn(move || {
                let _leaving = Leaving(&shared);
                work(&shared, detector);
            })?;
            service.workers.push(worker);
        }
        Ok(service)
    }

    /// A handle to send pictures.
    #[must_use]
    pub fn handle(&self) -> DetectHandle {
        DetectHandle { shared: Arc::clone(&self.shared) }
    }

    /// The execution provider, and why others were refused.
    #[must_use]
    pub const fn report(&self) -> &ProviderReport {
        &self.report
    }

    /// Refuses new pictures, completes those waiting, and returns when the workers have ended.
    pub async fn shutdown(mut self) {
        self.shared.close();
        let workers = std::mem::take(&mut self.workers);
        let joined = tokio::task::spawn_blocking(move || {
            for worker in workers {
                // A panicked worker has already been reported; its pictures got `Closed`.
                let _ = worker.join();
            }
        });
        let _ = joined.await;
    }
}

impl Drop for DetectService {
    /// Refuses new pictures; the workers complete those waiting and end by themselves.
    fn drop(&mut self) {
        self.shared.close();
    }
}

/// When the last worker ends, even by a panic, no caller is left waiting.
struct Leaving<'a>(&'a Shared);

impl Drop for Leaving<'_> {
    fn drop(&mut self) {
        if self.0.workers.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.0.places.close();
            self.0.queue.abandon();
        }
    }
}

fn work(shared: &Shared, mut detector: Detector) {
    let most = shared.settings.max_batch.min(detector.batch_size());
    loop {
        let taken = shared.queue.take(most, shared.settings.max_wait);
        if taken.is_empty() {
            return;
        }
        shared.show_length();
        answer_batch(shared, &mut detector, taken.into_iter().map(|(_, job)| job).collect());
    }
}

fn answer_batch(shared: &Shared, detector: &mut Detector, jobs: Vec<Job>) {
    let begun = Instant::now();
    let taken = jobs.len();
    let mut images = Vec::with_capacity(taken);
    let mut waiting = Vec::with_capacity(taken);
    for Job { image, called, answer, permit } in jobs {
        drop(permit);
        if !answer.is_closed() {
            images.push(image);
            waiting.push((begun - called, answer));
        }
    }
    shared.count_drop("abandoned", taken - images.len());
    if images.is_empty() {
        return;
    }
    let model = shared.model.name.clone();
    metrics::BATCH_IMAGES.with([model.clone()]).record(images.len() as f64);
    let answers = run(detector, &images);
    let inference = begun.elapsed();
    metrics::INFERENCE_SECONDS.with([model.clone()]).record(inference);
    match answers {
        Ok(answers) => {
            for (detections, (wait, answer)) in answers.into_iter().zip(waiting) {
                metrics::QUEUE_WAIT_SECONDS.with([model.clone()]).record(wait);
                let detected = Detected { detections, wait: span(wait), inference: span(inference) };
                // The caller may have gone meanwhile.
                let _ = answer.send(Ok(detected));
            }
        }
        Err(error) => {
            tracing::error!(%model, %error, images = waiting.len(), "a batch failed");
            shared.count_drop("failed", waiting.len());
            for (_, answer) in waiting {
                let _ = answer.send(Err(error.clone()));
            }
        }
    }
}

/// Runs the model; a panic loses the batch, not the worker.
fn run(detector: &mut Detector, images: &[InputImage]) -> Result<Vec<Vec<Detection>>, DetectError> {
    let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| detector.detect_batch(images)));
    outcome.unwrap_or_else(|_| {
        Err(DetectError::Run {
            model: detector.model_ref().name,
            provider: detector.provider(),
            reason: "it panicked".to_owned(),
        })
    })
}

fn span(duration: Duration) -> Span {
    Span::from_micros(i64::try_from(duration.as_micros()).unwrap_or(i64::MAX))
}
