//! Fault injection: a bus that changes what a process sends, as another version of the program would, or one with a bug.

use async_trait::async_trait;
use vedette_bus::simulated::Client;
use vedette_bus::{Bus, BusError, Delivered, Delivery, Reader, Record, StartAt, Subscription, TopicSpec, Watermarks};
use vedette_core::{AlertId, AlertStatus, Change, ChangePhase, Span};
use vedette_topics::topics::{self, Message};
use vedette_wire::{AnalysisState, WorkerAnswer, decode_alert, decode_state, encode_alert, encode_state};

/// A format older than any that can be read.
const UNREADABLE: u32 = 1;

/// The injected fault.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum InjectedFault {
    /// States have a format that cannot be read.
    OldStates,
    /// An alert that ends says something else under the same id and revision when it is sent again.
    OtherPayload,
    /// Alerts that ended at once are raised under a second id too.
    SecondId,
    /// The newest policy applies to frames from before it was in force.
    NewestPolicy,
    /// Changes are committed without lead, for frames that were analysed.
    CommitsForThePast,
    /// Workers do not say how far they have analysed, so that they refuse no change for it.
    HidesAnalysed,
}

/// Sends through `client`, with the fault.
pub(crate) struct FaultInjector {
    pub(crate) client: Client,
    pub(crate) fault: InjectedFault,
}

impl FaultInjector {
    /// What is sent in the place of a record, and what is sent after it.
    fn inject(&self, topic: &str, mut record: Record) -> (Record, Option<Record>) {
        let Some(value) = record.value.clone() else { return (record, None) };
        match self.fault {
            InjectedFault::OldStates if topic == topics::STATES.name() => {
                let state = decode_state(value).unwrap();
                record.value = Some(encode_state(&AnalysisState { format: UNREADABLE, ..state }));
                (record, None)
            }
            InjectedFault::OtherPayload if topic == topics::ALERTS.name() => {
                let mut alert = decode_alert(value).unwrap();
                alert.measured.value += 1.0;
                let second = Record { value: Some(encode_alert(&alert)), ..record.clone() };
                (record, (alert.status == AlertStatus::Ended).then_some(second))
            }
            InjectedFault::SecondId if topic == topics::ALERTS.name() => {
                let mut alert = decode_alert(value).unwrap();
                alert.id = AlertId(!alert.id.0);
                let second = Record { value: Some(encode_alert(&alert)), ..record.clone() };
                (record, (alert.status == AlertStatus::Ended && alert.revision == 1).then_some(second))
            }
            InjectedFault::CommitsForThePast if topic == topics::CHANGES.name() => {
                let change = topics::CHANGES.decode(Some(value)).unwrap();
                if let ChangePhase::Committed(from) = change.phase {
                    let phase = ChangePhase::Committed(from - Span::from_secs(3));
                    record.value = Some(Change { phase, ..change }.encode());
                }
                (record, None)
            }
            InjectedFault::HidesAnalysed if topic == topics::WORKERS.name() => {
                let mut report = topics::WORKERS.decode(Some(value)).unwrap();
                if let Some(WorkerAnswer::Ready { analysed, .. }) = &mut report.answer {
                    *analysed = None;
                }
                record.value = Some(report.encode());
                (record, None)
            }
            _ => (record, None),
        }
    }
}

#[async_trait]
impl Bus for FaultInjector {
    async fn ensure_topics(&self, topics: &[TopicSpec]) -> Result<(), BusError> {
        self.client.ensure_topics(topics).await
    }

    async fn send(&self, topic: &str, record: Record) -> Result<Delivery, BusError> {
        let (record, second) = self.inject(topic, record);
        let delivery = self.client.send(topic, record).await?;
        if let Some(second) = second {
            drop(self.client.send(topic, second).await?);
        }
        Ok(delivery)
    }

    async fn subscribe(&self, group: &str, topics: &[&str]) -> Result<Subscription, BusError> {
        self.client.subscribe(group, topics).await
    }

    async fn read(&self, topic: &str, start: StartAt) -> Result<Reader, BusError> {
        self.client.read(topic, start).await
    }

    async fn fetch(&self, topic: &str, partition: u32, offset: u64) -> Result<Option<Delivered>, BusError> {
        self.client.fetch(topic, partition, offset).await
    }

    async fn watermarks(&self, topic: &str) -> Result<Vec<Watermarks>, BusError> {
        self.client.watermarks(topic).await
    }

    async fn flush(&self) -> Result<(), BusError> {
        self.client.flush().await
    }

    async fn close(&self) -> Result<(), BusError> {
        self.client.close().await
    }
}
