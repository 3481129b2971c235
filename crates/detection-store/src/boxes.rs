//! The detections of many frames as columns.

use vedette_core::{Detection, ObjectClass, PixelBox, Score};

use crate::bytes::Cursor;
use crate::error::Damage;
use crate::planes;
use crate::streams::{Packer, Unpacker};

/// Collects the detections of one frame after the other.
#[derive(Default)]
pub(crate) struct BoxesWriter {
    classes: Vec<u8>,
    scores: Vec<u32>,
    /// Left, top, width, height.
    sides: [Vec<u32>; 4],
}

impl BoxesWriter {
    pub(crate) fn push(&mut self, detections: &[Detection]) {
        let mut before = 0;
        for Detection { class, score, bbox: PixelBox { x, y, width, height } } in detections {
            self.classes.push(class.number());
            // The best comes first, so that the differences are small.
            let score = score.get().to_bits();
            self.scores.push(score.wrapping_sub(before));
            before = score;
            for (side, value) in self.sides.iter_mut().zip([x, y, width, height]) {
                side.push(value.to_bits());
            }
        }
    }

    pub(crate) fn finish(self, packer: &mut Packer) {
        packer.stream(&self.classes);
        planes::pack(&self.scores, packer);
        self.sides.iter().for_each(|side| planes::pack(side, packer));
    }
}

/// Hands them out again.
pub(crate) struct BoxesReader {
    classes: Vec<u8>,
    scores: Vec<u32>,
    sides: [Vec<u32>; 4],
    next: usize,
}

impl BoxesReader {
    pub(crate) fn new(unpacker: &mut Unpacker, from: &mut Cursor<'_>) -> Result<Self, Damage> {
        let classes = unpacker.stream(from)?;
        let mut column = || planes::unpack(unpacker, from, classes.len());
        let scores = column()?;
        let sides = [column()?, column()?, column()?, column()?];
        Ok(Self { classes, scores, sides, next: 0 })
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.next == self.classes.len()
    }

    /// The detections of the next frame.
    pub(crate) fn next(&mut self, count: usize) -> Result<Vec<Detection>, Damage> {
        let end = self.next.checked_add(count).ok_or(Damage::Short)?;
        let range = self.next..end;
        let classes = self.classes.get(range.clone()).ok_or(Damage::Short)?;
        let scores = &self.scores[range.clone()];
        let [x, y, width, height] = self.sides.each_ref().map(|side| &side[range.clone()]);
        self.next = end;
        let mut before = 0_u32;
        let mut detections = Vec::with_capacity(count);
        for index in 0..count {
            before = before.wrapping_add(scores[index]);
            let side = |side: &[u32]| f32::from_bits(side[index]);
            detections.push(Detection {
                class: ObjectClass::from_number(u32::from(classes[index])).ok_or(Damage::Value("class"))?,
                score: Score::new(f32::from_bits(before)).map_err(|_| Damage::Value("score"))?,
                bbox: PixelBox { x: side(x), y: side(y), width: side(width), height: side(height) },
            });
        }
        Ok(detections)
    }
}
