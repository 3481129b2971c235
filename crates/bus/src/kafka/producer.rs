use std::sync::Arc;
use std::time::Duration;

use rdkafka::ClientContext;
use rdkafka::Message;
use rdkafka::config::RDKafkaLogLevel;
use rdkafka::error::{KafkaError, RDKafkaErrorCode};
use rdkafka::message::DeliveryResult;
use rdkafka::producer::{BaseRecord, Producer as _, ProducerContext, ThreadedProducer};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};
use vedette_metrics::{Counter, Gauge};

use super::error::bus_error;
use super::settings::KafkaSettings;
use super::topic::Topic;
use super::{client_log, config, message};
use crate::{BusError, Delivery, Record, Written, metrics};

/// Overhead of a record in the send queue, beside its content.
const RECORD_BYTES: usize = 256;
/// Pause before retrying when librdkafka's queue is full.
const QUEUE_FULL_PAUSE: Duration = Duration::from_millis(10);

/// State that returns with the delivery report.
struct InFlight {
    topic: Arc<Topic>,
    reply: oneshot::Sender<Result<Written, BusError>>,
    _room: OwnedSemaphorePermit,
}

struct Reports {
    brokers: String,
}

impl ClientContext for Reports {
    fn log(&self, level: RDKafkaLogLevel, facility: &str, message: &str) {
        client_log::log(level, facility, message);
    }

    fn error(&self, cause: KafkaError, reason: &str) {
        client_log::error(&cause, reason);
    }

    fn stats_raw(&self, report: &[u8]) {
        client_log::statistics(report);
    }
}

impl ProducerContext for Reports {
    type DeliveryOpaque = Box<InFlight>;

    fn delivery(&self, result: &DeliveryResult<'_>, in_flight: Self::DeliveryOpaque) {
        let InFlight { topic, reply, .. } = *in_flight;
        let outcome = match result {
            Ok(message) => {
                topic.appended.increment(1);
                Ok(Written {
                    topic: Arc::clone(&topic.name),
                    partition: u32::try_from(message.partition()).unwrap_or_default(),
                    // Negative: unknown (the broker recognised a repeated send).
                    offset: u64::try_from(message.offset()).ok(),
                })
            }
            Err((error, _)) => {
                topic.failed.increment(1);
                Err(bus_error("send", &topic.name, &self.brokers, error))
            }
        };
        let _ = reply.send(outcome);
    }
}

/// Two clients, because librdkafka compresses by client: one for compressible records, one for encoded video.
pub(super) struct Producers {
    compressing: ThreadedProducer<Reports>,
    plain: ThreadedProducer<Reports>,
    room: Arc<Semaphore>,
    room_bytes: usize,
    brokers: String,
    queued: Gauge,
    waits: Counter,
}

impl Producers {
    pub(super) fn new(settings: &KafkaSettings) -> Result<Self, KafkaError> {
        let reports = || Reports { brokers: settings.brokers.clone() };
        let room_bytes = settings.send_queue_bytes.min(u32::MAX as usize);
        Ok(Self {
            compressing: config::producer(settings, true).create_with_context(reports())?,
            plain: config::producer(settings, false).create_with_context(reports())?,
            room: Arc::new(Semaphore::new(room_bytes)),
            room_bytes,
            brokers: settings.brokers.clone(),
            queued: metrics::QUEUE_BYTES.with(["send", "kafka"]),
            waits: metrics::QUEUE_WAITS.with(["send", "kafka"]),
        })
    }

    /// Passes `record` to librdkafka; waits while too much is in flight.
    pub(super) async fn send(&self, topic: &Arc<Topic>, record: &Record) -> Result<Delivery, BusError> {
        let weight = (record.size() + RECORD_BYTES).min(self.room_bytes) as u32;
        let room = match Arc::clone(&self.room).try_acquire_many_owned(weight) {
            Ok(room) => room,
            Err(_) => {
                self.waits.increment(1);
                Arc::clone(&self.room).acquire_many_owned(weight).await.map_err(|_| BusError::Closed)?
            }
        };
        self.queued.set((self.room_bytes - self.room.available_permits()) as f64);
        let (reply, delivery) = Delivery::new();
        let mut in_flight = Box::new(InFlight { topic: Arc::clone(topic), reply, _room: room });
        let producer = if topic.facts.compress { &self.compressing } else { &self.plain };
        loop {
            // No librdkafka value may live across an await.
            match Self::try_send(producer, &topic.full_name, record, in_flight) {
                Ok(()) => return Ok(delivery),
                Err((error, back)) if error.rdkafka_error_code() == Some(RDKafkaErrorCode::QueueFull) => {
                    in_flight = back;
                    self.waits.increment(1);
                    tokio::time::sleep(QUEUE_FULL_PAUSE).await;
                }
                Err((error, _)) => return Err(bus_error("send", &topic.name, &self.brokers, &error)),
            }
        }
    }

    fn try_send(
        producer: &ThreadedProducer<Reports>,
        full_name: &str,
        record: &Record,
        in_flight: Box<InFlight>,
    ) -> Result<(), (KafkaError, Box<InFlight>)> {
        let mut out = BaseRecord::<[u8], [u8], _>::with_opaque_to(full_name, in_flight)
            .key(&record.key[..])
            .timestamp(record.timestamp_ms);
        if !record.headers.is_empty() {
            out = out.headers(message::headers(record));
        }
        if let Some(value) = &record.value {
            out = out.payload(&value[..]);
        }
        producer.send(out).map_err(|(error, back)| (error, back.delivery_opaque))
    }

    /// Waits until nothing is in flight. Blocks.
    pub(super) fn flush(&self, timeout: Duration) -> Result<(), BusError> {
        for producer in [&self.compressing, &self.plain] {
            producer.flush(timeout).map_err(|error| bus_error("flush", "all topics", &self.brokers, &error))?;
        }
        Ok(())
    }

    /// Refuses new records.
    pub(super) fn close(&self) {
        self.room.close();
    }
}
