//! Texts with typing errors, to evaluate the search by text.
//!
//! Everything here is a pure function of its input and of a seed. A number's value is never changed, since another number is
//! another address: digits and Chinese numerals are left alone, and no letter that separates two numbers is dropped.
//!
//! Missing levels are up to the caller, who knows which levels a text needs.

use super::letter::is_cjk;
use super::numeral;
use super::token::tokenize;

/// A random number generator with the same results everywhere (SplitMix64).
#[derive(Debug, Clone)]
pub struct Dice(u64);

impl Dice {
    /// Equal seeds, equal numbers.
    #[must_use]
    pub const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A number below `end`, or 0 when `end` is 0.
    pub fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % (end.max(1) as u64)) as usize
    }

    /// One of `choices`.
    pub fn pick<'a, T>(&mut self, choices: &'a [T]) -> Option<&'a T> {
        choices.get(self.below(choices.len()))
    }
}

/// A kind of disturbance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disturbance {
    /// All letters and digits of ASCII in full width.
    FullWidth,
    /// One CJK letter is substituted.
    Replaced,
    /// One CJK letter is missing.
    Dropped,
    /// One CJK letter is doubled.
    Doubled,
    /// Two neighbouring CJK letters are swapped.
    Swapped,
    /// One to three spaces or punctuation marks are inserted, not into a number.
    Spaced,
    /// `栋` written as `幢`, `座` or `号楼`.
    Block,
    /// `房` written as `室`, as `号房`, or omitted.
    Room,
    /// A number before `栋`, `号` or `单元` in Chinese numerals.
    Numeral,
    /// Traditional forms of the commonest letters.
    Traditional,
}

impl Disturbance {
    /// Every disturbance.
    pub const ALL: [Self; 10] = [
        Self::FullWidth,
        Self::Replaced,
        Self::Dropped,
        Self::Doubled,
        Self::Swapped,
        Self::Spaced,
        Self::Block,
        Self::Room,
        Self::Numeral,
        Self::Traditional,
    ];

    /// Its name.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FullWidth => "full width",
            Self::Replaced => "letter replaced",
            Self::Dropped => "letter dropped",
            Self::Doubled => "letter doubled",
            Self::Swapped => "letters swapped",
            Self::Spaced => "spaces, punctuation",
            Self::Block => "栋 as 幢 座 号楼",
            Self::Room => "房 as 室 号房",
            Self::Numeral => "Chinese numerals",
            Self::Traditional => "traditional forms",
        }
    }

    /// `text` disturbed, or `None` where this kind does not apply.
    #[must_use]
    pub fn apply(self, text: &str, dice: &mut Dice) -> Option<String> {
        let mut letters: Vec<char> = text.chars().collect();
        match self {
            Self::FullWidth => each(&mut letters, full_width),
            Self::Traditional => each(&mut letters, traditional),
            Self::Replaced => {
                let at = *dice.pick(&places(&letters, |at| is_name(letters[at])))?;
                let others: Vec<char> = INSTEAD.chars().filter(|other| *other != letters[at]).collect();
                letters[at] = *dice.pick(&others)?;
            }
            Self::Dropped => {
                let parts_numbers = |at: usize| {
                    at > 0 && counts(letters[at - 1]) && letters.get(at + 1).is_some_and(|next| counts(*next))
                };
                let at = *dice.pick(&places(&letters, |at| is_name(letters[at]) && !parts_numbers(at)))?;
                letters.remove(at);
            }
            Self::Doubled => {
                let at = *dice.pick(&places(&letters, |at| is_name(letters[at])))?;
                letters.insert(at, letters[at]);
            }
            Self::Swapped => {
                let differ = |at: usize| {
                    let next = letters.get(at + 1).copied().filter(|next| is_name(*next));
                    is_name(letters[at]) && next.is_some_and(|next| next != letters[at])
                };
                let at = *dice.pick(&places(&letters, differ))?;
                letters.swap(at, at + 1);
            }
            Self::Spaced => {
                for _ in 0..=dice.below(3) {
                    let between = |at: usize| at > 0 && !(counts(letters[at - 1]) && counts(letters[at]));
                    let at = *dice.pick(&places(&letters, between))?;
                    letters.insert(at, *dice.pick(&[' ', '，', '-', '、', '·', '\u{3000}'])?);
                }
            }
            Self::Block => return written_otherwise(text, "栋", &["幢", "座", "号楼"], dice),
            Self::Room => return written_otherwise(text, "房", &["室", "号房", ""], dice),
            Self::Numeral => return in_numerals(&letters, dice),
        }
        let disturbed: String = letters.into_iter().collect();
        (disturbed != text).then_some(disturbed)
    }
}

/// Applies `times` disturbances of different kinds; returns which.
#[must_use]
pub fn disturb(text: &str, times: usize, dice: &mut Dice) -> (String, Vec<Disturbance>) {
    let (mut disturbed, mut kinds) = (text.to_owned(), Vec::new());
    // A text without letters or numbers allows few: then fewer, or none.
    for _ in 0..32 {
        let kind = Disturbance::ALL[dice.below(Disturbance::ALL.len())];
        if kinds.len() == times || kinds.contains(&kind) {
            continue;
        }
        if let Some(next) = kind.apply(&disturbed, dice) {
            disturbed = next;
            kinds.push(kind);
        }
    }
    (disturbed, kinds)
}

