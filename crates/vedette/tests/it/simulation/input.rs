//! Recorded video of three cameras, with what goes wrong in streams: a signal that is lost for a while, a chunk that cannot be
//! decoded, one that never came.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use vedette::config::{load_cameras, load_policies};
use vedette_address::AddressBase;
use vedette_analysis::{CameraAnalysis, Serving, record_line};
use vedette_bus::partition_of;
use vedette_core::{
    AccessUnit, Camera, CameraId, CameraRecord, Codec, Condition, Display, FrameAccount, FrameAt, FrameCounts,
    FrameSize, ModelRef, Params, Policy, ProcessedFrame, RecordBody, Rule, RuleId, RuleKind, Score, ScoreBand,
    ShedRange, ShedReason, SignalLoss, SignalLossReason, Span, Timestamp, VideoChunk, VideoRef,
};
use vedette_stages::registry::Registry;
use vedette_wire::{PublishedChunk, VideoRecord, encode_alert};

use super::check::Outcome;
use super::recorded_backend::{POISON, unit};

/// Partitions of each topic.
pub(crate) const PARTITIONS: u32 = 4;
const FRAMES: usize = 320;
const IN_CHUNK: usize = 5;
const PARTS: usize = 4;
/// The epoch in which the signal that was lost is back; those between are of the seconds in which it was not.
const RECONNECTED: u64 = 20;
/// For how long it was lost.
const LOST_FOR: Span = Span::from_secs(20);

/// What was recorded.
pub(crate) struct Input {
    pub(crate) cameras: Vec<Camera>,
    pub(crate) policies: Vec<Policy>,
    pub(crate) base: Arc<AddressBase>,
    /// The video of each camera, in order.
    pub(crate) video: BTreeMap<CameraId, Vec<VideoRecord>>,
    model: ModelRef,
    frames: Vec<(Timestamp, ProcessedFrame)>,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// A policy that is changed twice while the video runs: scores are lower for a while, then it is what it was.
fn changes(policy: Policy, start: Timestamp) -> Vec<Policy> {
    let low = Score::new(0.2).unwrap();
    let at = |secs| start + Span::from_secs(secs);
    let mut loose = Policy { version: policy.version + 1, effective_from: at(9), ..policy.clone() };
    for rule in &mut loose.rules {
        rule.score = ScoreBand { enter: low, stay: low };
    }
    let undone = Policy { version: policy.version + 2, effective_from: at(21), ..policy.clone() };
    vec![policy, loose, undone]
}

impl Input {
    pub(crate) fn recorded() -> Self {
        let demo = root().join("deploy/demo");
        let cameras = load_cameras(&demo.join("cameras.toml")).unwrap();
        let mut policies = load_policies(&demo.join("policies.toml"), &cameras).unwrap();
        let rules = &mut policies[0].rules;
        let condition =
            Condition { kind: RuleKind::named("offline"), params: Params::default().with("after", Span::from_secs(5)) };
        rules.push(Rule { id: RuleId::new("offline").unwrap(), condition, ..rules[0].clone() });
        let base = Arc::new(AddressBase::open(demo.join("address.base")).unwrap());
        let text = std::fs::read_to_string(root().join("tests/golden/vtest-detections.jsonl")).unwrap();
        let records: Vec<CameraRecord> =
            text.lines().take(FRAMES).map(|line| record_line::from_line(line).unwrap()).collect();
        let model = records[0].model.clone();
        let frames: Vec<_> =
            records.iter().map(|record| (record.at.captured, record.processed().unwrap().clone())).collect();
        policies = changes(policies.remove(0), frames[0].0);
        let camera = |name: &str| Camera { id: CameraId::new(name).unwrap(), ..cameras[0].clone() };
        // Two on one partition, one alone.
        let cameras = ["sim-0", "sim-1", "sim-2"].map(camera).to_vec();
        let mut input = Self { cameras, policies, base, video: BTreeMap::new(), model, frames };
        let video = (0..).zip(&input.cameras).map(|(number, camera)| (camera.id.clone(), input.stream(number, camera)));
        input.video = video.collect();
        input
    }

