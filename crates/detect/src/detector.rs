use std::path::Path;
use std::time::Instant;

use ort::session::{Session, SessionOutputs};
use ort::value::TensorRef;
use vedette_core::{Detection, FrameSize, ModelRef};
use vedette_metrics::SharedString;

use crate::error::DetectError;
use crate::geometry::InputImage;
use crate::manifest::{InputSpec, Manifest};
use crate::metrics;
use crate::nms::{Candidates, select};
use crate::output::{Tensor, Wanted};
use crate::preprocess::Normaliser;
use crate::provider::Provider;
use crate::runtime::{ProviderReport, Runtime};
use crate::session;
use crate::settings::DetectorSettings;

/// A running model. It blocks while it computes: call it off the async threads, or through a
/// [`DetectService`](crate::DetectService).
#[derive(Debug)]
pub struct Detector {
    session: Session,
    report: ProviderReport,
    manifest: Manifest,
    settings: DetectorSettings,
    normaliser: Normaliser,
    tensor: Vec<f32>,
    candidates: Candidates,
}

impl Detector {
    /// Starts the model in file `path`, which should have been verified, on the first execution provider that works.
    ///
    /// # Errors
    /// When none works, or when the model does not match the manifest.
    pub fn open(
        runtime: &Runtime,
        manifest: &Manifest,
        path: impl AsRef<Path>,
        settings: DetectorSettings,
    ) -> Result<Self, DetectError> {
        let (session, report) = session::start(runtime, manifest, path.as_ref(), &settings)?;
        let normaliser = Normaliser::new(&manifest.input);
        let mut detector = Self {
            session,
            report,
            manifest: manifest.clone(),
            settings,
            normaliser,
            tensor: Vec::new(),
            candidates: Candidates::default(),
        };
        detector.try_output()?;
        Ok(detector)
    }

    /// Decodes one output, so that a mismatch with the manifest is found now.
    fn try_output(&mut self) -> Result<(), DetectError> {
        let native = self.input_size();
        let black = InputImage { data: vec![0; 3].into(), width: 1, height: 1, native };
        self.detect_batch(&[black]).map(drop)
    }

    /// Size of the model's input, the largest size of a picture.
    #[must_use]
    pub const fn input_size(&self) -> FrameSize {
        self.manifest.input.size()
    }

    /// The model's input; [`InputSpec::fit`] returns the size to scale a frame to.
    #[must_use]
    pub const fn input(&self) -> &InputSpec {
        &self.manifest.input
    }

    /// Name and version of the model.
    #[must_use]
    pub fn model_ref(&self) -> ModelRef {
        self.manifest.model_ref()
    }

    /// Its execution provider.
    #[must_use]
    pub const fn provider(&self) -> Provider {
        self.report.chosen
    }

    /// The execution provider, and why others were refused.
    #[must_use]
    pub const fn report(&self) -> &ProviderReport {
        &self.report
    }

    /// Largest batch.
    #[must_use]
    pub fn batch_size(&self) -> usize {
        if self.manifest.input.dynamic_batch { self.settings.max_batch.max(1) } else { 1 }
    }

    /// Detects the objects in each picture, best score first, boxes in pixels of the native frame.
    ///
    /// # Errors
    /// When a picture does not fit the model, or the model fails; then there is no result for any.
    pub fn detect_batch(&mut self, images: &[InputImage]) -> Result<Vec<Vec<Detection>>, DetectError> {
        let size = self.input_size();
        images.iter().try_for_each(|image| image.check(size))?;
        let mut answers = Vec::with_capacity(images.len());
        for part in images.chunks(self.batch_size()) {
            self.detect_part(part, &mut answers)?;
        }
        Ok(answers)
    }

