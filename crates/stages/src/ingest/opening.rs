//! Resolves a camera's source: the whole address and the password, looked up or opened on this machine.

use vedette_core::{Camera, CameraId, CameraSource, SealedLogin, SignalLossReason};
use vedette_media::{Credentials, IntakeSource};
use vedette_runtime::report;
use vedette_sealing::{Endpoint, KeyRing};

use super::source_error::SourceError;
use super::{CredentialSection, IngestSettings, address};

/// A camera's source as this machine can open it.
pub(super) struct Opened {
    pub(super) source: IntakeSource,
    /// Why it cannot.
    pub(super) refused: Option<String>,
}

impl Opened {
    /// Whether a key may open it that this machine gets later.
    pub(super) fn awaits_key(&self) -> bool {
        self.source == IntakeSource::Unavailable(SignalLossReason::PasswordUnopened)
    }
}

/// Opens the sources of cameras, with the keys as they are in the file now.
pub(super) struct Opening<'a> {
    settings: &'a IngestSettings,
    /// Read when the first password needs them.
    keys: Option<KeyRing>,
}

impl<'a> Opening<'a> {
    pub(super) const fn new(settings: &'a IngestSettings) -> Self {
        Self { settings, keys: None }
    }

    pub(super) fn open(&mut self, camera: &Camera) -> Opened {
        match self.source_of(camera) {
            Ok(source) => Opened { source, refused: None },
            Err(error) => Opened { source: IntakeSource::Unavailable(error.reason()), refused: Some(report(&error)) },
        }
    }

    fn source_of(&mut self, camera: &Camera) -> Result<IntakeSource, SourceError> {
        Ok(match camera.source.as_ref().ok_or(SourceError::NoSource)? {
            CameraSource::File { path, looped, offset } => {
                IntakeSource::File { path: path.into(), looped: *looped, offset: *offset }
            }
            CameraSource::Rtsp { url, credential, login } => {
                let template = address::template(&self.settings.addresses, &camera.id, url)?;
                let login = match (login, credential) {
                    (Some(login), _) => Some(self.opened(&camera.id, template, login)?),
                    (None, Some(name)) => Some(self.looked_up(name)?),
                    (None, None) => None,
                };
                let password = login.as_ref().map(|(_, password)| password.as_str());
                let url = address::whole(template, password)?;
                let credentials = login.map(|(user, password)| Credentials::new(user, password));
                IntakeSource::Rtsp { url, credentials }
            }
        })
    }

    /// User and password of a sealed login. It is for the endpoint of the address that is called, not of one that only stands on the bus.
    fn opened(
        &mut self,
        camera: &CameraId,
        template: &str,
        login: &SealedLogin,
    ) -> Result<(String, String), SourceError> {
        let key = login.password.key();
        let endpoint = Endpoint::of(template).ok_or(SourceError::NoEndpoint)?;
        let keys = match &mut self.keys {
            Some(keys) => keys,
            none => {
                let path = self.settings.key_file.as_deref().ok_or(SourceError::NoKeyFile(key))?;
                none.insert(KeyRing::read(path).map_err(|source| SourceError::Keys { key, source })?)
            }
        };
        let password = keys.open(&login.password, camera, &endpoint)?;
        Ok((login.user.clone(), password.reveal().to_owned()))
    }

    /// User and password of a credential.
    fn looked_up(&self, name: &str) -> Result<(String, String), SourceError> {
        let CredentialSection { user, password_env } =
            self.settings.credentials.get(name).ok_or_else(|| SourceError::UnknownCredential(name.to_owned()))?;
        let password = std::env::var(password_env).map_err(|source| SourceError::Password {
            credential: name.to_owned(),
            variable: password_env.clone(),
            source,
        })?;
        Ok((user.clone(), password))
    }
}
