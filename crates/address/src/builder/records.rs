//! The records of a CSV file, with the lines on which they begin.
//!
//! A record that is not well formed costs its first line: reading resumes at the next one, so that a stray quotation mark never
//! swallows the rows after it.

use std::io::{Read, Result};

use memchr::{memchr, memchr2};

use super::encoding::Text;

/// Longest record in bytes; a footprint of half a million corners is shorter.
pub(super) const LONGEST_RECORD: usize = 16 << 20;
/// Most lines of a record, whose quoted values may contain line breaks.
const MOST_LINES: u64 = 64;
/// Bytes of records already taken before they are dropped from the buffer.
const DROPPED: usize = 1 << 20;

/// Why a record cannot be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fault {
    TooLong,
    Unclosed,
    AfterQuote,
}

impl Fault {
    pub(super) const fn rule(self) -> &'static str {
        match self {
            Self::TooLong => "a record has 16 MiB at most",
            Self::Unclosed => {
                "it has a quotation mark that begins a value and no end of that value in its record; write a quotation mark \
                 within a quoted value twice"
            }
            Self::AfterQuote => {
                "after the quotation mark that ends a value comes a separator; write a quotation mark within a quoted value \
                 twice"
            }
        }
    }
}

/// Cells of a record, without their quotes.
#[derive(Debug, Default)]
pub(super) struct Record {
    /// The line on which it begins, from 1.
    pub(super) line: u64,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Record {
    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn is_blank(&self) -> bool {
        self.bytes.iter().all(u8::is_ascii_whitespace)
    }

    /// The cells as texts; none when one is not UTF-8.
    pub(super) fn texts(&self) -> Option<Texts<'_>> {
        let text = std::str::from_utf8(&self.bytes).ok()?;
        self.ends.iter().all(|end| text.is_char_boundary(*end)).then_some(Texts { text, ends: &self.ends })
    }

    fn clear(&mut self, line: u64) {
        self.line = line;
        self.bytes.clear();
        self.ends.clear();
    }

    fn end_cell(&mut self) {
        self.ends.push(self.bytes.len());
    }
}

/// The cells of a record as texts.
#[derive(Debug, Clone, Copy)]
pub(super) struct Texts<'a> {
    text: &'a str,
    ends: &'a [usize],
}

impl<'a> Texts<'a> {
    /// A cell; empty where the record is shorter.
    pub(super) fn get(&self, cell: usize) -> &'a str {
        let Some(end) = self.ends.get(cell) else { return "" };
        let start = cell.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or(0);
        self.text.get(start..*end).unwrap_or_default()
    }

    pub(super) fn from(self, first: usize) -> impl Iterator<Item = &'a str> {
        (first..self.ends.len()).map(move |cell| self.get(cell))
    }
}

/// A line: the end of its content, and the start of the next one.
#[derive(Debug, Clone, Copy)]
struct Line {
    end: usize,
    next: usize,
}

pub(super) struct Records<R> {
    text: Text<R>,
    buffer: Vec<u8>,
    /// Start of the next record.
    at: usize,
    /// Its line, from 1.
    line: u64,
    separator: u8,
    /// Cells of the header: a record of several lines with another number of them is not well formed.
    columns: Option<usize>,
}

impl<R: Read> Records<R> {
    pub(super) fn new(text: Text<R>) -> Self {
        Self { text, buffer: Vec::new(), at: 0, line: 1, separator: b',', columns: None }
    }