    fn detect_part(&mut self, images: &[InputImage], answers: &mut Vec<Vec<Detection>>) -> Result<(), DetectError> {
        let provider = self.report.chosen;
        let model = &self.manifest.name;
        let failed = |error: ort::Error| DetectError::Run { model: model.clone(), provider, reason: error.to_string() };
        let begun = Instant::now();
        let one = self.normaliser.len();
        self.tensor.resize(images.len() * one, 0.0);
        for (image, part) in images.iter().zip(self.tensor.chunks_exact_mut(one)) {
            self.normaliser.write(image, part);
        }
        let filled = Instant::now();
        let input = &self.manifest.input;
        let shape = [images.len(), 3, input.height as usize, input.width as usize];
        let tensor = TensorRef::from_array_view((shape, self.tensor.as_slice())).map_err(failed)?;
        let outputs = self.session.run(ort::inputs![input.name.as_str() => tensor]).map_err(failed)?;
        let ran = Instant::now();
        let reader = OutputReader::new(&self.manifest, &outputs, images.len())?;
        for (index, image) in images.iter().enumerate() {
            self.candidates.clear();
            reader.read(index, &mut self.candidates);
            let most = self.settings.max_detections;
            let found = select(&mut self.candidates, image.to_native(), self.manifest.nms_iou, most);
            if self.candidates.not_numbers > 0 {
                metrics::BAD_OUTPUTS.with([model.clone()]).increment(self.candidates.not_numbers as u64);
            }
            metrics::DETECTIONS.with([model.clone()]).increment(found.len() as u64);
            answers.push(found);
        }
        let labels = || [SharedString::from(model.clone()), provider.as_str().into()];
        metrics::IMAGES.with(labels()).increment(images.len() as u64);
        metrics::PREPROCESS_SECONDS.with(labels()).record(filled - begun);
        metrics::RUN_SECONDS.with(labels()).record(ran - filled);
        metrics::POSTPROCESS_SECONDS.with(labels()).record(ran.elapsed());
        Ok(())
    }
}

/// One output, split by picture.
struct Part<'a> {
    numbers: &'a [f32],
    /// Numbers per picture.
    one: usize,
}

impl<'a> Part<'a> {
    fn of(&self, picture: usize) -> &'a [f32] {
        &self.numbers[picture * self.one..(picture + 1) * self.one]
    }
}

/// The outputs of one run, their shapes checked against the manifest.
struct OutputReader<'a> {
    manifest: &'a Manifest,
    parts: Vec<Part<'a>>,
}

impl<'a> OutputReader<'a> {
    fn new(manifest: &'a Manifest, outputs: &'a SessionOutputs<'_>, batch: usize) -> Result<Self, DetectError> {
        let tensors = manifest.output.tensors(manifest.input.size());
        let parts = tensors.into_iter().map(|tensor| part(manifest, outputs, tensor, batch));
        Ok(Self { manifest, parts: parts.collect::<Result<_, _>>()? })
    }

    fn read(&self, picture: usize, candidates: &mut Candidates) {
        let Manifest { input, classes, floor_score, output, .. } = self.manifest;
        let parts: Vec<&[f32]> = self.parts.iter().map(|part| part.of(picture)).collect();
        output.decode(&parts, &Wanted { input: input.size(), classes, floor: floor_score.get() }, candidates);
    }
}

fn part<'a>(
    manifest: &Manifest,
    outputs: &'a SessionOutputs<'_>,
    tensor: Tensor<'_>,
    batch: usize,
) -> Result<Part<'a>, DetectError> {
    let Tensor { name, cells, numbers: one } = tensor;
    let wanted = [batch, cells, one];
    let unfit = |reason| DetectError::Unfit { model: manifest.name.clone(), reason };
    let Some(value) = outputs.get(name) else {
        let known: Vec<&str> = outputs.keys().collect();
        return Err(unfit(format!("it has no output `{name}` but {}", known.join(", "))));
    };
    let (shape, numbers) =
        value.try_extract_tensor::<f32>().map_err(|error| unfit(format!("output `{name}`: {error}")))?;
    let found: Vec<usize> = shape.iter().map(|&side| usize::try_from(side).unwrap_or(0)).collect();
    if found != wanted {
        return Err(unfit(format!("output `{name}` has shape {found:?} instead of {wanted:?}")));
    }
    Ok(Part { numbers, one: cells * one })
}
