use std::fmt;
use std::str::FromStr;

use serde::Deserialize;

/// Execution provider of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Provider {
    /// ONNX Runtime's own CPU kernels.
    Cpu,
    /// OpenVINO on the processor or an Intel accelerator.
    OpenVino,
    /// CUDA on an NVIDIA GPU.
    Cuda,
    /// TensorRT on an NVIDIA GPU; unsupported operators fall back to CUDA.
    TensorRt,
}

impl Provider {
    /// The order in which `auto` tries them: fastest first, last the one that always starts.
    pub const AUTO: [Self; 4] = [Self::TensorRt, Self::Cuda, Self::OpenVino, Self::Cpu];

    /// The name used in configuration, records and metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::OpenVino => "openvino",
            Self::Cuda => "cuda",
            Self::TensorRt => "tensorrt",
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The name is not an execution provider.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not an execution provider; known are tensorrt, cuda, openvino, cpu")]
pub struct UnknownProvider(pub String);

impl FromStr for Provider {
    type Err = UnknownProvider;

    fn from_str(text: &str) -> Result<Self, UnknownProvider> {
        Self::AUTO.into_iter().find(|one| one.as_str() == text).ok_or_else(|| UnknownProvider(text.to_owned()))
    }
}