    /// The encoding if it is not UTF-8.
    pub(super) fn foreign(&self) -> Option<&'static str> {
        self.text.foreign()
    }

    /// Chooses the separator by the first line that is not blank: of comma, semicolon, tab and bar the one with the highest
    /// `rating` of the line's cells. A spreadsheet's line `sep=;` tells it.
    pub(super) fn choose_separator(&mut self, rating: impl Fn(&[&str]) -> usize) -> Result<()> {
        let line = loop {
            let Some(Ok(line)) = self.find_line(self.at)? else { return Ok(()) };
            if !self.buffer[self.at..line.end].iter().all(u8::is_ascii_whitespace) {
                break line;
            }
            (self.at, self.line) = (line.next, self.line + 1);
        };
        let header = String::from_utf8_lossy(&self.buffer[self.at..line.end]);
        let told = header.trim().strip_prefix("sep=").and_then(|told| told.bytes().next().filter(|_| told.len() == 1));
        if let Some(told) = told {
            self.separator = told;
            (self.at, self.line) = (line.next, self.line + 1);
            return Ok(());
        }
        let rate = |separator: u8| {
            let cells = header.split(char::from(separator)).map(|cell| cell.trim().trim_matches('"'));
            rating(&cells.collect::<Vec<_>>())
        };
        // The comma wins a draw: `max_by_key` returns the last one.
        if let Some(best) = [b'|', b'\t', b';', b','].into_iter().max_by_key(|separator| rate(*separator)) {
            self.separator = best;
        }
        Ok(())
    }

    /// Records of several lines have this number of cells.
    pub(super) fn expect_columns(&mut self, columns: usize) {
        self.columns = Some(columns);
    }

    /// Reads the next record; none at the end. After a fault reading goes on at the line after the record's first one.
    pub(super) fn read(&mut self, record: &mut Record) -> Result<Option<std::result::Result<(), Fault>>> {
        if self.at >= DROPPED {
            self.buffer.drain(..self.at);
            self.at = 0;
        }
        record.clear(self.line);
        let first = match self.find_line(self.at)? {
            None => return Ok(None),
            Some(Ok(line)) => line,
            Some(Err(fault)) => {
                self.skip_line()?;
                return Ok(Some(Err(fault)));
            }
        };
        let content = &self.buffer[self.at..first.end];
        let outcome = if memchr(b'"', content).is_none() {
            for cell in content.split(|byte| *byte == self.separator) {
                record.bytes.extend_from_slice(cell);
                record.end_cell();
            }
            Ok((first, 1))
        } else {
            self.read_quoted(first, record)?
        };
        let (last, lines, result) = match outcome {
            Ok((_, lines)) if lines > 1 && self.columns.is_some_and(|columns| columns != record.len()) => {
                (first, 1, Err(Fault::Unclosed))
            }
            Ok((last, lines)) => (last, lines, Ok(())),
            Err(fault) => (first, 1, Err(fault)),
        };
        (self.at, self.line) = (last.next, self.line + lines);
        Ok(Some(result))
    }

    /// Reads a record with quotes: its last line, and its number of lines.
    fn read_quoted(&mut self, first: Line, record: &mut Record) -> Result<std::result::Result<(Line, u64), Fault>> {
        let (mut line, mut lines, mut at) = (first, 1, self.at);
        loop {
            let blanks = self.buffer[at..line.end].iter().take_while(|byte| **byte == b' ').count();
            if self.buffer[at..line.end].get(blanks) == Some(&b'"') {
                at += blanks + 1;
                loop {
                    let Some(quote) = memchr(b'"', &self.buffer[at..line.end]) else {
                        // The value goes on in the next line.
                        record.bytes.extend_from_slice(&self.buffer[at..line.next]);
                        if lines == MOST_LINES || record.bytes.len() > LONGEST_RECORD {
                            return Ok(Err(Fault::Unclosed));
                        }
                        at = line.next;
                        line = match self.find_line(at)? {
                            Some(Ok(line)) => line,
                            Some(Err(_)) | None => return Ok(Err(Fault::Unclosed)),
                        };
                        lines += 1;
                        continue;
                    };
                    record.bytes.extend_from_slice(&self.buffer[at..at + quote]);
                    at += quote + 1;
                    if self.buffer[at..line.end].first() != Some(&b'"') {
                        break;
                    }
                    record.bytes.push(b'"');
                    at += 1;
                }
                at += self.buffer[at..line.end].iter().take_while(|byte| **byte == b' ').count();
                if at < line.end && self.buffer[at] != self.separator {
                    return Ok(Err(Fault::AfterQuote));
                }
            } else {
                let length = memchr(self.separator, &self.buffer[at..line.end]).unwrap_or(line.end - at);
                record.bytes.extend_from_slice(&self.buffer[at..at + length]);
                at += length;
            }
            record.end_cell();
            if at >= line.end {
                return Ok(Ok((line, lines)));
            }
            at += 1;
        }
    }

    /// The line that begins at `from`; none at the end of the text. Lines end with LF, CR LF or CR.
    fn find_line(&mut self, from: usize) -> Result<Option<std::result::Result<Line, Fault>>> {
        let mut searched = from;
        loop {
            if let Some(found) = memchr2(b'\n', b'\r', &self.buffer[searched..]) {
                let end = searched + found;
                // Whether LF follows CR shows one byte later.
                if self.buffer[end] == b'\n' || end + 1 < self.buffer.len() || !self.text.fill(&mut self.buffer)? {
                    let both = self.buffer[end] == b'\r' && self.buffer.get(end + 1) == Some(&b'\n');
                    return Ok(Some(Ok(Line { end, next: end + 1 + usize::from(both) })));
                }
                searched = end;
                continue;
            }
            searched = self.buffer.len();
            if searched - self.at > LONGEST_RECORD {
                return Ok(Some(Err(Fault::TooLong)));
            }
            if !self.text.fill(&mut self.buffer)? {
                let end = self.buffer.len();
                return Ok((from < end).then_some(Ok(Line { end, next: end })));
            }
        }
    }

    /// Skips the rest of a line that is too long, without keeping it.
    fn skip_line(&mut self) -> Result<()> {
        loop {
            if let Some(found) = memchr2(b'\n', b'\r', &self.buffer[self.at..]) {
                self.at += found;
                if let Some(Ok(line)) = self.find_line(self.at)? {
                    self.at = line.next;
                }
                self.line += 1;
                return Ok(());
            }
            self.buffer.clear();
            self.at = 0;
            if !self.text.fill(&mut self.buffer)? {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::encoding::TextEncoding;
    use super::*;

    /// Line and cells of each record; a fault without cells.
    fn all(text: &[u8], columns: usize) -> Vec<(u64, Option<Vec<String>>)> {
        let mut records = Records::new(Text::new(text, TextEncoding::Utf8));
        records.expect_columns(columns);
        let (mut record, mut found) = (Record::default(), Vec::new());
        while let Some(result) = records.read(&mut record).unwrap() {
            let cells = record.texts().map(|texts| texts.from(0).map(str::to_owned).collect());
            found.push((record.line, result.ok().and(cells)));
        }
        found
    }

    fn cells(cells: &[&str]) -> Option<Vec<String>> {
        Some(cells.iter().map(|cell| (*cell).to_owned()).collect())
    }

    #[test]
    fn lines_are_those_of_the_file_whatever_their_ends() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["a,b", "\"1", "x\",\"say \"\"hi\"\"\"", "", "3,4"].join(end);
            let quoted = format!("1{end}x");
            let wanted = vec![
                (1, cells(&["a", "b"])),
                (2, cells(&[&quoted, "say \"hi\""])),
                (4, cells(&[""])),
                (5, cells(&["3", "4"])),
            ];
            assert_eq!(all(text.as_bytes(), 2), wanted, "{end:?}");
            assert_eq!(all(format!("{text}{end}").as_bytes(), 2), wanted, "{end:?}");
        }
    }

    #[test]
    fn a_stray_quotation_mark_costs_its_line() {
        let row = |number: usize| format!("{number},\"a, b\",c\n");
        for stray in ["5,\"a, b,c\n", "5,\"\"a, b\",c\n", "5,x,\"c\n", "\"5,x,c\n", "5,\"a\"b,c\n", "5,\"a, b\",\"c\n"]
        {
            let text: String =
                (1..200).map(|number| if number == 5 { stray.to_owned() } else { row(number) }).collect();
            let found = all(text.as_bytes(), 3);
            assert_eq!(found.len(), 199, "{stray}");
            let lost: Vec<u64> = found.iter().filter(|(_, cells)| cells.is_none()).map(|(line, _)| *line).collect();
            assert_eq!(lost, [5], "{stray}");
        }
        // Without any other quotes, and in the last line.
        let plain: String =
            (1..200).map(|number| format!("{number},{}x,c\n", if number % 90 == 5 { "\"" } else { "" })).collect();
        let lost = all(plain.as_bytes(), 3).into_iter().filter(|(_, cells)| cells.is_none()).map(|(line, _)| line);
        assert_eq!(lost.collect::<Vec<_>>(), [5, 95, 185]);
        assert_eq!(all(b"1,2\n3,\"4", 2), vec![(1, cells(&["1", "2"])), (2, None)]);
    }

    #[test]
    fn a_line_without_end_is_refused_and_not_kept() {
        let mut text = b"1,2\n".to_vec();
        text.extend(std::iter::repeat_n(b'x', 3 * LONGEST_RECORD));
        text.extend(b"\r\n3,4\n");
        assert_eq!(all(&text, 2), vec![(1, cells(&["1", "2"])), (2, None), (3, cells(&["3", "4"]))]);
    }

    #[test]
    fn the_separator_is_that_of_the_header() {
        for (text, wanted) in [
            ("\n a;\"b\" \n1;2,5\n", ["1", "2,5"]),
            ("a\tb\n1\t2\n", ["1", "2"]),
            ("sep=|\na|b\n1|2\n", ["1", "2"]),
            ("a,b\n1,2;3\n", ["1", "2;3"]),
        ] {
            let mut records = Records::new(Text::new(text.as_bytes(), TextEncoding::Utf8));
            records.choose_separator(|cells| cells.iter().filter(|cell| ["a", "b"].contains(cell)).count()).unwrap();
            let mut record = Record::default();
            records.read(&mut record).unwrap().unwrap().unwrap();
            records.read(&mut record).unwrap().unwrap().unwrap();
            assert_eq!(record.texts().unwrap().from(0).collect::<Vec<_>>(), wanted, "{text:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn well_formed_records_come_back(rows in proptest::collection::vec(proptest::collection::vec("[a-z\",\r\n é]{0,6}", 3), 1..20)) {
            let text: String = rows
                .iter()
                .map(|row| row.iter().map(|cell| format!("\"{}\"", cell.replace('"', "\"\""))).collect::<Vec<_>>().join(",") + "\n")
                .collect();
            let found: Vec<_> = all(text.as_bytes(), 3).into_iter().map(|(_, cells)| cells.unwrap()).collect();
            proptest::prop_assert_eq!(found, rows);
        }

        #[test]
        fn any_bytes_are_taken(bytes in proptest::collection::vec(proptest::sample::select(b"a,\"\r\n \xff".as_slice()), 0..200)) {
            let lines = all(&bytes, 2);
            proptest::prop_assert!(lines.is_sorted_by_key(|(line, _)| *line));
        }
    }
}
