use hashbrown::HashTable;
use zerocopy::little_endian::U32;

use super::records::NONE;

/// The strings of a base; number 0 is the empty one.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Strings<'a> {
    pub(crate) ends: &'a [U32],
    pub(crate) bytes: &'a [u8],
}

impl<'a> Strings<'a> {
    /// The string of this number; empty if absent or not UTF-8.
    pub(crate) fn get(self, number: u32) -> &'a str {
        let text = self.range(number).and_then(|(from, to)| self.bytes.get(from..to)).unwrap_or_default();
        std::str::from_utf8(text).unwrap_or_default()
    }

    /// The first byte of the string, or of the next one; 0 if absent.
    #[inline]
    pub(crate) fn first_byte(self, number: u32) -> u8 {
        self.range(number).and_then(|(from, _)| self.bytes.get(from)).copied().unwrap_or(0)
    }

    #[inline]
    fn range(self, number: u32) -> Option<(usize, usize)> {
        let end = |at: usize| self.ends.get(at).map(|end| end.get() as usize);
        match number as usize {
            _ if number == NONE => None,
            0 => Some(0).zip(end(0)),
            at => end(at - 1).zip(end(at)),
        }
    }
}

/// Interns strings.
#[derive(Debug, Default)]
pub(crate) struct Interner {
    table: HashTable<u32>,
    ends: Vec<u32>,
    bytes: Vec<u8>,
}

impl Interner {
    /// The number of `text`; a new one for a new text. Beyond 4 GiB of text, texts are empty.
    pub(crate) fn intern(&mut self, text: &str) -> u32 {
        let hash = hash(text);
        let (ends, bytes) = (&self.ends, &self.bytes);
        if let Some(number) = self.table.find(hash, |number| slice(ends, bytes, *number) == text.as_bytes()) {
            return *number;
        }
        let Ok(end) = u32::try_from(self.bytes.len() + text.len()) else { return NONE };
        let number = self.ends.len() as u32;
        self.bytes.extend_from_slice(text.as_bytes());
        self.ends.push(end);
        let (ends, bytes) = (&self.ends, &self.bytes);
        self.table.insert_unique(hash, number, |number| hash_bytes(slice(ends, bytes, *number)));
        number
    }

    pub(crate) fn get(&self, number: u32) -> &str {
        if number == NONE {
            return "";
        }
        std::str::from_utf8(slice(&self.ends, &self.bytes, number)).unwrap_or_default()
    }

    pub(crate) fn ends(&self) -> Vec<U32> {
        self.ends.iter().map(|end| U32::new(*end)).collect()
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

fn slice<'a>(ends: &[u32], bytes: &'a [u8], number: u32) -> &'a [u8] {
    let at = number as usize;
    let from = if at == 0 { 0 } else { ends[at - 1] as usize };
    &bytes[from..ends[at] as usize]
}

fn hash(text: &str) -> u64 {
    hash_bytes(text.as_bytes())
}

fn hash_bytes(bytes: &[u8]) -> u64 {
    use std::hash::{BuildHasher, Hasher};
    let mut hasher = foldhash::fast::FixedState::default().build_hasher();
    hasher.write(bytes);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_texts_have_one_number_and_come_back() {
        let mut interner = Interner::default();
        let texts = ["", "深南大道", "1栋", "深南大道", ""];
        let numbers: Vec<u32> = texts.iter().map(|text| interner.intern(text)).collect();
        assert_eq!(numbers, [0, 1, 2, 1, 0]);
        let ends = interner.ends();
        let strings = Strings { ends: &ends, bytes: interner.bytes() };
        for (number, text) in numbers.iter().zip(texts) {
            assert_eq!(strings.get(*number), text);
            assert_eq!(interner.get(*number), text);
        }
        assert_eq!((strings.get(7), strings.get(NONE)), ("", ""));
    }
}
