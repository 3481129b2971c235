//! Chinese numerals used as numbers.

const DIGITS: &str = "零一二三四五六七八九";

pub(super) fn is_numeral(letter: char) -> bool {
    DIGITS.contains(letter) || matches!(letter, '十' | '百' | '千' | '两')
}

fn digit(letter: char) -> Option<u32> {
    let letter = if letter == '两' { '二' } else { letter };
    DIGITS.chars().zip(0..).find(|(known, _)| *known == letter).map(|(_, value)| value)
}

/// The number spelt by `letters`: by place value (`一百二十三`) or digit by digit (`二零一`); `None` if they spell no number, and above
/// 9,999.
pub(super) fn value(letters: &[char]) -> Option<u32> {
    if letters.is_empty() || letters.len() > 8 {
        return None;
    }
    if letters.iter().all(|letter| digit(*letter).is_some()) {
        return (letters.len() <= 4)
            .then(|| letters.iter().filter_map(|letter| digit(*letter)).fold(0, |sum, digit| sum * 10 + digit));
    }
    let (mut sum, mut pending, mut last_place) = (0, None, 10_000);
    for (at, letter) in letters.iter().enumerate() {
        let place = match letter {
            '十' => 10,
            '百' => 100,
            '千' => 1000,
            '零' => continue,
            other => {
                if pending.replace(digit(*other)?).is_some() {
                    return None;
                }
                continue;
            }
        };
        // `十二` omits the one; `百二` does not.
        let count = match pending.take() {
            Some(count) => count,
            None if place == 10 && at == 0 => 1,
            None => return None,
        };
        if place >= last_place {
            return None;
        }
        last_place = place;
        sum += count * place;
    }
    Some(sum + pending.unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Option<u32> {
        value(&text.chars().collect::<Vec<_>>())
    }

    #[test]
    fn numerals_are_read_by_place_or_by_digit() {
        let cases =
            [("三", 3), ("十", 10), ("十二", 12), ("二十", 20), ("四十五", 45), ("一百零三", 103), ("二零一", 201)];
        for (text, value) in cases {
            assert_eq!(of(text), Some(value), "{text}");
        }
    }

    #[test]
    fn what_spells_no_number_is_none() {
        for text in ["", "百", "十百", "二三十", "一二三四五", "零零零零零零零零零"] {
            assert_eq!(of(text), None, "{text}");
        }
    }
}
