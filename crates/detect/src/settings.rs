use std::path::PathBuf;

/// Settings of a detector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DetectorSettings {
    /// Largest batch, at least 1; more pictures are split. With a fixed model batch it is 1.
    pub max_batch: usize,
    /// Most detections per picture, the best ones.
    pub max_detections: usize,
    /// Whether TensorRT may compute with 16-bit floats.
    pub half_precision: bool,
    /// TensorRT's engine cache; without it engines are built at each start.
    pub engine_cache: Option<PathBuf>,
}

impl Default for DetectorSettings {
    fn default() -> Self {
        Self { max_batch: 8, max_detections: 300, half_precision: true, engine_cache: None }
    }
}
