//! Index terms: 64-bit hashes from an entity's names, and from a text.
//!
//! A name of *n* letters yields the pairs of letters that are adjacent or have one between them, so that a wrong, missing, doubled
//! or swapped letter leaves some pairs intact. A number pairs with each of the letters before it, with each two of them, with the
//! number before it, and (`8巷3号`) with that and a letter: these discriminate between the buildings of one road. They are hashed
//! into [`BUCKETS`] so that the dictionary stays small; the alignment resolves collisions.

use super::token::Token;
use super::{Entity, EntityKind};

/// Number of hash buckets for pairs with a number.
const BUCKETS: u64 = 1 << 20;
/// A number pairs with this many letters before it.
const REACH: usize = 6;

/// Buildings, and everything else, have separate terms: the few roads would be lost among the many buildings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Family {
    Building,
    Area,
}

impl Family {
    pub(super) const fn of(kind: EntityKind) -> Self {
        match kind {
            EntityKind::Building => Self::Building,
            _ => Self::Area,
        }
    }

    const fn tag(self) -> u64 {
        match self {
            Self::Building => 0,
            Self::Area => 1 << 63,
        }
    }
}

const LETTERS: u64 = 1 << 60;
const NUMBER: u64 = 2 << 60;
const NUMBERS: u64 = 3 << 60;
const SINGLE: u64 = 4 << 60;

fn letters(family: Family, first: Token, second: Token) -> u64 {
    family.tag() | LETTERS | first.key << 21 | second.key
}

fn hashed(family: Family, class: u64, first: u64, second: u64) -> u64 {
    let mixed = (first.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ second).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let bucket = ((mixed ^ mixed >> 32).wrapping_mul(0xc4ce_b9fe_1a85_ec53) >> 40) % BUCKETS;
    family.tag() | class | bucket
}

fn mixed(first: u64, second: u64) -> u64 {
    (first.rotate_left(32) ^ second).wrapping_mul(0x9fb2_1c65_1e98_df25)
}

/// Adds the terms of a run of tokens.
pub(super) fn add(family: Family, tokens: &[Token], terms: &mut Vec<u64>) {
    let mut before: [Option<Token>; REACH] = [None; REACH];
    let mut last_two: [Option<Token>; 2] = [None; 2];
    let mut last_number: Option<Token> = None;
    let mut fresh = true;
    let mut letters_since = 0;
    for token in tokens {
        if token.is_letter() {
            for earlier in last_two.into_iter().flatten() {
                // Two letters of little information carry none together.
                if !(earlier.is_generic() && token.is_generic()) {
                    terms.push(letters(family, earlier, *token));
                }
            }
            last_two = [last_two[1], Some(*token)];
            if !token.is_ending() {
                before.rotate_left(1);
                before[REACH - 1] = Some(*token);
            }
            fresh = true;
            letters_since += 1;
        } else {
            // Of consecutive numbers (`3栋2单元801房`) the first belongs to the name, the others count within it.
            if fresh {
                let earlier = last_number.filter(|_| letters_since <= 1);
                for (at, letter) in before.iter().enumerate() {
                    let Some(letter) = letter else { continue };
                    terms.push(hashed(family, NUMBER, letter.key, token.key));
                    if let Some(next) = before.get(at + 1).copied().flatten() {
                        terms.push(hashed(family, NUMBER, mixed(letter.key, next.key), token.key));
                    }
                    // `8巷3号`: both numbers together identify one house of a village.
                    if let Some(number) = earlier {
                        terms.push(hashed(family, NUMBERS, mixed(letter.key, number.key), token.key));
                    }
                }
            }
            if let Some(number) = last_number.replace(*token) {
                terms.push(hashed(family, NUMBERS, number.key, token.key));
            }
            letters_since = 0;
            fresh = false;
        }
    }
}

/// The term of a name of one letter or number.
fn single(family: Family, token: Token) -> u64 {
    hashed(family, SINGLE, token.key, 0)
}

/// The distinct terms of a text for `family`.
pub(super) fn of_text(family: Family, tokens: &[Token], terms: &mut Vec<u64>) {
    terms.clear();
    add(family, tokens, terms);
    terms.extend(tokens.iter().filter(|token| !token.is_generic()).map(|token| single(family, *token)));
    terms.sort_unstable();
    terms.dedup();
}

/// The distinct terms of an entity's names; none when it has no name of its own.
pub(super) fn of_entity(entity: &Entity<'_>, terms: &mut Vec<u64>) {
    let family = Family::of(entity.kind);
    let mut tokens = Vec::new();
    let mut phrase = |parts: &[&str]| {
        tokens.clear();
        parts.iter().for_each(|part| super::token::tokenize(part, &mut tokens));
        let before = terms.len();
        add(family, &tokens, terms);
        if let (true, Some(token)) = (before == terms.len(), tokens.first()) {
            terms.push(single(family, *token));
        }
    };
    match entity.kind {
        EntityKind::District => phrase(&[entity.district]),
        EntityKind::Street => phrase(&[entity.street]),
        EntityKind::Community => phrase(&[entity.community]),
        EntityKind::Grid => {}
        EntityKind::Road => phrase(&[entity.road]),
        EntityKind::Building => {
            phrase(&[entity.road, entity.road_num]);
            // Without a village the building follows its door plate, or its community.
            if entity.village.is_empty() {
                phrase(&[entity.community, entity.building]);
            } else {
                phrase(&[entity.community]);
                phrase(&[entity.village, entity.building]);
            }
            phrase(&[entity.road_num, entity.building]);
        }
    }
    for other in &entity.others {
        phrase(&[entity.without_areas(other.text)]);
    }
    terms.sort_unstable();
    terms.dedup();
}

#[cfg(test)]
mod tests {
    use super::super::token::tokenize;
    use super::*;

    fn text(text: &str) -> Vec<u64> {
        let (mut tokens, mut terms) = (Vec::new(), Vec::new());
        tokenize(text, &mut tokens);
        of_text(Family::Building, &tokens, &mut terms);
        terms
    }

    fn shared(one: &str, other: &str) -> usize {
        let other = text(other);
        text(one).iter().filter(|term| other.binary_search(term).is_ok()).count()
    }

    #[test]
    fn each_typing_error_leaves_terms_alone() {
        for wrong in ["翠竺花园3栋", "翠花园3栋", "翠竹竹花园3栋", "竹翠花园3栋"] {
            assert!(shared("翠竹花园3栋", wrong) >= 3, "{wrong}");
        }
    }

    #[test]
    fn another_number_shares_no_term_with_a_number() {
        let only_letters = shared("翠竹花园", "翠竹花园3栋");
        assert_eq!(shared("翠竹花园3栋", "翠竹花园13栋"), only_letters);
    }

    #[test]
    fn an_entity_without_a_name_has_no_terms() {
        let mut terms = Vec::new();
        of_entity(&Entity::nameless(EntityKind::Building), &mut terms);
        of_entity(&Entity::nameless(EntityKind::Grid), &mut terms);
        assert!(terms.is_empty());
    }
}
