//! Tracks of consecutive frames as columns, each with differences to the frame before.

use std::ops::Range;

use vedette_core::{FrameAt, ObjectClass, PixelBox, Score, Timestamp, Track, TrackId};

use crate::bytes::{Cursor, put, put_bytes, put_signed};
use crate::error::Damage;
use crate::planes;
use crate::streams::{Packer, Unpacker};

/// The first bytes of a file of tracks; the last one is the version of the format.
const MAGIC: [u8; 8] = *b"VdTrack\x01";
/// Columns of numbers of 32 bits: score, left, top, width, height.
const NUMBERS: usize = 5;

/// Identity of what tracks were made from: the detections, the state before them, the settings, the camera.
pub type TracksKey = [u8; 32];

/// The tracks of a part of the records, with the states of the analysis before and after them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartTracks {
    /// What they were made from.
    pub key: TracksKey,
    /// The state before the first record; none where the camera began there.
    pub before: Option<Vec<u8>>,
    /// The state after the last record.
    pub after: Vec<u8>,
    /// See [`TracksWriter::finish`].
    pub tracks: Vec<u8>,
}

impl PartTracks {
    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut packer = Packer::new();
        packer.stream(self.before.as_deref().unwrap_or_default());
        packer.stream(&self.after);
        let states = packer.finish();
        let mut body = vec![u8::from(self.before.is_some())];
        put_bytes(&mut body, &states);
        body.extend_from_slice(&self.tracks);
        let checksum = blake3::hash(&[&self.key[..], &body].concat());
        [&MAGIC[..], &self.key, checksum.as_bytes(), &body].concat()
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let mut from = Cursor::new(bytes);
        if from.take(MAGIC.len())? != MAGIC {
            return Err(Damage::Format);
        }
        let key: TracksKey = from.take(32)?.try_into().map_err(|_| Damage::Short)?;
        let checksum = from.take(32)?;
        let body = &bytes[MAGIC.len() + 64..];
        if blake3::hash(&[&key[..], body].concat()).as_bytes() != checksum {
            return Err(Damage::Checksum);
        }
        let has_state = from.take(1)?[0] != 0;
        let mut states = Cursor::new(from.bytes()?);
        let mut unpacker = Unpacker::new()?;
        let (before, after) = (unpacker.stream(&mut states)?, unpacker.stream(&mut states)?);
        let tracks = from.rest().to_vec();
        Ok(Self { key, before: has_state.then_some(before), after, tracks })
    }
}

/// Collects the tracks of one frame after the other. A frame without tracks need not be pushed.
#[derive(Default)]
pub struct TracksWriter {
    count: u64,
    frames: Vec<u8>,
    tracks: Vec<u8>,
    numbers: [Vec<u32>; NUMBERS],
    before: Before,
}

/// The frame before.
#[derive(Default)]
struct Before {
    epoch: u64,
    sequence: u64,
    captured: i64,
    tracks: Vec<Track>,
}

impl TracksWriter {
    /// Appends a frame; its tracks have ascending ids, as the tracker gives them.
    pub fn push(&mut self, at: FrameAt, tracks: &[Track]) {
        let Self { count, frames, numbers, before, .. } = self;
        *count += 1;
        put_signed(frames, at.epoch.wrapping_sub(before.epoch) as i64);
        put_signed(frames, at.sequence.wrapping_sub(before.sequence) as i64);
        put_signed(frames, at.captured.as_micros().wrapping_sub(before.captured));
        put(frames, tracks.len() as u64);
        let (mut known, mut id) = (Known::default(), 0);
        for track in tracks {
            put_signed(&mut self.tracks, track.id.0.wrapping_sub(id) as i64);
            id = track.id.0;
            let guess = known.guess(&before.tracks, track.id, at.captured);
            self.tracks.push(track.class.number());
            put_signed(&mut self.tracks, since(track.first_seen, guess.first_seen));
            put_signed(&mut self.tracks, since(track.last_seen, at.captured));
            put_signed(&mut self.tracks, i64::from(track.hits) - i64::from(guess.hits) - 1);
            for ((column, now), then) in numbers.iter_mut().zip(bits(track)).zip(guess.bits) {
                column.push(now ^ then);
            }
        }
        before.tracks.clear();
        before.tracks.extend_from_slice(tracks);
        (before.epoch, before.sequence, before.captured) = (at.epoch, at.sequence, at.captured.as_micros());
    }

    /// The bytes, compressed.
    #[must_use]
    pub fn finish(self) -> Vec<u8> {
        let mut out = Vec::new();
        put(&mut out, self.count);
        put(&mut out, self.numbers[0].len() as u64);
        let mut packer = Packer::new();
        packer.stream(&self.frames);
        packer.stream(&self.tracks);
        self.numbers.iter().for_each(|column| planes::pack(column, &mut packer));
        out.extend(packer.finish());
        out
    }
}

fn since(time: Timestamp, earlier: Timestamp) -> i64 {
    time.as_micros().wrapping_sub(earlier.as_micros())
}

fn bits(track: &Track) -> [u32; NUMBERS] {
    let PixelBox { x, y, width, height } = track.bbox;
    [track.score.get(), x, y, width, height].map(f32::to_bits)
}

/// What a track is expected to be, by the frame before.
struct Guess {
    first_seen: Timestamp,
    hits: u32,
    bits: [u32; NUMBERS],
}

/// Walks through the tracks of the frame before, in step with those of this one.
#[derive(Default)]
struct Known(usize);

