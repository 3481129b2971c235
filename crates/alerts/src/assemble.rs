use vedette_core::{
    Alert, AlertObject, AlertStatus, Camera, Episode, EpisodePhase, Evidence, FrameDetections, ObjectClass, PathPoint,
    PixelBox, Place,
};

use crate::alert_id;

/// What an alert says beyond its episode.
#[derive(Debug, Clone)]
pub struct AlertContext<'a> {
    /// The camera.
    pub camera: &'a Camera,
    /// The rule's name at the policy version of the episode.
    pub rule_name: &'a str,
    /// The frame at which the episode was raised (or ended, when the alert was not known before).
    pub frame: &'a FrameDetections,
    /// Where it happened.
    pub place: Place,
    /// The way of the first object up to now, oldest step first.
    pub path: Vec<PathPoint>,
}

/// The alert of an episode: revision 1 when it is raised, revision 2 when it has ended. An episode of a moment (a line was
/// crossed) is over as it is raised; its revision 1 is the only one.
///
/// Evidence is the frame that raised the alert. When the context's frame is another one (the alert ends and was not known
/// before, say after a state was lost), its picture and its people are left out, because they would show another moment.
#[must_use]
pub fn assemble(episode: &Episode, context: AlertContext<'_>) -> Alert {
    let AlertContext { camera, rule_name, frame, place, path } = context;
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
    let raising_frame = frame.captured == episode.raised;
    let evidence = Evidence {
        captured: episode.raised,
        frame: frame.frame,
        video: frame.video.filter(|_| raising_frame),
        people: people(raising_frame.then_some(frame), &objects),
        path,
    };
    Alert {
        id: alert_id(&camera.id, &episode.rule, episode.started, episode.subject),
        revision,
        status,
        kind: episode.kind,
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
        quality: frame.quality,
        model: frame.model.clone(),
    }
}

/// Every box that may show a person: each person candidate of the frame, whatever its score, and the followed people,
/// whose smoothed boxes also cover somebody that the model missed in this very frame.
fn people(frame: Option<&FrameDetections>, objects: &[AlertObject]) -> Vec<PixelBox> {
    let seen = frame.map(|frame| frame.detections.as_slice()).unwrap_or_default();
    let mut boxes: Vec<_> = seen.iter().filter(|it| it.class == ObjectClass::Person).map(|it| it.bbox).collect();
    for object in objects.iter().filter(|object| object.class == ObjectClass::Person) {
        if !boxes.contains(&object.bbox) {
            boxes.push(object.bbox);
        }
    }
    boxes
}
