//! The rules that a camera of the registry obeys beyond those of its calibration.

use vedette_core::{Camera, CameraSource, LONGEST_NAME, LONGEST_PURPOSE, ValidationError, text_violation, violations};

/// In an address of a camera: where the password of its credential is put in.
pub const PASSWORD_PLACEHOLDER: &str = "{password}";

violations! {
    pub(crate) enum CameraRule {
        NoPurpose = "camera.purpose": "a camera needs a purpose", "say why this camera may be analysed";
        Credentials = "camera.credentials": "a camera's address holds no credentials",
            "remove user and password and name a credential: source.credential = \"NAME\"";
        Placeholder { placeholder: String } = "camera.placeholder":
            "the address has {placeholder}, and neither a credential nor a login to fill it from",
            "name a credential with source.credential = \"NAME\", or add the source.login that `vedette camera seal` prints";
        TwoLogins = "camera.two-logins": "the camera has a login and a credential", "remove one of both";
        NoUser = "camera.login-user": "a login needs a user", "give the name with which the camera lets one in";
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
    if let Some(CameraSource::Rtsp { url, credential, login }) = &camera.source {
        found.extend(url_mistake(url));
        if url.contains(PASSWORD_PLACEHOLDER) && credential.is_none() && login.is_none() {
            let rule = CameraRule::Placeholder { placeholder: PASSWORD_PLACEHOLDER.to_owned() };
            found.push(ValidationError::new("source.url", "", rule));
        }
        if credential.is_some() && login.is_some() {
            found.push(ValidationError::new("source.credential", "", CameraRule::TwoLogins));
        }
        found.extend(login.as_ref().and_then(|login| user_mistake(&login.user)));
    }
    found
}

fn user_mistake(user: &str) -> Option<ValidationError> {
    let violation = match user {
        "" => CameraRule::NoUser.into(),
        user => text_violation(user, LONGEST_NAME)?,
    };
    let shown: String = user.chars().take(80).collect();
    Some(ValidationError::new("source.login.user", shown, violation))
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
