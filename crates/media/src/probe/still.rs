use bytes::Bytes;
use image::codecs::png::PngEncoder;
use image::{ExtendedColorType, ImageEncoder};
use vedette_core::{AccessUnit, CameraId, Codec, Display, FrameSize, Timestamp, VideoChunk};

use crate::{Decoder, DecoderSettings};

/// A decoded picture.
#[derive(Clone, PartialEq, Eq)]
pub struct ProbeStill {
    /// Its size in pixels.
    pub size: FrameSize,
    /// Red, green, blue, row by row from the top, without padding.
    pub rgb: Vec<u8>,
}

impl ProbeStill {
    /// The picture as a PNG file.
    ///
    /// # Errors
    /// The encoder's message.
    pub fn png(&self) -> Result<Vec<u8>, String> {
        let mut png = Vec::new();
        PngEncoder::new(&mut png)
            .write_image(&self.rgb, self.size.width, self.size.height, ExtendedColorType::Rgb8)
            .map_err(|error| error.to_string())?;
        Ok(png)
    }
}

impl std::fmt::Debug for ProbeStill {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ProbeStill({}x{})", self.size.width, self.size.height)
    }
}

/// Decodes a key frame as the product does. Blocks.
///
/// # Errors
/// Why it cannot be decoded.
pub(super) fn decode(codec: Codec, (coded, display): (FrameSize, Display), data: Bytes) -> Result<ProbeStill, String> {
    let camera = CameraId::new("probe").map_err(|error| error.to_string())?;
    let unit = AccessUnit { data, captured: Timestamp::default(), key: true };
    let chunk = VideoChunk {
        camera,
        epoch: 1,
        codec,
        frame: display.shown(coded),
        display,
        gop: 0,
        part: 0,
        last: true,
        continues: false,
        first_sequence: 0,
        clock_drift: false,
        units: vec![unit],
    };
    let mut decoder = Decoder::new(codec, DecoderSettings::default());
    let frames = decoder.decode(&chunk).map_err(|error| error.to_string())?;
    let image = frames.into_iter().next().ok_or("no picture came out of the decoder")?.image;
    Ok(ProbeStill { size: image.size, rgb: image.data.to_vec() })
}
