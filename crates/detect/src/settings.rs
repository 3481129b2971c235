use std::path::PathBuf;

/// How a detector answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectorSettings {
    /// Pictures run at once at most, at least 1; more are split. Where the model's batch is fixed it is 1.
    pub max_batch: usize,
    /// Detections a picture at most, the best ones.
    pub max_detections: usize,
    /// Whether TensorRT may compute with 16-bit floats.
    pub half_precision: bool,
    /// Where TensorRT keeps its engines; without it they are built at each start.
    pub engine_cache: Option<PathBuf>,
}

impl Default for DetectorSettings {
    fn default() -> Self {
        Self { max_batch: 8, max_detections: 300, half_precision: true, engine_cache: None }
    }
}
