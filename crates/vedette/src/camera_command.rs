//! `vedette camera`: looks at one camera or recording before it is part of a configuration, and seals its password.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use anyhow::{Context, ensure};
use clap::{Args, Subcommand};
use tokio_util::sync::CancellationToken;
use url::Url;
use vedette_core::{Codec, FrameSize, PixelAspect, Rotation, Span, Violation, printable};
use vedette_media::{ClockSource, Credentials, ProbeReport, ProbeSettings, ProbeSource, draw_grid, probe, warnings};
use vedette_runtime::clock;

use crate::camera_seal::{self, SealArgs};
use crate::process::{block_on_code, stop_on_signal};

/// Longest look at a camera.
const LONGEST: Span = Span::from_secs(600);

/// `vedette camera`
#[derive(Debug, Subcommand)]
pub enum CameraCommand {
    /// Look at a camera or recording for some seconds, and say what it sends, what of that the product will not like, and the remedy
    /// (docs/CAMERAS.md). The exit code is 0 without warnings, 2 with any, and 1 when nothing can be received.
    Probe(ProbeArgs),
    /// Seal a camera's password with the site's public key, and print the login for its entry in a camera file. Only the machines with
    /// the secret key can open it.
    Seal(SealArgs),
}

/// `vedette camera probe`
#[derive(Debug, Args)]
pub struct ProbeArgs {
    /// Recording, or `rtsp://HOST/PATH` of a camera, without user and password.
    pub source: String,
    /// Duration of the probe, up to 10 minutes.
    #[arg(long = "for", default_value = "10s")]
    pub length: Span,
    /// User of the camera.
    #[arg(long, requires = "password_env")]
    pub user: Option<String>,
    /// Environment variable that holds the password.
    #[arg(long, value_name = "VARIABLE", requires = "user")]
    pub password_env: Option<String>,
    /// Write the first key frame to this file, as PNG. People in it are not pixelated.
    #[arg(long, value_name = "FILE")]
    pub still: Option<PathBuf>,
    /// Draw a grid with pixel coordinates on the still, for the zones of a policy.
    #[arg(long, requires = "still")]
    pub grid: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Runs the command.
///
/// # Errors
/// When nothing can be received or written, with the remedy.
pub(crate) fn run(command: CameraCommand) -> anyhow::Result<ExitCode> {
    match command {
        CameraCommand::Probe(args) => block_on_code(probe_once(args)),
        CameraCommand::Seal(args) => camera_seal::run(&args).map(|()| ExitCode::SUCCESS),
    }
}

async fn probe_once(args: ProbeArgs) -> anyhow::Result<ExitCode> {
    ensure!(
        args.length > Span::ZERO && args.length <= LONGEST,
        "--for is {}; give more than 0s, up to {LONGEST}",
        args.length
    );
    let (source, shown) = source(&args)?;
    let settings = ProbeSettings { length: args.length.to_std(), ..ProbeSettings::default() };
    let stop = CancellationToken::new();
    stop_on_signal(stop.clone(), None);
    let mut report = probe(source, settings, Arc::new(clock::now), stop).await?;
    let mut written = None;
    if let Some((path, mut still)) = args.still.as_deref().zip(report.still.take()) {
        if args.grid {
            draw_grid(&mut still);
        }
        let png = still.png().map_err(|error| anyhow::anyhow!("the still cannot be encoded: {error}"))?;
        write_private(path, &png).with_context(|| format!("the still `{}` cannot be written", path.display()))?;
        written = Some(path);
    }
    let found = warnings(&report);
    if args.json {
        crate::terminal::print_line!("{:#}", json(&shown, &report, written, &found));
    } else {
        crate::terminal::print_text!("{}", text(&shown, &report, written, &found));
    }
    Ok(if found.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(2) })
}

/// What to look at, and its name without secrets.
fn source(args: &ProbeArgs) -> anyhow::Result<(ProbeSource, String)> {
    let text = args.source.as_str();
    if !text.contains("://") {
        ensure!(args.user.is_none(), "a recording needs no user; give rtsp://HOST/PATH for a camera");
        return Ok((ProbeSource::File(text.into()), text.to_owned()));
    }
    // A password with special characters does not parse, so the address is not repeated.
    let refused = "this is not a valid address of a camera; write rtsp://HOST/PATH without user and password, and give these with \
                   --user NAME --password-env VARIABLE";
    let url = Url::parse(text).ok().filter(|url| url.scheme() == "rtsp").context(refused)?;
    ensure!(url.username().is_empty() && url.password().is_none(), refused);
    let host = url.host_str().filter(|host| !host.is_empty()).context(refused)?;
    // Path and query of some cameras have secrets in them.
    let shown = format!("rtsp://{host}:{}", url.port().unwrap_or(554));
    let credentials = match (&args.user, &args.password_env) {
        (Some(user), Some(variable)) => {
            let password = std::env::var(variable).map_err(|error| {
                anyhow::anyhow!("the environment variable `{variable}` of the password is unusable ({error}); set it")
            })?;
            Some(Credentials::new(user.clone(), password))
        }
        _ => None,
    };
    Ok((ProbeSource::Rtsp { url, credentials }, shown))
}

