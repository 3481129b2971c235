use std::ops::Range;
use std::path::Path;

use tantivy::directory::OwnedBytes;
use zerocopy::little_endian::{U32, U64};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

use super::layout::{ALIGNMENT, Entry, FORMAT, HEADER, Header, MAGIC, SECTIONS, Section};

/// Why a base cannot be opened.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum OpenError {
    #[error("cannot read the address base `{path}`: {source}")]
    Io { path: std::path::PathBuf, source: std::io::Error },
    #[error("this is not an address base (it does not begin with `VEDETADR`); build one from the city's files first")]
    Magic,
    #[error(
        "the address base has format {found}, this program reads format {wanted}; build it again with this program"
    )]
    Format { found: u32, wanted: u32 },
    #[error("the address base has {found} bytes instead of {wanted}; copy it again, it was cut or extended")]
    Length { found: u64, wanted: u64 },
    #[error("the address base was altered: its {part} does not match its checksum; copy or build it again")]
    Checksum { part: String },
    #[error("the address base cannot be read although its checksums are right ({0}); build it again with this program")]
    Content(String),
}

/// A base's bytes, mapped from a file or held in memory, with the offsets of its sections.
#[derive(Debug)]
pub(crate) struct Image {
    bytes: OwnedBytes,
    sections: [Range<usize>; SECTIONS],
    hash: [u8; 32],
}

impl Image {
    /// Maps a file. All processes that have it open share its pages.
    #[expect(
        unsafe_code,
        reason = "mapping a file is sound while nobody shortens it; bases are written under a new name and renamed"
    )]
    pub(crate) fn map(path: &Path) -> Result<Self, OpenError> {
        let io = |source| OpenError::Io { path: path.to_owned(), source };
        let file = std::fs::File::open(path).map_err(io)?;
        if file.metadata().map_err(io)?.len() < HEADER as u64 {
            return Self::of(OwnedBytes::new(std::fs::read(path).map_err(io)?));
        }
        // SAFETY: see the reason above; every access goes through checked slices.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(io)?;
        Self::of(OwnedBytes::new(map))
    }

    pub(crate) fn owned(bytes: Vec<u8>) -> Result<Self, OpenError> {
        Self::of(OwnedBytes::new(bytes))
    }

    /// Checks the header and every section's checksum, at about 10 GB/s on processors with a CRC instruction.
    fn of(bytes: OwnedBytes) -> Result<Self, OpenError> {
        let all = bytes.as_slice();
        if !all.starts_with(&MAGIC) {
            return Err(OpenError::Magic);
        }
        let found = all.get(8..12).and_then(|format| format.try_into().ok()).map(u32::from_le_bytes);
        let cut = |wanted| OpenError::Length { found: all.len() as u64, wanted };
        match found {
            Some(FORMAT) => {}
            Some(found) => return Err(OpenError::Format { found, wanted: FORMAT }),
            None => return Err(cut(HEADER as u64)),
        }
        let (header, _) = Header::read_from_prefix(all).map_err(|_| cut(HEADER as u64))?;
        let altered = |part: &str| OpenError::Checksum { part: part.to_owned() };
        let unsigned = Header { crc: U32::ZERO, ..header };
        if crc32fast::hash(unsigned.as_bytes()) != header.crc.get() {
            return Err(altered("header"));
        }
        if header.length.get() != all.len() as u64 {
            return Err(cut(header.length.get()));
        }
        let mut sections = [const { 0..0 }; SECTIONS];
        for (number, entry) in header.sections.iter().enumerate() {
            let range = usize::try_from(entry.offset.get()).ok().and_then(|from| {
                let to = from.checked_add(usize::try_from(entry.length.get()).ok()?)?;
                (to <= all.len()).then_some(from..to)
            });
            let Some(range) = range else {
                return Err(OpenError::Content(format!("section {number} lies outside the file")));
            };
            sections[number] = range;
        }
        if let Some(number) = first_altered(all, &sections, &header.sections) {
            return Err(altered(&format!("section {number}")));
        }
        Ok(Self { hash: header.hash, bytes, sections })
    }

    /// The bytes of a section.
    pub(crate) fn section(&self, section: Section) -> &[u8] {
        self.bytes.as_slice().get(self.sections[section as usize].clone()).unwrap_or_default()
    }

    /// The bytes of a section, shared and not copied.
    pub(crate) fn shared(&self, section: Section) -> OwnedBytes {
        self.bytes.slice(self.sections[section as usize].clone())
    }

    /// The records of a section; none when its length is not a multiple of the record size.
    #[inline]
    pub(crate) fn records<T: FromBytes + Immutable + KnownLayout + Unaligned>(&self, section: Section) -> &[T] {
        <[T]>::ref_from_bytes(self.section(section)).unwrap_or_default()
    }

    /// The version: first 16 hexadecimal digits of the hash of the content.
    pub(crate) fn version(&self) -> String {
        crate::hex(&self.hash[..8])
    }

    /// Recomputes the hash of the whole content; slower than the checksums, and safe against forgery.
    pub(crate) fn hash_matches(&self) -> bool {
        let mut hasher = blake3::Hasher::new();
        for range in &self.sections {
            hasher.update(self.bytes.as_slice().get(range.clone()).unwrap_or_default());
        }
        *hasher.finalize().as_bytes() == self.hash
    }
}

