use std::fmt;
use std::str::FromStr;

use uuid::Uuid;
use vedette_core::{AlertId, CameraId, CameraNearMiss, RuleId, Timestamp, TrackId};

/// Namespace of alert ids: a random UUID, fixed forever. Changing it would change every alert's id.
pub const ALERT_NAMESPACE: Uuid = Uuid::from_u128(0x3f0d_5a5e_7c1b_4f0e_9a54_2d1c_86b7_e0f1);

/// The id of an alert: a UUID version 5 (RFC 9562) in [`ALERT_NAMESPACE`] over what identifies its episode.
///
/// `started` is the capture time at which the condition began to hold, `subject` the track a rule about one object is
/// about, `None` for a rule about a whole zone. The same four values give the same id on every machine and in every
/// replay, so a repeated alert is recognised.
///
/// The name that is hashed is, in this order: the camera id and the rule id, each as its length in bytes (32 bits, big
/// endian) and its ASCII bytes; `started` in microseconds since the Unix epoch (64 bits, big endian, two's complement);
/// one byte 0 without a subject, or one byte 1 and the track number (64 bits, big endian).
#[must_use]
pub fn alert_id(camera: &CameraId, rule: &RuleId, started: Timestamp, subject: Option<TrackId>) -> AlertId {
    let mut name = Vec::with_capacity(camera.as_str().len() + rule.as_str().len() + 25);
    push_texts(&mut name, &[camera.as_str(), rule.as_str()]);
    name.extend_from_slice(&started.as_micros().to_be_bytes());
    push_subject(&mut name, subject);
    AlertId(Uuid::new_v5(&ALERT_NAMESPACE, &name).as_u128())
}

/// Namespace of the ids of near-misses: a random UUID, fixed forever.
const NEAR_MISS_NAMESPACE: Uuid = Uuid::from_u128(0x9d26_b1c4_58e7_4a3b_8f60_c7d1_0e94_a25b);

/// Identity of a near-miss.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct NearMissId(Uuid);

impl fmt::Display for NearMissId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for NearMissId {
    type Err = uuid::Error;
    fn from_str(text: &str) -> Result<Self, uuid::Error> {
        text.parse().map(Self)
    }
}

/// The id of a near-miss: a UUID version 5 over its camera, rule, term, subject and times, so that a repeated one is recognised.
#[must_use]
pub fn near_miss_id(of: &CameraNearMiss) -> NearMissId {
    let mut name = Vec::with_capacity(160);
    push_texts(&mut name, &[of.camera.as_str(), of.miss.rule.as_str(), of.miss.term.as_str()]);
    name.extend_from_slice(&of.miss.started.as_micros().to_be_bytes());
    name.extend_from_slice(&of.miss.ended.as_micros().to_be_bytes());
    push_subject(&mut name, of.miss.subject);
    NearMissId(Uuid::new_v5(&NEAR_MISS_NAMESPACE, &name))
}

/// Each with its length, so that no character slips from one to the next.
fn push_texts(name: &mut Vec<u8>, texts: &[&str]) {
    for text in texts {
        let length = u32::try_from(text.len()).expect("an id has at most 64 bytes");
        name.extend_from_slice(&length.to_be_bytes());
        name.extend_from_slice(text.as_bytes());
    }
}

fn push_subject(name: &mut Vec<u8>, subject: Option<TrackId>) {
    match subject {
        None => name.push(0),
        Some(track) => {
            name.push(1);
            name.extend_from_slice(&track.0.to_be_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(camera: &str, rule: &str, started: i64, subject: Option<u64>) -> AlertId {
        let camera = CameraId::new(camera).unwrap();
        let rule = RuleId::new(rule).unwrap();
        alert_id(&camera, &rule, Timestamp::from_micros(started), subject.map(TrackId))
    }

    #[test]
    fn an_id_never_changes_between_versions_of_the_program() {
        let known = id("gate-1", "intrusion", 1_767_225_600_250_000, Some(7));
        assert_eq!(known.to_string(), "80df546d-2d03-540d-b60a-e92f19d7bbd7");
    }

    #[test]
    fn an_id_is_a_version_5_uuid() {
        let uuid = Uuid::from_u128(id("a", "b", 0, None).0);
        assert_eq!(uuid.get_version_num(), 5);
        assert_eq!(uuid.get_variant(), uuid::Variant::RFC4122);
    }

    #[test]
    fn characters_do_not_slip_between_camera_and_rule() {
        assert_ne!(id("ab", "c", 1, None), id("a", "bc", 1, None));
        assert_ne!(id("a", "b", 1, None), id("a", "b", 1, Some(0)));
    }

    const NAME: &str = "[a-z0-9._:-]{1,12}";

    proptest! {
        #[test]
        fn equal_episodes_and_only_those_share_an_id(
            one in (NAME, NAME, any::<i64>(), any::<Option<u64>>()),
            other in (NAME, NAME, any::<i64>(), any::<Option<u64>>()),
        ) {
            let of = |(camera, rule, started, subject): &(String, String, i64, Option<u64>)| {
                id(camera, rule, *started, *subject)
            };
            prop_assert_eq!(of(&one), of(&one));
            prop_assert_eq!(of(&one) == of(&other), one == other);
        }
    }
}
