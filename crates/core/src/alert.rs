use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{
    CameraId, Direction, EventCode, FrameSize, Measured, ModelRef, ObjectClass, PixelBox, PixelPoint, Place, Quality,
    RuleId, RuleKind, Score, Severity, SignalLossReason, Timestamp, TrackId, VideoRef,
};

/// Identity of an alert, 128 bits in UUID form. The same camera, rule and episode always yield the same id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AlertId(pub u128);

impl fmt::Display for AlertId {
    /// `8-4-4-4-12` lower-case hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.0);
        write!(f, "{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

impl FromStr for AlertId {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let groups = text.split('-').map(str::len);
        let digits: String = text.chars().filter(|c| *c != '-').collect();
        if !groups.eq([8, 4, 4, 4, 12]) || !digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(format!(
                "`{text}` is not a valid alert id; it looks like 0f8fad5b-d9cb-569f-a165-70867728950e"
            ));
        }
        u128::from_str_radix(&digits, 16).map(Self).map_err(|error| error.to_string())
    }
}

impl TryFrom<String> for AlertId {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl From<AlertId> for String {
    fn from(id: AlertId) -> String {
        id.to_string()
    }
}

/// State of an alert according to the analysis; a person's verdict is kept by the console.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AlertStatus {
    /// It is ongoing.
    Open,
    /// It is over, as of `ended`.
    Ended,
}

impl AlertStatus {
    /// The name used in JSON, filters and stores.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Ended => "ended",
        }
    }
}

/// An object of an alert, as it was when the alert was raised.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct AlertObject {
    /// Number of the track within the camera's stream session.
    pub track: TrackId,
    /// Its class.
    pub class: ObjectClass,
    /// Score of its detection.
    pub score: Score,
    /// Its box in pixels of `Evidence::frame`.
    pub bbox: PixelBox,
}

/// One point of an object's trajectory.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PathPoint {
    /// Capture time.
    pub at: Timestamp,
    /// Anchor in pixels.
    pub pixel: PixelPoint,
}

/// The evidence of an alert.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// Capture time of the frame that raised the alert.
    pub captured: Timestamp,
    /// Its size in pixels.
    pub frame: FrameSize,
    /// Its encoded picture on the bus, while that is retained.
    pub video: Option<VideoRef>,
    /// Every box in that frame that may show a person, down to the floor score: pixelated in a snapshot.
    pub people: Vec<PixelBox>,
    /// The trajectory of the first object up to the alert.
    pub path: Vec<PathPoint>,
}

/// An event at a place, for a person to confirm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Alert {
    /// Its identity.
    pub id: AlertId,
    /// 1 when raised, 2 when ended: a later revision supersedes an earlier one.
    pub revision: u32,
    /// Open or ended.
    pub status: AlertStatus,
    /// Kind of the rule that raised it.
    pub kind: RuleKind,
    /// The event type of GA/T 2000.254-2019; none where the kind has no confirmed one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub event_code: Option<EventCode>,
    /// Its severity.
    pub severity: Severity,
    /// The camera.
    pub camera: CameraId,
    /// The rule.
    pub rule: RuleId,
    /// The rule's name at that policy version.
    pub rule_name: String,
    /// The version of the policy.
    pub policy_version: u32,
    /// Capture time at which the condition began to hold.
    pub started: Timestamp,
    /// Capture time of the frame that raised it.
    pub raised: Timestamp,
    /// Capture time at which the condition last held; set once ended.
    pub ended: Option<Timestamp>,
    /// Its objects.
    pub objects: Vec<AlertObject>,
    /// Direction in which a line was crossed.
    pub direction: Option<Direction>,
    /// The measured value and the threshold.
    pub measured: Measured,
    /// Where it happened.
    pub place: Place,
    /// The evidence.
    pub evidence: Evidence,
    /// Reasons to distrust it.
    pub quality: Quality,
    /// The model whose detections it is based on.
    pub model: ModelRef,
    /// Why the camera had no signal when the alert was raised, if it was raised by a signal loss.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signal_loss: Option<SignalLossReason>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_id_prints_and_reads_back() {
        let id = AlertId(0x0f8f_ad5b_d9cb_569f_a165_7086_7728_950e);
        assert_eq!(id.to_string(), "0f8fad5b-d9cb-569f-a165-70867728950e");
        assert_eq!(id.to_string().parse::<AlertId>().unwrap(), id);
        assert!("0f8fad5b".parse::<AlertId>().is_err());
    }
}
