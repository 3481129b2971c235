//! Cells of a record, checked and in plain characters.

use std::borrow::Cow;

use memchr::memmem;
use smallvec::SmallVec;

use super::Reason;
use super::fields::{Field, Row, trimmed};

/// Most characters of a text; a place in `wkt` has as many as its record may have.
const LONGEST_TEXT: usize = 1_000;

/// Field, value, reason and rule of a cell that is refused.
pub(super) type BadCell = (&'static str, String, Reason, String);

/// The known cells of a record.
pub(super) struct Cells<'a>(SmallVec<[(usize, Cow<'a, str>); 24]>);

impl<'a> Cells<'a> {
    /// Of numbers of fields with their values.
    ///
    /// # Errors
    /// The first value that is no text as it stands in an address.
    pub(super) fn read(cells: impl Iterator<Item = (usize, &'a str)>) -> Result<Self, BadCell> {
        let mut read = SmallVec::new();
        for (field, value) in cells {
            let value = trimmed(value);
            if let Some(rule) = fault(field, value) {
                let shown = value.chars().take(40).filter(|character| !character.is_control()).collect();
                return Err((Field::name_of(field), shown, Reason::Unreadable, rule));
            }
            read.push((field, if Field::is_plain(field) { plain(value) } else { Cow::Borrowed(value) }));
        }
        Ok(Self(read))
    }

    pub(super) fn row(&self) -> Row<'_> {
        let mut row = Row::EMPTY;
        self.0.iter().for_each(|(field, value)| row.set(*field, value));
        row
    }
}

fn fault(field: usize, value: &str) -> Option<String> {
    let bytes = value.as_bytes();
    if bytes.iter().any(|byte| (*byte < b' ' && !matches!(byte, b'\t' | b'\n' | b'\r')) || *byte == 0x7f) {
        return Some("a text has no control characters: the file is damaged, or in another encoding".to_owned());
    }
    if memmem::find(bytes, "\u{fffd}".as_bytes()).is_some() {
        return Some(
            "it has characters that were lost when the file was converted; export it again as UTF-8".to_owned(),
        );
    }
    if field != Field::Wkt as usize && bytes.len() > LONGEST_TEXT && value.chars().count() > LONGEST_TEXT {
        return Some(format!("a text has {LONGEST_TEXT} characters at most, this one {}", value.chars().count()));
    }
    None
}

/// Full-width characters as ASCII.
pub(super) fn plain(value: &str) -> Cow<'_, str> {
    if value.is_ascii() {
        return Cow::Borrowed(value);
    }
    let ascii = |character: char| match character {
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(character) - 0xfee0).unwrap_or(character),
        '\u{3000}' | '\u{a0}' => ' ',
        '\u{2212}' => '-',
        other => other,
    };
    Cow::Owned(value.chars().map(ascii).collect())
}

/// A number as tables have it: with a point or a comma before its fraction, with or without separators of thousands.
///
/// # Errors
/// The rule it breaks, for a number that can be read in two ways too.
pub(super) fn number(text: &str) -> Result<f64, String> {
    let parsed = |text: &str| text.parse::<f64>().ok().filter(|number| number.is_finite());
    if let Some(number) = parsed(text) {
        return Ok(number);
    }
    let body = text.trim_start_matches(['-', '+']);
    let groups: Vec<&str> = body.split(',').collect();
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let read = match groups[..] {
        // 113,9301: no thousands have four digits.
        [whole, part] if digits(whole) && digits(part) && part.len() != 3 => parsed(&text.replace(',', ".")),
        [first, .., last] => {
            let (whole, fraction) = last.split_once('.').map_or((last, None), |(whole, part)| (whole, Some(part)));
            let middle = groups[1..groups.len() - 1].iter();
            let grouped = (1..=3).contains(&first.len())
                && middle.chain([&whole]).all(|group| group.len() == 3 && digits(group))
                && digits(first)
                && fraction.is_none_or(digits);
            // 506,123 may be either.
            let sure = groups.len() > 2 || fraction.is_some();
            (grouped && sure).then(|| parsed(&text.replace(',', ""))).flatten()
        }
        _ => None,
    };
    read.ok_or_else(|| "a number has a decimal point and no separators of thousands".to_owned())
}

/// The likely cause of a wrong code, to be put after a rule; empty when none is known.
pub(super) fn and_cause(text: &str) -> String {
    cause_of_wrong_code(text).map(|cause| format!("; {cause}")).unwrap_or_default()
}

fn cause_of_wrong_code(text: &str) -> Option<&'static str> {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b',');
    let (number, exponent) =
        text.split_once(['e', 'E']).map_or((text, None), |(number, exponent)| (number, Some(exponent)));
    let (whole, part) = number.split_once('.').map_or((number, None), |(whole, part)| (whole, Some(part)));
    // A spreadsheet's mantissa has one digit before its point; a building's number may have an `E`.
    let exponent_fits =
        exponent.is_none_or(|exponent| whole.len() == 1 && digits(exponent.trim_start_matches(['+', '-'])));
    let is_number = digits(whole) && part.is_none_or(|part| part.is_empty() || digits(part)) && exponent_fits;
    if is_number && (exponent.is_some() || part.is_some() || whole.contains(',')) {
        return Some(
            "a spreadsheet made the code a number, and most of its digits are lost: format the column as text and export the \
             table from its source again",
        );
    }
    text.starts_with("=\"").then_some("it is a formula of a spreadsheet: save the column's values as text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_where_they_have_one_meaning() {
        for (text, wanted) in [
            ("113.93", Some(113.93)),
            ("113,9301", Some(113.9301)),
            ("-22,5", Some(-22.5)),
            ("2,492,123.45", Some(2_492_123.45)),
            ("506,123.5", Some(506_123.5)),
            ("1,234,567", Some(1_234_567.0)),
            ("506,123", None),
            ("1,23,456", None),
            ("1,2,3", None),
            ("NaN", None),
            ("1e999", None),
            (",", None),
            ("113°56'", None),
        ] {
            assert_eq!(number(text).ok(), wanted, "{text}");
        }
    }

    #[test]
    fn codes_that_became_numbers_are_known() {
        for text in ["4.40306E+24", "4e24", "44030500200301.0", "44,030,500,200,301", "=\"44030500200301\""] {
            assert!(cause_of_wrong_code(text).is_some(), "{text}");
        }
        for text in ["", "44030500200301", "44030500200301E0001", "4403050020030E1.1x", "4403x"] {
            assert_eq!(cause_of_wrong_code(text), None, "{text}");
        }
    }

    #[test]
    fn full_width_characters_are_plain_in_codes_only() {
        let cells = [(Field::Code as usize, "\u{feff}４４０３０５ "), (Field::Address as usize, "\u{3000}１号")];
        let cells = Cells::read(cells.into_iter()).ok().unwrap();
        let row = cells.row();
        assert_eq!((row.get(Field::Code), row.get(Field::Address)), ("440305", "１号"));
    }

    #[test]
    fn texts_that_are_none_are_refused() {
        let refused = |value: &str| Cells::read([(Field::Address as usize, value)].into_iter()).err().map(|bad| bad.3);
        assert!(refused("a\0b").unwrap().contains("control"));
        assert!(refused("a\u{fffd}").unwrap().contains("lost"));
        assert!(refused(&"路".repeat(1_001)).unwrap().contains("1001"));
        assert_eq!(refused(&"路".repeat(1_000)), None);
        assert_eq!(refused("a\nb\tc"), None);
    }
}
