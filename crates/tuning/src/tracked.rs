//! The tracks of a camera, made once for all policies: the tracker takes nothing from them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use vedette_analysis::{CameraAnalysis, STATE_FORMAT, Serving, Setups, Tracking};
use vedette_core::{CameraRecord, Span, Timestamp};
use vedette_detection_store::{Gap, PartTracks, TracksKey, TracksWriter};
use vedette_track::TrackerSettings;

use crate::error::RecordingError;
use crate::source::Source;

/// What tracks depend on besides the records.
pub(crate) struct Settings<'a> {
    /// The versions of the camera; its policies do not matter.
    pub(crate) setups: &'a Setups,
    pub(crate) tracker: &'a Arc<TrackerSettings>,
    pub(crate) sort_window: Span,
}

impl Settings<'_> {
    /// Identity of these settings for records up to a time: later versions of the camera do not matter.
    pub(crate) fn identity(&self, until: Timestamp) -> TracksKey {
        let mut hash = blake3::Hasher::new();
        hash.update(&STATE_FORMAT.to_le_bytes());
        hash.update(&self.sort_window.as_micros().to_le_bytes());
        hash.update(&serde_json::to_vec(&**self.tracker).unwrap_or_default());
        for (from, camera) in self.setups.cameras().filter(|(from, _)| from.is_none_or(|from| from <= until)) {
            hash.update(&from.map_or(i64::MIN, Timestamp::as_micros).to_le_bytes());
            // What stands before the tracker, such as its calibration, is part of the camera.
            hash.update(&serde_json::to_vec(&camera).unwrap_or_default());
        }
        *hash.finalize().as_bytes()
    }

    /// An analysis without a policy that goes on from a state; none where the camera did not exist.
    pub(crate) fn analysis(
        &self,
        setups: &Setups,
        state: Option<&[u8]>,
        first: Timestamp,
    ) -> Result<Option<CameraAnalysis>, RecordingError> {
        let mut analysis = match state {
            Some(state) => CameraAnalysis::restore(setups, STATE_FORMAT, state)?,
            None => match CameraAnalysis::at(setups, first, self.tracker) {
                Some(analysis) => analysis?,
                None => return Ok(None),
            },
        };
        analysis.set_sort_window(self.sort_window);
        analysis.set_tracker(self.tracker);
        Ok(Some(analysis))
    }
}

/// The tracks of what is analysed, part by part.
#[derive(Debug, Clone, Default)]
pub struct Tracked {
    pub(crate) parts: Vec<PartTracks>,
    /// Of the frames that waited for others when the records ended.
    pub(crate) rest: Vec<u8>,
    pub(crate) identity: TracksKey,
    /// The latest capture time of the records.
    pub(crate) until: Timestamp,
    /// Parts whose tracks were stored.
    pub reused: usize,
    /// Parts whose tracks were made now.
    pub made: usize,
    /// Whether the tracks are numbered from the beginning of the records, and not as live.
    pub begins_anew: bool,
    /// Records that cannot be read.
    pub gaps: Vec<Gap>,
}

