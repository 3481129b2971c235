//! The strings of enumerations, for the description of the API. They are those that serde writes.

use std::borrow::Cow;

use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};
use vedette_core::{AddressLevel, AlertStatus, Direction, PlaceSource, Severity, SignalLossReason};

use crate::{Decision, NoClip};

macro_rules! words {
    ($($(#[doc = $doc:literal])+ $schema:ident($type:ident): $($variant:ident)+;)+) => {$(
        $(#[doc = $doc])+
        #[derive(Debug)]
        pub struct $schema;

        impl PartialSchema for $schema {
            fn schema() -> RefOr<Schema> {
                // A variant that is not listed does not compile.
                const _: fn($type) = |it| match it { $($type::$variant => (),)+ };
                schema(concat!($($doc),+), [$($type::$variant),+])
            }
        }

        impl ToSchema for $schema {
            fn name() -> Cow<'static, str> {
                stringify!($type).into()
            }
        }
    )+};
}

words! {
    /// `open` while it lasts, `ended` once over.
    StatusWords(AlertStatus): Open Ended;
    /// Severity of an alert.
    SeverityWords(Severity): Critical High Medium Low;
    /// Direction of a line crossing, seen from the line's first end towards the other.
    DirectionWords(Direction): LeftToRight RightToLeft Both;
    /// A person's verdict on an alert.
    DecisionWords(Decision): Confirmed FalseAlarm;
    /// `calibration`: projected from the pixel. `above_horizon`, `camera_position`: the camera's own place is used instead.
    SourceWords(PlaceSource): Calibration AboveHorizon CameraPosition;
    /// Levels of the standard address, outermost first.
    LevelWords(AddressLevel): District Street Community Grid Building Room;
    /// Why an alert has no clip; the texts beside it say it in words.
    NoClipWords(NoClip): Off NoPicture NoVideo Expired QueueFull Undecodable TooLarge Failed;
    /// Why a camera has no signal; the texts beside it say it in words.
    SignalLossWords(SignalLossReason): Unknown Connecting Unreachable NoData NoUsablePicture TooLarge NoKeyFrame NoParameterSets
        Unauthorized NotFound Refused NoVideo UnsupportedCodec StreamEnded BrokenStream FileMissing RecordingRefused SourceUnavailable
        IngestGone DetectGone Undecodable DecoderStuck InferenceFailed Overload NoRecords Redirected Transport Protocol PictureSize PasswordUnopened;
}

fn schema<T: Serialize>(doc: &str, variants: impl IntoIterator<Item = T>) -> RefOr<Schema> {
    let words = variants.into_iter().filter_map(|it| serde_json::to_value(it).ok());
    ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).description(Some(doc.trim())).into()
}
