use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An event type of GA/T 2000.254-2019, "event types of video and image": two digits, for example 05 for a tripwire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventCode(u8);

/// The text or number is not an event code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a valid event code; give two digits from 01 to 99")]
pub struct EventCodeError(String);

impl EventCode {
    /// The code `number`.
    ///
    /// # Panics
    /// When it is not 1 to 99, so that such a constant does not compile.
    #[must_use]
    pub const fn constant(number: u8) -> Self {
        assert!(number >= 1 && number <= 99, "1 to 99");
        Self(number)
    }

    /// Checks that `number` lies in 1 to 99.
    ///
    /// # Errors
    /// When it does not.
    pub fn new(number: u32) -> Result<Self, EventCodeError> {
        let code = u8::try_from(number).ok().filter(|number| (1..=99).contains(number));
        code.map(Self).ok_or_else(|| EventCodeError(number.to_string()))
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.0
    }
}

impl fmt::Display for EventCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:02}", self.0)
    }
}

impl FromStr for EventCode {
    type Err = EventCodeError;
    fn from_str(text: &str) -> Result<Self, EventCodeError> {
        let refused = || EventCodeError(text.chars().take(80).collect());
        if text.len() != 2 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(refused());
        }
        text.parse().map_err(|_| refused()).and_then(Self::new)
    }
}

impl TryFrom<String> for EventCode {
    type Error = EventCodeError;
    fn try_from(text: String) -> Result<Self, EventCodeError> {
        text.parse()
    }
}

impl From<EventCode> for String {
    fn from(code: EventCode) -> String {
        code.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_digits_are_a_code_and_nothing_else() {
        assert_eq!("05".parse(), Ok(EventCode::constant(5)));
        assert_eq!(serde_json::to_value(EventCode::constant(12)).unwrap(), "12");
        for text in ["", "5", "00", "100", "0a", "+5"] {
            assert!(text.parse::<EventCode>().is_err(), "{text}");
        }
        assert!(EventCode::new(0).is_err() && EventCode::new(100).is_err());
    }
}
