use std::borrow::Cow;

use crate::Violation;

crate::violations! {
    pub(crate) enum TextRule {
        Control = "text.control": "it has control characters, line breaks or invisible format characters", "remove them";
        Length { most: usize } = "text.length": "it has more than {most} characters", "shorten it";
    }
}

/// Most characters of a display name.
pub const LONGEST_NAME: usize = 200;
/// Most characters of a purpose.
pub const LONGEST_PURPOSE: usize = 1_000;

/// The rule that a text for people violates: at most `most` characters, all of them visible. Other characters forge lines of a log,
/// clear a terminal, or show another text than is stored.
#[must_use]
pub fn text_violation(text: &str, most: usize) -> Option<Violation> {
    if text.chars().any(is_invisible) {
        Some(TextRule::Control.into())
    } else if text.chars().count() > most {
        Some(TextRule::Length { most }.into())
    } else {
        None
    }
}

/// The text with each invisible character as its escape, for example `\u{1b}`.
#[must_use]
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_invisible) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        if is_invisible(c) {
            shown.extend(c.escape_unicode());
        } else {
            shown.push(c);
        }
    }
    Cow::Owned(shown)
}

/// Control characters, separators of lines, and format characters: zero width, direction of writing, tags.
fn is_invisible(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_people_pass_and_what_is_invisible_does_not() {
        for text in ["", "Campus crossing", "学府路口、北侧（3 号）", "é\u{301} 👍🏽 ½ → «x»", "a\u{a0}b"]
        {
            assert_eq!(text_violation(text, 200), None, "{text}");
            assert_eq!(printable(text), text);
        }
        for invisible in [
            "\n",
            "\r",
            "\t",
            "\0",
            "\u{1b}[2J",
            "\u{7f}",
            "\u{9b}2J",
            "\u{200b}",
            "\u{202e}",
            "\u{2066}",
            "\u{2028}",
            "\u{feff}",
        ] {
            let text = format!("gate{invisible}two");
            assert_eq!(text_violation(&text, 200).unwrap().code, "text.control", "{text:?}");
            assert!(!printable(&text).chars().any(is_invisible), "{text:?}");
        }
        assert_eq!(printable("a\u{1b}[2J"), r"a\u{1b}[2J");
        assert_eq!(text_violation(&"字".repeat(201), 200).unwrap().code, "text.length");
        assert_eq!(text_violation(&"字".repeat(200), 200), None);
    }
}
