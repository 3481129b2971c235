use std::borrow::Cow;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use vedette_address::AddressBase;
use vedette_analysis::{CameraAnalysis, Outcome, Serving, Setups, Tracking};
use vedette_core::{Alert, AlertId, CameraRecord, FrameAt, RecordBody, Span, Timestamp, Track};
use vedette_detection_store::{FrameTracks, Gap};
use vedette_rules::RuleEngine;
use vedette_track::TrackerSettings;

use crate::coverage::Coverage;
use crate::error::RecordingError;
use crate::source::Source;
use crate::tracked::{Settings, Tracked, track};

/// The address base in force at a capture time.
type BaseAt<'a> = dyn Fn(Timestamp) -> Option<Arc<AddressBase>> + Send + Sync + 'a;

/// Is shown the rules after each analysed frame.
type Watch<'w> = &'w mut dyn FnMut(FrameAt, &RuleEngine);

/// How many records are analysed between two looks at `stop`.
const LOOK_EVERY: usize = 512;

/// What was detected on one camera, and what the analysis needs besides.
pub struct Recording<'a> {
    /// The records.
    pub source: Source,
    /// The address base of a capture time.
    pub base: Box<BaseAt<'a>>,
    /// Settings of the tracker.
    pub tracker: Arc<TrackerSettings>,
    /// Allowed lateness, see `vedette_analysis::SORT_WINDOW`.
    pub sort_window: Span,
    /// Ends an analysis that nobody waits for any more.
    pub stop: Arc<AtomicBool>,
    /// The tracks, if they were made for all analyses; see [`Recording::track`].
    tracked: Option<Tracked>,
    /// The parts, if they are held in memory; see [`Recording::hold`].
    held: Option<Vec<Piece<'static>>>,
}

/// A part as it is analysed.
struct Piece<'p> {
    records: Cow<'p, [CameraRecord]>,
    /// Records that cannot be read.
    gaps: Vec<Gap>,
    /// None when the analysis tracks the objects itself.
    tracks: Option<FrameTracks>,
    /// Whether a part of its records is left out.
    is_cut: bool,
}

impl<'a> Recording<'a> {
    /// The records of a camera. Without address bases, with the usual settings of the analysis.
    #[must_use]
    pub fn new(source: impl Into<Source>) -> Self {
        Self {
            source: source.into(),
            base: Box::new(|_| None),
            tracker: Arc::default(),
            sort_window: vedette_analysis::SORT_WINDOW,
            stop: Arc::default(),
            tracked: None,
            held: None,
        }
    }

    /// The same with address bases by capture time.
    #[must_use]
    pub fn with_base(self, base: impl Fn(Timestamp) -> Option<Arc<AddressBase>> + Send + Sync + 'a) -> Self {
        Self { base: Box::new(base), ..self }
    }

    /// Makes the tracks once for all analyses with these versions of the camera, or takes those that are stored.
    ///
    /// # Errors
    /// When the records cannot be read, or the camera cannot be used.
    pub fn track(&mut self, setups: &Setups) -> Result<&Tracked, RecordingError> {
        self.held = None;
        let tracked = track(&self.source, &self.settings(setups), &self.stop)?;
        Ok(self.tracked.insert(tracked))
    }

    /// Reads the records and the tracks into memory for all analyses, if they take at most so many bytes; otherwise each analysis reads
    /// them. Returns the bytes that are held.
    ///
    /// # Errors
    /// When the records cannot be read.
    pub fn hold(&mut self, most_bytes: usize) -> Result<usize, RecordingError> {
        let (mut held, mut bytes) = (Vec::new(), 0);
        let mut reader = Reader { recording: self, tracked: self.tracked.as_ref(), left_out: HashSet::new() };
        for index in 0..self.pieces() {
            self.go_on()?;
            let piece = reader.piece(index)?;
            bytes += piece.bytes();
            if bytes > most_bytes {
                return Ok(0);
            }
            held.push(Piece { records: Cow::Owned(piece.records.into_owned()), ..piece });
        }
        self.held = Some(held);
        Ok(bytes)
    }

    /// Leaves out what was captured outside of a time, both ends included, for all analyses. Tracks keep their numbers.
    pub fn narrow(&mut self, within: (Timestamp, Timestamp)) {
        self.held = None;
        self.source.narrow(within);
    }

