//! The rules that a camera of the registry obeys beyond those of its calibration.

use vedette_core::{Camera, CameraSource, LONGEST_NAME, LONGEST_PURPOSE, ValidationError, text_violation, violations};

/// In an address of a camera: where the password of its credential is put in.
pub const PASSWORD_PLACEHOLDER: &str = "{password}";

violations! {
    pub(crate) enum CameraRule {
        NoPurpose = "camera.purpose": "a camera needs a purpose", "say why this camera may be analysed";
        Credentials = "camera.credentials": "a camera's address holds no credentials",
            "remove user and password and name a credential: source.credential = \"NAME\"";
        Placeholder { placeholder: String } = "camera.placeholder": "the address has {placeholder}, and no credential to fill it from",
            "name one: source.credential = \"NAME\"";
        Url = "camera.url": "this is not a valid rtsp:// URL", "write rtsp://HOST/PATH";
    }
}

/// Validation errors of a camera's purpose, texts and address.
#[must_use]
pub fn camera_mistakes(camera: &Camera) -> Vec<ValidationError> {
    let mut found = Vec::new();
    if camera.purpose.trim().is_empty() {
        found.push(ValidationError::new("purpose", "", CameraRule::NoPurpose));
    }
    for (key, text, most) in [("name", &camera.name, LONGEST_NAME), ("purpose", &camera.purpose, LONGEST_PURPOSE)] {
        if let Some(violation) = text_violation(text, most) {
            let shown: String = text.chars().take(80).collect();
            found.push(ValidationError::new(key, shown, violation));
        }
    }
    if let Some(CameraSource::Rtsp { url, credential }) = &camera.source {
        found.extend(url_mistake(url));
        if url.contains(PASSWORD_PLACEHOLDER) && credential.is_none() {
            let rule = CameraRule::Placeholder { placeholder: PASSWORD_PLACEHOLDER.to_owned() };
            found.push(ValidationError::new("source.url", "", rule));
        }
    }
    found
}

/// A value that does not parse is not repeated: it may contain a secret in any place.
fn url_mistake(url: &str) -> Option<ValidationError> {
    let (shown, rule) = match url::Url::parse(url) {
        Ok(parsed) if !parsed.username().is_empty() || parsed.password().is_some() => ("", CameraRule::Credentials),
        Ok(parsed) if parsed.scheme() == "rtsp" && parsed.has_host() && !url.contains('@') => return None,
        // A password with special characters does not parse, or not as a password: behind `/`, `?` or `#` it looks like another part.
        _ if url.contains('@') => ("", CameraRule::Credentials),
        Ok(parsed) if parsed.has_host() && parsed.query().is_none() => (url, CameraRule::Url),
        _ => ("", CameraRule::Url),
    };
    Some(ValidationError::new("source.url", shown, rule))
}
