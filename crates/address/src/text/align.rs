//! Alignment of a text with the names of a candidate.
//!
//! A global alignment (Needleman and Wunsch) over tokens with three additions: a whole level of the candidate may be skipped at low
//! cost, since texts leave levels out; two neighbouring letters may be swapped; and a number never matches another number.

use super::token::Token;

/// The levels of a name, outermost first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Province,
    City,
    District,
    Street,
    Community,
    Road,
    Plate,
    Village,
    Building,
    /// A name besides the levels.
    Name,
}

/// One level's tokens in a [`Form`].
#[derive(Debug, Clone, Copy)]
pub(super) struct Part {
    pub(super) level: Level,
    pub(super) start: usize,
    pub(super) end: usize,
}

/// One way to write a candidate: its levels in order.
#[derive(Debug, Default)]
pub(super) struct Form {
    pub(super) tokens: Vec<Token>,
    pub(super) parts: Vec<Part>,
}

impl Form {
    pub(super) fn clear(&mut self) {
        self.tokens.clear();
        self.parts.clear();
    }

    pub(super) fn push(&mut self, level: Level, text: &str) {
        let start = self.tokens.len();
        super::token::tokenize(text, &mut self.tokens);
        if self.tokens.len() > start {
            self.parts.push(Part { level, start, end: self.tokens.len() });
        }
    }
}

/// Cost of skipping a whole level; a level that the text has in full gains far more.
const LEVEL_LEFT_OUT: f32 = 0.1;
/// Cost of an unmatched token, relative to its weight.
const LEFT_OUT: f32 = 0.3;
/// Cost of a substituted letter.
const REPLACED: f32 = 0.2;
/// Fraction of their weight that two swapped letters keep.
const SWAPPED: f32 = 0.85;
/// Fraction that a level keeps when one of its numbers is not found: `27巷5号` is hardly `27巷4号`.
const NUMBER_LEFT_OUT: f32 = 0.4;
/// Fraction of its weight that a substituted letter keeps in a name that is otherwise found.
const REPLACED_CREDIT: f32 = 0.5;

/// Equal gains summed in different order differ by less.
const ROUNDING: f32 = 1e-4;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Start,
    Both,
    Swap,
    TextOnly,
    FormOnly,
    Level,
}

/// Result of an alignment. Reused from candidate to candidate.
#[derive(Debug, Default)]
pub(super) struct Alignment {
    /// By token of the text: fraction found, 0 to 1.
    pub(super) text: Vec<f32>,
    /// By token of the text: the level in which it is found.
    pub(super) levels: Vec<Option<Level>>,
    /// By part of the form: fraction of its weight found, 0 to 1.
    pub(super) shares: Vec<f32>,
    gains: Vec<f32>,
    steps: Vec<Step>,
}

impl Alignment {
    /// Aligns, and stores the result in `self`.
    pub(super) fn align(&mut self, text: &[Token], form: &Form) {
        self.fill(text, form);
        self.trace(text, form);
    }

    fn fill(&mut self, text: &[Token], form: &Form) {
        let width = form.tokens.len() + 1;
        self.gains.clear();
        self.gains.resize((text.len() + 1) * width, 0.0);
        self.steps.clear();
        self.steps.resize((text.len() + 1) * width, Step::Start);
        for i in 0..=text.len() {
            let mut parts = form.parts.iter();
            let mut part = parts.next();
            for j in 0..width {
                if i + j == 0 {
                    continue;
                }
                let mut best = (f32::NEG_INFINITY, Step::Start);
                let mut offer = |gain: f32, step: Step| {
                    if gain > best.0 + ROUNDING {
                        best = (gain, step);
                    }
                };
                let at = |i: usize, j: usize| self.gains[i * width + j];
                // Tried first, so that of two equal numbers in a text the earlier one matches.
                if i > 0 {
                    offer(at(i - 1, j) - LEFT_OUT * text[i - 1].weight(), Step::TextOnly);
                }
                if i > 0 && j > 0 {
                    let (ours, theirs) = (text[i - 1], form.tokens[j - 1]);
                    let agreement = ours.agreement(theirs);
                    if agreement > 0.0 {
                        offer(at(i - 1, j - 1) + agreement * theirs.weight(), Step::Both);
                    } else if ours.is_letter() && theirs.is_letter() {
                        offer(at(i - 1, j - 1) - REPLACED, Step::Both);
                        if i > 1 && j > 1 && text[i - 2] == theirs && form.tokens[j - 2] == ours {
                            let weight = ours.weight() + theirs.weight();
                            offer(at(i - 2, j - 2) + SWAPPED * weight, Step::Swap);
                        }
                    }
                }
                if j > 0 {
                    offer(at(i, j - 1) - LEFT_OUT * form.tokens[j - 1].weight(), Step::FormOnly);
                }
                if let Some(whole) = part.filter(|part| part.end == j) {
                    offer(at(i, whole.start) - LEVEL_LEFT_OUT, Step::Level);
                    part = parts.next();
                }
                self.gains[i * width + j] = best.0;
                self.steps[i * width + j] = best.1;
            }
        }
    }

