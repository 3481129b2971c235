//! The vocabulary of the product: identifiers, time, pixels, ground, detections, tracks, rules, alerts.
//!
//! *In:* nothing. *Out:* plain, validated values with their units, shared by every other crate.
//! *Must not know:* Kafka, GStreamer, ONNX Runtime, HTTP, files, clocks. Only the types are here; computations on
//! them are in the crate that owns the computation.

mod account;
mod address;
mod address_match;
mod alert;
mod backoff;
mod calibration;
mod camera;
mod change;
mod class;
mod condition;
mod detection;
mod episode;
mod event_code;
mod frame_range;
mod ground;
mod id;
mod line;
mod login;
mod mask;
mod name;
mod near_miss;
mod picture;
mod pixel;
mod policy;
mod quality;
mod record;
mod retention_clock;
mod schedule;
mod signal_loss;
mod text;
mod time;
mod timeline;
mod track;
mod validation;
mod version;
mod video;
mod violation;
mod zone;

pub use account::{FrameAccount, FrameCounts, ShedRange, ShedReason};
pub use address::{AddressCode, AddressCodeError, AddressLevel, AddressPrefix};
pub use address_match::{
    AddressCandidate, AddressMatch, NearbyPlate, NearbyRoad, ResponsibleRef, ResponsibleUnit, ResponsibleUnitError,
};
pub use alert::{Alert, AlertId, AlertObject, AlertStatus, Evidence, PathPoint};
pub use backoff::Backoff;
pub use calibration::{Calibration, CameraPose, ControlPoint};
pub use camera::{Camera, CameraSource, Codec, Priority};
pub use change::{
    AppliedChange, Change, ChangePhase, LARGEST_CHANGE, LateChange, Proposal, ProposedCamera, ProposedPolicy, Refusal,
};
pub use class::{ClassSet, ObjectClass, UnknownClass};
pub use condition::{Condition, FromParam, Params, ToParam};
pub use detection::{Detection, ModelRef, Score, ScoreError, StageLatency, VideoRef};
pub use episode::{Episode, EpisodePhase, Measured};
pub use event_code::{EventCode, EventCodeError};
pub use frame_range::FrameRange;
pub use ground::{GroundPoint, GroundPointError, Place, PlaceSource};
pub use id::{CameraId, ChangeId, IdError, RuleId, TrackId};
pub use line::{Direction, Segment};
pub use login::{KeyId, SealedLogin, SealedPassword, SealedTextError};
pub use mask::Mask;
pub use name::{NameError, Quantity, RuleKind, Term};
pub use near_miss::{CameraNearMiss, NearMiss, NearestFrame};
pub use picture::PictureStats;
pub use pixel::{FrameSize, PixelBox, PixelPoint};
pub use policy::{PlaceCooldown, Policy, PolicyScope, Rule, ScoreBand, Severity, SizeBounds};
pub use quality::Quality;
pub use record::{AccountOnly, CameraRecord, FrameAt, ProcessedFrame, RecordBody};
pub use retention_clock::RetentionClock;
pub use schedule::{DailyWindow, Schedule, Weekday};
pub use signal_loss::{LossHeartbeats, NO_SESSION, SignalLoss, SignalLossReason};
pub use text::{LONGEST_NAME, LONGEST_PURPOSE, printable, text_violation};
pub use time::{Span, SpanError, Timestamp};
pub use timeline::Timeline;
pub use track::Track;
pub use validation::{ValidationError, ValidationErrors, value_violations};
pub use version::{Authorship, CameraVersion, Owner, PolicyVersion, Version};
pub use video::{AccessUnit, Display, MAX_UNIT_BYTES, PixelAspect, Rotation, StreamSession, VideoChunk};
pub use violation::{Argument, Arguments, Violation, ViolationInfo, Words};
pub use zone::{Area, Zone};
