//! The whole address of a camera, with the secrets that are not on the bus.

use std::collections::BTreeMap;

use url::Url;
use vedette_core::CameraId;

use super::source_error::SourceError;
use crate::registry::PASSWORD_PLACEHOLDER;

/// A secret that was hidden before the camera was published.
const HIDDEN: &str = "=***";

/// `published` as it is to be called, without the password: that of this machine's camera file if it has secrets.
pub(super) fn template<'a>(
    own: &'a BTreeMap<CameraId, String>,
    camera: &CameraId,
    published: &'a str,
) -> Result<&'a str, SourceError> {
    match own.get(camera) {
        Some(address) => Ok(address),
        None if published.contains(HIDDEN) => Err(SourceError::HiddenAddress),
        None => Ok(published),
    }
}

/// An address with the password filled in.
pub(super) fn whole(address: &str, password: Option<&str>) -> Result<Url, SourceError> {
    let filled = match password {
        Some(password) => address.replace(PASSWORD_PLACEHOLDER, &escaped(password)),
        None => address.to_owned(),
    };
    filled.parse().map_err(SourceError::Address)
}

/// With all but unreserved characters percent-encoded (RFC 3986, section 2).
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => escaped.push(byte.into()),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by it")]

    use super::*;

    #[test]
    fn the_password_is_put_in_and_the_own_address_goes_first() {
        let gate = CameraId::new("gate").unwrap();
        let none = BTreeMap::new();
        let url = |own: &BTreeMap<_, _>, published, password| {
            template(own, &gate, published).and_then(|address| whole(address, password)).map(String::from)
        };
        let filled = url(&none, "rtsp://h/user=a&password={password}&channel=1", Some("g&h/#?ä")).unwrap();
        assert_eq!(filled, "rtsp://h/user=a&password=g%26h%2F%23%3F%C3%A4&channel=1");
        assert_eq!(url(&none, "rtsp://h/live", Some("x")).unwrap(), "rtsp://h/live");
        let own = BTreeMap::from([(gate.clone(), "rtsp://h/live?token=GEHEIM".to_owned())]);
        assert_eq!(url(&own, "rtsp://h/live?token=***", None).unwrap(), "rtsp://h/live?token=GEHEIM");
        assert!(matches!(url(&none, "rtsp://h/live?token=***", None), Err(SourceError::HiddenAddress)));
    }
}
