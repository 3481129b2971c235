//! Every metric of this crate.

vedette_metrics::define! {
    /// Chunks waiting between the intake of a camera and the bus; of the camera that sent last.
    INTAKE_QUEUE_LENGTH: Gauge = "vedette_media_intake_queue_length", Count, [];
    /// Time that an intake waited for room between it and the bus.
    INTAKE_QUEUE_WAIT_SECONDS: Histogram = "vedette_media_intake_queue_wait_seconds", Seconds, [];
    /// Chunks received.
    CHUNKS: Counter = "vedette_media_chunks_total", Count, [];
    /// Access units in the chunks received.
    UNITS: Counter = "vedette_media_units_total", Count, [];
    /// Bytes of the access units in the chunks received.
    CHUNK_BYTES: Counter = "vedette_media_chunk_bytes_total", Bytes, [];
    /// Access units that were refused, by reason.
    UNITS_REFUSED: Counter = "vedette_media_units_refused_total", Count, ["reason"];
    /// Losses of a camera's signal, by reason.
    LOSSES: Counter = "vedette_media_losses_total", Count, ["reason"];
    /// RTP packets that did not arrive.
    RTP_PACKETS_LOST: Counter = "vedette_media_rtp_packets_lost_total", Count, [];
    /// Frames whose capture time was taken from their arrival, because that of the stream cannot be right.
    CAPTURE_TIMES_BY_ARRIVAL: Counter = "vedette_media_capture_times_by_arrival_total", Count, [];
    /// Stream sessions that began because a camera's stream time or this host's clock jumped.
    CLOCK_RESTARTS: Counter = "vedette_media_clock_restarts_total", Count, [];
    /// Recordings that are cut short.
    FILES_TRUNCATED: Counter = "vedette_media_files_truncated_total", Count, [];
    /// Time to decode a chunk.
    DECODE_SECONDS: Histogram = "vedette_media_decode_seconds", Seconds, [];
    /// Chunks that could not be decoded, by reason.
    DECODE_ERRORS: Counter = "vedette_media_decode_errors_total", Count, ["reason"];
    /// Frames that came out of a decoder.
    FRAMES_DECODED: Counter = "vedette_media_frames_decoded_total", Count, [];
    /// Decoded frames that are damaged, or refer to a damaged one.
    FRAMES_CORRUPT: Counter = "vedette_media_frames_corrupt_total", Count, [];
    /// Access units for which no frame came out of the decoder.
    FRAMES_MISSING: Counter = "vedette_media_frames_missing_total", Count, [];
    /// Decoders built: the first of each camera, and its replacements.
    DECODERS_BUILT: Counter = "vedette_media_decoders_built_total", Count, [];
    /// Decoders abandoned because they did not respond.
    DECODERS_STUCK: Counter = "vedette_media_decoders_stuck_total", Count, [];
    /// Snapshots made.
    SNAPSHOTS: Counter = "vedette_media_snapshots_total", Count, [];
    /// Clips made, of alerts and of live cameras.
    CLIPS: Counter = "vedette_media_clips_total", Count, [];
    /// Clips that were encoded a second time, because the first try was too large.
    CLIPS_ENCODED_AGAIN: Counter = "vedette_media_clips_encoded_again_total", Count, [];
}
