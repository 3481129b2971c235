//! The bytes of a text table as UTF-8, whatever encoding they are in.

use std::io::{Error, ErrorKind, Read, Result};
use std::str::FromStr;

use encoding_rs::{Decoder, Encoding, GB18030, UTF_16BE, UTF_16LE};
use memchr::memmem;

/// Bytes read at a time.
const BLOCK: usize = 1 << 18;
/// Bytes from the first that is not ASCII by which an encoding is recognised.
const SAMPLE: usize = 1 << 16;
/// First bytes of files that are no text at all.
const FOREIGN: [(&[u8], &str); 5] = [
    (b"PK\x03\x04", "it is an Excel workbook (.xlsx) or a ZIP archive; save the table as CSV"),
    (b"\xd0\xcf\x11\xe0", "it is an Excel workbook (.xls); save the table as CSV"),
    (b"PAR1", "it is a Parquet file; name it .parquet"),
    (b"\x1f\x8b", "it is compressed with gzip; unpack it first"),
    (b"SQLite format 3\0", "it is a SQLite or GeoPackage file; export its tables as CSV or GeoJSON"),
];

/// Encoding of a text table. A byte order mark takes precedence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TextEncoding {
    /// Recognised by its bytes: UTF-8, UTF-16, or GB 18030 with its subsets GBK and GB 2312.
    #[default]
    Recognised,
    /// UTF-8.
    Utf8,
    /// GB 18030, GBK or GB 2312; a table that is UTF-8 is read as UTF-8 all the same.
    Gb18030,
    /// UTF-16, little endian.
    Utf16Le,
    /// UTF-16, big endian.
    Utf16Be,
}

impl FromStr for TextEncoding {
    type Err = String;

    fn from_str(text: &str) -> std::result::Result<Self, String> {
        Ok(match text.to_ascii_lowercase().as_str() {
            "auto" => Self::Recognised,
            "utf-8" | "utf8" => Self::Utf8,
            "gb18030" | "gb-18030" | "gbk" | "gb2312" | "cp936" => Self::Gb18030,
            "utf-16" | "utf-16le" | "utf16" => Self::Utf16Le,
            "utf-16be" => Self::Utf16Be,
            _ => return Err(format!("`{text}` is not one of auto, utf-8, gb18030, gbk, utf-16, utf-16le, utf-16be")),
        })
    }
}

enum State {
    Start,
    /// Only ASCII so far: the same in UTF-8 and GB 18030.
    Ascii,
    Utf8,
    Other(&'static Encoding, Decoder),
}

/// A source decoded to UTF-8. What cannot be decoded becomes U+FFFD, except in UTF-8, whose bytes come as they are.
pub(super) struct Text<R> {
    source: R,
    told: TextEncoding,
    state: State,
    block: Vec<u8>,
    ended: bool,
}

impl<R: Read> Text<R> {
    pub(super) fn new(source: R, told: TextEncoding) -> Self {
        Self { source, told, state: State::Start, block: Vec::new(), ended: false }
    }

    /// The encoding if it is not UTF-8.
    pub(super) fn foreign(&self) -> Option<&'static str> {
        match self.state {
            State::Other(encoding, _) => Some(if encoding == GB18030 { "GB 18030" } else { encoding.name() }),
            _ => None,
        }
    }

    /// Appends more text to `out`; false at the end.
    ///
    /// # Errors
    /// When the source cannot be read, or is no text.
    pub(super) fn fill(&mut self, out: &mut Vec<u8>) -> Result<bool> {
        if self.ended {
            return Ok(false);
        }
        self.block.clear();
        self.read_more(BLOCK)?;
        let mut from = 0;
        if matches!(self.state, State::Start) {
            from = self.begin()?;
        }
        if matches!(self.state, State::Ascii)
            && let Some(at) = self.block[from..].iter().position(|byte| !byte.is_ascii())
        {
            if self.block.len() - from - at < SAMPLE && !self.ended {
                self.read_more(BLOCK)?;
            }
            self.state = recognise(&self.block[from + at..], self.told, self.ended);
        }
        match &mut self.state {
            State::Other(_, decoder) => decode(decoder, &self.block[from..], self.ended, out),
            _ => out.extend_from_slice(&self.block[from..]),
        }
        Ok(true)
    }