/// People may be recognised in it.
fn write_private(path: &Path, data: &[u8]) -> std::io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(data)
}

fn codec_name(codec: Codec) -> &'static str {
    match codec {
        Codec::H264 => "H.264",
        Codec::H265 => "H.265",
        Codec::Jpeg => "JPEG",
    }
}

/// One screen for people.
fn text(shown: &str, report: &ProbeReport, still: Option<&Path>, found: &[Violation]) -> String {
    let mut rows: Vec<(&str, String)> = vec![("source", shown.to_owned())];
    rows.push(("video", video(report)));
    if report.codec.is_some() {
        rows.extend(picture_rows(report));
        rows.extend(stream_rows(report));
    }
    let beside = if report.beside.is_empty() { "nothing".to_owned() } else { report.beside.join(", ") };
    rows.push(("beside it", beside));
    if report.is_camera {
        rows.extend(network_rows(report));
    }
    rows.extend(still.map(|path| ("still", path.display().to_string())));
    let mut text = String::new();
    for (name, value) in rows {
        let _ = writeln!(text, "{name:<15}{}", printable(&value));
    }
    for Violation { code, rule, fix, .. } in found {
        let _ = writeln!(text, "warning: {}; {fix} [{code}]", printable(rule));
    }
    if found.is_empty() {
        text.push_str("good: no warnings\n");
    }
    text
}

fn video(report: &ProbeReport) -> String {
    let Some(codec) = report.codec else { return format!("{} (not supported)", report.encoding) };
    let mut text = codec_name(codec).to_owned();
    if let Some(profile) = &report.profile {
        let _ = write!(text, ", profile {profile}");
    }
    if let Some(level) = &report.level {
        let _ = write!(text, ", level {level}");
    }
    if let Some((chroma, bits)) = report.chroma.as_ref().zip(report.bit_depth) {
        let _ = write!(text, ", {chroma} of {bits} bits");
    }
    text
}

fn picture_rows(report: &ProbeReport) -> Vec<(&'static str, String)> {
    let size = report.size.map_or_else(|| "unknown".to_owned(), |size| format!("{} x {}", size.width, size.height));
    let aspect = report.display.pixel_aspect;
    let pixels = match aspect == PixelAspect::default() {
        true => "square pixels".to_owned(),
        false => format!("pixels {} : {}", aspect.width(), aspect.height()),
    };
    let turn = match report.display.rotation {
        Rotation::None => "upright".to_owned(),
        rotation => format!("to be turned by {} degrees", rotation.degrees()),
    };
    let lines = if report.interlaced { "interlaced" } else { "progressive" };
    let mut rows = vec![("size", format!("{size}, {pixels}, {turn}, {lines}"))];
    if let Some(FrameSize { width, height }) = report.shown().filter(|shown| Some(*shown) != report.size) {
        rows.push((
            "shown as",
            format!("{width} x {height}, upright with square pixels; zones and calibrations refer to that"),
        ));
    }
    rows
}

fn stream_rows(report: &ProbeReport) -> Vec<(&'static str, String)> {
    let rate = |rate: Option<f64>| rate.map_or_else(|| "unknown".to_owned(), |rate| format!("{rate:.1}"));
    let groups = match report.groups.frames {
        Some((shortest, longest)) if shortest == longest => format!("{longest} frames"),
        Some((shortest, longest)) => format!("{shortest} to {longest} frames"),
        None => "no second key frame".to_owned(),
    };
    let sets = match (report.sets_described, report.key_frames.with_sets) {
        _ if report.codec == Some(Codec::Jpeg) => "not needed".to_owned(),
        (described, with) => format!(
            "{} the description, with {with} of {} key frames",
            if described { "in" } else { "not in" },
            report.key_frames.count
        ),
    };
    let b_frames = if report.reordered == 0 { "none".to_owned() } else { format!("{} frames", report.reordered) };
    let bit_rate = report.bit_rate().map_or_else(|| "unknown".to_owned(), |rate| format!("{:.0} kbit/s", rate / 1e3));
    vec![
        ("looked at", format!("{} frames in {:.1} s", report.frames, report.length.as_secs_f64())),
        ("frame rate", format!("told {}, measured {}", rate(report.rates.told), rate(report.rates.measured()))),
        ("key frames", format!("every {groups}, at most {:.1} s without one", report.groups.longest.as_secs_f64())),
        ("B-frames", b_frames),
        (
            "bytes",
            format!(
                "{bit_rate}, a key frame {} KB, the largest frame {} KB",
                report.key_frames.mean_bytes.div_ceil(1_000),
                report.largest_frame.div_ceil(1_000)
            ),
        ),
        ("parameter sets", sets),
    ]
}

