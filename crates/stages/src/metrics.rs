//! Every metric of this crate.

vedette_metrics::define! {
    /// Cameras with an intake in this process.
    INGEST_CAMERAS: Gauge = "vedette_ingest_cameras", Count, [];
    /// Frames that became durable on `video`.
    INGEST_FRAMES: Counter = "vedette_ingest_frames_total", Count, [];
    /// Signal-loss heartbeats sent to `video`.
    INGEST_AWAY: Counter = "vedette_ingest_away_total", Count, [];
    /// Intakes that panicked and were started again.
    INGEST_INTAKES_FAILED: Counter = "vedette_ingest_intakes_failed_total", Count, [];
    /// Frames that were not analysed, by the stage that shed them and its reason.
    FRAMES_SHED: Counter = "vedette_frames_shed_total", Count, ["stage", "reason"];
    /// Frames that were dead-lettered; records of them, where a record could not be read.
    FRAMES_DEAD_LETTERED: Counter = "vedette_frames_dead_lettered_total", Count, ["stage"];
    /// Chunks that were on `video` twice and were processed once.
    DETECT_REPEATED_CHUNKS: Counter = "vedette_detect_repeated_chunks_total", Count, [];
    /// Frames through the detector whose detections were sent to `detections`.
    DETECT_FRAMES: Counter = "vedette_detect_frames_total", Count, [];
    /// Records of `video` whose detections are not durable yet.
    DETECT_RECORDS_IN_HAND: Gauge = "vedette_detect_records_in_hand", Count, [];
    /// Cameras whose decoder does not respond.
    DETECT_DECODERS_STUCK: Gauge = "vedette_detect_decoders_stuck", Count, [];
    /// Rows of the audit log that became durable on `audit`.
    AUDIT_PUBLISHED: Counter = "vedette_audit_published_total", Count, [];
    /// Records read from topics of other producers, by format.
    METADATA_RECORDS: Counter = "vedette_metadata_records_total", Count, ["format"];
    /// Frames of other producers that became durable on `detections`.
    METADATA_FRAMES: Counter = "vedette_metadata_frames_total", Count, [];
    /// Frames of other producers whose capture time is more than 10 s before that of an earlier frame of the camera.
    METADATA_FRAMES_SET_BACK: Counter = "vedette_metadata_frames_set_back_total", Count, [];
    /// Objects of other producers that were imported as `other`, because their class is unknown.
    METADATA_CLASSES_UNKNOWN: Counter = "vedette_metadata_classes_unknown_total", Count, [];
    /// Objects of other producers left out, by reason: `identifying` (a face or a number plate) or `no_area`.
    METADATA_OBJECTS_LEFT_OUT: Counter = "vedette_metadata_objects_left_out_total", Count, ["reason"];
    /// Signal losses that `analyse` found, by reason: nobody ingests or decodes the camera.
    ANALYSE_SIGNAL_LOSSES: Counter = "vedette_analyse_signal_losses_total", Count, ["reason"];
    /// Signal losses that `detect` found, by reason: the camera's pictures arrive and are not processed.
    DETECT_SIGNAL_LOSSES: Counter = "vedette_detect_signal_losses_total", Count, ["reason"];
    /// 1 while a camera has no signal, 0 once its pictures are analysed again; cameras that never lost it are absent.
    CAMERA_OFFLINE: Gauge = "vedette_camera_offline", Count, ["camera"];
    /// Changes of cameras and policies that were applied here, by outcome: `committed` or `aborted`.
    CHANGES: Counter = "vedette_changes_total", Count, ["outcome"];
    /// Frames that waited for the decision on a change.
    ANALYSE_FRAMES_HELD: Counter = "vedette_analyse_frames_held_total", Count, [];
    /// Changes that the analysis aborted because no decision came in time.
    ANALYSE_CHANGES_OVERDUE: Counter = "vedette_analyse_changes_overdue_total", Count, [];
    /// Spans of a camera in which a change came too late, by whether a replay is `exact`.
    ANALYSE_LATE_CHANGES: Counter = "vedette_analyse_late_changes_total", Count, ["exact"];
    /// Frames analysed.
    ANALYSE_FRAMES: Counter = "vedette_analyse_frames_total", Count, [];
    /// Records of frames that have been seen before, ignored.
    ANALYSE_DUPLICATES: Counter = "vedette_analyse_duplicates_total", Count, [];
    /// Records later than the allowed lateness, ignored.
    ANALYSE_LATE: Counter = "vedette_analyse_late_total", Count, [];
    /// Records of cameras that were removed from the registry, ignored.
    ANALYSE_RETIRED_CAMERAS_FRAMES: Counter = "vedette_analyse_retired_cameras_frames_total", Count, [];
    /// Detections left out, because they lie in a mask of their camera.
    ANALYSE_MASKED: Counter = "vedette_analyse_masked_detections_total", Count, [];
    /// Policies that could not be compiled for a camera; the one before stays in force.
    ANALYSE_POLICIES_REFUSED: Counter = "vedette_analyse_policies_refused_total", Count, [];
    /// Checkpoints that could not be used; the states were rebuilt.
    ANALYSE_STATES_REFUSED: Counter = "vedette_analyse_states_refused_total", Count, [];
    /// States rebuilt from recent detections, for want of a usable checkpoint.
    ANALYSE_STATES_REBUILT: Counter = "vedette_analyse_states_rebuilt_total", Count, [];
    /// Checkpoints that a member that had lost its partitions overwrote with older ones; they were written again.
    ANALYSE_STATES_OVERWRITTEN: Counter = "vedette_analyse_states_overwritten_total", Count, [];
    /// How often records before the committed offset were replayed, because a checkpoint does not include them.
    ANALYSE_CATCH_UPS: Counter = "vedette_analyse_catch_ups_total", Count, [];
    /// Skipped by rules: `no_box`, tracks without a usable box; `too_many`, objects and alerts beyond a limit; `near_miss`,
    /// near-misses beyond one.
    RULES_LEFT_OUT: Counter = "vedette_rules_left_out_total", Count, ["what"];
    /// Rules left out because the state in the checkpoint is not of their kind.
    RULES_MISMATCHED: Counter = "vedette_rules_mismatched_total", Count, [];
    /// Near-misses sent to `near-misses`, by rule kind and the requirement that was missed.
    NEAR_MISSES: Counter = "vedette_near_misses_total", Count, ["kind", "term"];
    /// Alerts sent to `alerts`, by rule kind and status: `raised` or `ended`.
    ALERTS: Counter = "vedette_alerts_total", Count, ["kind", "status"];
    /// Time from the capture of the frame that raised an alert until the alert is durable.
    ALERT_LATENCY_SECONDS: Histogram = "vedette_alert_latency_seconds", Seconds, [];
    /// Records of `detections` that were stored for `vedette tune`.
    DETECTION_STORE_RECORDS: Counter = "vedette_detection_store_records_total", Count, [];
    /// Records of `detections` that were stored before and delivered again, ignored.
    DETECTION_STORE_REPEATED: Counter = "vedette_detection_store_repeated_total", Count, [];
    /// Size of the detection store.
    DETECTION_STORE_BYTES: Gauge = "vedette_detection_store_bytes", Bytes, [];
    /// Hours of a camera that were deleted from the detection store, by reason: `expired`, or `no_room` within `tuning.max_bytes`.
    DETECTION_STORE_HOURS_DELETED: Counter = "vedette_detection_store_hours_deleted_total", Count, ["reason"];
    /// Policies refused because their version is older than the one in force.
    POLICIES_OUTDATED: Counter = "vedette_policies_outdated_total", Count, [];
    /// 1 for the version of the address base in force, 0 for those before it.
    ADDRESS_BASE_SERVING: Gauge = "vedette_address_base_serving", Count, ["version"];
    /// Changes of the address base by outcome: `taken`, `withdrawn`, or `refused` with a reason.
    ADDRESS_CHANGES: Counter = "vedette_address_changes_total", Count, ["outcome", "reason"];
    /// Alerts in flight to the destination of a sink.
    SINK_IN_HAND: Gauge = "vedette_sink_in_hand", Count, ["sink"];
    /// How long the oldest alert in flight has waited.
    SINK_OLDEST_SECONDS: Gauge = "vedette_sink_oldest_seconds", Seconds, ["sink"];
    /// Alerts that the destination of a sink accepted.
    SINK_DELIVERED: Counter = "vedette_sink_delivered_total", Count, ["sink"];
    /// Alerts that the destination of a sink refused for good; they are dead-lettered.
    SINK_REFUSED: Counter = "vedette_sink_refused_total", Count, ["sink"];
    /// Failed attempts to deliver an alert, tried again.
    SINK_RETRIED: Counter = "vedette_sink_retried_total", Count, ["sink"];
    /// Snapshots stored when their alert was.
    SNAPSHOTS: Counter = "vedette_snapshots_total", Count, [];
    /// Snapshots made up for after their alert was stored, because too many were waiting or the process ended.
    SNAPSHOTS_MADE_UP: Counter = "vedette_snapshots_made_up_total", Count, [];
    /// Alerts that get no snapshot, by reason: `no_video` (the detections have another producer), `expired` (the video is no longer
    /// retained), `undecodable` or `panic`.
    SNAPSHOTS_MISSING: Counter = "vedette_snapshots_missing_total", Count, ["reason"];
    /// Clips of alerts made and stored.
    CLIPS: Counter = "vedette_clips_total", Count, [];
    /// Alerts that get no clip, by reason: `no_picture` (the alert is about the absence of pictures), `no_video` (the detections have
    /// another producer, or the frame is unknown), `expired` (the video was no longer kept), `queue_full` (it was no longer kept once the
    /// clips of earlier alerts were made), `undecodable`, `too_large` or `failed`.
    CLIPS_MISSING: Counter = "vedette_clips_missing_total", Count, ["reason"];
    /// Bytes of the clips of alerts.
    CLIP_BYTES: Counter = "vedette_clip_bytes_total", Bytes, [];
    /// Processor time that a clip took; the worker rests for 19 times as long.
    CLIP_CPU_SECONDS: Histogram = "vedette_clip_cpu_seconds", Seconds, [];
    /// Live pictures of cameras made on request, `glance` or `still`, by outcome: `made`, or why not.
    GLANCES: Counter = "vedette_glances_total", Count, ["what", "outcome"];
    /// Records of `alerts` that the alert store lacks and reads again.
    ALERT_STORE_BEHIND: Gauge = "vedette_alert_store_behind", Count, [];
    /// Alerts that came back into the store from `alerts`, because the store was behind.
    ALERTS_REFILLED: Counter = "vedette_alerts_refilled_total", Count, [];
    /// Snapshots that had to wait, because too many were waiting; they are made up for when there is time.
    SNAPSHOTS_DEFERRED: Counter = "vedette_snapshots_deferred_total", Count, [];
    /// Age of the newest frame of any camera that was analysed.
    NEWEST_FRAME_AGE_SECONDS: Gauge = "vedette_newest_frame_age_seconds", Seconds, [];
}
