//! The clip of an alert: some seconds of video around the frame that raised it.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What there is of an alert's clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ClipState {
    /// It is still to be made.
    #[default]
    Pending,
    /// It is stored.
    Made,
    /// There is none, and will be none.
    None(NoClip),
}

/// Why an alert has no clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoClip {
    /// Clips are switched off.
    Off,
    /// The alert is about the absence of pictures.
    NoPicture,
    /// The detections came from another producer, or the alert does not know its frame.
    NoVideo,
    /// The video was no longer kept when the clip was due.
    Expired,
    /// The video was no longer kept once the clips of earlier alerts were made.
    QueueFull,
    /// The video cannot be decoded.
    Undecodable,
    /// It would be larger than clips may be.
    TooLarge,
    /// Making it failed.
    Failed,
}

impl NoClip {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Off,
        Self::NoPicture,
        Self::NoVideo,
        Self::Expired,
        Self::QueueFull,
        Self::Undecodable,
        Self::TooLarge,
        Self::Failed,
    ];

    /// The name used in JSON, metrics and stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::NoPicture => "no_picture",
            Self::NoVideo => "no_video",
            Self::Expired => "expired",
            Self::QueueFull => "queue_full",
            Self::Undecodable => "undecodable",
            Self::TooLarge => "too_large",
            Self::Failed => "failed",
        }
    }

    /// The reason and, where there is one, the remedy, in English.
    #[must_use]
    pub const fn text(self) -> &'static str {
        match self {
            Self::Off => "clips are switched off (console.clips)",
            Self::NoPicture => "the alert is about the absence of pictures",
            Self::NoVideo => {
                "the video of the alert is not on the bus: another producer detected it, or its frame is unknown"
            }
            Self::Expired => {
                "the video was no longer kept when the clip was due; a longer bus.keep_video keeps the next one"
            }
            Self::QueueFull => {
                "too many clips were waiting, and the video was no longer kept when its turn came; a longer bus.keep_video keeps more"
            }
            Self::Undecodable => "the video around the alert cannot be decoded",
            Self::TooLarge => "the clip would be too large, even at a low quality",
            Self::Failed => "making the clip failed; the log says why",
        }
    }

    /// The same in Chinese.
    #[must_use]
    pub const fn text_zh(self) -> &'static str {
        match self {
            Self::Off => "短视频功能已关闭（console.clips）",
            Self::NoPicture => "该告警表示没有图像",
            Self::NoVideo => "总线上没有该告警的视频：由其他系统检测，或其帧未知",
            Self::Expired => "生成短视频时原视频已不再保留；延长 bus.keep_video 可避免",
            Self::QueueFull => "等待生成的短视频过多，轮到时原视频已不再保留；延长 bus.keep_video 可保留更多",
            Self::Undecodable => "告警前后的视频无法解码",
            Self::TooLarge => "即使降低质量，短视频仍然过大",
            Self::Failed => "生成短视频失败，原因见日志",
        }
    }
}

impl fmt::Display for NoClip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

impl FromStr for NoClip {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = Self::ALL.into_iter().find(|reason| reason.as_str() == text);
        found.ok_or_else(|| format!("`{text}` is no reason why there is no clip"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reason_reads_back_and_is_written_alike_everywhere() {
        for reason in NoClip::ALL {
            assert_eq!(reason.as_str().parse::<NoClip>(), Ok(reason));
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
        }
        assert!("party".parse::<NoClip>().is_err());
    }
}
