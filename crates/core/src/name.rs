//! Open sets of names: a new rule kind brings its own, so no list of them is kept here.

use std::fmt;

use serde::{Deserialize, Serialize};
use tinystr::TinyAsciiStr;

/// The text is not a name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid name: give 1 to 32 of a-z, 0-9 and _, the first of them a letter")]
pub struct NameError(String);

const fn is_name(text: &[u8]) -> bool {
    let mut at = 0;
    while at < text.len() {
        let letter = text[at].is_ascii_lowercase();
        if !(letter || at > 0 && (text[at].is_ascii_digit() || text[at] == b'_')) {
            return false;
        }
        at += 1;
    }
    at > 0 && at <= 32
}

macro_rules! name {
    ($(#[$doc:meta])* $name:ident { $($(#[$of:meta])* $known:ident = $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(TinyAsciiStr<32>);

        impl $name {
            $($(#[$of])* pub const $known: Self = Self::named($text);)*

            /// The constant `text`.
            ///
            /// # Panics
            /// When `text` is not a name, so that such a constant does not compile.
            #[must_use]
            pub const fn named(text: &str) -> Self {
                assert!(is_name(text.as_bytes()), "1 to 32 of a-z, 0-9 and _, the first of them a letter");
                match TinyAsciiStr::try_from_str(text) {
                    Ok(text) => Self(text),
                    Err(_) => panic!("1 to 32 ASCII characters"),
                }
            }

            /// The name as text, as in records, JSON, filters and metrics.
            #[must_use]
            pub const fn as_str(&self) -> &str {
                self.0.as_str()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(self.as_str())
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                let refused = || NameError(text.chars().take(80).collect());
                let name = TinyAsciiStr::try_from_str(text).map_err(|_| refused())?;
                if is_name(text.as_bytes()) { Ok(Self(name)) } else { Err(refused()) }
            }
        }

        impl TryFrom<String> for $name {
            type Error = NameError;
            fn try_from(text: String) -> Result<Self, NameError> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.as_str().to_owned()
            }
        }
    };
}

name!(
    /// The kind of a rule, for example `line_crossing`. `rules` defines the existing kinds and their meaning.
    RuleKind {}
);
name!(
    /// A quantity measured by a rule, with its unit.
    Quantity {
        /// Seconds that the condition held.
        DURATION = "duration_seconds";
        /// Objects at once.
        OBJECTS = "objects";
        /// Crossings of a line or a border (always 1).
        CROSSINGS = "crossings";
        /// Objects per square metre.
        DENSITY = "objects_per_square_metre";
        /// Metres per second.
        SPEED = "metres_per_second";
        /// Displacement in box heights of the object.
        HEIGHTS = "heights";
        /// Seconds between two crossings; the threshold is an upper bound.
        GAP = "gap_seconds";
        /// Frames per second; the threshold is an upper bound.
        FRAME_RATE = "frames_per_second";
        /// Clock offset in seconds.
        OFFSET = "offset_seconds";
        /// Levels of brightness out of 255; the threshold is an upper bound.
        LEVELS = "levels";
        /// A fraction of the usual value, 0 to 1; the threshold is an upper bound.
        PART = "part";
    }
);
name!(
    /// The one requirement of a rule that was not met, while all others were.
    Term {
        /// The best score of the object against `score.enter`.
        SCORE = "score";
        /// The height of the object as a fraction of the frame's against the nearer bound of `size`.
        SIZE = "size";
        /// Seconds that the condition held against the required duration.
        DURATION = "duration";
        /// Objects at once against `at_least`.
        OBJECTS = "objects";
        /// Objects per square metre.
        DENSITY = "density";
        /// Metres per second.
        SPEED = "speed";
        /// Displacement along the arrow, in box heights.
        HEIGHTS = "heights";
        /// Seconds between two crossings or two firings against `within`; for an absence those after which the other rule fired.
        GAP = "gap";
        /// Seconds that an object was stationary before it was gone against `settled`.
        SETTLED = "settled";
        /// Elapsed seconds of the cooldown against its length: the rule or the place was in cooldown.
        COOLDOWN = "cooldown";
        /// Frames per second against `below_fps`; this and the next two lie above their threshold.
        FRAME_RATE = "frames_per_second";
        /// Levels of brightness against `change_below` or `contrast_below`.
        LEVELS = "levels";
        /// Fraction of the camera's usual value against `below_part` or `similarity_below`.
        PART = "part";
        /// Clock offset in seconds against `at_least`.
        OFFSET = "offset";
    }
);

impl Term {
    /// The quantity that an alert measures where a near-miss missed this term; none where alerts do not tell that value.
    #[must_use]
    pub fn quantity(self) -> Option<Quantity> {
        [
            (Self::DURATION, Quantity::DURATION),
            (Self::OBJECTS, Quantity::OBJECTS),
            (Self::DENSITY, Quantity::DENSITY),
            (Self::SPEED, Quantity::SPEED),
            (Self::HEIGHTS, Quantity::HEIGHTS),
            (Self::GAP, Quantity::GAP),
            (Self::FRAME_RATE, Quantity::FRAME_RATE),
            (Self::LEVELS, Quantity::LEVELS),
            (Self::PART, Quantity::PART),
            (Self::OFFSET, Quantity::OFFSET),
            // Of the kinds congestion and queue.
            (Self::named("share"), Quantity::named("share")),
            (Self::named("wait"), Quantity::named("waited_seconds")),
        ]
        .into_iter()
        .find_map(|(term, quantity)| (term == self).then_some(quantity))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_reads_back_and_nothing_else_is_one() {
        let kind = RuleKind::named("line_crossing");
        assert_eq!(serde_json::to_value(kind).unwrap(), "line_crossing");
        assert_eq!(serde_json::from_str::<RuleKind>("\"line_crossing\"").unwrap(), kind);
        assert_eq!(Quantity::DENSITY.as_str(), "objects_per_square_metre");
        for text in ["", "_a", "9a", "Line", "a b", "a-b", "\u{e4}", &"a".repeat(33)] {
            let error = text.parse::<RuleKind>().unwrap_err().to_string();
            assert!(error.contains("is not a valid name"), "{error}");
        }
        assert_eq!("a".repeat(32).parse::<RuleKind>().unwrap().as_str().len(), 32);
    }
}
