use vedette_core::{
    Alert, AlertObject, AlertStatus, Camera, CameraRecord, Episode, EpisodePhase, Evidence, FrameSize, ObjectClass,
    PathPoint, PixelBox, Place, ProcessedFrame, Quality, SignalLossReason,
};
use vedette_rules::rule_kind;

use crate::identity::alert_id;

/// Context of an alert beyond its episode.
#[derive(Debug, Clone)]
pub struct AlertContext<'a> {
    /// The camera.
    pub camera: &'a Camera,
    /// The rule's name at the policy version of the episode.
    pub rule_name: &'a str,
    /// The record at which the episode was raised (or ended, when the alert was not known before).
    pub record: &'a CameraRecord,
    /// Size of the frame that the episode's pixels refer to.
    pub frame: FrameSize,
    /// Reasons to distrust it.
    pub quality: Quality,
    /// Where it happened.
    pub place: Place,
    /// The trajectory of the first object up to now, oldest point first.
    pub path: Vec<PathPoint>,
}

/// The alert of an episode: revision 1 when raised, revision 2 when ended. An instantaneous episode (a line crossing) is over as
/// it is raised; its revision 1 is the only one.
///
/// Evidence is the frame that raised the alert. If the context's record is of another frame (the alert ends and was not known
/// before, say after a checkpoint was lost), its picture and its people are omitted, because they would show another instant. A
/// signal loss has neither.
#[must_use]
pub fn assemble(episode: &Episode, context: AlertContext<'_>) -> Alert {
    let AlertContext { camera, rule_name, record, frame, quality, place, path } = context;
    let revision = match episode.phase {
        EpisodePhase::Raised => 1,
        EpisodePhase::Ended => 2,
    };
    let status = if episode.ended.is_some() { AlertStatus::Ended } else { AlertStatus::Open };
    let objects: Vec<_> = episode
        .objects
        .iter()
        .map(|track| AlertObject { track: track.id, class: track.class, score: track.score, bbox: track.bbox })
        .collect();
    let raising_frame = record.processed().filter(|_| record.at.captured == episode.raised);
    let evidence = Evidence {
        captured: episode.raised,
        frame,
        video: raising_frame.and_then(|frame| frame.video),
        people: people(raising_frame, &objects),
        path,
    };
    Alert {
        id: alert_id(&camera.id, &episode.rule, episode.started, episode.subject),
        revision,
        status,
        kind: episode.kind,
        event_code: rule_kind(episode.kind).and_then(|kind| kind.event_code),
        severity: episode.severity,
        camera: camera.id.clone(),
        rule: episode.rule.clone(),
        rule_name: rule_name.to_owned(),
        policy_version: episode.policy_version,
        started: episode.started,
        raised: episode.raised,
        ended: episode.ended,
        objects,
        direction: episode.direction,
        measured: episode.measured,
        place,
        evidence,
        quality,
        model: record.model.clone(),
        signal_loss: record.signal_loss_reason().filter(|reason| *reason != SignalLossReason::Unknown),
    }
}

/// Every box that may show a person: each person candidate of the frame, whatever its score, and the tracked people,
/// whose smoothed boxes also cover a person that the model missed in this very frame.
fn people(frame: Option<&ProcessedFrame>, objects: &[AlertObject]) -> Vec<PixelBox> {
    let seen = frame.map(|frame| frame.detections.as_slice()).unwrap_or_default();
    let mut boxes: Vec<_> = seen.iter().filter(|it| it.class == ObjectClass::Person).map(|it| it.bbox).collect();
    for object in objects.iter().filter(|object| object.class == ObjectClass::Person) {
        if !boxes.contains(&object.bbox) {
            boxes.push(object.bbox);
        }
    }
    boxes
}
