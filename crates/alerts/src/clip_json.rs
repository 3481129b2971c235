//! The JSON form of what there is of an alert's clip.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use vedette_core::AlertId;

use crate::clip::{ClipState, NoClip};
use crate::evidence_path::clip_path;
use crate::words::NoClipWords;

/// Some seconds of video around the frame that raised the alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ClipJson {
    /// `made`: it is at `path`; `pending`: it is still to be made; `none`: there is none, `missing` says why.
    pub state: ClipStateJson,
    /// Path of the clip on this server (`WebM`, no sound); people are pixelated in it unless the site is configured otherwise. Null unless
    /// it is made.
    #[schema(required = true)]
    pub path: Option<String>,
    /// Why there is none; null otherwise.
    #[schema(required = true)]
    pub missing: Option<NoClipJson>,
}

/// What there is of a clip.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(title = "ClipState")]
#[serde(rename_all = "snake_case")]
pub enum ClipStateJson {
    /// It is at `path`.
    Made,
    /// It is still to be made.
    Pending,
    /// There is none.
    None,
}

/// Why an alert has no clip.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct NoClipJson {
    /// The reason.
    #[schema(value_type = NoClipWords)]
    pub reason: NoClip,
    /// The reason and the remedy, in English.
    pub text: String,
    /// The same in Chinese.
    pub text_zh: String,
}

impl ClipJson {
    /// What there is of the clip of `alert`.
    pub(crate) fn new(alert: AlertId, state: ClipState) -> Self {
        let (state, path, missing) = match state {
            ClipState::Pending => (ClipStateJson::Pending, None, None),
            ClipState::Made => (ClipStateJson::Made, Some(clip_path(alert)), None),
            ClipState::None(reason) => (ClipStateJson::None, None, Some(NoClipJson::from(reason))),
        };
        Self { state, path, missing }
    }
}

impl From<NoClip> for NoClipJson {
    fn from(reason: NoClip) -> Self {
        Self { reason, text: reason.text().to_owned(), text_zh: reason.text_zh().to_owned() }
    }
}
