use serde::{Deserialize, Serialize};
use vedette_core::{Span, ValidationError, ValidationErrors, violations};

/// Settings of the tracker. The defaults suit people and vehicles at 1 to 30 frames a second.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct TrackerSettings {
    /// Detections below this score are ignored. Default 0.1.
    pub floor_score: f32,
    /// From this score on a detection is matched in the first round, with tracks seen and lost. Below it, it can only
    /// keep a track alive that was seen in the frame before. Default 0.5.
    pub high_score: f32,
    /// From this score on an unmatched detection starts a track. Default 0.6.
    pub start_score: f32,
    /// Minimum similarity (intersection over union, times the lower height by the higher) of a confident detection and the
    /// predicted box. Default 0.2.
    pub high_iou: f32,
    /// Minimum similarity of a faint detection and the predicted box, and of any detection and the box of an object that was
    /// kept for longer than `lost_buffer`. Default 0.5.
    pub low_iou: f32,
    /// Minimum similarity of a detection and an unconfirmed track. Default 0.3.
    pub tentative_iou: f32,
    /// A detection that overlaps a track matched in this frame by as much starts no other track; two tracks that overlap
    /// by as much, one of them lost, are one. Default 0.7.
    pub duplicate_iou: f32,
    /// Detections after which a track is confirmed. Default 3.
    pub confirm_hits: u32,
    /// Two detections confirm a track when the sum of their scores is this, and on a camera of less than 7 frames a second
    /// one of half of this; above 2, never. Default 1.9.
    pub confirm_score: f32,
    /// A track is reported while the mean of its last scores is at least this. Models differ in their scores: find it
    /// with `vedette eval`. Default 0: every track is reported.
    pub report_score: f32,
    /// How long an unconfirmed track may go undetected. Default 0: it ends with the first miss.
    pub tentative_buffer: Span,
    /// How long a confirmed track may go undetected; three frames at least where frames are rare. Default 1.5 s.
    pub lost_buffer: Span,
    /// How long an object that stood in one place for 5 s may go undetected: parked vehicles, people who sit. Default 30 s.
    pub standing_buffer: Span,
    /// How much boxes grow on every side, as a part of their size and per second since the track was last seen, when a
    /// confident detection overlaps no predicted box; for low frame rates and objects that turn. Default 1.
    pub reach_per_second: f32,
    /// Most detections processed in one frame, best scores first; the others are counted as dropped. Default 1000.
    pub max_detections: usize,
    /// Most concurrent tracks; no track starts above it. Default 1000.
    pub max_tracks: usize,
    /// Standard deviation of a detected edge or centre, as a share of the box height. Default 0.1.
    pub measurement_noise: f32,
    /// Process noise of the centre: standard deviation in box heights after one second. Default 0.25.
    pub position_noise: f32,
    /// Process noise of the velocity: standard deviation in box heights per second after one second. Default 1.
    pub velocity_noise: f32,
    /// A frame older than the newest one by at most this is late and ignored; by more, the camera's clock was set back
    /// and tracking restarts. Default 2 s.
    pub rewind_limit: Span,
}

impl Default for TrackerSettings {
    fn default() -> Self {
        Self {
            floor_score: 0.1,
            high_score: 0.5,
            start_score: 0.6,
            high_iou: 0.2,
            low_iou: 0.5,
            tentative_iou: 0.3,
            duplicate_iou: 0.7,
            confirm_hits: 3,
            confirm_score: 1.9,
            report_score: 0.0,
            tentative_buffer: Span::ZERO,
            lost_buffer: Span::from_millis(1500),
            standing_buffer: Span::from_secs(30),
            reach_per_second: 1.0,
            max_detections: 1000,
            max_tracks: 1000,
            measurement_noise: 0.1,
            position_noise: 0.25,
            velocity_noise: 1.0,
            rewind_limit: Span::from_secs(2),
        }
    }
}

impl TrackerSettings {
    /// Validation errors; empty when the settings are valid. A tracker with invalid settings tracks badly or not at
    /// all, but does not fail.
    #[must_use]
    pub fn mistakes(&self) -> Vec<ValidationError> {
        let mut found = ValidationErrors::default();
        // A bound that is itself invalid does not invalidate the value it bounds.
        let share = |value: f32, otherwise: f32| if (0.0..=1.0).contains(&value) { value } else { otherwise };
        for (path, value, least, most) in [
            ("floor_score", self.floor_score, 0.0, share(self.high_score, 1.0)),
            ("high_score", self.high_score, 0.0, 1.0),
            ("start_score", self.start_score, share(self.high_score, 0.0), 1.0),
            ("high_iou", self.high_iou, 0.01, 1.0),
            ("low_iou", self.low_iou, 0.01, 1.0),
            ("tentative_iou", self.tentative_iou, 0.01, 1.0),
            ("duplicate_iou", self.duplicate_iou, 0.01, 1.0),
            ("confirm_score", self.confirm_score, 0.0, 3.0),
            ("report_score", self.report_score, 0.0, 1.0),
            ("reach_per_second", self.reach_per_second, 0.0, 10.0),
            ("measurement_noise", self.measurement_noise, 0.001, 1.0),
            ("position_noise", self.position_noise, 0.0, 10.0),
            ("velocity_noise", self.velocity_noise, 0.001, 10.0),
        ] {
            found.number(path, value, least, most);
        }
        found.number("max_detections", self.max_detections, 1, 10_000);
        found.number("max_tracks", self.max_tracks, 1, 10_000);
        found.check(self.confirm_hits > 0, "confirm_hits", self.confirm_hits, TrackerRule::NoHits);
        for (path, value, most) in [
            ("tentative_buffer", self.tentative_buffer, Span::from_secs(10)),
            ("lost_buffer", self.lost_buffer, Span::from_secs(60)),
            ("standing_buffer", self.standing_buffer, Span::from_secs(600)),
            ("rewind_limit", self.rewind_limit, Span::from_secs(3_600)),
        ] {
            found.span(path, value, Span::ZERO, most);
        }
        found.into_vec()
    }
}

violations! {
    pub(crate) enum TrackerRule {
        NoHits = "tracker.confirm-hits": "it is below 1", "give at least 1";
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_fine_and_unknown_keys_are_refused() {
        assert_eq!(TrackerSettings::default().mistakes(), []);
        assert!(serde_json::from_str::<TrackerSettings>(r#"{"high_scor": 0.4}"#).is_err());
        let settings: TrackerSettings = serde_json::from_str(r#"{"lost_buffer": "5s"}"#).unwrap();
        assert_eq!(settings.lost_buffer, Span::from_secs(5));
    }

    #[test]
    fn every_mistake_is_named_at_once() {
        let settings = TrackerSettings { high_iou: f32::NAN, confirm_hits: 0, max_tracks: 0, ..Default::default() };
        let keys: Vec<_> = settings.mistakes().into_iter().map(|mistake| mistake.path).collect();
        assert_eq!(keys, ["high_iou", "max_tracks", "confirm_hits"]);
    }

    #[test]
    fn a_wrong_bound_is_one_mistake() {
        let settings = TrackerSettings { high_score: -1.0, ..Default::default() };
        assert_eq!(
            settings.mistakes().iter().map(ToString::to_string).collect::<Vec<_>>(),
            ["high_score = -1: it is outside 0 to 1; give 0 to 1"]
        );
    }
}