    fn stream(&self, number: usize, camera: &Camera) -> Vec<VideoRecord> {
        let mut chunks = Vec::new();
        // The signal of the second camera is lost for a while; then it connects anew.
        let lost_at = if number == 1 { 130 } else { FRAMES };
        let (before, after) = self.frames.split_at(lost_at);
        for (epoch, absence, frames) in [(1, Span::ZERO, before), (RECONNECTED, LOST_FOR, after)] {
            for (index, frames) in frames.chunks(IN_CHUNK).enumerate() {
                let units = frames.iter().enumerate().map(|(within, (captured, frame))| AccessUnit {
                    data: unit(&frame.detections),
                    captured: *captured + absence,
                    key: index % PARTS == 0 && within == 0,
                });
                chunks.push(VideoChunk {
                    camera: camera.id.clone(),
                    epoch,
                    codec: Codec::H264,
                    frame: frames[0].1.frame,
                    display: Display::default(),
                    gop: (index / PARTS) as u64,
                    part: (index % PARTS) as u32,
                    last: index % PARTS == PARTS - 1,
                    continues: false,
                    first_sequence: (index * IN_CHUNK) as u64,
                    clock_drift: false,
                    units: units.collect(),
                });
            }
        }
        match number {
            0 => drop(chunks.remove(21)),
            2 => chunks[13].units[2].data = POISON.into(),
            _ => {}
        }
        let published = |chunk: VideoChunk| PublishedChunk { published: chunk.units[0].captured, chunk };
        let mut video: Vec<VideoRecord> =
            chunks.into_iter().map(|chunk| VideoRecord::Chunk(published(chunk))).collect();
        if let Some((last, _)) = before.last().filter(|_| number == 1) {
            let loss = |second| SignalLoss {
                camera: camera.id.clone(),
                epoch: 1 + second,
                at: *last + Span::from_secs(second as i64),
                reason: SignalLossReason::Unreachable,
            };
            let reconnected = before.len().div_ceil(IN_CHUNK);
            video.splice(
                reconnected..reconnected,
                (1..RECONNECTED - 1).map(|second| VideoRecord::SignalLoss(loss(second))),
            );
        }
        video
    }

    /// The outcome by the analysis alone, frame by frame.
    pub(crate) fn expected(&self) -> Outcome {
        let mut outcome = Outcome::default();
        for camera in &self.cameras {
            let setups = Registry::of(&self.cameras, &self.policies).entry(&camera.id).unwrap().setups;
            let serving = Serving { setups: &setups, base: &|_| Some(self.base.clone()) };
            let mut analysis = CameraAnalysis::new(Arc::new(camera.clone()), &Default::default()).unwrap();
            for frame in self.frames_of(camera) {
                for alert in analysis.take(&frame, serving).alerts {
                    outcome.note(alert.id, alert.revision, encode_alert(&alert));
                }
            }
            outcome.counts.insert(camera.id.clone(), self.counts(camera));
            outcome.states.insert(camera.id.clone(), analysis.save().unwrap().into());
        }
        outcome.dead_letters = self.dead_letters();
        outcome.close();
        outcome
    }

