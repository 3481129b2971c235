use std::collections::HashMap;
use std::fmt::Write as _;

use crate::EvalError;

/// A box in pixels of the frame, in the file's precision.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MotBox {
    /// Left edge.
    pub left: f64,
    /// Top edge.
    pub top: f64,
    /// Width.
    pub width: f64,
    /// Height.
    pub height: f64,
}

impl MotBox {
    /// Intersection over union, 0 to 1; 0 with a box that has no area.
    #[must_use]
    pub fn iou(&self, other: &Self) -> f64 {
        let (right, bottom) = (self.left + self.width, self.top + self.height);
        let (other_right, other_bottom) = (other.left + other.width, other.top + other.height);
        let width = (right.min(other_right) - self.left.max(other.left)).max(0.0);
        let height = (bottom.min(other_bottom) - self.top.max(other.top)).max(0.0);
        // Areas from the edges, not from width and height, for the same rounding as the reference.
        let area = (right - self.left) * (bottom - self.top);
        let other_area = (other_right - other.left) * (other_bottom - other.top);
        let shared = width * height;
        let union = area + other_area - shared;
        if area <= f64::EPSILON || other_area <= f64::EPSILON || union <= f64::EPSILON { 0.0 } else { shared / union }
    }
}

/// One row of a MOT file: `frame, id, left, top, width, height, confidence`; further columns are ignored.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MotRow {
    /// Frame, from 1.
    pub frame: u32,
    /// Object; -1 for a detection.
    pub id: i64,
    /// The box.
    pub bbox: MotBox,
    /// Score of a detection or track. Of a true box: 0 to ignore it.
    pub confidence: f64,
}

/// Reads a MOT file. `frames` is the length of the sequence; rows beyond it are refused. Numbers are separated by commas;
/// empty lines are skipped; a missing confidence is 1.
///
/// # Errors
/// At the first invalid row.
pub fn read_mot(text: &str, frames: u32) -> Result<Vec<MotRow>, EvalError> {
    let mut rows = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.trim().is_empty() {
            continue;
        }
        let refuse = |value: &str, rule: &str| EvalError::Row {
            line: index + 1,
            value: value.trim().chars().take(40).collect(),
            rule: rule.to_owned(),
        };
        let mut columns = line.split(',');
        let mut number = |name: &str| {
            let text = columns.next().ok_or_else(|| {
                refuse(line, &format!("{name} is missing; a row is frame,id,left,top,width,height,confidence"))
            })?;
            let number: f64 =
                text.trim().parse().map_err(|_| refuse(text, &format!("{name} is not a valid number")))?;
            if number.is_finite() { Ok(number) } else { Err(refuse(text, &format!("{name} is not finite"))) }
        };
        let frame = number("frame")?;
        let id = number("id")?;
        let bbox =
            MotBox { left: number("left")?, top: number("top")?, width: number("width")?, height: number("height")? };
        let confidence = if line.split(',').count() > 6 { number("confidence")? } else { 1.0 };
        if frame.fract() != 0.0 || frame < 1.0 || frame > f64::from(frames) {
            return Err(refuse(&frame.to_string(), &format!("frames are whole numbers from 1 to {frames} here")));
        }
        if id.fract() != 0.0 || id.abs() > 1e15 {
            return Err(refuse(&id.to_string(), "ids are whole numbers"));
        }
        rows.push(MotRow { frame: frame as u32, id: id as i64, bbox, confidence });
    }
    Ok(rows)
}

/// Formats rows as in MOT files, with the three unused columns that other tools expect.
#[must_use]
pub fn write_mot(rows: &[MotRow]) -> String {
    let mut text = String::new();
    for MotRow { frame, id, bbox: MotBox { left, top, width, height }, confidence } in rows {
        let _ = writeln!(text, "{frame},{id},{left:.3},{top:.3},{width:.3},{height:.3},{confidence:.4},-1,-1,-1");
    }
    text
}

