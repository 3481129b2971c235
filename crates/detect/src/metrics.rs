//! Every metric of this crate.

vedette_metrics::define! {
    /// Pictures that wait for a batch.
    QUEUE_IMAGES: Gauge = "vedette_detect_queue_images", Count, ["model"];
    /// Time of a picture from the call to the start of its batch.
    QUEUE_WAIT_SECONDS: Histogram = "vedette_detect_queue_wait_seconds", Seconds, ["model"];
    /// Pictures without a result, by reason.
    DROPPED_IMAGES: Counter = "vedette_detect_dropped_images_total", Count, ["model", "reason"];
    /// Pictures per batch.
    BATCH_IMAGES: Histogram = "vedette_detect_batch_images", Count, ["model"];
    /// Time of a batch, with pre- and postprocessing.
    INFERENCE_SECONDS: Histogram = "vedette_detect_inference_seconds", Seconds, ["model"];
    /// Pictures that went through the model, by execution provider.
    IMAGES: Counter = "vedette_detect_images_total", Count, ["model", "provider"];
    /// Time to write the pictures of a run into the input tensor.
    PREPROCESS_SECONDS: Histogram = "vedette_detect_preprocess_seconds", Seconds, ["model", "provider"];
    /// Time of a run of the model.
    RUN_SECONDS: Histogram = "vedette_detect_run_seconds", Seconds, ["model", "provider"];
    /// Time to read the detections from the output tensors of a run, with non-maximum suppression.
    POSTPROCESS_SECONDS: Histogram = "vedette_detect_postprocess_seconds", Seconds, ["model", "provider"];
    /// Candidates that were left out because the model's output for them is not a number.
    BAD_OUTPUTS: Counter = "vedette_detect_bad_outputs_total", Count, ["model"];
    /// Detections above the model's floor score.
    DETECTIONS: Counter = "vedette_detect_detections_total", Count, ["model"];
}