/// Equal for texts that differ only in spelling, such as `3栋` and `三幢`.
#[must_use]
pub fn likeness(text: &str) -> u64 {
    let mut tokens = Vec::new();
    tokenize(text, &mut tokens);
    tokens.iter().fold(0xcbf2_9ce4_8422_2325, |hash, token| {
        (hash ^ token.key ^ hash >> 29).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(23)
    })
}

/// Substituted letters: common in the names of places.
const INSTEAD: &str = "新东西南北中安和平福田宝华丰兴龙山水石岭湖海河桥塘沙头坪景荣德光明长春秋云江林松竹梅兰桂花金银玉泰康乐永\
    康文武学士民生建设国泰凤凰翠碧蓝天红星月亮园林口湾岗埔坑围屋洲田心坂尾涌坳垌";

fn places(letters: &[char], holds: impl Fn(usize) -> bool) -> Vec<usize> {
    (0..letters.len()).filter(|at| holds(*at)).collect()
}

fn each(letters: &mut [char], change: impl Fn(char) -> char) {
    letters.iter_mut().for_each(|letter| *letter = change(*letter));
}

/// A letter that is part of a name and not a numeral.
fn is_name(letter: char) -> bool {
    is_cjk(letter) && !numeral::is_numeral(letter)
}

fn counts(letter: char) -> bool {
    numeral::is_numeral(letter) || super::letter::fold(letter).is_ascii_alphanumeric()
}

fn full_width(letter: char) -> char {
    if letter.is_ascii_alphanumeric() { char::from_u32(letter as u32 + 0xfee0).unwrap_or(letter) } else { letter }
}

fn traditional(letter: char) -> char {
    const FORMS: [(char, char); 12] = [
        ('号', '號'),
        ('栋', '棟'),
        ('楼', '樓'),
        ('层', '層'),
        ('园', '園'),
        ('区', '區'),
        ('广', '廣'),
        ('场', '場'),
        ('龙', '龍'),
        ('东', '東'),
        ('门', '門'),
        ('单', '單'),
    ];
    FORMS.iter().find(|(simple, _)| *simple == letter).map_or(letter, |(_, form)| *form)
}

/// Replaces the last `written` after a number with one of `otherwise`.
fn written_otherwise(text: &str, written: &str, otherwise: &[&str], dice: &mut Dice) -> Option<String> {
    let (at, _) = text.rmatch_indices(written).find(|(at, _)| text[..*at].chars().next_back().is_some_and(counts))?;
    let after = &text[at + written.len()..];
    let parts_numbers = after.chars().next().is_some_and(counts);
    let other = dice.pick(otherwise).filter(|other| !(other.is_empty() && parts_numbers))?;
    Some(format!("{}{other}{after}", &text[..at]))
}

/// Writes one number of ASCII digits below 100 that counts something in Chinese numerals.
fn in_numerals(letters: &[char], dice: &mut Dice) -> Option<String> {
    let starts = places(letters, |at| {
        let run = letters[at..].iter().take_while(|letter| letter.is_ascii_digit()).count();
        let alone = at == 0 || !counts(letters[at - 1]);
        let counted = letters.get(at + run).is_some_and(|next| "栋号单".contains(*next));
        (1..=2).contains(&run) && letters[at] != '0' && alone && counted
    });
    let start = *dice.pick(&starts)?;
    let run: String = letters[start..].iter().take_while(|letter| letter.is_ascii_digit()).collect();
    let digit = |value: u32| "零一二三四五六七八九".chars().nth(value as usize).unwrap_or('零');
    let value: u32 = run.parse().ok()?;
    let mut numeral = String::new();
    if value >= 20 {
        numeral.push(digit(value / 10));
    }
    if value >= 10 {
        numeral.push('十');
    }
    if !value.is_multiple_of(10) {
        numeral.push(digit(value % 10));
    }
    let (before, after) = (&letters[..start], &letters[start + run.len()..]);
    Some(before.iter().copied().chain(numeral.chars()).chain(after.iter().copied()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "广东省深圳市福田区翠竹路9988号翠竹花园3栋2单元8层801房";

    fn numbers(text: &str) -> Vec<u64> {
        let mut tokens = Vec::new();
        tokenize(text, &mut tokens);
        tokens.iter().filter(|token| !token.is_letter()).map(|token| token.key).collect()
    }

    #[test]
    fn every_disturbance_changes_the_text_and_no_number() {
        for kind in Disturbance::ALL {
            for seed in 0..200 {
                let mut dice = Dice::new(seed);
                let Some(disturbed) = kind.apply(TEXT, &mut dice) else { continue };
                assert_ne!(disturbed, TEXT, "{kind:?}");
                assert_eq!(numbers(&disturbed), numbers(TEXT), "{kind:?} {disturbed}");
            }
        }
    }

    #[test]
    fn the_ways_of_writing_keep_the_likeness_and_the_errors_do_not() {
        use Disturbance::{Block, FullWidth, Numeral, Replaced, Spaced, Traditional};
        for kind in [FullWidth, Spaced, Traditional, Block, Numeral] {
            let disturbed = kind.apply(TEXT, &mut Dice::new(7)).unwrap();
            assert_eq!(likeness(&disturbed), likeness(TEXT), "{disturbed}");
        }
        assert_ne!(likeness(&Replaced.apply(TEXT, &mut Dice::new(7)).unwrap()), likeness(TEXT));
    }

    #[test]
    fn equal_seeds_disturb_equally() {
        assert_eq!(disturb(TEXT, 3, &mut Dice::new(3)), disturb(TEXT, 3, &mut Dice::new(3)));
        assert!(disturb("", 3, &mut Dice::new(3)).1.is_empty());
    }
}
