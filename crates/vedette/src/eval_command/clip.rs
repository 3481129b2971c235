//! A recorded clip in the layout of the MOT benchmarks, tracked and analysed by rules.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use vedette_analysis::record_line;
use vedette_core::{Detection, ObjectClass, PixelBox, Policy, RecordBody, Score};
use vedette_eval::{Event, MotBox, MotRow, SequenceInfo, by_frame, every_nth, read_mot};
use vedette_rules::{RuleEngine, RuleSet};
use vedette_track::{Tracker, TrackerSettings};

use super::ClipArgs;

/// A clip's detections, and its ground truth if known.
pub(super) struct Clip {
    pub(super) name: String,
    /// From `seqinfo.ini`.
    pub(super) info: SequenceInfo,
    pub(super) truth: Option<Vec<MotRow>>,
    folder: PathBuf,
    every: u32,
    detections: Vec<Vec<Detection>>,
}

impl Clip {
    pub(super) fn open(folder: &Path, args: &ClipArgs) -> anyhow::Result<Self> {
        let absolute = folder.canonicalize().with_context(|| format!("opening {}", folder.display()))?;
        let name = absolute.file_name().context("a clip is a folder with a name")?.to_string_lossy().into_owned();
        let info = read(&folder.join("seqinfo.ini"), SequenceInfo::read)?;
        let path = folder.join(&args.detections);
        let detections = if path.extension().is_some_and(|extension| extension == "jsonl") {
            exported(&path, &info)?
        } else {
            let rows = read(&path, |text| read_mot(text, info.frames))?;
            let detected = |rows: &Vec<MotRow>| rows.iter().map(|row| detection(row, args.class)).collect();
            by_frame(&rows, info.frames).iter().map(detected).collect()
        };
        let path = folder.join(args.truth.as_deref().unwrap_or(Path::new("gt/gt.txt")));
        let truth = if args.truth.is_some() || path.exists() {
            Some(read(&path, |text| read_mot(text, info.frames))?)
        } else {
            None
        };
        Ok(Self { name, info, truth, folder: folder.to_owned(), every: args.every.get(), detections })
    }

    /// The tracks of the processed frames, under the clip's own frame numbers.
    pub(super) fn tracks(&self, settings: &TrackerSettings) -> Vec<MotRow> {
        let mut tracker = Tracker::new(settings.clone());
        let mut rows = Vec::new();
        for (frame, detections) in self.frames() {
            for track in tracker.update(self.info.at(frame), self.info.size, detections) {
                let PixelBox { x, y, width, height } = track.bbox;
                let bbox = MotBox { left: x.into(), top: y.into(), width: width.into(), height: height.into() };
                let confidence = f64::from(track.score.get());
                rows.push(MotRow { frame, id: track.id.0.cast_signed(), bbox, confidence });
            }
        }
        rows
    }

    /// Tracks of another program, from `DIRECTORY/NAME.txt`.
    pub(super) fn tracks_from(&self, directory: &Path) -> anyhow::Result<Vec<MotRow>> {
        read(&directory.join(format!("{}.txt", self.name)), |text| read_mot(text, self.info.frames))
    }

    /// The sequence of the processed frames, and `rows` of them, renumbered from 1.
    pub(super) fn sampled(&self, rows: &[MotRow]) -> (SequenceInfo, Vec<MotRow>) {
        (self.info.every_nth(self.every), every_nth(rows, self.every))
    }

    /// The events raised by the rules.
    pub(super) fn events(&self, settings: &TrackerSettings, policy: &Policy) -> anyhow::Result<Vec<Event>> {
        let rules = RuleSet::compile(policy, None).map_err(|mistakes| {
            let all: Vec<String> = mistakes.iter().map(|m| format!("{}: {}", m.path, m.rule)).collect();
            anyhow::anyhow!("rules of {}: {}", self.name, all.join("; "))
        })?;
        let (mut tracker, mut engine) = (Tracker::new(settings.clone()), RuleEngine::new(rules));
        let mut events = Vec::new();
        for (frame, detections) in self.frames() {
            let at = self.info.at(frame);
            let tracks = tracker.update(at, self.info.size, detections);
            let episodes = engine.update(at, self.info.size, tracks);
            events.extend(episodes.iter().filter_map(|episode| Event::raised(&self.name, episode)));
        }
        Ok(events)
    }

    /// Its path.
    pub(super) fn folder(&self) -> &Path {
        &self.folder
    }

    fn frames(&self) -> impl Iterator<Item = (u32, &[Detection])> {
        let frames = (1..=self.info.frames).zip(self.detections.iter().map(Vec::as_slice));
        frames.step_by(self.every as usize)
    }
}

/// Reads a text file; an error names it.
pub(super) fn read<T, E>(path: &Path, parse: impl FnOnce(&str) -> Result<T, E>) -> anyhow::Result<T>
where
    E: std::error::Error + Send + Sync + 'static,
{
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    parse(&text).with_context(|| path.display().to_string())
}

fn detection(row: &MotRow, class: ObjectClass) -> Detection {
    let MotBox { left, top, width, height } = row.bbox;
    let bbox = PixelBox::new(left as f32, top as f32, width as f32, height as f32);
    // Some files have scores above 1 or below 0; only their order counts then.
    let score = Score::new(row.confidence.clamp(0.0, 1.0) as f32);
    Detection { class, score: score.expect("a finite number was held within 0 to 1"), bbox }
}

/// Detections as written by `vedette export`: one frame per line, in order, the first one frame 1.
fn exported(path: &Path, info: &SequenceInfo) -> anyhow::Result<Vec<Vec<Detection>>> {
    let text = fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let mut frames = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let record = record_line::from_line(line).with_context(|| format!("{}, line {}", path.display(), index + 1))?;
        let (size, detections) = match record.body {
            RecordBody::Processed(frame) => (Some(frame.frame), frame.detections),
            RecordBody::AccountOnly(only) => (only.frame, Vec::new()),
            RecordBody::SignalLoss(_) => (None, Vec::new()),
        };
        match size {
            Some(size) if size == info.size => frames.push(detections),
            Some(size) => bail!(
                "{}, line {}: the frame is {}x{}, seqinfo.ini says {}x{}",
                path.display(),
                index + 1,
                size.width,
                size.height,
                info.size.width,
                info.size.height
            ),
            None => bail!("{}, line {}: no frame in the line, but one in seqinfo.ini", path.display(), index + 1),
        }
    }
    if frames.len() > info.frames as usize {
        bail!("{} contains {} frames, seqinfo.ini {}", path.display(), frames.len(), info.frames);
    }
    frames.resize(info.frames as usize, Vec::new());
    Ok(frames)
}