    /// Whether the records are held in memory.
    #[must_use]
    pub const fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// What is known of the tracks, once they were made.
    #[must_use]
    pub fn tracked(&self) -> Option<&Tracked> {
        self.tracked.as_ref()
    }

    fn settings<'s>(&'s self, setups: &'s Setups) -> Settings<'s> {
        Settings { setups, tracker: &self.tracker, sort_window: self.sort_window }
    }

    /// The alerts that are raised with these setups, each in its last revision, by the time at which it is raised. Those of open episodes
    /// are ended at the end of the recording, as `vedette replay` does.
    ///
    /// # Errors
    /// When the records cannot be read, the camera or its policy cannot be used, or `stop` was set.
    pub fn alerts(&self, setups: &Setups) -> Result<Vec<Alert>, RecordingError> {
        self.analyse(setups, &mut None, None)
    }

    /// The same, and the rules are shown after each analysed frame, once tracks were made.
    pub(crate) fn watched(&self, setups: &Setups, watch: Watch<'_>) -> Result<Vec<Alert>, RecordingError> {
        self.analyse(setups, &mut None, Some(watch))
    }

    /// The same, with what was recorded in that time.
    ///
    /// # Errors
    /// As [`Recording::alerts`].
    pub fn alerts_and_coverage(&self, setups: &Setups) -> Result<(Vec<Alert>, Coverage), RecordingError> {
        let mut coverage = Some(Coverage::default());
        let alerts = self.analyse(setups, &mut coverage, None)?;
        Ok((alerts, coverage.unwrap_or_default()))
    }

    fn analyse(
        &self,
        setups: &Setups,
        coverage: &mut Option<Coverage>,
        watch: Option<Watch<'_>>,
    ) -> Result<Vec<Alert>, RecordingError> {
        if self.source.span().is_none() {
            return Ok(Vec::new());
        }
        let settings = self.settings(setups);
        let is_same = |tracked: &&Tracked| tracked.identity == settings.identity(tracked.until);
        let tracked = self.tracked.as_ref().filter(is_same);
        // What is held has the tracks that were made.
        let held = self.held.as_ref().filter(|_| tracked.is_some() == self.tracked.is_some());
        let mut run = Run { recording: self, setups, alerts: BTreeMap::new(), analysis: None, watch };
        self.each_piece(tracked, held, &mut |index, piece| {
            let state = tracked.and_then(|tracked| tracked.parts.get(index)?.before.as_deref());
            run.take(piece, state.filter(|_| !piece.is_cut), index + 1 == self.pieces())?;
            if let Some(coverage) = coverage {
                coverage.add(&piece.records, &piece.gaps);
            }
            Ok(())
        })?;
        let mut alerts: Vec<Alert> = run.alerts.into_values().collect();
        alerts.sort_by_key(|alert| (alert.raised, alert.id));
        Ok(alerts)
    }

    /// Calls `each` with every object in every frame, once tracks were made.
    pub(crate) fn each_track(&self, each: &mut dyn FnMut(&Track)) -> Result<(), RecordingError> {
        self.each_piece(self.tracked.as_ref(), self.held.as_ref(), &mut |_, piece| {
            piece.tracks.iter().flat_map(FrameTracks::iter).flat_map(|(_, tracks)| tracks).for_each(&mut *each);
            Ok(())
        })
    }

    /// Calls `each` with one part after the other, which is held or read.
    fn each_piece(
        &self,
        tracked: Option<&Tracked>,
        held: Option<&Vec<Piece<'static>>>,
        each: &mut dyn FnMut(usize, &Piece<'_>) -> Result<(), RecordingError>,
    ) -> Result<(), RecordingError> {
        let mut reader = Reader { recording: self, tracked, left_out: HashSet::new() };
        for index in 0..self.pieces() {
            self.go_on()?;
            match held.and_then(|held| held.get(index)) {
                Some(piece) => each(index, piece)?,
                None => each(index, &reader.piece(index)?)?,
            }
        }
        Ok(())
    }

    fn pieces(&self) -> usize {
        self.source.parts() - self.source.first()
    }
}

impl Piece<'_> {
    /// About the memory that it takes.
    fn bytes(&self) -> usize {
        let detections = |record: &CameraRecord| match &record.body {
            RecordBody::Processed(frame) => size_of_val(&frame.detections[..]),
            RecordBody::AccountOnly(_) | RecordBody::SignalLoss(_) => 0,
        };
        let records: usize = self.records.iter().map(|record| size_of::<CameraRecord>() + detections(record)).sum();
        records + self.tracks.as_ref().map_or(0, FrameTracks::bytes)
    }
}

