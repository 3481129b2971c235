//! What is said about an alert or a track, also as JSON.

use std::fmt::Display;

use serde::{Serialize, Serializer};
use serde_json::Value;
use utoipa::ToSchema;
use vedette_alerts::json::{AlertJson, BoxJson};
use vedette_core::{Alert, AlertId, CameraId, ObjectClass, PixelBox, RuleId, RuleKind, Timestamp, TrackId};

/// Why a rule raised an alert, or why it raised none about a track.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Explanation {
    /// The camera's id.
    #[schema(value_type = String)]
    pub camera: CameraId,
    /// The rule's id.
    #[schema(value_type = String)]
    pub rule: RuleId,
    /// Its kind.
    #[schema(value_type = String)]
    pub kind: RuleKind,
    /// The version of the policy, which was in force at that time.
    pub policy_version: u32,
    /// The alert; null when none was raised, which the ladder is then about.
    #[serde(serialize_with = "alert_json")]
    #[schema(value_type = Option<AlertJson>, required = true)]
    pub alert: Option<Alert>,
    /// The tracks: an object that was lost for some seconds goes on under another number. Empty for a rule without objects.
    #[serde(serialize_with = "track_numbers")]
    #[schema(value_type = Vec<u64>)]
    pub tracks: Vec<TrackId>,
    /// The values of the rule, in the order in which an object has to satisfy them.
    pub ladder: Vec<Rung>,
    /// The fewest values that raise the alert together, where none of them does alone; null where that was not needed, or nothing does.
    #[schema(required = true)]
    pub together: Option<Vec<Loosened>>,
    /// The event that the rule waits for, where no values raise an alert.
    #[schema(required = true)]
    pub waits_for: Option<String>,
    /// The rules that a combination waits for.
    pub rules: Vec<OtherRule>,
    /// What the rule almost raised about these tracks.
    pub near_misses: Vec<NearMissSeen>,
    /// The tracks in each analysed frame, those nearest to the time in question if they are too many.
    pub frames: Vec<FrameSeen>,
    /// Frames that are not listed.
    pub frames_not_listed: usize,
    /// The rule raises no alerts of its own (`alert = false`); all this is about what it passes to combinations.
    pub is_silent: bool,
    /// Another version of the policy was in force in a part of the recording: with this one alone, the answer differs from what was raised.
    pub policy_changed: bool,
    /// Analyses that were made.
    pub replays: usize,
    /// Whether they were not enough to try everything.
    pub is_cut_short: bool,
}

/// A value of a rule.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Rung {
    /// Its name: `gate.score.enter`.
    pub term: String,
    /// What it means.
    pub meaning: String,
    /// The value in force; null when none is set.
    #[schema(required = true)]
    pub in_force: Value,
    /// The measured value that comes nearest to it, where a single frame shows it.
    #[schema(required = true)]
    pub measured: Option<Value>,
    /// Whether it was met in a frame, where a single frame shows that.
    #[schema(required = true)]
    pub met: Option<bool>,
    /// What this value alone does to the alert.
    pub effect: RungEffect,
    /// Where that changes, on each side of the value in force.
    pub margins: Vec<Margin>,
}

/// What another value alone does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum RungEffect {
    /// It raises the alert, or loses the one that was raised: `margins` says from where on.
    Decides,
    /// No other value that was tried changes anything.
    Nothing,
    /// There is no looser value, or no stricter one for an alert that was raised.
    AtLimit,
    /// Too many analyses would have been needed.
    NotTried,
}

/// Where an alert begins to be raised.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Margin {
    /// It is raised with this value,
    pub raised_at: Value,
    /// and not with this one, the next.
    pub not_raised_at: Value,
}

/// A value that is looser than the one in force.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Loosened {
    /// Its name.
    pub term: String,
    /// The value in force.
    pub in_force: Value,
    /// The looser one.
    pub value: Value,
}

/// A rule that a combination waits for.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct OtherRule {
    /// The parameter that names it.
    pub parameter: String,
    /// The rule's id.
    #[schema(value_type = String)]
    pub rule: RuleId,
    /// When it fired, in capture time; the first ones.
    #[serde(serialize_with = "texts")]
    #[schema(value_type = Vec<String>)]
    pub fired: Vec<Timestamp>,
}

/// An almost-alert.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct NearMissSeen {
    /// When it was last seen.
    #[serde(serialize_with = "text")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What was missing: `score`, `size`, `duration`, `cooldown` and others.
    pub term: String,
    /// The measured value.
    pub value: f64,
    /// The required one.
    pub threshold: f64,
}

/// A track in a frame, as the rule sees it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct FrameSeen {
    /// Capture time.
    #[serde(serialize_with = "text")]
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The track.
    #[serde(serialize_with = "track_number")]
    #[schema(value_type = u64)]
    pub track: TrackId,
    /// The model's score in this frame.
    pub score: f32,
    /// The best score so far, which `score.enter` is compared with.
    pub best_score: f32,
    /// The height of its box as a fraction of the frame's.
    pub height: f32,
    /// Its box in pixels of the frame.
    #[serde(serialize_with = "box_json")]
    #[schema(value_type = BoxJson)]
    pub box_px: PixelBox,
    /// Whether its anchor is in the rule's zone; null without a zone.
    #[schema(required = true)]
    pub in_zone: Option<bool>,
    /// Distance from the zone or the line: metres for a zone on the ground, else pixels of the policy's frame.
    #[schema(required = true)]
    pub distance: Option<f32>,
    /// Speed on the ground in metres per second, where the rule needs it.
    #[schema(required = true)]
    pub speed_m_s: Option<f32>,
    /// Whether the rule is armed.
    pub armed: bool,
    /// Whether classes, scores and sizes let it count.
    pub counts: bool,
}

/// A track, and how far it came with a rule.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct TrackSeen {
    /// Its number within the stream session. It does not identify a person or a vehicle.
    #[serde(serialize_with = "track_number")]
    #[schema(value_type = u64)]
    pub track: TrackId,
    /// Its class.
    #[schema(value_type = String)]
    pub class: ObjectClass,
    /// When it was first analysed.
    #[serde(serialize_with = "text")]
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// When it was last analysed.
    #[serde(serialize_with = "text")]
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// Frames with it.
    pub frames: usize,
    /// Its best score.
    pub best_score: f32,
    /// Frames in which classes, scores and sizes let it count.
    pub counting: usize,
    /// Frames in which its anchor was in the zone; null without a zone.
    #[schema(required = true)]
    pub in_zone: Option<usize>,
    /// The alert that the rule raised about it.
    #[schema(value_type = Option<String>, required = true)]
    pub alert: Option<AlertId>,
}

fn text<T: Display, S: Serializer>(value: &T, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(value)
}

fn texts<T: Display, S: Serializer>(values: &[T], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(values.iter().map(ToString::to_string))
}

fn track_number<S: Serializer>(track: &TrackId, to: S) -> Result<S::Ok, S::Error> {
    track.0.serialize(to)
}

fn track_numbers<S: Serializer>(tracks: &[TrackId], to: S) -> Result<S::Ok, S::Error> {
    to.collect_seq(tracks.iter().map(|track| track.0))
}

fn box_json<S: Serializer>(bbox: &PixelBox, to: S) -> Result<S::Ok, S::Error> {
    BoxJson::from(*bbox).serialize(to)
}

fn alert_json<S: Serializer>(alert: &Option<Alert>, to: S) -> Result<S::Ok, S::Error> {
    alert.as_ref().map(|alert| AlertJson::new(alert, None)).serialize(to)
}
