use bytes::Bytes;
use prost::Message;
use vedette_core::{Change, ChangePhase, LateChange, Span, Timestamp};

use crate::error::parse;
use crate::{WireError, camera, field, pb, policy};

/// The value of a record on `changes`.
#[must_use]
pub fn encode_change(change: &Change) -> Bytes {
    use pb::change::Phase;
    let phase = match &change.phase {
        ChangePhase::Prepared => Phase::Prepared(true),
        ChangePhase::Committed(from) => Phase::CommittedUs(from.as_micros()),
        ChangePhase::Published(from) => Phase::PublishedUs(from.as_micros()),
        ChangePhase::Aborted(reason) => Phase::Aborted(reason.clone()),
    };
    pb::Change {
        id: change.id.to_string(),
        cameras: change.cameras.iter().map(camera::pb_version).collect(),
        policies: change.policies.iter().map(policy::pb_version).collect(),
        prepared_us: change.prepared.as_micros(),
        lead_us: change.lead.as_micros(),
        phase: Some(phase),
    }
    .encode_to_vec()
    .into()
}

/// Reads the value of a record on `changes`.
///
/// # Errors
/// When the bytes are not such a message, or a value breaks its rule.
pub fn decode_change(bytes: Bytes) -> Result<Change, WireError> {
    use pb::change::Phase;
    let message: pb::Change = parse("Change", bytes)?;
    let phase = match message.phase.ok_or(WireError::missing("phase"))? {
        Phase::Prepared(_) => ChangePhase::Prepared,
        Phase::CommittedUs(from) => ChangePhase::Committed(Timestamp::from_micros(from)),
        Phase::PublishedUs(from) => ChangePhase::Published(Timestamp::from_micros(from)),
        Phase::Aborted(reason) => ChangePhase::Aborted(reason),
    };
    Ok(Change {
        id: field::change_id(&message.id)?,
        cameras: message.cameras.into_iter().map(camera::version).collect::<Result<_, _>>()?,
        policies: message.policies.into_iter().map(policy::version).collect::<Result<_, _>>()?,
        prepared: Timestamp::from_micros(message.prepared_us),
        lead: Span::from_micros(message.lead_us),
        phase,
    })
}

/// The key of a record on `late-changes`.
#[must_use]
pub fn late_change_key(late: &LateChange) -> String {
    format!("{}/{}", late.camera, late.from.as_micros())
}

/// The value of a record on `late-changes`.
#[must_use]
pub fn encode_late_change(late: &LateChange) -> Bytes {
    pb::LateChange {
        camera: late.camera.to_string(),
        from_us: late.from.as_micros(),
        until_us: late.until.as_micros(),
        not_exact: !late.exact,
    }
    .encode_to_vec()
    .into()
}

/// Reads the value of a record on `late-changes`.
///
/// # Errors
/// When the bytes are not such a message, or the span is empty.
pub fn decode_late_change(bytes: Bytes) -> Result<LateChange, WireError> {
    let message: pb::LateChange = parse("LateChange", bytes)?;
    if message.until_us <= message.from_us {
        return Err(WireError::invalid("until_us", "give a time after `from_us`"));
    }
    Ok(LateChange {
        camera: field::camera_id(&message.camera)?,
        from: Timestamp::from_micros(message.from_us),
        until: Timestamp::from_micros(message.until_us),
        exact: !message.not_exact,
    })
}

#[cfg(test)]
mod tests {
    use vedette_core::{Authorship, CameraId, CameraVersion, ChangeId, Owner, PolicyScope, PolicyVersion};

    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::from_micros(micros)
    }

    #[test]
    fn changes_read_back_in_each_phase() {
        let gate = CameraId::new("gate").unwrap();
        let made = Authorship {
            author: "operator 7".into(),
            reason: "fewer false alarms at dusk".into(),
            at: at(5),
            owner: Owner::Console,
            parent: Some(at(0)),
        };
        let mut removed = PolicyVersion::removed(PolicyScope::Group("lawn".into()), at(9)).made(made.clone());
        removed.only.insert(gate.clone());
        for phase in [
            ChangePhase::Prepared,
            ChangePhase::Committed(at(9)),
            ChangePhase::Published(at(9)),
            ChangePhase::Aborted("a worker refused".into()),
        ] {
            let change = Change {
                id: ChangeId::new("c1").unwrap(),
                cameras: vec![CameraVersion::removed(gate.clone(), at(9)).made(made.clone())],
                policies: vec![removed.clone()],
                prepared: at(6),
                lead: Span::from_millis(500),
                phase,
            };
            assert_eq!(decode_change(encode_change(&change)).unwrap(), change);
        }
        assert!(decode_change(Bytes::new()).is_err());
    }

    #[test]
    fn late_changes_read_back_and_empty_spans_are_refused() {
        let late = |until| LateChange {
            camera: CameraId::new("gate").unwrap(),
            from: at(3),
            until: at(until),
            exact: until % 2 == 0,
        };
        for late in [late(4), late(5)] {
            assert_eq!(decode_late_change(encode_late_change(&late)).unwrap(), late);
        }
        assert!(decode_late_change(encode_late_change(&late(3))).is_err());
        assert_eq!(late_change_key(&late(4)), "gate/3");
    }
}
