use bytes::Bytes;
use prost::Message;
use vedette_core::{CameraId, Span};

use crate::error::parse;
use crate::field::camera_id;
use crate::{WireError, pb};

/// Most bytes of a process name.
const LONGEST_PROCESS: usize = 64;
/// Most partitions of a topic, as the settings allow.
const MOST_PARTITIONS: usize = 1024;

/// Most cameras that a heartbeat names as idle.
pub const MOST_IDLE: usize = 2_000;

/// A sign of life of a stage, on `heartbeats`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heartbeat {
    /// This run of the process: a random name.
    pub process: String,
    /// How many cameras it works on.
    pub cameras: u32,
    /// The stage, and the cameras that it holds.
    pub role: HeartbeatRole,
}

/// The stage that sends a heartbeat, and the cameras that it holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeartbeatRole {
    /// `ingest`, with its share `number` (from 1) of `of`.
    Ingest {
        /// From 1.
        number: u32,
        /// At least `number`.
        of: u32,
        /// The cameras from which nothing is to be expected now: recordings that ended, or whose next picture is not due.
        idle: Vec<CameraId>,
        /// There are more of them than [`MOST_IDLE`].
        more_idle: bool,
    },
    /// `detect`, with its partitions of `video`.
    Detect {
        /// Their numbers.
        partitions: Vec<u32>,
        /// How long video waited that was decoded within the last seconds, at most.
        behind: Span,
    },
}

impl HeartbeatRole {
    /// The stage's name.
    #[must_use]
    pub const fn stage(&self) -> &'static str {
        match self {
            Self::Ingest { .. } => "ingest",
            Self::Detect { .. } => "detect",
        }
    }
}

/// Encodes a record on `heartbeats`.
#[must_use]
pub fn encode_heartbeat(heartbeat: &Heartbeat) -> Bytes {
    use pb::heartbeat::{Detect, Ingest, Role};
    let role = match &heartbeat.role {
        HeartbeatRole::Ingest { number, of, idle, more_idle } => Role::Ingest(Ingest {
            number: *number,
            of: *of,
            idle: idle.iter().map(ToString::to_string).collect(),
            more_idle: *more_idle,
        }),
        HeartbeatRole::Detect { partitions, behind } => Role::Detect(Detect {
            partitions: partitions.clone(),
            behind_us: u64::try_from(behind.as_micros()).unwrap_or(0),
        }),
    };
    let (process, cameras) = (heartbeat.process.clone(), heartbeat.cameras);
    pb::Heartbeat { process, cameras, role: Some(role) }.encode_to_vec().into()
}

/// Decodes a record on `heartbeats`.
///
/// # Errors
/// When the bytes are no such message, or a value breaks its rule.
pub fn decode_heartbeat(value: Bytes) -> Result<Heartbeat, WireError> {
    use pb::heartbeat::Role;
    let message: pb::Heartbeat = parse("Heartbeat", value)?;
    if message.process.is_empty() || message.process.len() > LONGEST_PROCESS {
        return Err(WireError::invalid("process", format!("give a name of 1 to {LONGEST_PROCESS} bytes")));
    }
    let role = match message.role.ok_or(WireError::missing("role"))? {
        Role::Ingest(share) if (1..=share.of).contains(&share.number) => {
            let idle = share.idle.into_iter().take(MOST_IDLE + 1).map(|camera| camera_id(&camera));
            let idle: Vec<CameraId> = idle.collect::<Result<_, _>>()?;
            let more_idle = share.more_idle || idle.len() > MOST_IDLE;
            HeartbeatRole::Ingest { number: share.number, of: share.of, idle, more_idle }
        }
        Role::Ingest(_) => return Err(WireError::invalid("ingest.number", "give a number from 1 to `of`")),
        Role::Detect(detect) if detect.partitions.len() <= MOST_PARTITIONS => {
            let behind = Span::from_micros(i64::try_from(detect.behind_us).unwrap_or(i64::MAX));
            HeartbeatRole::Detect { partitions: detect.partitions, behind }
        }
        Role::Detect(_) => {
            return Err(WireError::invalid("detect.partitions", format!("give {MOST_PARTITIONS} at most")));
        }
    };
    Ok(Heartbeat { process: message.process, cameras: message.cameras, role })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ingest(number: u32, of: u32) -> HeartbeatRole {
        HeartbeatRole::Ingest { number, of, idle: Vec::new(), more_idle: false }
    }

    #[test]
    fn heartbeats_read_back_and_wrong_ones_are_refused() {
        let idle = vec![CameraId::new("tape").unwrap()];
        for role in [
            ingest(2, 3),
            HeartbeatRole::Ingest { number: 1, of: 1, idle, more_idle: true },
            HeartbeatRole::Detect { partitions: vec![0, 7], behind: Span::from_millis(1_500) },
        ] {
            let heartbeat = Heartbeat { process: "p1".into(), cameras: 4, role };
            assert_eq!(decode_heartbeat(encode_heartbeat(&heartbeat)).unwrap(), heartbeat);
        }
        for (process, role) in [
            ("", HeartbeatRole::Detect { partitions: Vec::new(), behind: Span::ZERO }),
            ("p", ingest(0, 3)),
            ("p", ingest(4, 3)),
            ("p", HeartbeatRole::Detect { partitions: vec![0; 1_025], behind: Span::ZERO }),
        ] {
            let wrong = Heartbeat { process: process.into(), cameras: 0, role };
            assert!(decode_heartbeat(encode_heartbeat(&wrong)).is_err(), "{wrong:?}");
        }
        assert!(decode_heartbeat(Bytes::new()).is_err());
    }
}
