//! `vedette demo`: the whole product in one process, on a recorded campus camera played as live.

use std::io::Write;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use anyhow::Context;
use indicatif::{ProgressBar, ProgressStyle};
use metrics_exporter_prometheus::PrometheusHandle;
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;
use vedette_core::{Camera, CameraId, CameraSource, Span};
use vedette_media::{TranscodeSettings, transcode_to_h264};
use vedette_stages::StoreSetting;

use crate::app::App;
use crate::cli::DemoArgs;
use crate::config::Config;
use crate::preflight::refuse_unready;
use crate::process::stop_on_signal;
use crate::roles::Role;
use crate::{output, telemetry};

/// Offset between two cameras that play the same recording.
const APART: Span = Span::from_millis(4_700);

/// Files of the demo site: name and content.
const SITE: [(&str, &[u8]); 4] = [
    ("vedette.toml", include_bytes!("../../../deploy/demo/vedette.toml")),
    ("cameras.toml", include_bytes!("../../../deploy/demo/cameras.toml")),
    ("policies.toml", include_bytes!("../../../deploy/demo/policies.toml")),
    ("address.base", include_bytes!("../../../deploy/demo/address.base")),
];

/// Writes the demo site below `data`, since an address base is mapped from a file.
fn own_site(data: &Path) -> anyhow::Result<PathBuf> {
    let site = data.join("site");
    std::fs::create_dir_all(&site).with_context(|| format!("creating {}", site.display()))?;
    for (name, content) in SITE {
        let path = site.join(name);
        std::fs::write(&path, content).with_context(|| format!("writing {}", path.display()))?;
    }
    Ok(site)
}

/// Runs the command.
///
/// # Errors
/// When a file is missing or cannot be opened, with the command that provides it.
pub(crate) async fn run(args: DemoArgs) -> anyhow::Result<()> {
    // Inputs that a person has to provide come first.
    let recording = recording(args.video.as_deref())?;
    // The guard removes the directory at the end of the demo.
    let (data, _guard) = data_directory(args.data)?;
    let site = match args.site {
        Some(site) => site,
        None => own_site(&data)?,
    };
    let mut reading = Config::read(&site.join("vedette.toml"));
    let config = &mut reading.config;
    args.overrides.apply(config);
    if args.max_fps.is_some() {
        config.settings.detect.max_fps = args.max_fps;
    }
    config.settings.detect.key_frames_only |= args.key_frames_only;
    if reading.mistakes.is_empty() {
        let count = args.cameras.max(1) as usize;
        reading.camera_paths = vec![reading.camera_paths.first().cloned().unwrap_or_default(); count];
        config.cameras = cameras(&config.cameras, &recording, args.cameras)?;
    }
    // Copies are at one place and show different times: their alerts must not be correlated.
    config.settings.console.one_event.enabled &= args.cameras < 2;
    config.settings.bus.directory = data.join("bus");
    config.settings.console.store = StoreSetting::File(data.join("alerts.sqlite"));
    let roles = [Role::Ingest, Role::Detect, Role::Analyse, Role::Console, Role::Deliver];
    refuse_unready(&reading, &roles.into_iter().collect()).await?;
    let config = reading.config;

    let metrics = telemetry::metrics()?;
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone(), args.duration.map(Span::to_std));
    let app = App::start(&config, &roles, metrics.clone(), stop.clone()).await?;
    if let Some(page) = app.page {
        crate::terminal::tell_line!("The page: http://{page}/   (Ctrl-C ends the demo)");
    }
    let printing = tokio::spawn(print_alerts(app.live.subscribe()));
    let latency = app.latency.clone();
    let ended = app.wait().await;
    printing.abort();
    print_summary(&metrics);
    if let Some(latency) = latency.summary() {
        crate::terminal::tell!("{latency}");
    }
    ended
}

fn recording(given: Option<&Path>) -> anyhow::Result<PathBuf> {
    let path = given.map(Path::to_path_buf).unwrap_or_else(|| cache().join("demo/vtest.mp4"));
    anyhow::ensure!(
        path.is_file(),
        "the demo's recording {} is not there; `make demo` in a clone fetches it (scripts/fetch-recording: `vtest.avi` of Debian's \
         package opencv-doc, through `vedette transcode`), or name a recording of your own with --video",
        path.display()
    );
    path.canonicalize().with_context(|| format!("finding {}", path.display()))
}

