//! The columns of records: one for each field, with differences to the record before instead of values.

use vedette_core::{
    AccountOnly, CameraId, CameraRecord, FrameAccount, FrameAt, FrameSize, ModelRef, ProcessedFrame, Quality,
    RecordBody, ShedRange, ShedReason, SignalLossReason, Span, StageLatency, Timestamp, VideoRef,
};

use crate::bytes::{Cursor, put, put_bytes, put_signed};
use crate::error::Damage;

/// Names the columns; each is a byte string of its own.
macro_rules! columns {
    ($($name:ident),+ $(,)?) => {
        /// The columns being written.
        #[derive(Default)]
        struct Written { $($name: Vec<u8>,)+ }

        impl Written {
            fn finish(&self, out: &mut Vec<u8>) {
                $(put_bytes(out, &self.$name);)+
            }
        }

        /// The columns being read.
        struct Read<'a> { $($name: Cursor<'a>,)+ }

        impl<'a> Read<'a> {
            fn new(from: &mut Cursor<'a>) -> Result<Self, Damage> {
                $(let $name = Cursor::new(from.bytes()?);)+
                Ok(Self { $($name,)+ })
            }

            fn is_at_end(&self) -> bool {
                $(self.$name.is_at_end() &&)+ true
            }
        }
    };
}

columns! {
    flags, epoch, sequence, captured, model, size, lost, partition, offset, unit, chunk, decode, wait, inference, previous, shed,
    reason, boxes,
}

/// The kind of a record, in the lowest two bits.
const KIND: u64 = 3;
const PROCESSED: u64 = 0;
const ACCOUNT_ONLY: u64 = 1;
const SIGNAL_LOSS: u64 = 2;

const NO_SIZE: u64 = 1 << 2;
const CLOCK_DRIFT: u64 = 1 << 3;
const DEGRADED: u64 = 1 << 4;
const CORRUPT: u64 = 1 << 5;
const VIDEO: u64 = 1 << 6;
const LATENCY: u64 = 1 << 7;
const ACCOUNT: u64 = 1 << 8;
const PREVIOUS: u64 = 1 << 9;
const PICTURE: u64 = 1 << 10;

/// A flag if something is there.
fn flag(is_there: bool, flag: u64) -> u64 {
    if is_there { flag } else { 0 }
}

/// Values of the record before, from which differences are taken.
#[derive(Default)]
struct Before {
    epoch: u64,
    sequence: u64,
    captured: i64,
    /// Between the captures of the two records before.
    interval: i64,
    partition: u64,
    offset: u64,
}

/// Writes records of one camera.
#[derive(Default)]
pub(crate) struct ColumnsWriter {
    columns: Written,
    models: Vec<ModelRef>,
    sizes: Vec<FrameSize>,
    before: Before,
}

impl ColumnsWriter {
    pub(crate) fn push(&mut self, record: &CameraRecord) {
        let FrameAt { epoch, sequence, captured } = record.at;
        let (columns, before) = (&mut self.columns, &mut self.before);
        put_signed(&mut columns.epoch, epoch.wrapping_sub(before.epoch) as i64);
        put_signed(&mut columns.sequence, sequence.wrapping_sub(before.sequence.wrapping_add(1)) as i64);
        let interval = captured.as_micros().wrapping_sub(before.captured);
        put_signed(&mut columns.captured, interval.wrapping_sub(before.interval));
        (before.epoch, before.sequence) = (epoch, sequence);
        (before.captured, before.interval) = (captured.as_micros(), interval);
        put(&mut columns.model, index_in(&mut self.models, &record.model));
        match &record.body {
            RecordBody::Processed(frame) => self.push_frame(record.at, frame),
            RecordBody::AccountOnly(only) => {
                let account = ACCOUNT | flag(only.account.previous.is_some(), PREVIOUS);
                put(&mut columns.flags, ACCOUNT_ONLY | account | flag(only.frame.is_none(), NO_SIZE));
                if let Some(size) = &only.frame {
                    put(&mut columns.size, index_in(&mut self.sizes, size));
                }
                push_account(columns, sequence, &only.account);
            }
            RecordBody::SignalLoss(reason) => {
                put(&mut columns.flags, SIGNAL_LOSS);
                columns.reason.push(reason.number());
            }
        }
    }

