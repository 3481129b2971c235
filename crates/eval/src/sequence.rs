use vedette_core::{FrameSize, Timestamp};

use crate::EvalError;

/// Content of a MOT sequence's `seqinfo.ini`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SequenceInfo {
    /// Frames.
    pub frames: u32,
    /// Frames a second.
    pub rate: f64,
    /// Size of the pictures.
    pub size: FrameSize,
}

impl SequenceInfo {
    /// Parses `frameRate`, `seqLength`, `imWidth` and `imHeight`; other lines are ignored.
    ///
    /// # Errors
    /// When one of them is missing or invalid.
    pub fn read(text: &str) -> Result<Self, EvalError> {
        let number = |key: &'static str, least: f64, most: f64| {
            let refuse = |rule: String| EvalError::Sequence { key, rule };
            let value = text
                .lines()
                .filter_map(|line| line.split_once('='))
                .find_map(|(name, value)| name.trim().eq_ignore_ascii_case(key).then_some(value.trim()))
                .ok_or_else(|| refuse(format!("missing; write a line {key}=NUMBER")))?;
            let number: f64 = value.parse().map_err(|_| refuse(format!("`{value}` is not a valid number")))?;
            if (least..=most).contains(&number) {
                Ok(number)
            } else {
                Err(refuse(format!("{value} is not between {least} and {most}")))
            }
        };
        let size = FrameSize {
            width: number("imWidth", 1.0, 65_535.0)? as u32,
            height: number("imHeight", 1.0, 65_535.0)? as u32,
        };
        let frames = number("seqLength", 1.0, 100_000_000.0)? as u32;
        Ok(Self { frames, rate: number("frameRate", 0.001, 1000.0)?, size })
    }

    /// The capture time of a frame: its number (from 1) by the frame rate.
    #[must_use]
    pub fn at(&self, frame: u32) -> Timestamp {
        Timestamp::from_micros((f64::from(frame) / self.rate * 1e6).round() as i64)
    }

    /// The same when only frames 1, 1 + n, 1 + 2n and so on are processed.
    #[must_use]
    pub fn every_nth(&self, n: u32) -> Self {
        Self { frames: self.frames.div_ceil(n.max(1)), rate: self.rate / f64::from(n.max(1)), ..*self }
    }

    /// Its duration in seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        f64::from(self.frames) / self.rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn facts_are_read_and_what_is_missing_is_named() {
        let text = "[Sequence]\nname=x\nframeRate=25\nseqLength=50\nimWidth=640\nimHeight=480\nimExt=.jpg\n";
        let info = SequenceInfo::read(text).unwrap();
        assert_eq!((info.frames, info.seconds(), info.at(5).as_micros()), (50, 2.0, 200_000));
        let error = SequenceInfo::read(&text.replace("seqLength", "length")).unwrap_err().to_string();
        assert_eq!(error, "seqinfo.ini, seqLength: missing; write a line seqLength=NUMBER");
        let error = SequenceInfo::read(&text.replace("=25", "=0")).unwrap_err().to_string();
        assert_eq!(error, "seqinfo.ini, frameRate: 0 is not between 0.001 and 1000");
    }
}