fn network_rows(report: &ProbeReport) -> Vec<(&'static str, String)> {
    let mut rows = Vec::new();
    let login = match report.authentication.as_deref() {
        None => "unknown".to_owned(),
        Some([]) => "none".to_owned(),
        Some(schemes) => schemes.join(", "),
    };
    rows.push(("authentication", login));
    if let Some(clock) = report.clock {
        let offset = match clock.offset {
            Some(offset) => format!("{:+.3} s against this host", offset.as_secs_f64()),
            None => "unknown, as it sends no sender reports".to_owned(),
        };
        let source = match clock.source {
            ClockSource::Camera => "the camera's clock",
            ClockSource::Arrivals => "arrivals",
        };
        rows.push(("clock", format!("{offset}; capture times from {source}")));
    }
    if let Some(it) = report.transmission {
        let (transport, jitter) = (report.transport.unwrap_or("RTP"), it.jitter.as_secs_f64() * 1e3);
        rows.push(("network", format!("{transport}, jitter {jitter:.0} ms, {} packets lost", it.lost)));
    }
    rows
}

fn json(shown: &str, report: &ProbeReport, still: Option<&Path>, found: &[Violation]) -> serde_json::Value {
    let warnings: Vec<_> = found
        .iter()
        .map(|Violation { code, arguments, rule, fix }| {
            let arguments: BTreeMap<_, _> = arguments.iter().map(|(name, argument)| (*name, argument)).collect();
            serde_json::json!({ "code": code, "arguments": arguments, "rule": rule, "fix": fix })
        })
        .collect();
    let clock = report.clock.map(|clock| {
        serde_json::json!({
            "offset_seconds": clock.offset.map(Span::as_secs_f64),
            "source": match clock.source { ClockSource::Camera => "camera", ClockSource::Arrivals => "arrivals" },
            "jumps": clock.jumps,
        })
    });
    serde_json::json!({
        "source": shown,
        "codec": report.codec.map(codec_name),
        "encoding": report.encoding,
        "profile": report.profile,
        "level": report.level,
        "bit_depth": report.bit_depth,
        "chroma": report.chroma,
        "width_px": report.size.map(|size| size.width),
        "height_px": report.size.map(|size| size.height),
        "pixel_aspect": [report.display.pixel_aspect.width(), report.display.pixel_aspect.height()],
        "rotation_degrees": report.display.rotation.degrees(),
        "shown_width_px": report.shown().map(|size| size.width),
        "shown_height_px": report.shown().map(|size| size.height),
        "interlaced": report.interlaced,
        "frames": report.frames,
        "bytes": report.bytes,
        "seconds": report.length.as_secs_f64(),
        "frame_rate": {
            "told": report.rates.told, "measured": report.rates.measured(), "by_stream": report.rates.by_stream,
        },
        "groups": {
            "shortest_frames": report.groups.frames.map(|(shortest, _)| shortest),
            "longest_frames": report.groups.frames.map(|(_, longest)| longest),
            "longest_seconds": report.groups.longest.as_secs_f64(),
        },
        "reordered_frames": report.reordered,
        "key_frames": {
            "count": report.key_frames.count, "mean_bytes": report.key_frames.mean_bytes,
            "with_parameter_sets": report.key_frames.with_sets,
        },
        "largest_frame_bytes": report.largest_frame,
        "bit_rate": report.bit_rate(),
        "parameter_sets_described": report.sets_described,
        "beside": report.beside,
        "authentication": report.authentication,
        "clock": clock,
        "transport": report.transport,
        "jitter_seconds": report.transmission.map(|it| it.jitter.as_secs_f64()),
        "packets_lost": report.transmission.map(|it| it.lost),
        "still": still.map(|path| path.display().to_string()),
        "warnings": warnings,
    })
}
