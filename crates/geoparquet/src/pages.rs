//! Pages of a column, checked before their values are decoded: what a file unpacks to is bounded by its own size.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use parquet::basic::Encoding;
use parquet::column::page::{Page, PageMetadata, PageReader};
use parquet::errors::{ParquetError, Result};
use parquet::file::reader::{ChunkReader, Length};

use crate::page_header::PageSizes;

/// Bytes to which any file may unpack.
const ALWAYS: u64 = 64 << 20;
/// Bytes to which a byte of the file may unpack on top of that. Tables of addresses have 10 to 50.
const PER_BYTE: u64 = 250;
/// Bytes in which the header of a page is looked for first.
const HEADER: u64 = 256;
/// Bytes that a cell counts for besides its content.
const CELL: u64 = 8;

/// What a file may still unpack to; shared by the columns.
#[derive(Debug, Clone)]
pub(crate) struct Budget(Arc<AtomicU64>);

impl Budget {
    /// For a file of this length in bytes.
    pub(crate) fn of(length: u64) -> Self {
        Self(Arc::new(AtomicU64::new(ALWAYS.saturating_add(length.saturating_mul(PER_BYTE)))))
    }

    /// Whether that many bytes are left.
    ///
    /// # Errors
    /// When they are not.
    pub(crate) fn holds(&self, bytes: u64) -> std::result::Result<(), String> {
        if bytes <= self.0.load(Ordering::Relaxed) { Ok(()) } else { Err(too_much()) }
    }

    /// Takes bytes of content and a number of cells from it.
    ///
    /// # Errors
    /// When nothing is left.
    pub(crate) fn spend(&self, bytes: u64, cells: u64) -> std::result::Result<(), String> {
        let spent = bytes.saturating_add(cells.saturating_mul(CELL));
        let take = |left: u64| left.checked_sub(spent);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).map(drop).map_err(|_| too_much())
    }
}

fn too_much() -> String {
    format!("unpacks to more than {PER_BYTE} times its size")
}

/// A file that its reader shares with the checks of its pages.
pub(crate) struct Shared<R>(Arc<R>);

impl<R> Shared<R> {
    pub(crate) fn new(source: R) -> Self {
        Self(Arc::new(source))
    }

    pub(crate) fn again(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<R: Length> Length for Shared<R> {
    fn len(&self) -> u64 {
        self.0.len()
    }
}

impl<R: ChunkReader> ChunkReader for Shared<R> {
    type T = R::T;

    fn get_read(&self, start: u64) -> Result<Self::T> {
        self.0.get_read(start)
    }

    fn get_bytes(&self, start: u64, length: usize) -> Result<bytes::Bytes> {
        self.0.get_bytes(start, length)
    }
}

/// Checks what the headers of the pages in a range of the file promise.
///
/// # Errors
/// When the file cannot be read, a header is damaged, or the pages unpack to more than is left.
pub(crate) fn check_headers(
    source: &impl ChunkReader,
    range: std::ops::Range<u64>,
    budget: &Budget,
) -> std::result::Result<(), String> {
    let (mut at, mut unpacked, mut window) = (range.start, 0_u64, HEADER);
    while at < range.end {
        let length = window.min(range.end - at);
        let bytes = source.get_bytes(at, usize::try_from(length).unwrap_or(usize::MAX));
        let bytes = bytes.map_err(|error| error.to_string())?;
        match PageSizes::read(&bytes) {
            Some(PageSizes { header, unpacked: size, packed }) => {
                unpacked = unpacked.saturating_add(size);
                budget.holds(unpacked)?;
                at = at.saturating_add(header).saturating_add(packed);
                window = HEADER;
            }
            // Statistics make headers long.
            None if length < range.end - at => window = window.saturating_mul(16),
            // The reader would walk through a list in it element by element, however many it says there are.
            None => return Err("the header of a page is damaged".to_owned()),
        }
    }
    Ok(())
}

/// A reader of pages that refuses those that promise more values than they have bytes for.
pub(crate) struct Checked {
    pub(crate) pages: Box<dyn PageReader>,
    pub(crate) budget: Budget,
    /// Whether values may be null, so that levels precede them.
    pub(crate) nullable: bool,
}

impl Checked {
    fn check(&self, page: &Page) -> Result<()> {
        let refuse = |why: &str| Err(ParquetError::General(why.to_owned()));
        let length = page.buffer().len();
        self.budget.spend(length as u64, 0).map_err(ParquetError::General)?;
        let values = page.num_values() as usize;
        if let Page::DictionaryPage { .. } = page {
            // Every value of a dictionary has a byte or more.
            return if values <= length {
                Ok(())
            } else {
                refuse("a dictionary promises more values than it has bytes")
            };
        }
        if matches!(page.encoding(), Encoding::DELTA_LENGTH_BYTE_ARRAY | Encoding::DELTA_BYTE_ARRAY) {
            let bytes = self.values_of(page).unwrap_or_default();
            let Some((count, rest)) = delta_block(bytes) else { return refuse("lengths of texts are damaged") };
            let suffixes = if page.encoding() == Encoding::DELTA_BYTE_ARRAY { delta_count(rest) } else { Some(count) };
            if count > values || suffixes.is_none_or(|suffixes| suffixes > values) {
                return refuse("a page promises more texts than it has");
            }
        }
        Ok(())
    }

    /// The values of a page, after its levels.
    fn values_of<'a>(&self, page: &'a Page) -> Option<&'a [u8]> {
        match page {
            Page::DataPageV2 { buf, def_levels_byte_len, rep_levels_byte_len, .. } => {
                buf.get(*def_levels_byte_len as usize + *rep_levels_byte_len as usize..)
            }
            Page::DataPage { buf, .. } if self.nullable => {
                let length = u32::from_le_bytes(*buf.first_chunk()?);
                buf.get(4..)?.get(usize::try_from(length).ok()?..)
            }
            page => Some(page.buffer()),
        }
    }
}

