//! Matches the end of a text with the units of a building.

use super::token::{Token, tokenize};

/// The units whose own part matches `tail`, and the weight of `tail` that they explain. Several units may match equally: `801` of
/// any entrance.
pub(super) fn find(tail: &[Token], each_unit: impl FnOnce(&mut dyn FnMut(u32, &str))) -> (Vec<u32>, f32) {
    let (mut best, mut units) = (0.0, Vec::new());
    let Some(last_number) = tail.iter().rev().find(|token| !token.is_letter()).and_then(|token| token.digits()) else {
        return (units, best);
    };
    let mut tokens = Vec::new();
    each_unit(&mut |unit, own_part| {
        // Most units have another number: a look at the text is cheaper than tokenising it.
        if has_ascii_digit(own_part) && !own_part.contains(last_number.as_str()) {
            return;
        }
        tokens.clear();
        tokenize(own_part, &mut tokens);
        let weight = explained(tail, &tokens);
        if weight > best {
            best = weight;
            units.clear();
        }
        if weight > 0.0 && weight >= best {
            units.push(unit);
        }
    });
    (units, best)
}

fn has_ascii_digit(text: &str) -> bool {
    text.bytes().any(|byte| byte.is_ascii_digit())
}

/// The weight of `tail` that `unit` explains, 0 when they differ: every number of the tail is one of the unit's, in order, and the
/// last one, which is the room, is the last one of the unit.
fn explained(tail: &[Token], unit: &[Token]) -> f32 {
    let (mut weight, mut at) = (0.0, 0);
    for token in tail {
        let found =
            unit[at..].iter().position(|own| own.key == token.key && own.counted.agreement(token.counted) > 0.0);
        match found {
            Some(offset) => {
                weight += token.weight() * token.counted.agreement(unit[at + offset].counted);
                at += offset + 1;
            }
            None if token.is_letter() => {}
            None => return 0.0,
        }
    }
    let rooms_left = unit[at..].iter().any(|token| !token.is_letter());
    if rooms_left { 0.0 } else { weight }
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNITS: [&str; 6] =
        ["1单元1层101房", "1单元8层801房", "2单元8层801房", "2单元8层802房", "1层商铺03号", "18层1801房"];

    fn of(tail: &str) -> Vec<u32> {
        let mut tokens = Vec::new();
        tokenize(tail, &mut tokens);
        find(&tokens, |visit| UNITS.iter().zip(0..).for_each(|(text, unit)| visit(unit, text))).0
    }

    #[test]
    fn a_room_is_found_however_much_of_it_is_said() {
        assert_eq!(of("2单元801房"), [2]);
        assert_eq!(of("2单元8楼801室"), [2]);
        assert_eq!(of("802"), [3]);
        assert_eq!(of("18F 1801"), [5]);
        assert_eq!(of("商铺3号"), [4]);
    }

    #[test]
    fn what_several_units_are_called_gives_all_of_them() {
        assert_eq!(of("801"), [1, 2]);
    }

    #[test]
    fn another_number_is_another_unit() {
        for none in ["803", "3单元801", "8层", "", "层"] {
            assert!(of(none).is_empty(), "{none}");
        }
    }
}
