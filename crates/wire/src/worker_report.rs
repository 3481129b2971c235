use bytes::Bytes;
use prost::Message;
use vedette_core::{CameraId, ChangeId, Refusal, Timestamp};

use crate::error::parse;
use crate::{WireError, field, pb};

/// Most bytes of a worker's name.
const LONGEST_WORKER: usize = 64;
/// Most partitions of a topic, as the settings allow.
const MOST_PARTITIONS: usize = 1024;
/// Most refusals that one report names.
const MOST_REFUSALS: usize = 100;

/// What a worker with the role `analyse` holds, and says of a change; on `workers`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerReport {
    /// This run of the process: a random name.
    pub worker: String,
    /// Its partitions of `detections`.
    pub partitions: Vec<u32>,
    /// Its answer to a change, if this is one.
    pub answer: Option<WorkerAnswer>,
}

/// The answer of a worker to a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkerAnswer {
    /// It can apply the change to each of its cameras.
    Ready {
        /// The change.
        change: ChangeId,
        /// The number of its cameras that the change concerns.
        cameras: u32,
        /// Of these, the camera that is analysed furthest, and the capture time of its last analysed frame; none if no frame was.
        analysed: Option<(CameraId, Timestamp)>,
    },
    /// It cannot.
    Refused {
        /// The change.
        change: ChangeId,
        /// The first reasons.
        refusals: Vec<Refusal>,
        /// The number of others.
        more: u32,
    },
    /// It has heard no decision for too long, and aborts the change.
    Overdue {
        /// The change.
        change: ChangeId,
    },
}

/// Encodes a record on `workers`.
#[must_use]
pub fn encode_worker_report(report: &WorkerReport) -> Bytes {
    use pb::worker_report::{About, Analysed, Overdue, Ready, Refused};
    let about = report.answer.as_ref().map(|answer| match answer {
        WorkerAnswer::Ready { change, cameras, analysed } => {
            let pb_analysed = |(camera, until): &(CameraId, Timestamp)| Analysed {
                camera: camera.to_string(),
                until_us: until.as_micros(),
            };
            let analysed = analysed.as_ref().map(pb_analysed);
            About::Ready(Ready { change: change.to_string(), cameras: *cameras, analysed })
        }
        WorkerAnswer::Refused { change, refusals, more } => About::Refused(Refused {
            change: change.to_string(),
            refusals: refusals.iter().map(pb_refusal).collect(),
            more: *more,
        }),
        WorkerAnswer::Overdue { change } => About::Overdue(Overdue { change: change.to_string() }),
    });
    let (worker, partitions) = (report.worker.clone(), report.partitions.clone());
    pb::WorkerReport { worker, partitions, about }.encode_to_vec().into()
}

fn pb_refusal(refusal: &Refusal) -> pb::worker_report::Refusal {
    let Refusal { camera, path, value, code, rule, fix } = refusal.clone();
    pb::worker_report::Refusal { camera: camera.map(String::from).unwrap_or_default(), path, value, rule, fix, code }
}

/// Decodes a record on `workers`.
///
/// # Errors
/// When the bytes are no such message, or a value breaks its rule.
pub fn decode_worker_report(value: Bytes) -> Result<WorkerReport, WireError> {
    use pb::worker_report::About;
    let message: pb::WorkerReport = parse("WorkerReport", value)?;
    if message.worker.is_empty() || message.worker.len() > LONGEST_WORKER {
        return Err(WireError::invalid("worker", format!("give a name of 1 to {LONGEST_WORKER} bytes")));
    }
    if message.partitions.len() > MOST_PARTITIONS {
        return Err(WireError::invalid("partitions", format!("give {MOST_PARTITIONS} at most")));
    }
    let answer = message.about.map(|about| {
        Ok::<_, WireError>(match about {
            About::Ready(ready) => {
                let analysed = |it: pb::worker_report::Analysed| {
                    Ok::<_, WireError>((field::camera_id(&it.camera)?, Timestamp::from_micros(it.until_us)))
                };
                WorkerAnswer::Ready {
                    change: field::change_id(&ready.change)?,
                    cameras: ready.cameras,
                    analysed: ready.analysed.map(analysed).transpose()?,
                }
            }
            About::Refused(refused) if refused.refusals.len() <= MOST_REFUSALS => WorkerAnswer::Refused {
                change: field::change_id(&refused.change)?,
                refusals: refused.refusals.into_iter().map(refusal).collect::<Result<_, _>>()?,
                more: refused.more,
            },
            About::Refused(_) => {
                return Err(WireError::invalid("refused.refusals", format!("give {MOST_REFUSALS} at most")));
            }
            About::Overdue(overdue) => WorkerAnswer::Overdue { change: field::change_id(&overdue.change)? },
        })
    });
    Ok(WorkerReport { worker: message.worker, partitions: message.partitions, answer: answer.transpose()? })
}

fn refusal(message: pb::worker_report::Refusal) -> Result<Refusal, WireError> {
    let pb::worker_report::Refusal { camera, path, value, rule, fix, code } = message;
    let camera = if camera.is_empty() { None } else { Some(field::camera_id(&camera)?) };
    Ok(Refusal { camera, path, value, code, rule, fix })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(answer: Option<WorkerAnswer>) -> WorkerReport {
        WorkerReport { worker: "w1".into(), partitions: vec![0, 7], answer }
    }

    #[test]
    fn reports_read_back_and_wrong_ones_are_refused() {
        let change = ChangeId::new("c1").unwrap();
        let refusal = Refusal {
            camera: CameraId::new("gate").ok(),
            path: "rule[0].when.at_least".into(),
            value: "3".into(),
            code: "rule.ground".into(),
            rule: "it needs a calibrated camera".into(),
            fix: "calibrate it".into(),
        };
        let refused =
            |count| WorkerAnswer::Refused { change: change.clone(), refusals: vec![refusal.clone(); count], more: 4 };
        for answer in [
            None,
            Some(WorkerAnswer::Ready { change: change.clone(), cameras: 3, analysed: None }),
            Some(WorkerAnswer::Ready {
                change: change.clone(),
                cameras: 3,
                analysed: CameraId::new("gate").ok().map(|camera| (camera, Timestamp::from_micros(-7))),
            }),
            Some(refused(2)),
            Some(WorkerAnswer::Overdue { change: change.clone() }),
        ] {
            assert_eq!(decode_worker_report(encode_worker_report(&report(answer.clone()))).unwrap(), report(answer));
        }
        for wrong in [
            WorkerReport { worker: String::new(), ..report(None) },
            WorkerReport { partitions: vec![0; 1_025], ..report(None) },
            report(Some(refused(101))),
        ] {
            assert!(decode_worker_report(encode_worker_report(&wrong)).is_err());
        }
        assert!(decode_worker_report(Bytes::new()).is_err());
    }
}