    fn push_frame(&mut self, at: FrameAt, frame: &ProcessedFrame) {
        let ProcessedFrame { frame: size, detections, quality, video, latency, account, picture } = frame;
        let columns = &mut self.columns;
        let has_previous = account.as_ref().is_some_and(|account| account.previous.is_some());
        let of_quality =
            flag(quality.clock_drift, CLOCK_DRIFT) | flag(quality.degraded, DEGRADED) | flag(quality.corrupt, CORRUPT);
        let of_parts =
            flag(video.is_some(), VIDEO) | flag(latency.is_some(), LATENCY) | flag(picture.is_some(), PICTURE);
        let of_account = flag(account.is_some(), ACCOUNT) | flag(has_previous, PREVIOUS);
        put(&mut columns.flags, PROCESSED | of_quality | of_parts | of_account);
        put(&mut columns.size, index_in(&mut self.sizes, size));
        put(&mut columns.boxes, detections.len() as u64);
        put(&mut columns.lost, u64::from(quality.shed_frames));
        if let Some(VideoRef { partition, offset, sequence }) = *video {
            let before = &mut self.before;
            put_signed(&mut columns.partition, u64::from(partition).wrapping_sub(before.partition) as i64);
            put_signed(&mut columns.offset, offset.wrapping_sub(before.offset) as i64);
            put_signed(&mut columns.unit, sequence.wrapping_sub(at.sequence) as i64);
            (before.partition, before.offset) = (u64::from(partition), offset);
        }
        if let Some(StageLatency { chunk, decode, wait, inference }) = *latency {
            put_signed(&mut columns.chunk, chunk.as_micros());
            put_signed(&mut columns.decode, decode.as_micros());
            put_signed(&mut columns.wait, wait.as_micros());
            put_signed(&mut columns.inference, inference.as_micros());
        }
        if let Some(account) = account {
            push_account(columns, at.sequence, account);
        }
    }

    pub(crate) fn finish(self) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, self.models.len() as u64);
        for ModelRef { name, version } in &self.models {
            put_bytes(&mut out, name.as_bytes());
            put_bytes(&mut out, version.as_bytes());
        }
        put(&mut out, self.sizes.len() as u64);
        for FrameSize { width, height } in &self.sizes {
            put(&mut out, u64::from(*width));
            put(&mut out, u64::from(*height));
        }
        self.columns.finish(&mut out);
        out
    }
}

/// The index of a value, which is added if it is new.
fn index_in<T: Clone + PartialEq>(values: &mut Vec<T>, value: &T) -> u64 {
    let index = values.iter().position(|known| known == value).unwrap_or_else(|| {
        values.push(value.clone());
        values.len() - 1
    });
    index as u64
}

fn push_account(columns: &mut Written, sequence: u64, account: &FrameAccount) {
    if let Some(previous) = account.previous {
        put_signed(&mut columns.previous, sequence.wrapping_sub(previous) as i64);
    }
    put(&mut columns.shed, account.shed.len() as u64);
    let mut next = account.previous.map_or(0, |previous| previous.wrapping_add(1));
    for ShedRange { first, count, reason } in &account.shed {
        put_signed(&mut columns.shed, first.wrapping_sub(next) as i64);
        put(&mut columns.shed, *count);
        columns.shed.push(reason.number());
        next = first.wrapping_add(*count);
    }
}

/// A record without what other columns hold: its detections are counted, and its picture is announced.
pub(crate) struct Row {
    pub(crate) record: CameraRecord,
    pub(crate) boxes: usize,
    pub(crate) has_picture: bool,
}

/// Reads records.
pub(crate) struct ColumnsReader<'a> {
    camera: CameraId,
    columns: Read<'a>,
    models: Vec<ModelRef>,
    sizes: Vec<FrameSize>,
    before: Before,
}

impl<'a> ColumnsReader<'a> {
    pub(crate) fn new(bytes: &'a [u8], camera: &CameraId) -> Result<Self, Damage> {
        let mut from = Cursor::new(bytes);
        let (mut models, mut sizes) = (Vec::new(), Vec::new());
        for _ in 0..from.size("count")? {
            models.push(ModelRef { name: from.text()?.to_owned(), version: from.text()?.to_owned() });
        }
        for _ in 0..from.size("count")? {
            let mut side = || u32::try_from(from.number()?).map_err(|_| Damage::Value("frame size"));
            sizes.push(FrameSize { width: side()?, height: side()? });
        }
        let (camera, columns, before) = (camera.clone(), Read::new(&mut from)?, Before::default());
        Ok(Self { camera, columns, models, sizes, before })
    }

    /// Whether every record was read.
    pub(crate) fn is_at_end(&self) -> bool {
        self.columns.is_at_end()
    }

