//! Logins of cameras as the API takes and shows them: a password goes in, in clear or sealed, and never comes out.

use std::fmt;

use serde::de::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use vedette_core::{Camera, CameraId, KeyId, SealedLogin};
use zeroize::Zeroizing;

use super::{App, Shared};
use crate::api_rule::ApiRule;
use crate::configuration::SealRefused;
use crate::problem::{Problem, ProblemKind};

const PATH: &str = "camera.source.login";
/// The forms of a login, for people.
const LOGIN: &str = "a login is {\"user\": ..., \"password\": ...}, or with \"sealed\" as `vedette camera seal` prints it, or with \
                     \"sealed_with\" as it is shown, to keep the password";

/// A login as it is shown. Given back like this, it keeps its password.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct ShownLogin {
    user: String,
    /// The key with which its password is sealed.
    sealed_with: KeyId,
}

/// A login as it is given.
pub(super) struct GivenLogin {
    user: String,
    password: GivenPassword,
}

enum GivenPassword {
    Clear(Zeroizing<String>),
    Sealed(SealedLogin),
    /// That of the newest version.
    Kept(KeyId),
}

impl fmt::Debug for GivenLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GivenLogin").field("user", &self.user).finish_non_exhaustive()
    }
}

/// By hand: an error that serde makes repeats the value, which may be a password.
impl<'de> Deserialize<'de> for GivenLogin {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let Value::Object(mut fields) = Value::deserialize(from)? else { return Err(D::Error::custom(LOGIN)) };
        let mut text = |name: &str| match fields.remove(name) {
            Some(Value::String(text)) => Ok(Some(Zeroizing::new(text))),
            Some(_) => Err(D::Error::custom(LOGIN)),
            None => Ok(None),
        };
        let user = text("user")?.ok_or_else(|| D::Error::missing_field("user"))?.to_string();
        let given = [text("password")?, text("sealed")?, text("sealed_with")?];
        if !fields.is_empty() {
            return Err(D::Error::custom(LOGIN));
        }
        let password = match given {
            [Some(clear), None, None] => GivenPassword::Clear(clear),
            [None, Some(sealed), None] => {
                let password = sealed.parse().map_err(D::Error::custom)?;
                GivenPassword::Sealed(SealedLogin { user: user.clone(), password })
            }
            [None, None, Some(key)] => GivenPassword::Kept(key.parse().map_err(D::Error::custom)?),
            _ => return Err(D::Error::custom(LOGIN)),
        };
        Ok(Self { user, password })
    }
}

impl From<SealedLogin> for ShownLogin {
    fn from(SealedLogin { user, password }: SealedLogin) -> Self {
        Self { user, sealed_with: password.key() }
    }
}

/// A camera without its sealed password.
pub(super) fn shown(camera: Camera) -> Camera<ShownLogin> {
    camera.map_login(ShownLogin::from)
}

/// The cameras with their passwords sealed: from here on none is in clear.
pub(super) async fn sealed(app: &App, cameras: Vec<Camera<GivenLogin>>) -> Result<Vec<Camera>, Problem> {
    let app = app.clone();
    // The key is read from its file.
    let sealing = move || cameras.into_iter().map(|camera| seal(&app, camera)).collect();
    match tokio::task::spawn_blocking(sealing).await {
        Ok(sealed) => sealed,
        Err(error) => Err(Problem::internal("sealing a password", &error)),
    }
}

fn seal(app: &Shared, camera: Camera<GivenLogin>) -> Result<Camera, Problem> {
    let (id, address) = (camera.id.clone(), camera.url().unwrap_or_default().to_owned());
    camera.try_map_login(|GivenLogin { user, password }| match password {
        GivenPassword::Sealed(login) => Ok(login),
        GivenPassword::Kept(key) => kept(app, &id, user, key),
        GivenPassword::Clear(clear) => {
            let sealed = app.parts.configuration.seal(&id, &address, clear);
            Ok(SealedLogin { user, password: sealed.map_err(Problem::from)? })
        }
    })
}

/// The login of the newest version under this user.
fn kept(app: &Shared, id: &CameraId, user: String, key: KeyId) -> Result<SealedLogin, Problem> {
    let newest = app.parts.configuration.camera_versions(id).pop().and_then(|newest| newest.content);
    let password = newest.and_then(|camera| Some(camera.login()?.password.clone())).filter(|kept| kept.key() == key);
    let password = password.ok_or_else(|| Problem::parameter(PATH, "", ApiRule::NotKept { key: key.to_string() }))?;
    Ok(SealedLogin { user, password })
}

impl From<SealRefused> for Problem {
    fn from(refused: SealRefused) -> Self {
        match refused {
            SealRefused::NoKey => Self::new(ProblemKind::CONFLICT, ApiRule::NoPublicKey),
            SealRefused::Key(reason) => Self::new(ProblemKind::CONFLICT, ApiRule::PublicKey { reason }),
            SealRefused::Password(reason) => Self::parameter(PATH, "", ApiRule::Password { reason }),
            SealRefused::Address => Self::parameter("camera.source.url", "", ApiRule::PasswordAddress),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_that_cannot_be_read_is_not_repeated() {
        for given in [
            r#"{"user": "a", "password": ["GEHEIM"]}"#,
            r#"{"user": "a", "password": "GEHEIM", "sealed_with": "3f9a1c2e77b0"}"#,
            r#"{"user": "a", "sealed": "GEHEIM"}"#,
            r#"{"user": "a", "sealed_with": "GEHEIM"}"#,
            r#"{"user": ["GEHEIM"], "password": "x"}"#,
            r#"{"user": "a", "passwort": "GEHEIM"}"#,
            r#"{"password": "GEHEIM"}"#,
            r#"{"user": "GEHEIM"}"#,
            r#""GEHEIM""#,
            r#"["GEHEIM"]"#,
        ] {
            let error = serde_json::from_str::<GivenLogin>(given).unwrap_err().to_string();
            assert!(!error.contains("GEHEIM"), "{error}");
        }
        let given: GivenLogin = serde_json::from_str(r#"{"user": "a", "password": "GEHEIM"}"#).unwrap();
        assert!(!format!("{given:?}").contains("GEHEIM") && matches!(given.password, GivenPassword::Clear(_)));
    }

    #[test]
    fn what_is_shown_has_no_password_and_keeps_it_when_it_is_given_back() {
        let login = SealedLogin { user: "viewer".into(), password: "v1.3f9a1c2e77b0.GEHEIM".parse().unwrap() };
        let shown = serde_json::to_string(&ShownLogin::from(login)).unwrap();
        assert_eq!(shown, r#"{"user":"viewer","sealed_with":"3f9a1c2e77b0"}"#);
        let GivenLogin { user, password } = serde_json::from_str(&shown).unwrap();
        assert!(user == "viewer" && matches!(password, GivenPassword::Kept(_)));
    }
}