    fn read_more(&mut self, most: usize) -> Result<()> {
        let read = self.source.by_ref().take(most as u64).read_to_end(&mut self.block)?;
        self.ended = read < most;
        Ok(())
    }

    /// Looks for a byte order mark; returns its length.
    fn begin(&mut self) -> Result<usize> {
        let bytes = self.block.as_slice();
        if let Some((_, why)) = FOREIGN.iter().find(|(magic, _)| bytes.starts_with(magic)) {
            return Err(Error::new(ErrorKind::InvalidData, *why));
        }
        let (state, length) = if bytes.starts_with(b"\xef\xbb\xbf") {
            (State::Utf8, 3)
        } else if bytes.starts_with(b"\xff\xfe") {
            (other(UTF_16LE), 2)
        } else if bytes.starts_with(b"\xfe\xff") {
            (other(UTF_16BE), 2)
        } else if bytes.starts_with(b"\x84\x31\x95\x33") {
            (other(GB18030), 4)
        } else {
            let state = match self.told {
                TextEncoding::Utf8 => State::Utf8,
                TextEncoding::Utf16Le => other(UTF_16LE),
                TextEncoding::Utf16Be => other(UTF_16BE),
                TextEncoding::Recognised | TextEncoding::Gb18030 => without_mark(bytes),
            };
            (state, 0)
        };
        self.state = state;
        Ok(length)
    }
}

fn other(encoding: &'static Encoding) -> State {
    State::Other(encoding, encoding.new_decoder_without_bom_handling())
}

/// UTF-16 without a mark: every other byte of its ASCII characters is 0.
fn without_mark(bytes: &[u8]) -> State {
    let sample = &bytes[..bytes.len().min(512)];
    let zeros = |odd: usize| sample.iter().skip(odd).step_by(2).filter(|byte| **byte == 0).count();
    let (even, odd) = (zeros(0), zeros(1));
    let enough = sample.len() / 8 + 1;
    match (even, odd) {
        (0, odd) if odd >= enough => other(UTF_16LE),
        (even, 0) if even >= enough => other(UTF_16BE),
        _ => State::Ascii,
    }
}

/// The encoding of a text whose first byte is not ASCII.
fn recognise(text: &[u8], told: TextEncoding, whole: bool) -> State {
    let sample = &text[..text.len().min(SAMPLE)];
    let whole = whole && sample.len() == text.len();
    let (mut valid, mut broken) = (0_usize, 0_usize);
    let mut runs = sample.split(u8::is_ascii).filter(|run| !run.is_empty()).peekable();
    while let Some(run) = runs.next() {
        match std::str::from_utf8(run) {
            Ok(_) => valid += 1,
            // The sample may end within a character.
            Err(error) if runs.peek().is_none() && !whole && error.error_len().is_none() => {}
            Err(_) => broken += 1,
        }
    }
    if told == TextEncoding::Gb18030 {
        return if broken == 0 { State::Utf8 } else { other(GB18030) };
    }
    if broken <= valid {
        return State::Utf8;
    }
    let mut decoded = Vec::new();
    decode(&mut GB18030.new_decoder_without_bom_handling(), sample, false, &mut decoded);
    let damaged = memmem::find_iter(&decoded, "\u{fffd}").count();
    if damaged * 20 <= valid + broken { other(GB18030) } else { State::Utf8 }
}

