//! The login of a camera with a sealed password: text that only the holder of the site's secret key can open.

use std::fmt;
use std::str::FromStr;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// The beginning of a sealed password, with the number of its format.
const FORMAT: &str = "v1.";
/// Hexadecimal digits of the id of a key.
const ID_DIGITS: usize = 12;
/// The form of a login, for people.
const LOGIN: &str = "a login is { user = \"NAME\", sealed = \"...\" }, two texts, as `vedette camera seal CAMERA --user NAME` prints it";
/// Most characters of the sealed part.
const LONGEST_SEALED: usize = 2_048;

/// Why a text is no sealed password. The text is not repeated: it may be a password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealedTextError {
    /// Its format.
    #[error("this is not a sealed password; `vedette camera seal CAMERA --user NAME` prints one")]
    Format,
    /// Its key.
    #[error(
        "a key has an id of {ID_DIGITS} digits and letters a to f; seal the password again with `vedette camera seal`"
    )]
    KeyId,
}

/// The id of a key of the site: the beginning of the hash of its public part.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct KeyId([u8; ID_DIGITS / 2]);

impl KeyId {
    /// The id with these bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; ID_DIGITS / 2]) -> Self {
        Self(bytes)
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for KeyId {
    type Err = SealedTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f');
        if text.len() != ID_DIGITS || !text.bytes().all(is_digit) {
            return Err(SealedTextError::KeyId);
        }
        let mut bytes = [0; ID_DIGITS / 2];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * index..2 * index + 2], 16).map_err(|_| SealedTextError::KeyId)?;
        }
        Ok(Self(bytes))
    }
}

impl TryFrom<String> for KeyId {
    type Error = SealedTextError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<KeyId> for String {
    fn from(id: KeyId) -> Self {
        id.to_string()
    }
}

/// A sealed password as text: `v1.KEY.SEALED`, with the id of the key and base 64 without padding in the alphabet for URLs. It prints as
/// the id of its key.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct SealedPassword {
    key: KeyId,
    sealed: String,
}

impl SealedPassword {
    /// From the id of its key, and base 64.
    ///
    /// # Errors
    /// When it is empty, too long or not base 64.
    pub fn new(key: KeyId, sealed: String) -> Result<Self, SealedTextError> {
        let is_base64 = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if sealed.is_empty() || sealed.len() > LONGEST_SEALED || !sealed.bytes().all(is_base64) {
            return Err(SealedTextError::Format);
        }
        Ok(Self { key, sealed })
    }

    /// The key with which it is sealed.
    #[must_use]
    pub const fn key(&self) -> KeyId {
        self.key
    }

    /// The sealed part, in base 64.
    #[must_use]
    pub fn sealed(&self) -> &str {
        &self.sealed
    }

    /// The whole text, for files and records.
    #[must_use]
    pub fn to_text(&self) -> String {
        format!("{FORMAT}{}.{}", self.key, self.sealed)
    }
}

impl fmt::Debug for SealedPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sealed with key {}", self.key)
    }
}

impl FromStr for SealedPassword {
    type Err = SealedTextError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let parts = text.strip_prefix(FORMAT).and_then(|rest| rest.split_once('.'));
        let (key, sealed) = parts.ok_or(SealedTextError::Format)?;
        Self::new(key.parse()?, sealed.to_owned())
    }
}

impl TryFrom<String> for SealedPassword {
    type Error = SealedTextError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        text.parse()
    }
}

impl From<SealedPassword> for String {
    fn from(password: SealedPassword) -> Self {
        password.to_text()
    }
}

/// User and sealed password of a camera.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SealedLogin {
    /// The user, in clear.
    pub user: String,
    /// The password.
    #[serde(rename = "sealed")]
    pub password: SealedPassword,
}

/// By hand: an error that serde makes repeats the value, which may be a password.
impl<'de> Deserialize<'de> for SealedLogin {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Value::Object(mut fields) = Value::deserialize(from)? else {
            return Err(D::Error::custom(LOGIN));
        };
        if fields.contains_key("password") || fields.contains_key("sealed_with") {
            return Err(D::Error::custom(
                "a password stands here only sealed; write the `sealed = ...` that `vedette camera seal CAMERA --user NAME` prints",
            ));
        }
        let (user, sealed) = (fields.remove("user"), fields.remove("sealed"));
        if !fields.is_empty() {
            return Err(D::Error::custom(LOGIN));
        }
        let user = user.ok_or_else(|| D::Error::missing_field("user"))?;
        let sealed = sealed.ok_or_else(|| D::Error::missing_field("sealed"))?;
        let (Value::String(user), Value::String(sealed)) = (user, sealed) else {
            return Err(D::Error::custom(LOGIN));
        };
        Ok(Self { user, password: sealed.parse().map_err(D::Error::custom)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sealed_password_reads_as_it_was_written_and_prints_only_its_key() {
        let text = "v1.3f9a1c2e77b0.AAbb-_09";
        let password: SealedPassword = text.parse().unwrap();
        assert_eq!((password.to_text().as_str(), password.sealed()), (text, "AAbb-_09"));
        assert_eq!(format!("{password:?}"), "sealed with key 3f9a1c2e77b0");
        let login = SealedLogin { user: "viewer".into(), password };
        let json = serde_json::to_string(&login).unwrap();
        assert_eq!(json, format!("{{\"user\":\"viewer\",\"sealed\":\"{text}\"}}"));
        assert_eq!(serde_json::from_str::<SealedLogin>(&json).unwrap(), login);
        assert!(!format!("{login:?}").contains("AAbb"));
    }

    #[test]
    fn other_texts_are_refused_and_not_repeated() {
        let long = format!("v1.3f9a1c2e77b0.{}", "A".repeat(LONGEST_SEALED + 1));
        for text in [
            "",
            "GEHEIM",
            "v1.",
            "v1.3f9a1c2e77b0",
            "v1.3f9a1c2e77b0.",
            "v1.3F9A1C2E77B0.AA",
            "v1.3f9a.AA",
            "v2.3f9a1c2e77b0.AA",
            "v1.3f9a1c2e77b0.GE HEIM",
            "v1.GEHEIM000000.AA",
            "v1.3f9a1c2e77bß.AA",
            &long,
        ] {
            let error = text.parse::<SealedPassword>().unwrap_err();
            assert!(!error.to_string().contains("GEHEIM"), "{error}");
        }
        for json in [
            r#"{"user":"a","password":"GEHEIM"}"#,
            r#"{"user":"a","password":["GEHEIM"]}"#,
            r#"{"user":"a","sealed_with":"3f9a1c2e77b0"}"#,
            r#"{"user":"a","sealed":"GEHEIM"}"#,
            r#"{"user":"a","sealed":["GEHEIM"]}"#,
            r#"{"user":"a","sealed":"v1.3f9a1c2e77b0.AA","passwort":"GEHEIM"}"#,
            r#"{"user":"a"}"#,
            r#"["GEHEIM sealed"]"#,
            r#""GEHEIM""#,
        ] {
            let error = serde_json::from_str::<SealedLogin>(json).unwrap_err().to_string();
            assert!(error.contains("sealed") && !error.contains("GEHEIM"), "{error}");
        }
    }
}
