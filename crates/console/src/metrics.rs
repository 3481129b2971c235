//! Every metric of this crate.

vedette_metrics::define! {
    /// Requests to the API and the page, by route and HTTP status; `none` is a path without a route.
    REQUESTS: Counter = "vedette_console_requests_total", Count, ["route", "status"];
    /// Time to the head of the answer.
    REQUEST_SECONDS: Histogram = "vedette_console_request_seconds", Seconds, ["route"];
    /// Time that a request for a snapshot waited because others were being made.
    SNAPSHOT_WAIT_SECONDS: Histogram = "vedette_console_snapshot_wait_seconds", Seconds, [];
    /// Requests for a snapshot that was not stored yet, by outcome.
    SNAPSHOTS: Counter = "vedette_console_snapshots_total", Count, ["outcome"];
    /// Live streams that are open.
    STREAMS: Gauge = "vedette_console_streams", Count, [];
    /// Open connections to the page and the API.
    CONNECTIONS: Gauge = "vedette_console_connections", Count, [];
    /// Refused requests and closed connections, by reason: `host`, `cross_site`, `body`, `slow_body`, `slow_headers`, `stalled`,
    /// `connections`, `connections_of_client`, `streams`, `streams_of_client`, `accept`.
    REFUSED: Counter = "vedette_console_refused_total", Count, ["reason"];
    /// Live streams refused because the most are open, overall or of one client.
    STREAMS_REFUSED: Counter = "vedette_console_streams_refused_total", Count, [];
    /// Alerts sent to live streams, each as often as there were streams.
    STREAM_EVENTS: Counter = "vedette_console_stream_events_total", Count, [];
    /// Changes that a live stream left out; it tells its client to read the list again.
    STREAM_SKIPPED: Counter = "vedette_console_stream_skipped_total", Count, ["reason"];
    /// Changes that the slowest live stream has still to send.
    STREAM_BUFFER_LENGTH: Gauge = "vedette_console_stream_buffer_length", Count, [];
    /// How often live streams had to wait because changes could not be read from the store.
    FEED_ERRORS: Counter = "vedette_console_feed_errors_total", Count, [];
    /// Content of the store: `alerts`, `events`, `open` and `unreviewed` alerts, `snapshots`, `clips`.
    STORED: Gauge = "vedette_console_stored", Count, ["what"];
    /// Records that contradict a stored alert of the same id and revision, since the store was created.
    CONFLICTS: Counter = "vedette_console_conflicts_total", Count, [];
    /// Frames of all cameras by fate, `analysed` or the reason why not, as the cameras' states count them.
    FRAMES: Gauge = "vedette_frames", Count, ["fate"];
}