fn decode(decoder: &mut Decoder, mut bytes: &[u8], last: bool, out: &mut Vec<u8>) {
    loop {
        let from = out.len();
        // Without a length that can be computed the piece is decoded in parts.
        out.resize(from + decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(BLOCK), 0);
        let (result, read, written, _) = decoder.decode_to_utf8(bytes, &mut out[from..], last);
        out.truncate(from + written);
        bytes = &bytes[read..];
        if result == encoding_rs::CoderResult::InputEmpty {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8], told: TextEncoding) -> (String, Option<&'static str>) {
        let mut text = Text::new(bytes, told);
        let mut out = Vec::new();
        while text.fill(&mut out).unwrap() {}
        (String::from_utf8_lossy(&out).into_owned(), text.foreign())
    }

    const TEXT: &str = "code,address\r\n1,广东省深圳市南山区合成街道\r\n2,联通大厦\r\n";

    #[test]
    fn each_encoding_is_recognised_and_read_when_told() {
        let gbk = GB18030.encode(TEXT).0.into_owned();
        let utf16 = |bytes: fn(u16) -> [u8; 2]| TEXT.encode_utf16().flat_map(bytes).collect::<Vec<u8>>();
        let (little, big) = (utf16(u16::to_le_bytes), utf16(u16::to_be_bytes));
        let marked = |mark: &[u8], bytes: &[u8]| [mark, bytes].concat();
        let auto = TextEncoding::Recognised;
        for (bytes, told, name) in [
            (TEXT.as_bytes().to_vec(), auto, None),
            (marked(b"\xef\xbb\xbf", TEXT.as_bytes()), auto, None),
            (marked(b"\xef\xbb\xbf", TEXT.as_bytes()), TextEncoding::Gb18030, None),
            (TEXT.as_bytes().to_vec(), TextEncoding::Gb18030, None),
            (gbk.clone(), auto, Some("GB 18030")),
            (gbk, TextEncoding::Gb18030, Some("GB 18030")),
            (little.clone(), auto, Some("UTF-16LE")),
            (marked(b"\xff\xfe", &little), auto, Some("UTF-16LE")),
            (little, TextEncoding::Utf16Le, Some("UTF-16LE")),
            (big.clone(), auto, Some("UTF-16BE")),
            (marked(b"\xfe\xff", &big), TextEncoding::Utf8, Some("UTF-16BE")),
        ] {
            assert_eq!(read(&bytes, told), (TEXT.to_owned(), name), "{told:?}");
        }
    }

    #[test]
    fn a_damaged_character_does_not_change_the_encoding() {
        let mut bytes = TEXT.repeat(20).into_bytes();
        let at = TEXT.len() + TEXT.find('深').unwrap();
        bytes[at + 1] = b'?';
        assert_eq!(read(&bytes, TextEncoding::Recognised).1, None);
        let mut bytes = GB18030.encode(&TEXT.repeat(20)).0.into_owned();
        bytes[22] = 0xff;
        assert_eq!(read(&bytes, TextEncoding::Recognised).1, Some("GB 18030"));
    }

    #[test]
    fn chinese_long_after_the_beginning_is_recognised() {
        let late = format!("{}{TEXT}", "code,1\n".repeat(BLOCK));
        let gbk = GB18030.encode(&late).0.into_owned();
        assert_eq!(read(&gbk, TextEncoding::Recognised), (late, Some("GB 18030")));
    }

    #[test]
    fn files_that_are_no_text_are_named() {
        let said =
            |bytes: &[u8]| Text::new(bytes, TextEncoding::Recognised).fill(&mut Vec::new()).unwrap_err().to_string();
        assert!(said(b"PK\x03\x04rest").contains(".xlsx"));
        assert!(said(b"PAR1").contains(".parquet"));
        assert!(said(b"\x1f\x8b\x08").contains("gzip"));
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..600), told in 0_usize..5) {
            use TextEncoding::{Gb18030, Recognised, Utf8, Utf16Be, Utf16Le};
            let mut text = Text::new(bytes.as_slice(), [Recognised, Utf8, Gb18030, Utf16Le, Utf16Be][told]);
            let mut out = Vec::new();
            while let Ok(true) = text.fill(&mut out) {}
        }
    }
}
