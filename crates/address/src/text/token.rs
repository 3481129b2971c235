//! A text as letters and numbers.

use super::letter::{fold, is_cjk, is_ending, is_generic};
use super::numeral;

/// More tokens than any address has. The rest of a text is ignored.
pub(super) const MAX_TOKENS: usize = 96;

/// What a number counts, from the letters after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Counted {
    /// A letter, not a number.
    Letter,
    /// Unspecified: `801`, `3#`, `2期`.
    Unsaid,
    /// `号`: a door plate.
    Plate,
    /// `栋`, `幢`, `座`, `号楼`.
    Block,
    /// `单元`.
    Entrance,
    /// `层`, `楼`, `F`.
    Floor,
    /// `房`, `室`.
    Room,
}

impl Counted {
    /// How well a number with counter `self` matches an equal one with counter `other`: 0 not at all.
    pub(super) fn agreement(self, other: Self) -> f32 {
        use Counted::{Block, Entrance, Floor, Letter, Plate, Room, Unsaid};
        match (self, other) {
            (a, b) if a == b => 1.0,
            (Letter, _) | (_, Letter) => 0.0,
            (Plate, Block) | (Block, Plate) | (Unsaid, _) | (_, Unsaid) => 0.9,
            (Plate, Room) | (Room, Plate) | (Floor, Block) | (Block, Floor) => 0.6,
            (Entrance | Floor | Room | Plate | Block, _) => 0.0,
        }
    }
}

/// A CJK letter, or a number (a run of ASCII letters and digits).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Token {
    /// Equal for equal letters or numbers.
    pub(super) key: u64,
    pub(super) counted: Counted,
    /// Its weight in a text, in tenths.
    tenths: u8,
    /// Value of a numeral (`七`) or number (`7`) from 1 to 10; 0 otherwise.
    numeral: u8,
}

/// The weight of a letter of little information.
const GENERIC_TENTHS: u8 = 3;

impl Token {
    fn letter(letter: char) -> Self {
        let tenths = if is_generic(letter) { GENERIC_TENTHS } else { 10 };
        Self { key: letter as u64, counted: Counted::Letter, tenths, numeral: 0 }
    }

    /// A numeral without a counter.
    fn numeral(letter: char) -> Self {
        let value = numeral::value(&[letter]).unwrap_or(0);
        Self { numeral: u8::try_from(value).unwrap_or(0), ..Self::letter(letter) }
    }

    /// A number of up to 7 characters is its key; a longer one is hashed (FNV-1a).
    fn number(text: &[u8], counted: Counted) -> Self {
        let all_digits = text.iter().all(u8::is_ascii_digit);
        let zeros = if all_digits { text.iter().take_while(|byte| **byte == b'0').count() } else { 0 };
        let text = &text[zeros.min(text.len().saturating_sub(1))..];
        let key = if text.len() <= 7 {
            text.iter().fold(0, |key, byte| key << 8 | u64::from(*byte))
        } else {
            text.iter().fold(0xcbf2_9ce4_8422_2325, |key, byte| (key ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3))
        };
        let tenths = if matches!(counted, Counted::Entrance | Counted::Floor) { 10 } else { 20 };
        let numeral = match text {
            [digit @ b'1'..=b'9'] => digit - b'0',
            b"10" => 10,
            _ => 0,
        };
        Self { key: key | 1 << 63, counted, tenths, numeral }
    }

    pub(super) fn is_letter(self) -> bool {
        self.counted == Counted::Letter
    }

    /// How well this token of a text matches `own` of a name (0 to 1).
    ///
    /// A numeral stays a letter if the letter after it was mistyped (`江阳七港` for `江阳七巷`): it still is that number.
    pub(super) fn agreement(self, own: Self) -> f32 {
        if self.key == own.key {
            self.counted.agreement(own.counted)
        } else if own.counted == Counted::Unsaid && self.numeral != 0 && self.numeral == own.numeral {
            0.8
        } else {
            0.0
        }
    }