    fn trace(&mut self, text: &[Token], form: &Form) {
        let width = form.tokens.len() + 1;
        self.text.clear();
        self.text.resize(text.len(), 0.0);
        self.levels.clear();
        self.levels.resize(text.len(), None);
        self.shares.clear();
        self.shares.resize(form.parts.len(), 0.0);
        let (mut i, mut j) = (text.len(), form.tokens.len());
        for (index, part) in form.parts.iter().enumerate().rev() {
            let end = i;
            let (mut found, mut replaced, mut whole) = (0.0, 0.0, 0.0);
            let (mut found_letters, mut replaced_letters) = (0, 0);
            let mut number_left_out = false;
            while j > part.start {
                match self.steps[i * width + j] {
                    Step::Both => {
                        let (ours, theirs) = (text[i - 1], form.tokens[j - 1]);
                        let agreement = ours.agreement(theirs);
                        if agreement > 0.0 {
                            self.text[i - 1] = agreement;
                            found += agreement * theirs.weight();
                            found_letters += usize::from(!theirs.is_generic());
                        } else {
                            replaced += theirs.weight();
                            replaced_letters += usize::from(!theirs.is_generic());
                        }
                        whole += theirs.weight();
                        (i, j) = (i - 1, j - 1);
                    }
                    Step::Swap => {
                        let weight = form.tokens[j - 1].weight() + form.tokens[j - 2].weight();
                        (self.text[i - 1], self.text[i - 2]) = (SWAPPED, SWAPPED);
                        found += SWAPPED * weight;
                        found_letters += 1;
                        whole += weight;
                        (i, j) = (i - 2, j.saturating_sub(2));
                    }
                    Step::TextOnly => i -= 1,
                    Step::FormOnly => {
                        whole += form.tokens[j - 1].weight();
                        number_left_out |= !form.tokens[j - 1].is_letter();
                        j -= 1;
                    }
                    Step::Level => {
                        whole += form.tokens[part.start..j].iter().map(|token| token.weight()).sum::<f32>();
                        j = part.start;
                    }
                    Step::Start => break,
                }
            }
            // Substituted letters count only beside correct ones: otherwise any two names of the same length would be half equal.
            let believed = found_letters > 0 && found_letters >= replaced_letters;
            let credit = if believed { REPLACED_CREDIT } else { 0.0 };
            let numbers = if number_left_out { NUMBER_LEFT_OUT } else { 1.0 };
            self.shares[index] =
                if whole > 0.0 { numbers * ((found + credit * replaced) / whole).min(1.0) } else { 0.0 };
            if believed && replaced_letters > 0 {
                self.credit_replaced(text, i, end, replaced_letters);
            }
            for at in i..end {
                self.levels[at] = Some(part.level).filter(|_| self.text[at] > 0.0);
            }
        }
    }

    /// Unmatched letters of the text from `start` to `end` count as substitutions for letters of the level.
    fn credit_replaced(&mut self, text: &[Token], start: usize, end: usize, mut letters: usize) {
        for at in (start..end).rev() {
            if letters > 0 && self.text[at] == 0.0 && text[at].is_letter() && !text[at].is_generic() {
                self.text[at] = REPLACED_CREDIT;
                letters -= 1;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str, parts: &[(Level, &str)]) -> (Vec<f32>, Vec<f32>) {
        let mut tokens = Vec::new();
        super::super::token::tokenize(text, &mut tokens);
        let mut form = Form::default();
        parts.iter().for_each(|(level, text)| form.push(*level, text));
        let mut alignment = Alignment::default();
        alignment.align(&tokens, &form);
        (alignment.text, alignment.shares)
    }

    const PARTS: [(Level, &str); 3] =
        [(Level::District, "福田区"), (Level::Village, "翠竹花园"), (Level::Building, "3栋")];

    #[test]
    fn an_equal_text_is_found_whole() {
        let (text, shares) = of("福田区翠竹花园三幢", &PARTS);
        assert!(text.iter().chain(&shares).all(|found| *found == 1.0), "{text:?} {shares:?}");
    }

    #[test]
    fn a_level_left_out_takes_nothing_from_the_others() {
        assert_eq!(of("翠竹花园3栋", &PARTS).1, [0.0, 1.0, 1.0]);
    }

    #[test]
    fn typing_errors_leave_most_of_a_name() {
        for wrong in ["翠竺花园3栋", "翠花园3栋", "翠竹竹花园3栋", "竹翠花园3栋"] {
            let (_, shares) = of(wrong, &PARTS);
            assert!(shares[1] > 0.55 && shares[2] == 1.0, "{wrong} {shares:?}");
        }
    }

    #[test]
    fn a_numeral_before_a_wrong_letter_is_still_its_number() {
        let parts = [(Level::Road, "江阳七巷")];
        assert!(of("江阳七港", &parts).1[0] > 0.8);
        assert!(of("江阳八港", &parts).1[0] < 0.4);
    }

    #[test]
    fn another_number_and_another_name_are_not_found() {
        assert_eq!(of("翠竹花园13栋", &PARTS).1, [0.0, 1.0, 0.0]);
        assert_eq!(of("莲塘广苑3栋", &PARTS).1[1], 0.0);
    }
}