    /// A record of each frame that can be processed, with what became of those before.
    fn frames_of(&self, camera: &Camera) -> Vec<CameraRecord> {
        let partition = partition_of(camera.id.as_str().as_bytes(), PARTITIONS);
        let recorded: BTreeMap<_, _> = self.frames.iter().map(|(captured, frame)| (*captured, frame)).collect();
        let absence = |epoch| if epoch == RECONNECTED { LOST_FOR } else { Span::ZERO };
        let mut records = Vec::new();
        let (mut group, mut lost, mut account, mut next, mut epoch) = (0, false, FrameAccount::default(), 0, 1);
        for (record, offset) in self.video[&camera.id].iter().zip(self.offsets(camera)) {
            let chunk = match record {
                VideoRecord::Chunk(published) => &published.chunk,
                VideoRecord::Piece(piece) => unreachable!("no recorded unit is that large: {piece:?}"),
                VideoRecord::SignalLoss(loss) => {
                    records.push(CameraRecord::signal_loss(loss.clone(), self.model()));
                    continue;
                }
            };
            if chunk.epoch != epoch {
                (account, next, epoch) = (FrameAccount::default(), 0, chunk.epoch);
            }
            let shed = |account: &mut FrameAccount, first, count, reason| {
                if count > 0 {
                    account.shed.push(ShedRange { first, count, reason });
                }
            };
            let never_came = chunk.first_sequence - next;
            shed(&mut account, next, never_came, ShedReason::NotReceived);
            next = chunk.first_sequence + chunk.units.len() as u64;
            let bad = chunk.units.iter().any(|unit| unit.data == POISON);
            if chunk.part == 0 {
                (group, lost) = (offset, false);
            }
            lost |= chunk.part != 0 && never_came > 0;
            if bad || lost {
                let reason = if bad { ShedReason::DeadLettered } else { ShedReason::NotDecoded };
                shed(&mut account, chunk.first_sequence, chunk.units.len() as u64, reason);
                lost = true;
                continue;
            }
            for (sequence, unit) in (chunk.first_sequence..).zip(&chunk.units) {
                let account =
                    std::mem::replace(&mut account, FrameAccount { previous: Some(sequence), shed: Vec::new() });
                let frame = ProcessedFrame {
                    video: Some(VideoRef { partition, offset: group, sequence }),
                    latency: None,
                    account: Some(account),
                    ..recorded[&(unit.captured - absence(epoch))].clone()
                };
                records.push(CameraRecord {
                    camera: camera.id.clone(),
                    at: FrameAt { epoch, sequence, captured: unit.captured },
                    model: self.model(),
                    body: RecordBody::Processed(frame),
                });
            }
        }
        records
    }

    /// Where the video of a camera lies on its partition: cameras are written one after the other.
    fn offsets(&self, camera: &Camera) -> Vec<u64> {
        let partition = |id: &CameraId| partition_of(id.as_str().as_bytes(), PARTITIONS);
        let before = self.cameras.iter().take_while(|other| other.id != camera.id);
        let before = before.filter(|other| partition(&other.id) == partition(&camera.id));
        let start: usize = before.map(|other| self.video[&other.id].len()).sum();
        (start as u64..).take(self.video[&camera.id].len()).collect()
    }

    /// What became of the frames, by their chunks.
    fn counts(&self, camera: &Camera) -> FrameCounts {
        let mut counts = FrameCounts::default();
        let in_chunk = IN_CHUNK as u64;
        let chunks = self.video[&camera.id].iter().filter_map(|record| record.clone().into_chunk());
        let total: u64 = chunks.map(|chunk| chunk.units.len() as u64).sum();
        match camera.id.as_str() {
            // One chunk never came; the two after it in its group cannot be decoded.
            "sim-0" => {
                counts.add_shed(ShedReason::NotReceived, in_chunk);
                counts.add_shed(ShedReason::NotDecoded, 2 * in_chunk);
                counts.analysed = total - 2 * in_chunk;
            }
            "sim-2" => {
                counts.add_shed(ShedReason::DeadLettered, in_chunk);
                counts.add_shed(ShedReason::NotDecoded, 2 * in_chunk);
                counts.analysed = total - 3 * in_chunk;
            }
            _ => counts.analysed = total,
        }
        counts
    }

    fn dead_letters(&self) -> Vec<(u32, u64)> {
        let camera = &self.cameras[2];
        vec![(partition_of(camera.id.as_str().as_bytes(), PARTITIONS), self.offsets(camera)[13])]
    }

    /// The recorded detections, in order.
    pub(crate) fn frames(&self) -> &[(Timestamp, ProcessedFrame)] {
        &self.frames
    }

    pub(crate) fn frame(&self) -> FrameSize {
        self.frames[0].1.frame
    }

    pub(crate) fn model(&self) -> ModelRef {
        self.model.clone()
    }

    /// Any length of time that video may wait without giving way.
    pub(crate) const fn never() -> Span {
        Span::from_secs(86_400 * 365)
    }
}
