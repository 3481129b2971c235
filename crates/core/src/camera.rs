use std::convert::Infallible;

use serde::{Deserialize, Serialize};

use crate::{AddressCode, Calibration, CameraId, GroundPoint, Mask, PolicyScope, SealedLogin};

/// Codec of a camera's video.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Codec {
    /// ITU-T H.264 in Annex B byte-stream format.
    H264,
    /// ITU-T H.265 in Annex B byte-stream format.
    H265,
    /// One JFIF picture per access unit.
    Jpeg,
}

/// Source of a camera's stream. It never contains a password that can be read: a credential is looked up by name on the machine that
/// connects, and a sealed password is opened there, so that none reaches the bus, a log or a metric.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
#[serde(bound(deserialize = "L: Deserialize<'de>"))]
pub enum CameraSource<L = SealedLogin> {
    /// A recording, played in real time.
    File {
        /// Path on the machine that runs the `ingest` role.
        path: String,
        /// Restart at the end, with a new stream session only when the machine restarts.
        #[serde(default)]
        looped: bool,
        /// Start position in the recording, so that copies of one recording differ.
        #[serde(default)]
        offset: crate::Span,
    },
    /// A network camera.
    Rtsp {
        /// `rtsp://host[:port]/path`, without user and password.
        url: String,
        /// Name of a credential in the configuration of the `ingest` role.
        #[serde(default)]
        credential: Option<String>,
        /// User and sealed password, in place of a credential.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        login: Option<L>,
    },
}

impl<L> CameraSource<L> {
    /// The address of a network camera.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        match self {
            Self::Rtsp { url, .. } => Some(url),
            Self::File { .. } => None,
        }
    }

    /// User and sealed password.
    #[must_use]
    pub const fn login(&self) -> Option<&L> {
        match self {
            Self::Rtsp { login, .. } => login.as_ref(),
            Self::File { .. } => None,
        }
    }
}

/// Order of load shedding: lower priorities are shed first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Priority {
    /// Shed first.
    Low,
    /// The default.
    #[default]
    Normal,
    /// Shed last.
    High,
}

impl Priority {
    /// The name in configuration and JSON.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Normal => "normal",
            Self::High => "high",
        }
    }
}

/// One camera of the registry. Its login is [`SealedLogin`] wherever a camera is kept; the API has others, as a person gives one and as it
/// is shown.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, bound(deserialize = "L: Deserialize<'de>"))]
pub struct Camera<L = SealedLogin> {
    /// Its id, the key of all its records.
    pub id: CameraId,
    /// Its display name.
    pub name: String,
    /// Why this camera may be analysed; a camera without purpose is refused.
    pub purpose: String,
    /// Groups it belongs to; a policy can apply to a group.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Whether it is enabled.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Priority in load shedding.
    #[serde(default)]
    pub priority: Priority,
    /// Source of the stream; none for a camera whose detections are imported.
    #[serde(default)]
    pub source: Option<CameraSource<L>>,
    /// Where it is mounted.
    pub position: GroundPoint,
    /// Its own standard address, when known.
    #[serde(default)]
    pub address: Option<AddressCode>,
    /// Its calibration, the mapping of pixels to the ground.
    #[serde(default)]
    pub calibration: Option<Calibration>,
    /// Private parts of its picture.
    #[serde(default, rename = "mask", skip_serializing_if = "Vec::is_empty")]
    pub masks: Vec<Mask>,
}

impl<L> Camera<L> {
    /// The address of a network camera.
    #[must_use]
    pub fn url(&self) -> Option<&str> {
        self.source.as_ref()?.url()
    }

    /// User and sealed password.
    #[must_use]
    pub fn login(&self) -> Option<&L> {
        self.source.as_ref()?.login()
    }

    /// The same camera with its login, if it has one, in another form.
    #[must_use]
    pub fn map_login<M>(self, form: impl FnOnce(L) -> M) -> Camera<M> {
        let Ok(camera) = self.try_map_login(|login| Ok::<_, Infallible>(form(login)));
        camera
    }

    /// The same, unless that fails.
    ///
    /// # Errors
    /// That of `form`.
    pub fn try_map_login<M, E>(self, form: impl FnOnce(L) -> Result<M, E>) -> Result<Camera<M>, E> {
        let source = match self.source {
            Some(CameraSource::Rtsp { url, credential, login }) => {
                Some(CameraSource::Rtsp { url, credential, login: login.map(form).transpose()? })
            }
            Some(CameraSource::File { path, looped, offset }) => Some(CameraSource::File { path, looped, offset }),
            None => None,
        };
        let Self { id, name, purpose, groups, enabled, priority, position, address, calibration, masks, .. } = self;
        Ok(Camera { id, name, purpose, groups, enabled, priority, source, position, address, calibration, masks })
    }
}

impl Camera {
    /// The scopes whose policy may apply to it, in their order: the first one with a policy decides.
    pub fn policy_scopes(&self) -> impl Iterator<Item = PolicyScope> {
        let own = PolicyScope::Camera(self.id.clone());
        std::iter::once(own).chain(self.groups.iter().cloned().map(PolicyScope::Group))
    }

    /// Whether it is the camera of a scope, or in its group.
    #[must_use]
    pub fn is_in(&self, scope: &PolicyScope) -> bool {
        match scope {
            PolicyScope::Camera(id) => self.id == *id,
            PolicyScope::Group(group) => self.groups.contains(group),
        }
    }
}

fn yes() -> bool {
    true
}
