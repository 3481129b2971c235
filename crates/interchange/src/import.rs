//! Converts a producer's frames to our format under a site's terms, with the same rules for every format.

use vedette_core::{Detection, FrameSize, ObjectClass, Score, Timestamp};

use crate::classes::Meaning;
use crate::{ClassNames, ForeignFrame, ReadError};

/// Confidences slightly above 1 are rounding errors, not another scale.
const ROUNDING: f32 = 1e-3;

/// A site's values for fields that a message omits.
#[derive(Debug, Clone, PartialEq)]
pub struct Terms {
    /// Size of the frame, when the message has none. Boxes in pixels refer to it.
    pub frame: Option<FrameSize>,
    /// Capture time to use instead of the message's own.
    pub captured: Option<Timestamp>,
    /// The site's own names of classes.
    pub classes: ClassNames,
    /// Score of an object without a confidence.
    pub missing_confidence: Score,
}

/// A frame in our format.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// Capture time.
    pub captured: Timestamp,
    /// Size of the frame that the boxes refer to.
    pub frame: FrameSize,
    /// The detections, best score first.
    pub detections: Vec<Detection>,
    /// Ignored or changed objects, to be counted.
    pub left_out: LeftOut,
}

/// Objects ignored or changed in the conversion.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LeftOut {
    /// Imported as `other`: an unknown class name.
    pub unknown_class: u32,
    /// Ignored: a face or number plate.
    pub identifying: u32,
    /// Ignored: no box, or one without area within the frame.
    pub no_area: u32,
}

impl ForeignFrame {
    /// Converts the frame. Boxes are clipped at the frame's edges.
    ///
    /// # Errors
    /// When neither message nor terms contain the frame's size or capture time, or a confidence or box is out of range.
    pub fn import(&self, terms: &Terms) -> Result<Imported, ReadError> {
        let Some(frame) = self.size.or(terms.frame) else {
            return Err(ReadError::invalid(
                "frame size",
                "the message does not say it; give `frame` in the [[metadata]] entry",
            ));
        };
        let Some(captured) = terms.captured.or(self.captured) else {
            return Err(ReadError::invalid(
                "timestamp",
                "there is no time between 2000 and 2200; where the producer counts from its stream's start, \
                 `time = \"record\"` in the [[metadata]] entry takes the record's own time",
            ));
        };
        let mut left_out = LeftOut::default();
        let mut detections = Vec::with_capacity(self.objects.len());
        for object in &self.objects {
            let class = match object.class.as_deref().map_or(Meaning::Unknown, |name| terms.classes.meaning(name)) {
                Meaning::Known(class) => class,
                Meaning::Identifying => {
                    left_out.identifying += 1;
                    continue;
                }
                Meaning::Unknown => {
                    left_out.unknown_class += 1;
                    ObjectClass::Other
                }
            };
            if object.shape.is_some_and(|shape| !shape.is_finite()) {
                return Err(ReadError::invalid("box", "an edge is not a number"));
            }
            let Some(bbox) = object.shape.and_then(|shape| shape.within(frame)) else {
                left_out.no_area += 1;
                continue;
            };
            detections.push(Detection { class, score: score(object.confidence, terms.missing_confidence)?, bbox });
        }
        detections.sort_by(|a, b| b.score.get().total_cmp(&a.score.get()));
        Ok(Imported { captured, frame, detections, left_out })
    }
}

fn score(said: Option<f32>, missing: Score) -> Result<Score, ReadError> {
    match said {
        None => Ok(missing),
        // DeepStream's marker for a box placed by its tracker, not its detector.
        Some(said) if said < 0.0 => Ok(missing),
        Some(said) if said <= 1.0 + ROUNDING => Ok(Score::new(said.min(1.0)).unwrap_or(missing)),
        Some(said) => Err(ReadError::invalid("confidence", format!("{said} is not a number from 0 to 1"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ForeignBox, ForeignObject};

    fn terms() -> Terms {
        Terms {
            frame: Some(FrameSize { width: 100, height: 100 }),
            captured: None,
            classes: ClassNames::default(),
            missing_confidence: Score::new(0.5).unwrap(),
        }
    }

    fn frame(objects: Vec<ForeignObject>) -> ForeignFrame {
        let captured = Some(Timestamp::from_micros(1_767_225_600_000_000));
        ForeignFrame { captured, objects, ..ForeignFrame::default() }
    }

    fn object(class: &str, confidence: Option<f32>) -> ForeignObject {
        let shape = Some(ForeignBox::Pixels { left: 1.0, top: 2.0, right: 11.0, bottom: 22.0 });
        ForeignObject { class: Some(class.into()), confidence, shape }
    }

    #[test]
    fn what_is_not_taken_as_said_is_counted() {
        let boxless = ForeignObject { shape: None, ..object("car", Some(0.9)) };
        let objects = vec![object("Person", None), object("sofa", Some(0.75)), object("Face", Some(1.0)), boxless];
        let imported = frame(objects).import(&terms()).unwrap();
        let seen: Vec<_> = imported.detections.iter().map(|one| (one.class, one.score.get())).collect();
        assert_eq!(seen, [(ObjectClass::Other, 0.75), (ObjectClass::Person, 0.5)]);
        assert_eq!(imported.left_out, LeftOut { unknown_class: 1, identifying: 1, no_area: 1 });
    }

    #[test]
    fn a_confidence_of_another_scale_is_refused() {
        let score_of =
            |said| frame(vec![object("car", Some(said))]).import(&terms()).map(|it| it.detections[0].score.get());
        assert_eq!(score_of(1.000_1).unwrap(), 1.0);
        assert_eq!(score_of(-0.1).unwrap(), 0.5);
        for said in [87.0, f32::NAN, f32::INFINITY] {
            assert!(score_of(said).unwrap_err().to_string().contains("0 to 1"), "{said}");
        }
    }

    #[test]
    fn what_nobody_says_is_asked_for() {
        let nothing = Terms { frame: None, ..terms() };
        assert!(frame(Vec::new()).import(&nothing).unwrap_err().to_string().contains("give `frame`"));
        let timeless = ForeignFrame { captured: None, ..frame(Vec::new()) };
        assert!(timeless.import(&terms()).unwrap_err().to_string().contains("time = \"record\""));
        let at = Timestamp::from_micros(5);
        assert_eq!(timeless.import(&Terms { captured: Some(at), ..terms() }).unwrap().captured, at);
    }
}
