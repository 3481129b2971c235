use std::time::Duration;

use vedette_core::Codec;
use vedette_rtsp::testing::{Script, nal_units};

use crate::encoding::Stream;

/// What becomes of a camera.
#[derive(Debug, Clone, Copy)]
pub(super) enum Outcome {
    /// Its pictures are analysed.
    Analysed,
    /// It has no signal, for this reason.
    Lost(&'static str),
    /// First the one, then the other.
    AnalysedThenLost(&'static str),
    /// It has no signal for a while, for this reason, and its pictures are analysed again.
    Returns(&'static str),
}

/// A camera with what becomes of it.
#[derive(Clone)]
pub(super) struct Row {
    pub(super) name: &'static str,
    /// What it plays; then, of its further connections.
    pub(super) script: Script,
    pub(super) then: Option<Script>,
    pub(super) outcome: Outcome,
    /// The sizes in which its pictures are shown, ascending; empty: whatever it says.
    pub(super) sizes: Vec<(u32, u32)>,
}

impl Row {
    pub(super) fn new(name: &'static str, script: Script, outcome: Outcome) -> Self {
        Self { name, script, then: None, outcome, sizes: Vec::new() }
    }

    pub(super) fn analysed(name: &'static str, script: Script) -> Self {
        Self::new(name, script, Outcome::Analysed)
    }

    pub(super) fn lost(name: &'static str, script: Script, reason: &'static str) -> Self {
        Self::new(name, script, Outcome::Lost(reason))
    }

    /// With another script from its second connection on.
    pub(super) fn then(mut self, script: Script) -> Self {
        self.then = Some(script);
        self
    }

    /// With the sizes in which its pictures are shown.
    pub(super) fn shown(mut self, sizes: &[(u32, u32)]) -> Self {
        self.sizes = sizes.to_vec();
        self
    }
}

/// Five pictures in two seconds.
pub(super) fn script(codec: Codec, units: Vec<Vec<u8>>) -> Script {
    Script { pace: Duration::from_millis(400), ticks: 36_000, ..Script::new(codec, units) }
}

/// The same of a stream whose pictures may come in another order than they are shown in.
pub(super) fn stream(codec: Codec, stream: Stream) -> Script {
    let script = script(codec, stream.units);
    Script { delays: stream.delays.iter().map(|pictures| pictures * script.ticks).collect(), ..script }
}

/// A unit of other NAL units.
pub(super) fn annex_b<'a>(nals: impl IntoIterator<Item = &'a [u8]>) -> Vec<u8> {
    nals.into_iter().flat_map(|nal| [&[0, 0, 0, 1], nal].concat()).collect()
}

/// The type of a NAL unit.
pub(super) fn kind(codec: Codec, nal: &[u8]) -> u8 {
    if codec == Codec::H264 { nal[0] & 0x1f } else { nal[0] >> 1 & 0x3f }
}

/// Whether a unit has a NAL unit of one of these types.
pub(super) fn has(codec: Codec, unit: &[u8], kinds: &[u8]) -> bool {
    nal_units(unit).iter().any(|nal| kinds.contains(&kind(codec, nal)))
}

/// The units with their NAL units of these types changed.
pub(super) fn changed(
    codec: Codec,
    units: &[Vec<u8>],
    kinds: &[u8],
    mut change: impl FnMut(&[u8]) -> Vec<u8>,
) -> Vec<Vec<u8>> {
    let mut change = |nal: &[u8]| if kinds.contains(&kind(codec, nal)) { change(nal) } else { nal.to_vec() };
    let mut of_unit = |unit: &Vec<u8>| nal_units(unit).into_iter().map(&mut change).collect::<Vec<_>>();
    units.iter().map(|unit| annex_b(of_unit(unit).iter().map(Vec::as_slice))).collect()
}
