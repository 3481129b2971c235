use bytes::Bytes;
use image::codecs::jpeg::JpegEncoder;
use image::{ExtendedColorType, ImageEncoder};
use vedette_core::{FrameSize, VideoChunk};

use crate::redact::{Marks, redact};
use crate::{DecodeError, Decoder, DecoderSettings, Keep, OutputSize, metrics};

/// Appearance of snapshots.
#[derive(Debug, Clone)]
pub struct SnapshotSettings {
    /// Widest picture, in pixels; narrower frames are not enlarged. Default 960.
    pub max_width: u32,
    /// Make people unrecognisable. Default on.
    pub pixelate: bool,
    /// JPEG quality, 1 to 100. Default 80.
    pub jpeg_quality: u8,
}

impl Default for SnapshotSettings {
    fn default() -> Self {
        Self { max_width: 960, pixelate: true, jpeg_quality: 80 }
    }
}

/// A picture of one frame.
#[derive(Debug, Clone)]
pub struct Snapshot {
    /// The JPEG file.
    pub jpeg: Bytes,
    /// Its size in pixels.
    pub size: FrameSize,
    /// Size of the frame, to which boxes refer.
    pub frame: FrameSize,
}

/// Why there is no snapshot.
#[derive(Debug, thiserror::Error)]
pub enum SnapshotError {
    /// The chunks do not hold the frame.
    #[error("frame {sequence} is not in the chunks given; give all parts of its group up to it")]
    NoSuchFrame {
        /// Number of the frame within the stream session.
        sequence: u64,
    },
    /// The frame could not be decoded.
    #[error("frame {sequence} cannot be decoded: {source}")]
    Decode {
        /// Number of the frame within the stream session.
        sequence: u64,
        /// The cause.
        source: DecodeError,
    },
    /// The picture could not be encoded.
    #[error("the snapshot of frame {sequence} cannot be encoded as JPEG: {detail}")]
    Encode {
        /// Number of the frame within the epoch.
        sequence: u64,
        /// The cause.
        detail: String,
    },
}

/// Decodes frame `sequence` and encodes it as JPEG with its `marks`.
///
/// `chunks` are the parts of the frame's group of pictures from part 0 on, in order, after those of the group before it if the group
/// [continues](VideoChunk::continues) that one; everything behind the frame is ignored. Blocks, for about 10 ms to 100 ms.
///
/// # Errors
/// When the frame is not in the chunks or cannot be decoded or encoded.
pub fn snapshot(
    chunks: &[VideoChunk],
    sequence: u64,
    marks: &Marks,
    settings: &SnapshotSettings,
) -> Result<Snapshot, SnapshotError> {
    let missing = SnapshotError::NoSuchFrame { sequence };
    let Some((codec, parts)) = parts_up_to(chunks, sequence) else { return Err(missing) };
    let mut decoder = Decoder::new(
        codec,
        DecoderSettings {
            output: OutputSize::Fit { width: settings.max_width.max(1), height: u32::MAX },
            keep: Keep::Only(sequence),
            ..DecoderSettings::default()
        },
    );
    let mut found = None;
    for part in &parts {
        decoder
            .decode_each(part, |frame| found = Some(frame))
            .map_err(|source| SnapshotError::Decode { sequence, source })?;
    }
    let Some(decoded) = found.filter(|frame| frame.sequence == sequence) else { return Err(missing) };
    let picture = redact(&decoded, marks, settings.pixelate);
    let size = picture.size;
    let mut jpeg = Vec::new();
    JpegEncoder::new_with_quality(&mut jpeg, settings.jpeg_quality.clamp(1, 100))
        .write_image(&picture.pixels, size.width, size.height, ExtendedColorType::Rgb8)
        .map_err(|error| SnapshotError::Encode { sequence, detail: error.to_string() })?;
    metrics::SNAPSHOTS.get().increment(1);
    Ok(Snapshot { jpeg: jpeg.into(), size, frame: decoded.frame })
}

/// The parts from the last part 0 at which decoding can start up to the frame, without anything behind it, the last one marked as
/// such so that the decoder holds nothing back.
fn parts_up_to(chunks: &[VideoChunk], sequence: u64) -> Option<(vedette_core::Codec, Vec<VideoChunk>)> {
    let holds = |chunk: &VideoChunk| {
        sequence.checked_sub(chunk.first_sequence).is_some_and(|index| index < chunk.units.len() as u64)
    };
    let end = chunks.iter().position(holds)?;
    let begins = |chunk: &VideoChunk| chunk.part == 0;
    let mut start = chunks[..=end].iter().rposition(begins)?;
    if chunks[start].continues {
        start = chunks[..start].iter().rposition(begins).unwrap_or(start);
    }
    let mut parts = chunks[start..=end].to_vec();
    let last = parts.last_mut()?;
    last.units.truncate(usize::try_from(sequence - last.first_sequence).ok()? + 1);
    last.last = true;
    Some((last.codec, parts))
}
