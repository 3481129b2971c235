//! NAL units to access units.

use bytes::Bytes;
use memchr::memmem;
use vedette_core::{Codec, FrameSize, MAX_UNIT_BYTES};

use super::{Fault, Picture};
use crate::parameter_sets::{ParameterSets, SetId, SetKind, begins_picture, may_start, nal_type};

const START_CODE: [u8; 4] = [0, 0, 0, 1];
/// Most bytes of units without a slice (parameter sets, messages) that wait for their picture.
const MAX_WITHOUT_PICTURE: usize = 64 * 1024;

/// The access unit that is being put together.
#[derive(Debug, Default)]
struct Unit {
    time: Option<i64>,
    /// In Annex B format.
    data: Vec<u8>,
    /// Where the first slice begins.
    picture: Option<usize>,
    /// Where the delimiter ends.
    delimiter: usize,
    sets: Vec<SetId>,
    may_start: bool,
    /// A part is missing or broken.
    damaged: bool,
}

/// Puts access units together. One ends with the marker bit, or where the time changes. Damaged ones are dropped and count as lost:
/// later ones cannot be decoded without them.
#[derive(Debug)]
pub(super) struct Assembly {
    codec: Codec,
    sets: ParameterSets,
    unit: Unit,
    /// The fragmented NAL unit that is being put together; `data` is empty when none is.
    fragment: Vec<u8>,
    lost: u32,
    /// A picture was too large, which is not told yet.
    too_large: bool,
    /// Time of the last complete unit.
    ended: Option<i64>,
    begun: bool,
    /// Some cameras set the marker at each slice; then the time alone counts.
    believes_marker: bool,
}

impl Assembly {
    pub(super) fn new(codec: Codec, sets: &[Bytes]) -> Self {
        let mut known = ParameterSets::default();
        for set in sets {
            known.add(codec, set);
        }
        Self {
            codec,
            sets: known,
            unit: Unit::default(),
            fragment: Vec::new(),
            lost: 0,
            too_large: false,
            ended: None,
            begun: false,
            believes_marker: true,
        }
    }

    pub(super) fn size(&self) -> Option<FrameSize> {
        self.sets.size()
    }

    /// A packet begins.
    pub(super) fn begin(&mut self, time: i64, lost: u32, out: &mut Vec<Picture>) {
        if lost > 0 {
            self.lost = self.lost.saturating_add(lost);
            self.fragment.clear();
            // Its rest is among the lost packets; with a picture behind the loss, its head may be.
            self.unit.damaged |= self.unit.picture.is_some() || self.unit.time == Some(time);
        }
        if self.unit.time.is_some_and(|now| now != time) {
            self.end_fragment(out);
            self.finish(out);
        }
        self.unit.time = Some(time);
    }

    /// A packet ends.
    pub(super) fn end(&mut self, marker: bool, out: &mut Vec<Picture>) {
        if marker {
            // Some cameras never set the end bit of a fragment.
            self.end_fragment(out);
            if self.believes_marker && (self.unit.picture.is_some() || self.unit.damaged) {
                self.finish(out);
            }
        }
    }

    /// The packet is malformed: the picture misses something.
    pub(super) fn spoil(&mut self, why: &'static str) -> Fault {
        self.fragment.clear();
        self.unit.damaged = true;
        self.lost = self.lost.max(1);
        Fault::Bad(why)
    }

    /// The picture is too large to be used.
    fn exceed(&mut self) {
        (self.fragment, self.unit.data) = (Vec::new(), Vec::new());
        self.unit.damaged = true;
        self.lost = self.lost.max(1);
        self.too_large = true;
    }

    /// An error once for each picture that is too large.
    pub(super) fn check_size(&mut self) -> Result<(), Fault> {
        if std::mem::take(&mut self.too_large) { Err(Fault::TooLarge) } else { Ok(()) }
    }

    /// The first fragment of a NAL unit.
    pub(super) fn first_fragment(&mut self, header: &[u8], data: &[u8], out: &mut Vec<Picture>) {
        self.end_fragment(out);
        self.fragment.extend_from_slice(header);
        self.fragment.extend_from_slice(data);
    }

    /// A further one.
    pub(super) fn next_fragment(&mut self, data: &[u8], last: bool, out: &mut Vec<Picture>) -> Result<(), Fault> {
        if self.fragment.is_empty() {
            if self.unit.damaged {
                return Ok(());
            }
            return Err(self.spoil("a fragment's begin is missing"));
        }
        if self.fragment.len() + data.len() > MAX_UNIT_BYTES {
            self.exceed();
            return Ok(());
        }
        self.fragment.extend_from_slice(data);
        if last {
            self.end_fragment(out)
        }
        Ok(())
    }