/// Reads one part after the other.
struct Reader<'r> {
    recording: &'r Recording<'r>,
    tracked: Option<&'r Tracked>,
    /// The frames that are outside of the window. Those at the end of a part have their tracks with the next one.
    left_out: HashSet<(u64, u64)>,
}

impl<'r> Reader<'r> {
    fn piece(&mut self, index: usize) -> Result<Piece<'r>, RecordingError> {
        let source = &self.recording.source;
        let mut gaps = Vec::new();
        let mut records = source.records(source.first() + index, &mut gaps)?;
        let known = self.tracked.and_then(|tracked| tracked.parts.get(index));
        let mut tracks = known.map(|known| FrameTracks::decode(&known.tracks)).transpose()?;
        if let (Some(tracks), Some(tracked)) = (&mut tracks, self.tracked)
            && index + 1 == self.recording.pieces()
        {
            tracks.append(FrameTracks::decode(&tracked.rest)?);
        }
        let is_within = |record: &CameraRecord| {
            source.within().is_none_or(|(from, until)| (from..=until).contains(&record.at.captured))
        };
        let is_cut = !records.iter().all(is_within);
        if is_cut {
            let left_out = records.iter().filter(|record| !is_within(record));
            self.left_out.extend(left_out.map(|record| (record.at.epoch, record.at.sequence)));
            records.to_mut().retain(is_within);
        }
        if let (Some(tracks), false) = (&mut tracks, self.left_out.is_empty()) {
            tracks.retain(|frame| !self.left_out.contains(frame));
        }
        Ok(Piece { records, gaps, tracks, is_cut })
    }
}

/// One analysis of a recording.
struct Run<'r, 'w> {
    recording: &'r Recording<'r>,
    setups: &'r Setups,
    alerts: BTreeMap<AlertId, Alert>,
    analysis: Option<CameraAnalysis>,
    watch: Option<Watch<'w>>,
}

impl Run<'_, '_> {
    /// Analyses a part. `state` is that before it, without which the analysis begins anew if it begins there.
    fn take(&mut self, piece: &Piece<'_>, state: Option<&[u8]>, is_last: bool) -> Result<(), RecordingError> {
        let Self { recording, setups, alerts, analysis, watch } = self;
        let serving = Serving { setups, base: &*recording.base };
        if let (None, Some(first)) = (&analysis, piece.records.first()) {
            let opened = recording.settings(setups).analysis(setups, state, first.at.captured)?;
            *analysis = Some(opened.ok_or(RecordingError::NoCamera)?);
        }
        let Some(analysis) = analysis else { return Ok(()) };
        let mut tracking = tracking(piece.tracks.as_ref(), watch);
        for records in piece.records.chunks(LOOK_EVERY) {
            recording.go_on()?;
            for record in records {
                if !setups.is_removed(record.at.captured) {
                    note(alerts, analysis.take_tracked(record, serving, &mut tracking))?;
                }
            }
        }
        if is_last {
            note(alerts, analysis.finish_tracked(serving, &mut tracking))?;
        }
        Ok(())
    }
}

impl Recording<'_> {
    fn go_on(&self) -> Result<(), RecordingError> {
        if self.stop.load(Ordering::Relaxed) { Err(RecordingError::Stopped) } else { Ok(()) }
    }
}

fn tracking<'t>(frames: Option<&'t FrameTracks>, watch: &'t mut Option<Watch<'_>>) -> Tracking<'t> {
    let Some(frames) = frames else { return Tracking::Own };
    let mut cursor = frames.frames();
    let tracks = Box::new(move |at| cursor.of(at));
    match watch {
        Some(watch) => Tracking::Watched(tracks, Box::new(|at, rules| watch(at, rules))),
        None => Tracking::Known(tracks),
    }
}

fn note(alerts: &mut BTreeMap<AlertId, Alert>, outcome: Outcome) -> Result<(), RecordingError> {
    alerts.extend(outcome.alerts.into_iter().map(|alert| (alert.id, alert)));
    outcome.refused.map_or(Ok(()), |error| Err(error.into()))
}
