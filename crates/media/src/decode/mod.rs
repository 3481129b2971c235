mod decoder;
mod error;
mod frame;
mod pipeline;

pub use decoder::{Decoder, DecoderSettings};
pub use error::DecodeError;
pub use frame::{DecodedFrame, Keep, OutputSize, RgbImage};
