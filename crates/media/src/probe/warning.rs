use vedette_core::{FrameSize, MAX_UNIT_BYTES, Span, Violation, Words, violations};

use super::report::ProbeReport;

/// Longest time without a key frame.
const LONGEST_GROUP: Span = Span::from_millis(9_500);
/// Longest side that is decoded, in pixels.
const LONGEST_SIDE: u32 = 8192;
/// Largest error of a camera's clock; a smaller one may be the network's delay.
const LARGEST_OFFSET: Span = Span::from_secs(1);
/// Frame rates differ from this ratio on.
const RATE_DIFFERS: f64 = 1.1;
/// Frames that are needed to judge a rate.
const ENOUGH: u64 = 20;
/// A rate is unstable when the longest time between frames exceeds the median so often, and this.
const UNSTABLE: i64 = 4;
const UNSTABLE_LEAST: Span = Span::from_millis(300);

violations! {
    /// What the product will not like about a source.
    pub(super) enum ProbeWarning {
        Codec { encoding: String } = "probe.codec": "video in `{encoding}` is not supported",
            "set the camera to H.264, H.265 or JPEG; convert a recording with `vedette transcode OLD NEW.mp4`";
        Undecodable { reason: String } = "probe.undecodable": "its first key frame cannot be decoded: {reason}",
            "set profile Main or High with 8 bit and 4:2:0; convert a recording with `vedette transcode OLD NEW.mp4`";
        NoKeyFrame { seconds: f64 } = "probe.no-key-frame": "no key frame came within {seconds} s: nothing can be decoded",
            "set a key-frame interval of 1 to 2 s, and switch smart codecs off";
        KeyFramesRare { seconds: f64 } = "probe.key-frames-rare":
            "for {seconds} s there was no key frame: after a loss the camera is blind for as long",
            "set a key-frame interval of 1 to 2 s, and switch smart codecs off";
        NoParameterSets = "probe.no-parameter-sets":
            "neither the description nor a key frame has parameter sets: nothing can be decoded",
            "let the camera send SPS and PPS with every key frame, or update its firmware";
        BFrames { share: f64 } = "probe.b-frames":
            "{share} % of the frames are shown before one that comes earlier (B-frames): pictures wait for later ones",
            "switch B-frames off: profile Baseline, or `max_b_frames = 0`";
        FrameTooLarge { bytes: f64, most: f64 } = "probe.frame-too-large":
            "its largest frame has {bytes} bytes, and more than {most} are refused", "lower resolution, quality or bit rate";
        SizeTooLarge { width: u32, height: u32, most: u32 } = "probe.size-too-large":
            "its pictures have {width} x {height} pixels, and sides of more than {most} are refused", "lower the resolution";
        Interlaced = "probe.interlaced": "its pictures are interlaced: what moves is torn into lines",
            "set the camera or encoder to progressive";
        RateDiffers { told: f64, measured: f64 } = "probe.rate-differs":
            "{told} frames a second are told, and {measured} come", "set the frame rate that the camera can keep at this light and bit rate";
        UnstableRate { usual: Span, longest: Span } = "probe.unstable-rate":
            "between two frames are {usual}, but once {longest}", "set a fixed frame rate, a lower bit rate, or check the network";
        StreamClock { factor: f64 } = "probe.stream-clock":
            "its stream time runs {factor} times as fast as its frames come",
            "set the frame rate that the camera can keep, or update its firmware; capture times are taken from arrivals";
        ClockOffset { offset: String } = "probe.clock-offset": "the camera's clock is {offset} off this host's",
            "let camera and host use the same NTP server; capture times are taken from arrivals";
        ClockJumps { jumps: f64 } = "probe.clock-jumps":
            "the stream time jumped so that {jumps} stream sessions began", "check the camera's NTP settings and firmware";
        PacketLoss { lost: f64 } = "probe.packet-loss": "{lost} RTP packets did not arrive",
            "check the network and the number of viewers of the camera, or lower its bit rate";
        BasicOnly = "probe.basic-auth": "the camera knows Basic authentication only: the password travels in clear",
            "set the camera to Digest, or keep it in a network of its own";
        OpenCamera = "probe.no-authentication": "the camera asks for no password: everyone in its network can watch",
            "set a password in the camera";
        UnknownAuthentication { schemes: Words } = "probe.authentication": "the camera asks for {schemes}",
            "set it to Digest (MD5 or SHA-256) or Basic";
    }
}

/// What the product will not like about the source, the worst first.
#[must_use]
pub fn warnings(report: &ProbeReport) -> Vec<Violation> {
    let mut found = Vec::new();
    found.extend(decoding(report));
    found.extend(picture(report));
    found.extend(times(report));
    found.extend(network(report));
    found.into_iter().map(Violation::from).collect()
}

