//! Why a camera has no signal, and how often that is told.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::{CameraId, Timestamp};

/// The epoch of a signal loss that a stage behind intake observed: it belongs to no stream session.
pub const NO_SESSION: u64 = 0;

/// An instant without signal from a camera: a heartbeat on `video`, from intake, or on `detections`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignalLoss {
    /// The camera.
    pub camera: CameraId,
    /// A stream session of its own, without frames: larger than all earlier ones, smaller than later ones; or [`NO_SESSION`].
    pub epoch: u64,
    /// The instant, by the clock of the process that observed it.
    pub at: Timestamp,
    /// The cause.
    pub reason: SignalLossReason,
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $Name:ident = $number:literal, $word:literal: $text:literal, $text_zh:literal;)+) => {
        /// Why a camera has no signal.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        pub enum SignalLossReason {
            $($(#[$doc])* $Name,)+
        }

        impl SignalLossReason {
            /// Every reason.
            pub const ALL: &[Self] = &[$(Self::$Name,)+];

            /// The name used in JSON, metrics and health.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$Name => $word,)+ }
            }

            /// The number used in protobuf messages.
            #[must_use]
            pub const fn number(self) -> u8 {
                match self { $(Self::$Name => $number,)+ }
            }

            /// The cause and the remedy, in English.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$Name => $text,)+ }
            }

            /// The same in Chinese.
            #[must_use]
            pub const fn text_zh(self) -> &'static str {
                match self { $(Self::$Name => $text_zh,)+ }
            }
        }
    };
}

reasons! {
    /// Not told: of an older version, or of a version newer than this one.
    Unknown = 0, "unknown": "the camera has no signal", "摄像机无信号";
    /// Nothing has arrived so far.
    Connecting = 1, "connecting": "the camera has not sent a picture yet", "摄像机尚未发送图像";
    /// Nothing listens at its address, or the host is unreachable or unknown.
    Unreachable = 2, "unreachable": "the camera cannot be reached; check its address, power and network",
        "无法连接摄像机；请检查地址、电源和网络";
    /// Nothing arrives.
    NoData = 3, "no_data": "the camera is connected but sends nothing; check its encoder, or restart it",
        "摄像机已连接但不发送数据；请检查编码器或重启摄像机";
    /// What arrives holds no picture that could be decoded.
    NoUsablePicture = 4, "no_usable_picture": "the camera sends data but no usable picture; see the log of ingest, or `vedette camera probe`",
        "摄像机发送数据但没有可用图像；请查看 ingest 日志或运行 vedette camera probe";
    /// Pictures beyond the size limit.
    TooLarge = 5, "too_large": "the camera's pictures are too large; lower resolution, quality or bit rate",
        "图像过大；请降低分辨率、质量或码率";
    /// No picture at which decoding could start.
    NoKeyFrame = 6, "no_key_frame": "the camera sends no key frame; set a key-frame interval of a few seconds",
        "摄像机不发送关键帧；请将关键帧间隔设为数秒";
    /// No parameter sets, or no picture size.
    NoParameterSets = 7, "no_parameter_sets": "the size of the camera's pictures is unknown, since no parameter sets arrive",
        "未收到参数集，图像尺寸未知";
    /// User or password are wrong or missing.
    Unauthorized = 8, "unauthorized": "the camera refuses the credentials; check user and password",
        "摄像机拒绝登录；请检查用户名和密码";
    /// The camera has no such stream.
    NotFound = 9, "not_found": "the camera has no stream of that name; check the path of its address",
        "摄像机没有该名称的码流；请检查地址路径";
    /// The camera answered with an error.
    Refused = 10, "refused": "the camera answers with an error; see the log of ingest", "摄像机返回错误；请查看 ingest 日志";
    /// The camera offers no video.
    NoVideo = 11, "no_video": "the camera offers no video stream", "摄像机没有视频流";
    /// Video in an unsupported codec.
    UnsupportedCodec = 12, "unsupported_codec": "the camera's codec is not supported; set it to H.264, H.265 or JPEG",
        "不支持的编码；请设为 H.264、H.265 或 JPEG";
    /// The camera ended the stream.
    StreamEnded = 13, "stream_ended": "the camera ended the stream", "摄像机结束了码流";
    /// The data violates the protocol.
    BrokenStream = 14, "broken_stream": "the stream is corrupt; see the log of ingest", "码流损坏；请查看 ingest 日志";
    /// The recording does not exist (any more).
    FileMissing = 15, "file_missing": "the recording does not exist or cannot be read", "录像文件不存在或无法读取";
    /// The recording is unusable.
    RecordingRefused = 16, "recording_refused": "the recording cannot be used; see the log of ingest", "录像无法使用；请查看 ingest 日志";
    /// Its source cannot be opened on the machine that ingests it.
    SourceUnavailable = 17, "source_unavailable": "the camera's source cannot be opened on the machine of ingest; see its health",
        "ingest 所在机器无法打开该摄像机的源；请查看其健康状态";
    /// No process ingests the camera.
    IngestGone = 18, "ingest_gone": "no process ingests the camera; start ingest, or check its machine and network",
        "没有进程采集该摄像机；请启动 ingest 或检查其机器和网络";
    /// No process decodes the camera's video.
    DetectGone = 19, "detect_gone": "no process decodes the camera's video; start detect, or check its machine and network",
        "没有进程解码该摄像机的视频；请启动 detect 或检查其机器和网络";
    /// Its pictures cannot be decoded.
    Undecodable = 20, "undecodable": "its pictures cannot be decoded; see the dead letters of detect", "图像无法解码；请查看 detect 的死信";
    /// Its decoder does not return.
    DecoderStuck = 21, "decoder_stuck": "its decoder does not respond; restart detect if that lasts", "解码器无响应；若持续请重启 detect";
    /// The model fails on its pictures.
    InferenceFailed = 22, "inference_failed": "the model fails on its pictures; see the log of detect", "模型推理失败；请查看 detect 日志";
    /// All its pictures are shed, since `detect` is behind.
    Overload = 23, "overload": "all its pictures are shed, since detect is overloaded", "detect 过载，图像被全部丢弃";
    /// Nothing of it reaches the analysis, although `ingest` and `detect` run.
    NoRecords = 24, "no_records": "nothing of the camera is analysed, although ingest and detect run; see their logs and health",
        "ingest 和 detect 正在运行，但没有收到该摄像机的任何数据；请查看其日志和健康状态";
    /// Its redirection is not followed.
    Redirected = 25, "redirected": "the camera redirects to where it is not followed; give the final address", "摄像机重定向到无法跟随的地址；请填写最终地址";
    /// No transport is agreed on.
    Transport = 26, "transport": "the camera offers neither RTP over TCP nor over UDP that can be used; see the log of ingest",
        "摄像机不提供可用的 TCP 或 UDP 传输；请查看 ingest 日志";
    /// Its answers violate the protocol.
    Protocol = 27, "protocol": "the camera's answers violate RTSP or ask for something unsupported; see the log of ingest",
        "摄像机的应答违反 RTSP 或要求不支持的功能；请查看 ingest 日志";
    /// JPEG pictures of unknown size.
    PictureSize = 28, "picture_size": "the camera's JPEG pictures have no size; lower the resolution to 2040 pixels a side or set it to H.264",
        "JPEG 图像没有尺寸；请将分辨率降到每边 2040 像素以内或改用 H.264";
    /// Its sealed password cannot be opened.
    PasswordUnopened = 29, "password_unopened": "the camera's sealed password cannot be opened; the health of ingest names key and remedy",
        "无法解开该摄像机的密封密码；请查看 ingest 的健康状态";
}

