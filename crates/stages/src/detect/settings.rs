use std::path::PathBuf;

use serde::Deserialize;
use vedette_core::{Span, ValidationError, ValidationErrors, violations};
use vedette_detect::Provider;

/// `[detect]`
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DetectSettings {
    /// Name of a model in `models`.
    pub model: String,
    /// Directory of the manifests; the ones that ship with the program when absent.
    pub models: Option<PathBuf>,
    /// Execution providers in the order to try: `auto`, `tensorrt`, `cuda`, `openvino`, `cpu`.
    pub providers: Vec<String>,
    /// `libonnxruntime.so`; the one fetched by `vedette models fetch` when absent.
    pub runtime: Option<PathBuf>,
    /// Threads of one inference; 0 lets ONNX Runtime choose.
    pub threads: usize,
    /// Most frames in one inference.
    pub max_batch: usize,
    /// Longest time a frame waits for others to join its batch.
    pub max_wait: Span,
    /// Most processed frames per second of one camera; all when absent. The others are counted.
    pub max_fps: Option<f64>,
    /// Process key frames only: the others are not even decoded, which costs a tenth. For many cameras on a small machine.
    pub key_frames_only: bool,
    /// Streams decoded concurrently; 0 means one per core.
    pub decoders: usize,
    /// A camera of whose pictures none was processed for this long, although they arrive, has no signal.
    pub timeout: Span,
    /// `[detect.shed_after]`
    pub shed_after: ShedAfter,
}

impl Default for DetectSettings {
    fn default() -> Self {
        Self {
            model: "nanodet-g".into(),
            models: None,
            providers: vec!["auto".into()],
            runtime: None,
            threads: 0,
            max_batch: 8,
            max_wait: Span::from_millis(10),
            max_fps: None,
            key_frames_only: false,
            decoders: 0,
            timeout: Span::from_secs(10),
            shed_after: ShedAfter::default(),
        }
    }
}

/// `[detect.shed_after]`: age of waiting video at which a camera of each priority is shed. Then only its key frames are
/// processed, and none at twice that age. A camera with an open alert is never shed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ShedAfter {
    /// Cameras of priority `low`.
    pub low: Span,
    /// Cameras of priority `normal`.
    pub normal: Span,
    /// Cameras of priority `high`.
    pub high: Span,
}

impl Default for ShedAfter {
    fn default() -> Self {
        Self { low: Span::from_secs(5), normal: Span::from_secs(10), high: Span::from_secs(20) }
    }
}

impl DetectSettings {
    /// Validation errors of the section.
    #[must_use]
    pub fn mistakes(&self) -> Vec<ValidationError> {
        let mut found = ValidationErrors::default();
        found.span("max_wait", self.max_wait, Span::ZERO, Span::from_secs(1));
        found.span("timeout", self.timeout, Span::from_secs(3), Span::from_secs(300));
        self.shed_after.check(&mut found);
        found.check(self.decoders <= 1024, "decoders", self.decoders, DetectRule::Decoders);
        found.check(self.threads <= 1024, "threads", self.threads, DetectRule::Threads);
        found.number("max_batch", self.max_batch, 1, 256);
        let rate = self.max_fps.unwrap_or(1.0);
        found.check(rate > 0.0 && rate <= 240.0, "max_fps", format!("{rate:?}"), DetectRule::MaxFps);
        for name in &self.providers {
            let known = name == "auto" || name.parse::<Provider>().is_ok();
            found.check(known, "providers", format!("\"{name}\""), DetectRule::UnknownProvider);
        }
        found.into_vec()
    }
}

violations! {
    pub(crate) enum DetectRule {
        Decoders = "detect.decoders": "it is outside 0 to 1024", "give 0 (one a core) to 1024";
        Threads = "detect.threads": "it is outside 0 to 1024", "give 0 (ONNX Runtime chooses) to 1024";
        MaxFps = "detect.max-fps": "it is not above 0 and at most 240",
            "give more than 0 and at most 240 frames a second, or leave it out";
        UnknownProvider = "detect.unknown-provider": "no execution provider has this name",
            "use auto, tensorrt, cuda, openvino or cpu";
    }
}

impl ShedAfter {
    fn check(&self, found: &mut ValidationErrors) {
        // A bound that is itself out of range does not invalidate the value it bounds.
        let (second, day) = (Span::from_secs(1), Span::from_secs(86_400));
        let bound = |value: Span, most: Span| if (second..=most).contains(&value) { value } else { most };
        let high = bound(self.high, day);
        let normal = bound(self.normal, high);
        found.span("shed_after.low", self.low, second, normal);
        found.span("shed_after.normal", self.normal, second, high);
        found.span("shed_after.high", self.high, second, day);
    }
}