fn decoding(report: &ProbeReport) -> Vec<ProbeWarning> {
    let mut found = Vec::new();
    let encoding = report.encoding.clone();
    if report.codec.is_none() {
        return vec![ProbeWarning::Codec { encoding }];
    }
    let (keys, longest) = (report.key_frames, report.groups.longest);
    if report.frames > 0 && keys.count == 0 {
        found.push(ProbeWarning::NoKeyFrame { seconds: tenths(report.length.as_secs_f64()) });
    } else if longest >= LONGEST_GROUP {
        found.push(ProbeWarning::KeyFramesRare { seconds: tenths(longest.as_secs_f64()) });
    }
    if keys.count > 0 && keys.with_sets == 0 && !report.sets_described {
        found.push(ProbeWarning::NoParameterSets);
    } else if let Some(reason) = report.undecodable.clone() {
        found.push(ProbeWarning::Undecodable { reason });
    }
    if report.largest_frame > MAX_UNIT_BYTES as u64 {
        let (bytes, most) = (report.largest_frame as f64, MAX_UNIT_BYTES as f64);
        found.push(ProbeWarning::FrameTooLarge { bytes, most });
    }
    if report.reordered > 0 {
        let share = report.reordered as f64 * 100.0 / report.frames.max(1) as f64;
        found.push(ProbeWarning::BFrames { share: share.round().max(1.0) });
    }
    found
}

fn picture(report: &ProbeReport) -> Vec<ProbeWarning> {
    let mut found = Vec::new();
    if let Some(FrameSize { width, height }) = report.size
        && width.max(height) > LONGEST_SIDE
    {
        found.push(ProbeWarning::SizeTooLarge { width, height, most: LONGEST_SIDE });
    }
    if report.interlaced {
        found.push(ProbeWarning::Interlaced);
    }
    found
}

fn times(report: &ProbeReport) -> Vec<ProbeWarning> {
    let mut found = Vec::new();
    if report.frames >= ENOUGH {
        let differ = |a: f64, b: f64| a.max(b) > RATE_DIFFERS * a.min(b);
        if let (Some(told), Some(measured)) = (report.rates.told, report.rates.measured())
            && differ(told, measured)
        {
            found.push(ProbeWarning::RateDiffers { told: tenths(told), measured: tenths(measured) });
        }
        if let Some((usual, longest)) = report.rates.intervals
            && longest > UNSTABLE_LEAST
            && longest.as_micros() > usual.as_micros().saturating_mul(UNSTABLE)
        {
            found.push(ProbeWarning::UnstableRate { usual: rounded(usual), longest: rounded(longest) });
        }
        if let Some(rate) = report.stream_rate()
            && differ(rate, 1.0)
        {
            found.push(ProbeWarning::StreamClock { factor: (100.0 / rate).round() / 100.0 });
        }
    }
    if let Some(clock) = report.clock {
        if let Some(offset) = clock.offset
            && offset.as_micros().saturating_abs() > LARGEST_OFFSET.as_micros()
        {
            found.push(ProbeWarning::ClockOffset { offset: signed(offset) });
        }
        if clock.jumps > 0 {
            found.push(ProbeWarning::ClockJumps { jumps: clock.jumps as f64 });
        }
    }
    found
}

fn network(report: &ProbeReport) -> Vec<ProbeWarning> {
    let mut found = Vec::new();
    if let Some(lost) = report.transmission.map(|it| it.lost).filter(|lost| *lost > 0) {
        found.push(ProbeWarning::PacketLoss { lost: lost as f64 });
    }
    let Some(schemes) = &report.authentication else { return found };
    let is = |scheme: &String, name: &str| scheme.split(' ').next().is_some_and(|it| it.eq_ignore_ascii_case(name));
    if schemes.is_empty() {
        found.push(ProbeWarning::OpenCamera);
    } else if !schemes.iter().any(|scheme| is(scheme, "digest")) {
        found.push(match schemes.iter().any(|scheme| is(scheme, "basic")) {
            true => ProbeWarning::BasicOnly,
            false => ProbeWarning::UnknownAuthentication { schemes: schemes.iter().cloned().collect() },
        });
    }
    found
}

fn tenths(value: f64) -> f64 {
    (value * 10.0).round() / 10.0
}

/// To milliseconds.
fn rounded(span: Span) -> Span {
    Span::from_millis((span.as_micros() + 500) / 1_000)
}