/// The rows of each frame; frame 1 is first. Rows beyond `frames`, which [`read_mot`] refuses, are skipped.
#[must_use]
pub fn by_frame(rows: &[MotRow], frames: u32) -> Vec<Vec<MotRow>> {
    let mut sorted = vec![Vec::new(); frames as usize];
    for row in rows {
        if let Some(frame) = sorted.get_mut((row.frame as usize).wrapping_sub(1)) {
            frame.push(*row);
        }
    }
    sorted
}

/// The rows of frames 1, 1 + n, 1 + 2n and so on, renumbered from 1.
#[must_use]
pub fn every_nth(rows: &[MotRow], n: u32) -> Vec<MotRow> {
    let kept = rows.iter().filter(|row| row.frame % n.max(1) == 1 % n.max(1));
    kept.map(|row| MotRow { frame: (row.frame - 1) / n.max(1) + 1, ..*row }).collect()
}

/// Numbers the ids of `rows` from 0 by rising id and refuses duplicates within a frame.
pub(crate) fn numbered(rows: &[MotRow], what: &'static str) -> Result<HashMap<i64, usize>, EvalError> {
    let mut ids: Vec<i64> = rows.iter().map(|row| row.id).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut pairs: Vec<(u32, i64)> = rows.iter().map(|row| (row.frame, row.id)).collect();
    pairs.sort_unstable();
    if let Some(twice) = pairs.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(EvalError::Twice { frame: twice[0].0, id: twice[0].1, what });
    }
    Ok(ids.into_iter().enumerate().map(|(number, id)| (id, number)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let bbox = MotBox { left: 1.5, top: -2.0, width: 30.25, height: 60.0 };
        let rows = [MotRow { frame: 3, id: 7, bbox, confidence: 0.5 }];
        assert_eq!(read_mot(&write_mot(&rows), 3).unwrap(), rows);
        assert_eq!(read_mot("1,2,0,0,5,5\n\n", 1).unwrap()[0].confidence, 1.0);
    }

    #[test]
    fn a_bad_row_is_named_with_its_rule() {
        for (row, expected) in [
            ("1,1,0,0", "line 2: `1,1,0,0`: width is missing; a row is frame,id,left,top,width,height,confidence"),
            ("1,1,x,0,5,5,1", "line 2: `x`: left is not a valid number"),
            ("1,1,0,NaN,5,5,1", "line 2: `NaN`: top is not finite"),
            ("0,1,0,0,5,5,1", "line 2: `0`: frames are whole numbers from 1 to 9 here"),
            ("10,1,0,0,5,5,1", "line 2: `10`: frames are whole numbers from 1 to 9 here"),
            ("1,1.5,0,0,5,5,1", "line 2: `1.5`: ids are whole numbers"),
        ] {
            let error = read_mot(&format!("1,1,0,0,5,5,1\n{row}\n"), 9).unwrap_err();
            assert_eq!(error.to_string(), expected);
        }
    }

    #[test]
    fn thinned_rows_are_numbered_from_one() {
        let rows = read_mot("1,1,0,0,5,5\n2,1,0,0,5,5\n4,1,0,0,5,5\n7,1,0,0,5,5", 7).unwrap();
        let frames = |n| every_nth(&rows, n).iter().map(|row| row.frame).collect::<Vec<_>>();
        assert_eq!((frames(1), frames(3), frames(2)), (vec![1, 2, 4, 7], vec![1, 2, 3], vec![1, 4]));
    }

    #[test]
    fn boxes_without_area_overlap_nothing() {
        let unit = MotBox { left: 0.0, top: 0.0, width: 2.0, height: 1.0 };
        assert_eq!(unit.iou(&MotBox { left: 1.0, ..unit }), 1.0 / 3.0);
        assert_eq!(unit.iou(&MotBox { width: 0.0, ..unit }), 0.0);
        assert_eq!(unit.iou(&MotBox { width: -2.0, ..unit }), 0.0);
    }
}