/// A variable-length number, and what follows it.
fn varint(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f).checked_shl(7 * index as u32)?;
        if byte & 0x80 == 0 {
            return Some((value, &bytes[index + 1..]));
        }
    }
    None
}

/// The number of values of a delta-packed block.
fn delta_count(bytes: &[u8]) -> Option<usize> {
    let (_block, bytes) = varint(bytes)?;
    let (_parts, bytes) = varint(bytes)?;
    varint(bytes).and_then(|(count, _)| usize::try_from(count).ok())
}

/// The number of values of delta-packed blocks, and what follows them.
fn delta_block(bytes: &[u8]) -> Option<(usize, &[u8])> {
    let (block, bytes) = varint(bytes)?;
    let (parts, bytes) = varint(bytes)?;
    let (count, bytes) = varint(bytes)?;
    let (_first, mut bytes) = varint(bytes)?;
    let (parts, count) = (usize::try_from(parts).ok()?, usize::try_from(count).ok()?);
    let per_part = usize::try_from(block).ok()?.checked_div(parts)?;
    if per_part == 0 {
        return None;
    }
    let mut left = count.saturating_sub(1);
    while left > 0 {
        let (_least, rest) = varint(bytes)?;
        let (widths, mut rest) = rest.split_at_checked(parts)?;
        for width in widths {
            if left == 0 {
                break;
            }
            rest = rest.get(usize::from(*width).checked_mul(per_part)? / 8..)?;
            left = left.saturating_sub(per_part);
        }
        bytes = rest;
    }
    Some((count, bytes))
}

impl PageReader for Checked {
    fn get_next_page(&mut self) -> Result<Option<Page>> {
        let page = self.pages.get_next_page()?;
        page.iter().try_for_each(|page| self.check(page))?;
        Ok(page)
    }

    fn peek_next_page(&mut self) -> Result<Option<PageMetadata>> {
        self.pages.peek_next_page()
    }

    fn skip_next_page(&mut self) -> Result<()> {
        self.pages.skip_next_page()
    }

    fn at_record_boundary(&mut self) -> Result<bool> {
        self.pages.at_record_boundary()
    }
}

impl Iterator for Checked {
    type Item = Result<Page>;

    fn next(&mut self) -> Option<Self::Item> {
        self.get_next_page().transpose()
    }
}