impl Known {
    fn guess(&mut self, before: &[Track], id: TrackId, captured: Timestamp) -> Guess {
        while before.get(self.0).is_some_and(|track| track.id < id) {
            self.0 += 1;
        }
        match before.get(self.0).filter(|track| track.id == id) {
            Some(track) => Guess { first_seen: track.first_seen, hits: track.hits, bits: bits(track) },
            None => Guess { first_seen: captured, hits: 0, bits: [0; NUMBERS] },
        }
    }
}

/// The tracks of frames, in their order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct FrameTracks {
    frames: Vec<((u64, u64), Range<u32>)>,
    tracks: Vec<Track>,
}

impl FrameTracks {
    /// Reads what [`TracksWriter::finish`] wrote.
    ///
    /// # Errors
    /// When the bytes are damaged.
    pub fn decode(bytes: &[u8]) -> Result<Self, Damage> {
        let mut from = Cursor::new(bytes);
        let (frames, count) = (from.number()?, from.size("count")?);
        let mut unpacker = Unpacker::new()?;
        let (columns, rows) = (unpacker.stream(&mut from)?, unpacker.stream(&mut from)?);
        let mut column = || planes::unpack(&mut unpacker, &mut from, count);
        let numbers = [column()?, column()?, column()?, column()?, column()?];
        let mut read = Self { frames: Vec::new(), tracks: Vec::with_capacity(count) };
        let (mut columns, mut rows) = (Cursor::new(&columns), Cursor::new(&rows));
        let (mut epoch, mut sequence, mut captured, mut before) = (0_u64, 0_u64, 0_i64, 0..0);
        for _ in 0..frames {
            epoch = epoch.wrapping_add(columns.signed()? as u64);
            sequence = sequence.wrapping_add(columns.signed()? as u64);
            captured = captured.wrapping_add(columns.signed()?);
            let begin = read.tracks.len();
            let (mut known, mut id) = (Known::default(), 0_u64);
            for _ in 0..columns.number()? {
                id = id.wrapping_add(rows.signed()? as u64);
                let captured = Timestamp::from_micros(captured);
                let guess = known.guess(&read.tracks[before.clone()], TrackId(id), captured);
                let index = read.tracks.len();
                let mut bits = guess.bits;
                for (bits, column) in bits.iter_mut().zip(&numbers) {
                    *bits ^= column.get(index).ok_or(Damage::Short)?;
                }
                read.tracks.push(track(TrackId(id), &guess, bits, captured, &mut rows)?);
            }
            before = begin..read.tracks.len();
            let end = u32::try_from(before.end).map_err(|_| Damage::Value("count"))?;
            read.frames.push(((epoch, sequence), begin as u32..end));
        }
        if read.tracks.len() == count { Ok(read) } else { Err(Damage::Value("count")) }
    }

    /// Leaves out the tracks of frames, each with its session and number.
    pub fn retain(&mut self, keep: impl Fn(&(u64, u64)) -> bool) {
        self.frames.retain(|(frame, _)| keep(frame));
    }

    /// Adds the tracks of later frames.
    pub fn append(&mut self, later: Self) {
        let begin = self.tracks.len() as u32;
        self.frames.extend(later.frames.into_iter().map(|(frame, at)| (frame, at.start + begin..at.end + begin)));
        self.tracks.extend(later.tracks);
    }

    /// The memory that they take.
    #[must_use]
    pub fn bytes(&self) -> usize {
        size_of_val(&self.frames[..]) + size_of_val(&self.tracks[..])
    }

    /// The tracks of each frame, with its session and number, in the order of the analysis.
    pub fn iter(&self) -> impl Iterator<Item = ((u64, u64), &[Track])> {
        self.frames.iter().map(|(frame, at)| (*frame, &self.tracks[at.start as usize..at.end as usize]))
    }

    /// Hands out the tracks of one frame after the other.
    #[must_use]
    pub fn frames(&self) -> TracksCursor<'_> {
        TracksCursor { of: self, next: 0 }
    }
}

fn track(
    id: TrackId,
    guess: &Guess,
    bits: [u32; NUMBERS],
    captured: Timestamp,
    rows: &mut Cursor<'_>,
) -> Result<Track, Damage> {
    let class = ObjectClass::from_number(u32::from(rows.take(1)?[0])).ok_or(Damage::Value("class"))?;
    let mut time = |than: Timestamp| {
        let micros = than.as_micros().wrapping_add(rows.signed()?);
        Ok(Timestamp::from_micros(micros))
    };
    let (first_seen, last_seen) = (time(guess.first_seen)?, time(captured)?);
    let hits = rows.signed()?.wrapping_add(1).wrapping_add(i64::from(guess.hits));
    let hits = u32::try_from(hits).map_err(|_| Damage::Value("count"))?;
    let [score, x, y, width, height] = bits.map(f32::from_bits);
    let score = Score::new(score).map_err(|_| Damage::Value("score"))?;
    Ok(Track { id, class, score, bbox: PixelBox { x, y, width, height }, first_seen, last_seen, hits })
}

/// Hands out the tracks of frames, which are asked for in their order.
#[derive(Debug, Clone)]
pub struct TracksCursor<'a> {
    of: &'a FrameTracks,
    next: usize,
}

impl<'a> TracksCursor<'a> {
    /// The tracks of a frame; none of one that has none.
    pub fn of(&mut self, at: FrameAt) -> &'a [Track] {
        let Some(((epoch, sequence), range)) = self.of.frames.get(self.next) else { return &[] };
        if (*epoch, *sequence) != (at.epoch, at.sequence) {
            return &[];
        }
        self.next += 1;
        &self.of.tracks[range.start as usize..range.end as usize]
    }

    /// Whether every frame was asked for.
    #[must_use]
    pub fn is_at_end(&self) -> bool {
        self.next == self.of.frames.len()
    }
}