/// Directory of downloads and builds: `VEDETTE_CACHE`, else `~/.cache/vedette`.
pub(crate) fn cache() -> PathBuf {
    let home = || std::env::var_os("HOME").map(PathBuf::from).unwrap_or_default();
    std::env::var_os("VEDETTE_CACHE").map_or_else(|| home().join(".cache/vedette"), PathBuf::from)
}

/// The site's camera on its recording, and copies of it at other positions.
fn cameras(site: &[Camera], recording: &Path, count: u32) -> anyhow::Result<Vec<Camera>> {
    let first = site.first().context("the demo site has no camera")?;
    let source = |copy: u32| CameraSource::File {
        path: recording.display().to_string(),
        looped: true,
        offset: Span::from_micros(APART.as_micros() * i64::from(copy)),
    };
    (0..count.max(1))
        .map(|copy| {
            let id = if copy == 0 { first.id.clone() } else { CameraId::new(&format!("{}-{}", first.id, copy + 1))? };
            Ok(Camera { id, source: Some(source(copy)), ..first.clone() })
        })
        .collect()
}

fn data_directory(given: Option<PathBuf>) -> anyhow::Result<(PathBuf, Option<tempfile::TempDir>)> {
    match given {
        Some(path) => {
            std::fs::create_dir_all(&path).with_context(|| format!("creating {}", path.display()))?;
            Ok((path, None))
        }
        None => {
            let directory = tempfile::Builder::new().prefix("vedette-demo-").tempdir().context("making a directory")?;
            Ok((directory.path().to_path_buf(), Some(directory)))
        }
    }
}

async fn print_alerts(mut live: tokio::sync::broadcast::Receiver<std::sync::Arc<vedette_core::Alert>>) {
    loop {
        match live.recv().await {
            Ok(alert) => {
                let mut out = std::io::stdout().lock();
                // A closed stdout (`| head`) does not end the demo.
                let _ = writeln!(out, "{}", output::line(&alert)).and_then(|()| out.flush());
            }
            Err(RecvError::Lagged(missed)) => {
                crate::terminal::tell_line!("{missed} alerts were not printed; the page shows them")
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// The counts of the run, from the public metrics.
fn print_summary(metrics: &PrometheusHandle) {
    let text = metrics.render();
    let count = |name: &str| -> f64 {
        text.lines()
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(['{', ' '])))
            .filter_map(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
            .sum()
    };
    crate::terminal::tell_line!("\nSummary");
    for (label, name) in [
        ("frames published", "vedette_ingest_frames_total"),
        ("frames processed", "vedette_detect_frames_total"),
        ("frames analysed", "vedette_analyse_frames_total"),
        ("frames shed", "vedette_frames_shed_total"),
        ("frames in dead letters", "vedette_frames_dead_lettered_total"),
        ("alerts, raised and ended", "vedette_alerts_total"),
        ("snapshots", "vedette_snapshots_total"),
    ] {
        // The sum of nothing is -0.
        crate::terminal::tell_line!("  {label:<28}{:>10}", count(name) + 0.0);
    }
    if let Some(peak) = peak_memory_mb() {
        crate::terminal::tell_line!("  {:<28}{peak:>10} MB", "peak resident memory");
    }
}

fn peak_memory_mb() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    Some(line.split_whitespace().nth(1)?.parse::<u64>().ok()? / 1024)
}

/// Re-encodes a recording, with a progress bar.
///
/// # Errors
/// When the recording cannot be read or the output cannot be written.
pub(crate) fn transcode(input: &Path, output: &Path, key_every: u32) -> anyhow::Result<()> {
    let bar = ProgressBar::new(100).with_message("re-encoding");
    if let Ok(style) = ProgressStyle::with_template("{msg} {bar:30} {percent}%") {
        bar.set_style(style);
    }
    let gop_frames = NonZeroU32::new(key_every).context("--key-every must be at least 1")?;
    let settings = TranscodeSettings { gop_frames, ..TranscodeSettings::default() };
    transcode_to_h264(input, output, &settings, |progress| {
        let share = progress.total.map_or(0.0, |total| progress.done.as_secs_f64() / total.as_secs_f64().max(1e-6));
        bar.set_position((100.0 * share) as u64);
    })
    .with_context(|| format!("re-encoding {}", input.display()))?;
    bar.finish_and_clear();
    Ok(())
}
