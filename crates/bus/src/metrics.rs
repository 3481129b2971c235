//! Every metric of this crate.

vedette_metrics::define! {
    /// Bytes that a topic's partition takes on disk, as of the last sweep; embedded bus only.
    LOG_BYTES: Gauge = "vedette_bus_log_bytes", Bytes, ["topic", "partition"];
    /// Segments that retention deleted, by the exceeded limit: `age` or `bytes`; embedded bus only.
    RETENTION_SEGMENTS: Counter = "vedette_bus_retention_segments_total", Count, ["topic", "reason"];
    /// Compactions of a topic's partitions that rewrote segments; embedded bus only.
    COMPACTIONS: Counter = "vedette_bus_compactions_total", Count, ["topic"];
    /// Sweeps in which retention or compaction failed; the next sweep tries again. Embedded bus only.
    SWEEP_FAILURES: Counter = "vedette_bus_sweep_failures_total", Count, [];
    /// Bytes behind the last sound record that were cut off when a topic was opened: an unfinished write, which was not acknowledged,
    /// unless the file was cut or damaged.
    TORN_BYTES: Counter = "vedette_bus_torn_bytes_total", Bytes, ["topic"];
    /// Bytes of records that the disk returned damaged; they are skipped.
    DAMAGED_BYTES: Counter = "vedette_bus_damaged_bytes_total", Bytes, ["topic"];
    /// Acknowledged records that were missing from the end of the log when a topic was opened, at least: an index or a commit stands
    /// behind the end.
    LOST_RECORDS: Counter = "vedette_bus_lost_records_total", Count, ["topic"];
    /// Segment indexes that were rebuilt from the records when a topic was opened.
    INDEXES_REBUILT: Counter = "vedette_bus_indexes_rebuilt_total", Count, ["topic"];
    /// Bytes that wait in a queue of the bus: `send` is the send queue, the others are read ahead by subscriptions and readers.
    QUEUE_BYTES: Gauge = "vedette_bus_queue_bytes", Bytes, ["queue", "name"];
    /// Waits for room in a queue of the bus.
    QUEUE_WAITS: Counter = "vedette_bus_queue_waits_total", Count, ["queue", "name"];
    /// Bytes of records that became durable; embedded bus only.
    APPENDED_BYTES: Counter = "vedette_bus_appended_bytes_total", Bytes, ["topic"];
    /// Records that became durable.
    APPENDED_RECORDS: Counter = "vedette_bus_appended_records_total", Count, ["topic"];
    /// Records that the bus accepted and could not make durable.
    FAILED_RECORDS: Counter = "vedette_bus_failed_records_total", Count, ["topic"];
    /// Time to write and sync a group of records; embedded bus only.
    COMMIT_SECONDS: Histogram = "vedette_bus_commit_seconds", Seconds, ["topic"];
    /// Records that retention deleted before a group or reader had read them.
    EXPIRED_BEFORE_READ: Counter = "vedette_bus_expired_before_read_total", Count, ["topic"];
    /// Errors that Kafka clients reported, an unreachable broker each time it is tried.
    KAFKA_CLIENT_ERRORS: Counter = "vedette_bus_kafka_client_errors_total", Count, [];
    /// Commits of offsets that failed; they are tried again while the partitions are assigned.
    COMMIT_FAILURES: Counter = "vedette_bus_commit_failures_total", Count, ["group"];
    /// Revoked partitions whose records in flight were not finished in time; their next owner repeats those.
    REVOCATION_TIMEOUTS: Counter = "vedette_bus_revocation_timeouts_total", Count, ["group"];
}