/// Makes the tracks, or takes those that are stored.
pub(crate) fn track(source: &Source, settings: &Settings<'_>, stop: &AtomicBool) -> Result<Tracked, RecordingError> {
    let until = source.span().map_or(Timestamp::default(), |span| span.1);
    let setups = settings.setups.with_policy(None);
    let settings = Settings { setups: &setups, ..*settings };
    let mut tracked = Tracked { identity: settings.identity(until), until, ..Tracked::default() };
    let identities: Vec<TracksKey> = (0..source.parts()).map(|part| settings.identity(source.until(part))).collect();
    let key = |part: usize, before: Option<&[u8]>| key(&identities[part], source.checksum(part), before);
    let is_sound = |part: usize, tracks: &PartTracks| tracks.key == key(part, tracks.before.as_deref());
    // The last part that need not be made for those after it.
    let begin = (0..=source.first()).rev().find_map(|part| {
        let tracks = source.tracks(part)?;
        is_sound(part, &tracks).then_some((part, tracks))
    });
    let begin_part = begin.as_ref().map_or(0, |(part, _)| *part);
    let mut state: Option<Vec<u8>> = begin.and_then(|(_, tracks)| tracks.before);
    // It is opened where tracks are made.
    let mut analysis: Option<CameraAnalysis> = None;
    let mut room = Vec::new();
    for part in begin_part..source.parts() {
        if stop.load(Ordering::Relaxed) {
            return Err(RecordingError::Stopped);
        }
        let key = key(part, state.as_deref());
        let stored = source.tracks(part).filter(|tracks| tracks.key == key);
        let is_wanted = part >= source.first();
        let tracks = if let Some(stored) = stored {
            analysis = None;
            tracked.reused += usize::from(is_wanted);
            stored
        } else {
            let records = source.read(part, &mut room, &mut tracked.gaps)?;
            let made = make(&mut analysis, records, &settings, state.take(), key)?;
            tracked.made += usize::from(is_wanted);
            source.keep_tracks(part, &made);
            made
        };
        // Empty where the camera did not exist.
        state = Some(tracks.after.clone()).filter(|state| !state.is_empty());
        if is_wanted {
            tracked.parts.push(tracks);
        }
    }
    tracked.begins_anew = tracked.parts.first().is_some_and(|tracks| tracks.before.is_none());
    tracked.rest = rest(state.as_deref(), &settings)?;
    Ok(tracked)
}

impl Source {
    /// The latest capture time of a part.
    fn until(&self, part: usize) -> Timestamp {
        match self {
            Self::Records { .. } => self.span().map_or(Timestamp::default(), |span| span.1),
            Self::Stored { parts, .. } => parts.get(part).map_or(Timestamp::default(), |part| part.span().1),
        }
    }
}

fn key(identity: &TracksKey, checksum: Option<[u8; 32]>, before: Option<&[u8]>) -> TracksKey {
    let mut hash = blake3::Hasher::new();
    hash.update(identity);
    hash.update(&checksum.unwrap_or_default());
    hash.update(&[u8::from(before.is_some())]);
    hash.update(before.unwrap_or_default());
    *hash.finalize().as_bytes()
}

/// The tracks of a part. `analysis` is that of the part before, if its tracks were made, too.
fn make(
    analysis: &mut Option<CameraAnalysis>,
    records: &[CameraRecord],
    settings: &Settings<'_>,
    before: Option<Vec<u8>>,
    key: TracksKey,
) -> Result<PartTracks, RecordingError> {
    let setups = settings.setups;
    if analysis.is_none() {
        let first = records.first().map_or(Timestamp::default(), |record| record.at.captured);
        *analysis = settings.analysis(setups, before.as_deref(), first)?;
    }
    let mut writer = TracksWriter::default();
    let Some(analysis) = analysis else {
        return Ok(PartTracks { key, before, after: Vec::new(), tracks: writer.finish() });
    };
    let mut tracking = shown(&mut writer);
    for record in records.iter().filter(|record| !setups.is_removed(record.at.captured)) {
        // What cannot be used of the camera is said by the analysis with a policy.
        analysis.take_tracked(record, Serving { setups, base: &|_| None }, &mut tracking);
    }
    drop(tracking);
    let after = analysis.save()?;
    Ok(PartTracks { key, before, after, tracks: writer.finish() })
}

/// The tracks of the frames that wait for others at the end.
fn rest(state: Option<&[u8]>, settings: &Settings<'_>) -> Result<Vec<u8>, RecordingError> {
    let mut writer = TracksWriter::default();
    if let Some(state) = state
        && let Some(mut analysis) = settings.analysis(settings.setups, Some(state), Timestamp::default())?
    {
        let serving = Serving { setups: settings.setups, base: &|_| None };
        analysis.finish_tracked(serving, &mut shown(&mut writer));
    }
    Ok(writer.finish())
}

fn shown(writer: &mut TracksWriter) -> Tracking<'_> {
    Tracking::Shown(Box::new(|at, tracks| {
        if !tracks.is_empty() {
            writer.push(at, tracks);
        }
    }))
}