    fn end_fragment(&mut self, out: &mut Vec<Picture>) {
        if !self.fragment.is_empty() {
            let fragment = std::mem::take(&mut self.fragment);
            // What is wrong with it counts with its picture.
            let _ = self.nal(&fragment, out);
            self.fragment = fragment;
            self.fragment.clear();
        }
    }

    /// A complete NAL unit. Some cameras put several into one, with start codes between them.
    pub(super) fn nal(&mut self, nal: &[u8], out: &mut Vec<Picture>) -> Result<(), Fault> {
        let mut rest = nal;
        while let Some(end) = memmem::find(rest, &[0, 0, 1]) {
            self.single(&rest[..end], out)?;
            rest = &rest[end + 3..];
        }
        self.single(rest, out)
    }

    fn single(&mut self, nal: &[u8], out: &mut Vec<Picture>) -> Result<(), Fault> {
        let end = nal.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        let nal = &nal[..end];
        let Some(kind) = nal_type(self.codec, nal) else { return Ok(()) };
        if nal[0] & 0x80 != 0 {
            return Err(self.spoil("a NAL unit has its forbidden bit set"));
        }
        let set = self.sets.add(self.codec, nal);
        let is_delimiter = matches!((self.codec, kind), (Codec::H264, 9) | (Codec::H265, 35));
        if is_delimiter && self.unit.picture.is_some() {
            let time = self.unit.time;
            self.finish(out);
            self.unit.time = time;
        }
        if let Some(begins) = begins_picture(self.codec, nal)
            && self.unit.picture.is_none()
        {
            self.first_slice(begins);
        }
        if self.unit.damaged {
            return Ok(());
        }
        if self.unit.data.len() + nal.len() > MAX_UNIT_BYTES {
            self.exceed();
            return Ok(());
        }
        self.unit.data.extend_from_slice(&START_CODE);
        self.unit.data.extend_from_slice(nal);
        self.unit.sets.extend(set.filter(|set| !self.unit.sets.contains(set)));
        self.unit.may_start |= may_start(self.codec, nal);
        if is_delimiter {
            self.unit.delimiter = self.unit.data.len();
        }
        Ok(())
    }

    fn first_slice(&mut self, begins: bool) {
        self.unit.picture = Some(self.unit.data.len());
        if !begins && self.lost > 0 {
            self.unit.damaged = true;
        } else if !begins && self.ended == self.unit.time {
            self.believes_marker = false;
            self.unit.damaged = true;
            self.lost = self.lost.max(1);
        }
    }

    fn finish(&mut self, out: &mut Vec<Picture>) {
        let unit = std::mem::take(&mut self.unit);
        self.fragment.clear();
        if unit.damaged {
            self.lost = self.lost.max(1);
            self.ended = unit.time;
            return;
        }
        let (Some(picture), Some(time)) = (unit.picture, unit.time) else {
            if unit.data.len() <= MAX_WITHOUT_PICTURE {
                self.unit = Unit { time: None, ..unit };
            }
            return;
        };
        let data = if unit.may_start || !self.begun { self.with_sets(&unit, picture) } else { unit.data };
        self.begun = true;
        self.ended = Some(time);
        let (key, lost) = (unit.may_start, std::mem::take(&mut self.lost));
        out.push(Picture { time, data: data.into(), lost, key, size: self.sets.size() });
    }

    /// The unit with the known parameter sets that it lacks: a decoder may start at it.
    fn with_sets(&self, unit: &Unit, picture: usize) -> Vec<u8> {
        let has_sequence = unit.sets.iter().any(|(kind, _)| *kind == SetKind::Sequence);
        let (mut front, mut behind) = (Vec::new(), Vec::new());
        for (kind, set) in self.sets.others(&unit.sets) {
            // A picture parameter set follows the sequence's.
            let place = if kind == SetKind::Picture && has_sequence { &mut behind } else { &mut front };
            place.extend_from_slice(&START_CODE);
            place.extend_from_slice(set);
        }
        let delimiter = unit.delimiter.min(picture);
        [&unit.data[..delimiter], &front, &unit.data[delimiter..picture], &behind, &unit.data[picture..]].concat()
    }
}
