use serde::Deserialize;
use vedette_core::FrameSize;

/// Channel order of a model's input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColourOrder {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// How a frame is resized to the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resize {
    /// Each axis by its own factor, so that it fills the input.
    Stretch,
    /// Both axes by the same factor, aligned at the left and top, the rest filled.
    Letterbox,
}

/// A model's input: a tensor `[batch, 3, height, width]` of `(value * scale - mean) / std`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// Name of the input tensor.
    pub name: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Channel order.
    pub colours: ColourOrder,
    /// Subtracted, in channel order.
    #[serde(default)]
    pub mean: [f32; 3],
    /// Divisor, in channel order.
    #[serde(default = "ones")]
    pub std: [f32; 3],
    /// Factor applied before `mean` and `std`.
    #[serde(default = "one")]
    pub scale: f32,
    /// How a frame is resized to the input.
    pub resize: Resize,
    /// Value, 0 to 255, of pixels that the picture does not cover.
    #[serde(default = "grey")]
    pub fill: u8,
    /// Whether the batch dimension is dynamic; else pictures run one by one.
    #[serde(default)]
    pub dynamic_batch: bool,
}

fn one() -> f32 {
    1.0
}

fn ones() -> [f32; 3] {
    [1.0; 3]
}

fn grey() -> u8 {
    114
}

impl InputSpec {
    /// The size of the input.
    #[must_use]
    pub const fn size(&self) -> FrameSize {
        FrameSize { width: self.width, height: self.height }
    }

    /// The size to which a frame should be scaled.
    #[must_use]
    pub fn fit(&self, native: FrameSize) -> FrameSize {
        match self.resize {
            Resize::Stretch => self.size(),
            Resize::Letterbox => {
                let native = (native.width.max(1) as f32, native.height.max(1) as f32);
                let factor = (self.width as f32 / native.0).min(self.height as f32 / native.1);
                let side = |length: f32, most: u32| ((length * factor).round() as u32).clamp(1, most);
                FrameSize { width: side(native.0, self.width), height: side(native.1, self.height) }
            }
        }
    }

    /// Checks the keys, for a model with cell sizes `strides`.
    pub(super) fn check(&self, strides: &[u32], require: &mut impl FnMut(bool, String)) {
        for (key, side) in [("width", self.width), ("height", self.height)] {
            require((32..=8192).contains(&side), format!("input.{key} = {side}: give 32 to 8192"));
            for stride in strides {
                require(
                    *stride > 0 && side % *stride == 0,
                    format!("input.{key} = {side}: give a multiple of the stride {stride}"),
                );
            }
        }
        require(self.std.iter().all(|std| std.is_normal()), "input.std: give numbers other than 0".to_owned());
        require(self.mean.iter().all(|mean| mean.is_finite()), "input.mean: give numbers".to_owned());
        require(self.scale.is_normal(), format!("input.scale = {}: give a number other than 0", self.scale));
    }
}