fn signed(span: Span) -> String {
    format!("{:+.1} s", span.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use vedette_core::{Codec, SignalLossReason};

    use super::*;
    use crate::probe::report::{CameraClock, ClockSource, Groups, KeyFrames, Rates, Transmission};

    const MARK: &str = "<!-- The rest is made from the code. -->\n";

    fn good() -> ProbeReport {
        ProbeReport {
            is_camera: true,
            codec: Some(Codec::H264),
            encoding: "h264".into(),
            size: Some(FrameSize { width: 1_920, height: 1_080 }),
            frames: 250,
            bytes: 5_000_000,
            length: Span::from_secs(10),
            rates: Rates {
                told: Some(25.0),
                by_stream: Some(25.0),
                by_arrival: Some(25.1),
                intervals: Some((Span::from_millis(40), Span::from_millis(95))),
            },
            groups: Groups { frames: Some((50, 50)), longest: Span::from_secs(2) },
            key_frames: KeyFrames { count: 5, with_sets: 5, mean_bytes: 90_000 },
            largest_frame: 120_000,
            clock: Some(CameraClock { offset: Some(Span::from_millis(-40)), source: ClockSource::Camera, jumps: 0 }),
            authentication: Some(vec!["Digest MD5".into(), "Basic".into()]),
            transmission: Some(Transmission { jitter: Span::from_millis(12), lost: 0 }),
            ..ProbeReport::default()
        }
    }

    type Change = fn(&mut ProbeReport);

    /// What makes a good camera one that gets each warning, and no other.
    fn examples() -> Vec<(&'static str, Change)> {
        vec![
            ("probe.codec", |it| (it.codec, it.encoding) = (None, "mp4v-es".into())),
            ("probe.undecodable", |it| it.undecodable = Some("no picture came out of the decoder".into())),
            ("probe.no-key-frame", |it| it.key_frames = KeyFrames::default()),
            ("probe.key-frames-rare", |it| it.groups.longest = Span::from_secs(10)),
            ("probe.no-parameter-sets", |it| it.key_frames.with_sets = 0),
            ("probe.b-frames", |it| it.reordered = 150),
            ("probe.frame-too-large", |it| it.largest_frame = 20_000_000),
            ("probe.size-too-large", |it| it.size = Some(FrameSize { width: 12_000, height: 3_000 })),
            ("probe.interlaced", |it| it.interlaced = true),
            ("probe.rate-differs", |it| it.rates.told = Some(30.0)),
            ("probe.unstable-rate", |it| {
                it.rates.intervals = Some((Span::from_millis(40), Span::from_millis(1_200)));
            }),
            ("probe.stream-clock", |it| (it.rates.by_arrival, it.rates.told) = (Some(16.7), None)),
            ("probe.clock-offset", |it| {
                it.clock = Some(CameraClock {
                    offset: Some(Span::from_secs(-3_600)),
                    source: ClockSource::Arrivals,
                    jumps: 0,
                });
            }),
            ("probe.clock-jumps", |it| {
                it.clock = Some(CameraClock { offset: None, source: ClockSource::Arrivals, jumps: 2 });
            }),
            ("probe.packet-loss", |it| {
                it.transmission = Some(Transmission { jitter: Span::from_millis(30), lost: 17 });
            }),
            ("probe.basic-auth", |it| it.authentication = Some(vec!["Basic".into()])),
            ("probe.no-authentication", |it| it.authentication = Some(Vec::new())),
            ("probe.authentication", |it| it.authentication = Some(vec!["Negotiate".into()])),
        ]
    }

    fn warned(change: fn(&mut ProbeReport)) -> Vec<Violation> {
        let mut report = good();
        change(&mut report);
        warnings(&report)
    }

    #[test]
    fn a_good_camera_gets_no_warning() {
        assert_eq!(warnings(&good()), []);
        // A recording has neither arrivals nor a clock.
        let recording = ProbeReport { clock: None, authentication: None, transmission: None, ..good() };
        assert_eq!(warnings(&recording), []);
    }

    #[test]
    fn each_warning_has_an_example() {
        for (code, change) in examples() {
            let codes: Vec<_> = warned(change).iter().map(|violation| violation.code).collect();
            assert_eq!(codes, [code]);
        }
        let listed: Vec<_> = examples().iter().map(|(code, _)| *code).collect();
        let defined: Vec<_> = ProbeWarning::ALL.iter().map(|info| info.code).collect();
        assert_eq!(listed, defined);
    }

    /// After a change: `VEDETTE_BLESS=1 cargo test -p vedette-media --lib -- page_of_cameras`.
    #[test]
    fn the_page_of_cameras_has_an_example_of_each_warning() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/CAMERAS.md");
        let page = std::fs::read_to_string(&path).unwrap();
        let (head, _) = page.split_once(MARK).unwrap();
        let mut made = format!("{head}{MARK}\n## Warnings of the probe\n\nEach with an example of its text.\n");
        for (code, change) in examples() {
            for Violation { rule, fix, .. } in warned(change) {
                made += &format!("\n### `{code}`\n\n> {rule}\n\nRemedy: {fix}.\n");
            }
        }
        made += "\n## Reasons of a signal loss\n\n| reason | the camera's card, alert and `/healthz` say |\n| --- | --- |\n";
        for reason in SignalLossReason::ALL {
            made += &format!("| `{}` | {} |\n", reason.as_str(), reason.text());
        }
        if std::env::var_os("VEDETTE_BLESS").is_some() {
            std::fs::write(&path, &made).unwrap();
        } else {
            assert!(page == made, "bless docs/CAMERAS.md: see above this test");
        }
    }
}