impl SignalLossReason {
    /// The reason of a number in a message; [`Self::Unknown`] for one that a newer version defines.
    #[must_use]
    pub fn from_number(number: i32) -> Self {
        Self::ALL.iter().copied().find(|reason| i32::from(reason.number()) == number).unwrap_or(Self::Unknown)
    }
}

/// Shortest interval between two heartbeats.
const LEAST: Duration = Duration::from_secs(1);
/// For this long every heartbeat follows the one before after [`LEAST`]: rules about signal losses wait for minutes.
const DENSE: Duration = Duration::from_secs(330);
/// Later, the heartbeat interval is this fraction of the time since then.
const PART: u32 = 10;

/// Schedule of signal-loss heartbeats: every second for minutes, later less often, so that a rule about an outage of any length
/// learns of it at most a tenth late, without a flood of records from a camera that stays offline for weeks.
#[derive(Debug, Clone, Copy)]
pub struct LossHeartbeats {
    since: Instant,
    due: Instant,
}

impl LossHeartbeats {
    /// A signal loss since `since`; the first heartbeat is due a second later.
    #[must_use]
    pub fn new(since: Instant) -> Self {
        Self { since, due: since + LEAST }
    }

    /// When the next heartbeat is due.
    #[must_use]
    pub fn due(&self) -> Instant {
        self.due
    }

    /// A heartbeat was sent.
    pub fn sent(&mut self, now: Instant) {
        self.due = now + LEAST.max(now.duration_since(self.since).saturating_sub(DENSE) / PART);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outage_is_told_a_tenth_late_at_most_and_a_long_one_seldom() {
        let start = Instant::now();
        let mut heartbeats = LossHeartbeats::new(start);
        let (mut before, mut sent) = (Duration::ZERO, 0);
        while before < Duration::from_secs(86_400) {
            let now = heartbeats.due();
            let away = now - start;
            assert!(away - before <= LEAST.max(before.saturating_sub(DENSE) / 10), "{before:?} {away:?}");
            heartbeats.sent(now);
            (before, sent) = (away, sent + 1);
        }
        assert!(sent < 450, "{sent}");
    }

    #[test]
    fn numbers_and_words_name_one_reason_each() {
        for (index, reason) in SignalLossReason::ALL.iter().enumerate() {
            assert_eq!(usize::from(reason.number()), index);
            assert_eq!(SignalLossReason::from_number(i32::from(reason.number())), *reason);
            assert_eq!(serde_json::to_value(reason).unwrap(), reason.as_str());
            assert!(!reason.text_zh().is_empty() && !reason.text().ends_with('.'));
        }
        assert_eq!(SignalLossReason::from_number(999), SignalLossReason::Unknown);
    }
}