/// The first section with a wrong checksum. Two threads share the work, which is most of the time of an open.
fn first_altered(all: &[u8], ranges: &[Range<usize>; SECTIONS], entries: &[Entry; SECTIONS]) -> Option<usize> {
    let wrong = |number: &usize| {
        let bytes = all.get(ranges[*number].clone()).unwrap_or_default();
        crc32fast::hash(bytes) != entries[*number].crc.get()
    };
    // Largest first, each to the half with less so far.
    let mut by_size: Vec<usize> = (0..SECTIONS).collect();
    by_size.sort_by_key(|number| std::cmp::Reverse(ranges[*number].len()));
    let (mut here, mut there, mut ahead) = (Vec::new(), Vec::new(), 0_i64);
    for number in by_size {
        let size = ranges[number].len() as i64;
        if ahead <= 0 {
            here.push(number);
            ahead += size;
        } else {
            there.push(number);
            ahead -= size;
        }
    }
    std::thread::scope(|scope| {
        let other = scope.spawn(|| there.iter().copied().find(|number| wrong(number)));
        let mine = here.iter().copied().find(|number| wrong(number));
        mine.or(other.join().unwrap_or(Some(SECTIONS)))
    })
}

/// Collects sections and concatenates them.
#[derive(Debug, Default)]
pub(crate) struct ImageWriter {
    sections: [Vec<u8>; SECTIONS],
}

impl ImageWriter {
    /// Adds a section.
    pub(crate) fn section(&mut self, section: Section, content: Vec<u8>) {
        self.sections[section as usize] = content;
    }

    /// Adds a section of records.
    pub(crate) fn records<T: IntoBytes + Immutable>(&mut self, section: Section, records: &[T]) {
        self.section(section, records.as_bytes().to_vec());
    }

    /// The whole file.
    pub(crate) fn finish(&self) -> Vec<u8> {
        let size = |section: &Vec<u8>| section.len().next_multiple_of(ALIGNMENT);
        let mut bytes = Vec::with_capacity(HEADER + ALIGNMENT + self.sections.iter().map(size).sum::<usize>());
        bytes.resize(HEADER, 0);
        let mut hasher = blake3::Hasher::new();
        let entries = self.sections.each_ref().map(|content| {
            bytes.resize(bytes.len().next_multiple_of(ALIGNMENT), 0);
            let offset = U64::new(bytes.len() as u64);
            hasher.update(content);
            bytes.extend_from_slice(content);
            Entry { offset, length: U64::new(content.len() as u64), crc: U32::new(crc32fast::hash(content)) }
        });
        let mut header = Header {
            magic: MAGIC,
            format: U32::new(FORMAT),
            crc: U32::ZERO,
            length: U64::new(bytes.len() as u64),
            hash: *hasher.finalize().as_bytes(),
            sections: entries,
        };
        header.crc = U32::new(crc32fast::hash(header.as_bytes()));
        bytes[..HEADER].copy_from_slice(header.as_bytes());
        bytes
    }
}