    pub(crate) fn next(&mut self) -> Result<Row, Damage> {
        let (columns, before) = (&mut self.columns, &mut self.before);
        let flags = columns.flags.number()?;
        let epoch = before.epoch.wrapping_add(columns.epoch.signed()? as u64);
        let sequence = before.sequence.wrapping_add(1).wrapping_add(columns.sequence.signed()? as u64);
        let interval = before.interval.wrapping_add(columns.captured.signed()?);
        let captured = before.captured.wrapping_add(interval);
        (before.epoch, before.sequence, before.captured, before.interval) = (epoch, sequence, captured, interval);
        let model = columns.model.size("model")?;
        let model = self.models.get(model).cloned().ok_or(Damage::Value("model"))?;
        let at = FrameAt { epoch, sequence, captured: Timestamp::from_micros(captured) };
        let mut boxes = 0;
        let body = match flags & KIND {
            PROCESSED => {
                boxes = self.columns.boxes.size("count of detections")?;
                RecordBody::Processed(self.frame(at, flags)?)
            }
            ACCOUNT_ONLY => {
                let frame = if flags & NO_SIZE == 0 { Some(self.size()?) } else { None };
                let account = self.account(at, flags)?.ok_or(Damage::Value("frame accounting"))?;
                RecordBody::AccountOnly(AccountOnly { account, frame })
            }
            SIGNAL_LOSS => {
                let reason = self.columns.reason.take(1)?;
                RecordBody::SignalLoss(SignalLossReason::from_number(i32::from(reason[0])))
            }
            _ => return Err(Damage::Value("kind of record")),
        };
        let record = CameraRecord { camera: self.camera.clone(), at, model, body };
        Ok(Row { record, boxes, has_picture: flags & PICTURE != 0 })
    }

    fn size(&mut self) -> Result<FrameSize, Damage> {
        let index = self.columns.size.size("frame size")?;
        self.sizes.get(index).copied().ok_or(Damage::Value("frame size"))
    }

    fn frame(&mut self, at: FrameAt, flags: u64) -> Result<ProcessedFrame, Damage> {
        let has = |flag| flags & flag != 0;
        let frame = self.size()?;
        let lost = u32::try_from(self.columns.lost.number()?).map_err(|_| Damage::Value("count of lost frames"))?;
        let quality = Quality {
            clock_drift: has(CLOCK_DRIFT),
            degraded: has(DEGRADED),
            corrupt: has(CORRUPT),
            shed_frames: lost,
        };
        let video = if has(VIDEO) { Some(self.video(at)?) } else { None };
        let latency = if has(LATENCY) { Some(self.latency()?) } else { None };
        let account = self.account(at, flags)?;
        Ok(ProcessedFrame { frame, detections: Vec::new(), quality, video, latency, account, picture: None })
    }

    fn video(&mut self, at: FrameAt) -> Result<VideoRef, Damage> {
        let (columns, before) = (&mut self.columns, &mut self.before);
        before.partition = before.partition.wrapping_add(columns.partition.signed()? as u64);
        before.offset = before.offset.wrapping_add(columns.offset.signed()? as u64);
        Ok(VideoRef {
            partition: u32::try_from(before.partition).map_err(|_| Damage::Value("partition"))?,
            offset: before.offset,
            sequence: at.sequence.wrapping_add(columns.unit.signed()? as u64),
        })
    }

    fn latency(&mut self) -> Result<StageLatency, Damage> {
        let Read { chunk, decode, wait, inference, .. } = &mut self.columns;
        let read = |column: &mut Cursor<'_>| column.signed().map(Span::from_micros);
        Ok(StageLatency { chunk: read(chunk)?, decode: read(decode)?, wait: read(wait)?, inference: read(inference)? })
    }

    fn account(&mut self, at: FrameAt, flags: u64) -> Result<Option<FrameAccount>, Damage> {
        if flags & ACCOUNT == 0 {
            return Ok(None);
        }
        let columns = &mut self.columns;
        let previous = match flags & PREVIOUS {
            0 => None,
            _ => Some(at.sequence.wrapping_sub(columns.previous.signed()? as u64)),
        };
        let mut next = previous.map_or(0, |previous| previous.wrapping_add(1));
        let mut shed = Vec::new();
        for _ in 0..columns.shed.number()? {
            let first = next.wrapping_add(columns.shed.signed()? as u64);
            let count = columns.shed.number()?;
            let reason = ShedReason::from_number(columns.shed.take(1)?[0]).ok_or(Damage::Value("reason"))?;
            shed.push(ShedRange { first, count, reason });
            next = first.wrapping_add(count);
        }
        Ok(Some(FrameAccount { previous, shed }))
    }
}