    /// A number of up to 7 characters as text.
    pub(super) fn digits(self) -> Option<String> {
        let bytes = (self.key & !(1 << 63)).to_be_bytes();
        let text: String = bytes.iter().skip_while(|byte| **byte == 0).map(|byte| char::from(*byte)).collect();
        (!self.is_letter() && text.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(text)
    }

    pub(super) fn is_generic(self) -> bool {
        self.tenths == GENERIC_TENTHS
    }

    /// Whether it only ends the name of an area or a road.
    pub(super) fn is_ending(self) -> bool {
        self.is_generic() && u32::try_from(self.key).ok().and_then(char::from_u32).is_some_and(is_ending)
    }

    /// Its weight in a text.
    pub(super) fn weight(self) -> f32 {
        f32::from(self.tenths) / 10.0
    }
}

/// Counters: letters after a number, longer ones first.
const COUNTERS: [(&str, Counted); 22] = [
    ("号楼栋", Counted::Block),
    ("号楼", Counted::Block),
    ("号栋", Counted::Block),
    ("号房", Counted::Room),
    ("号室", Counted::Room),
    ("栋楼", Counted::Block),
    ("楼栋", Counted::Block),
    ("楼层", Counted::Floor),
    ("层楼", Counted::Floor),
    ("房间", Counted::Room),
    ("单元", Counted::Entrance),
    ("#楼", Counted::Block),
    ("#栋", Counted::Block),
    ("号", Counted::Plate),
    ("栋", Counted::Block),
    ("幢", Counted::Block),
    ("座", Counted::Block),
    ("层", Counted::Floor),
    ("楼", Counted::Floor),
    ("房", Counted::Room),
    ("室", Counted::Room),
    ("#", Counted::Unsaid),
];

/// The counter of a number at the end of `before`, and its length in letters.
fn counter(after: &[char]) -> Option<(Counted, usize)> {
    COUNTERS.iter().find_map(|(letters, counted)| {
        let mut length = 0;
        for letter in letters.chars() {
            if after.get(length) != Some(&letter) {
                return None;
            }
            length += 1;
        }
        Some((*counted, length))
    })
}

/// Letters that follow a number within a name and are no counter: `科技3路`, `东3巷`, `2期`.
const NUMBERED: &str = "期区巷路街道村里坊弄围排组队门横";

/// The tokens of `text`, at most [`MAX_TOKENS`], appended to `tokens`.
pub(super) fn tokenize(text: &str, tokens: &mut Vec<Token>) {
    let letters = letters(text);
    let end = tokens.len() + MAX_TOKENS;
    let mut at = 0;
    while at < letters.len() && tokens.len() < end {
        let letter = letters[at];
        if letter.is_ascii_alphanumeric() {
            at = latin(&letters, at, tokens);
        } else if numeral::is_numeral(letter) {
            at = chinese(&letters, at, tokens);
        } else {
            if is_cjk(letter) {
                tokens.push(Token::letter(letter));
            }
            at += 1;
        }
    }
}

/// The folded letters of `text` without separators; where a separator divides two numbers, a space stays.
fn letters(text: &str) -> Vec<char> {
    let mut letters = Vec::with_capacity(text.len() / 3 + 1);
    let mut parted = false;
    // A token has at most 4 letters, and a text of separators is truncated like any other.
    for letter in text.chars().take(MAX_TOKENS * 8).map(fold) {
        if !(letter.is_ascii_alphanumeric() || letter == '#' || is_cjk(letter)) {
            parted = true;
            continue;
        }
        if parted && letter.is_ascii_alphanumeric() && letters.last().is_some_and(char::is_ascii_alphanumeric) {
            letters.push(' ');
        }
        parted = false;
        letters.push(letter);
    }
    letters
}

/// A run of ASCII letters and digits and its counter; returns its end.
fn latin(letters: &[char], start: usize, tokens: &mut Vec<Token>) -> usize {
    let mut end = start;
    let mut run = [0; 24];
    let mut length = 0;
    while let Some(letter) = letters.get(end).filter(|letter| letter.is_ascii_alphanumeric()) {
        if length < run.len() {
            run[length] = *letter as u8;
            length += 1;
        }
        end += 1;
    }
    let mut number = &run[..length];
    // `No.3`, `NO3`: the word before a number is not part of it.
    if let Some(rest) = number.strip_prefix(b"NO").filter(|rest| rest.iter().all(u8::is_ascii_digit)) {
        if rest.is_empty() {
            return end;
        }
        number = rest;
    }
    if let Some((counted, used)) = counter(&letters[end..]) {
        tokens.push(Token::number(number, counted));
        return end + used;
    }
    // `8F`, `12F`: a floor.
    if let Some(floor) =
        number.strip_suffix(b"F").filter(|rest| !rest.is_empty() && rest.iter().all(u8::is_ascii_digit))
    {
        tokens.push(Token::number(floor, Counted::Floor));
        return end;
    }
    tokens.push(Token::number(number, Counted::Unsaid));
    end
}

/// A run of Chinese numerals: a number if a counter follows, letters elsewhere (`三联村`).
fn chinese(letters: &[char], start: usize, tokens: &mut Vec<Token>) -> usize {
    let end = start + letters[start..].iter().take_while(|letter| numeral::is_numeral(**letter)).count();
    let run = &letters[start..end];
    let counted = counter(&letters[end..]);
    let numbered = counted.is_some() || letters.get(end).is_some_and(|letter| NUMBERED.contains(*letter));
    match numeral::value(run).filter(|_| numbered) {
        Some(value) => {
            let (counted, used) = counted.unwrap_or((Counted::Unsaid, 0));
            tokens.push(Token::number(value.to_string().as_bytes(), counted));
            end + used
        }
        None => {
            tokens.extend(run.iter().map(|letter| Token::numeral(*letter)));
            end
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<Token> {
        let mut tokens = Vec::new();
        tokenize(text, &mut tokens);
        tokens
    }

    #[test]
    fn equal_addresses_are_equal_tokens_however_they_are_written() {
        for (one, other) in [
            ("翠竹花园3栋", "翠竹花園 三 幢".replace(' ', "").as_str()),
            ("翠竹花园3栋", "翠竹花园３号楼"),
            ("A座801房", "a 座-0801室"),
            ("9988号", "No9988号"),
            ("十二号", "12 号"),
            ("8层801", "8F 801"),
            ("翠竹路9988号", "翠竹路，９９８８号。"),
            ("科技三路", "科技3路"),
        ] {
            assert_eq!(of(one), of(other), "{one} {other}");
        }
    }

    #[test]
    fn numerals_in_names_stay_letters_and_separated_numbers_stay_apart() {
        assert!(of("三联").iter().all(|token| token.is_letter()));
        assert_eq!(of("3-801").len(), 2);
        assert_ne!(of("3栋"), of("13栋"));
    }

    #[test]
    fn a_text_without_end_is_cut() {
        assert_eq!(of(&"翠".repeat(10_000)).len(), MAX_TOKENS);
        assert!(of(&" ".repeat(100_000)).is_empty());
    }
}
