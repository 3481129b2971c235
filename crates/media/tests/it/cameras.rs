//! Network cameras that misbehave, with pictures of a real encoder.

use std::sync::Arc;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use vedette_core::{Codec, Timestamp};
use vedette_media::{
    Credentials, Decoder, DecoderSettings, IntakeEvent, IntakeSettings, IntakeSource, LossReason, ProbeError,
    ProbeReport, ProbeSettings, ProbeSource, probe, warnings,
};
use vedette_rtsp::testing::{Guard, Misdeed, Scheme, Script, Server, Transports, nal_units};

use crate::common::{encode, next, start};

fn script(codec: Codec) -> Script {
    let units = encode(codec, 20).iter().map(|unit| unit.to_vec()).collect();
    Script { pace: Duration::from_millis(10), ticks: 900, ..Script::new(codec, units) }
}

fn source(server: &Server, credentials: Option<Credentials>) -> IntakeSource {
    IntakeSource::Rtsp { url: server.url(), credentials }
}

fn settings() -> IntakeSettings {
    IntakeSettings {
        chunk_max_duration: Duration::from_millis(100),
        backoff_min: Duration::from_millis(50),
        backoff_max: Duration::from_millis(200),
        timeout: Duration::from_secs(30),
        ..IntakeSettings::default()
    }
}

/// Receives from a camera until so many frames were decoded, none of them damaged, in one stream session.
async fn decodes(server: &Server, codec: Codec, frames: usize) {
    let login = Credentials::new("operator".into(), "geheim".into());
    let (mut events, _stop) = start(source(server, Some(login)), settings());
    let mut decoder = Decoder::new(codec, DecoderSettings::default());
    let (mut decoded, mut sessions) = (0, 0);
    while decoded < frames {
        match next(&mut events).await.unwrap() {
            IntakeEvent::Chunk(chunk) => {
                let frames = decoder.decode(&chunk).unwrap();
                assert!(frames.iter().all(|frame| !frame.corrupt));
                decoded += frames.len();
            }
            IntakeEvent::Connected { .. } => sessions += 1,
            IntakeEvent::SignalLoss(_) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(sessions, 1);
}

async fn loss(script: Script) -> LossReason {
    let server = Server::start(script).await;
    let (mut events, _stop) = start(source(&server, None), settings());
    loop {
        if let IntakeEvent::Lost { reason, .. } = next(&mut events).await.unwrap() {
            return reason;
        }
    }
}

#[tokio::test]
async fn cameras_with_a_dialect_of_their_own_are_followed() {
    let plain = script(Codec::H264);
    let target = Server::start(plain.clone()).await;
    let to_target = vec![("Location", target.url().to_string())];
    let guard = Guard { one_time: true, ..Guard::new("geheim", &[Scheme::Sha256, Scheme::Md5]) };
    for script in [
        plain.clone().with("DESCRIBE", Misdeed::Status(302, to_target)),
        Script { content_type: "application/sdp; charset=utf-8".into(), guard: Some(guard), ..plain.clone() },
        Script { undefined_every: Some(10), strips_sets: true, ..plain.clone() },
        Script { transports: Transports::Udp, ..plain },
        script(Codec::H265),
        script(Codec::Jpeg),
        Script { hides_size: true, header_extension: true, ..script(Codec::Jpeg) },
    ] {
        let codec = script.codec;
        decodes(&Server::start(script).await, codec, 30).await;
    }
}

/// What was lost is missing until the next key frame, and nothing damaged is decoded.
#[tokio::test]
async fn losses_cost_the_rest_of_their_group() {
    for script in
        [Script { lost_every: Some(7), ..script(Codec::H264) }, Script { broken_every: Some(7), ..script(Codec::H265) }]
    {
        let codec = script.codec;
        decodes(&Server::start(script).await, codec, 40).await;
    }
}

#[tokio::test]
async fn what_cannot_be_followed_has_a_reason_with_a_remedy() {
    let plain = script(Codec::Jpeg);
    let describes = |misdeed| plain.clone().with("DESCRIBE", misdeed);
    let huge = b"RTSP/1.0 200 OK\r\nContent-Length: 4000000000\r\n\r\n".to_vec();
    let secure = vec![("Location", "rtsps://192.0.2.1/live".to_owned())];
    for (script, kind, part) in [
        (describes(Misdeed::Bytes(huge)), "protocol", "of more than 262144 bytes"),
        (describes(Misdeed::Status(301, secure)), "redirected", "give an rtsp:// address"),
        (plain.clone().with("SETUP", Misdeed::Status(461, vec![])), "transport", "network settings"),
        (Script { hides_size: true, ..plain.clone() }, "picture_size", "lower the resolution"),
    ] {
        let reason = loss(script).await;
        let text = reason.to_string();
        assert!(reason.as_str() == kind && text.contains(part) && !text.contains("192.0.2.1"), "{text}");
    }
}

/// Why no picture is usable, of a camera with these pictures: to intake, and to a probe.
async fn unusable(units: Vec<Vec<u8>>) -> (LossReason, Result<ProbeReport, ProbeError>) {
    let timeout = Duration::from_secs(2);
    let script = Script { pace: Duration::from_millis(100), payload: 60_000, ..script(Codec::H264) };
    let server = Server::start(Script { units, ..script }).await;
    let (mut events, stop) = start(source(&server, None), IntakeSettings { timeout, ..settings() });
    let reason = loop {
        if let IntakeEvent::Lost { reason, .. } = next(&mut events).await.unwrap() {
            break reason;
        }
    };
    stop.cancel();
    let settings = ProbeSettings { timeout, length: timeout };
    let looked_at = ProbeSource::Rtsp { url: server.url(), credentials: None };
    let clock = Arc::new(|| Timestamp::from_micros(0));
    (reason, probe(looked_at, settings, clock, CancellationToken::new()).await)
}

#[tokio::test]
async fn pictures_that_cannot_be_used_have_their_reason() {
    let units: Vec<Vec<u8>> = encode(Codec::H264, 4).iter().map(|unit| unit.to_vec()).collect();
    let filler = [&[0, 0, 0, 1, 0x0c][..], &[0xff; 17_000_000], &[0x80]].concat();
    let too_large = |unit: &Vec<u8>| [&unit[..], &filler].concat();
    let no_usable = |refused| LossReason::NoUsablePicture { timeout: Duration::from_secs(2), refused };

    // All of them, and only the one that the others refer to.
    let (reason, report) = unusable(units.iter().map(too_large).collect()).await;
    assert_eq!((&reason, report.unwrap_err()), (&no_usable("too_large"), ProbeError::Lost(no_usable("too_large"))));
    let key_too_large = [vec![too_large(&units[0])], units[1..].to_vec()].concat();
    let (reason, report) = unusable(key_too_large).await;
    assert_eq!(reason, no_usable("too_large"));
    let codes: Vec<_> = warnings(&report.unwrap()).iter().map(|warning| warning.code).collect();
    assert!(codes.contains(&"probe.frame-too-large"), "{codes:?}");

    // Packets without pictures.
    let sets = nal_units(&units[0]).into_iter().filter(|nal| matches!(nal[0] & 0x1f, 7 | 8));
    let (reason, _) = unusable(vec![sets.flat_map(|set| [&[0, 0, 0, 1], set].concat()).collect()]).await;
    assert_eq!(reason, no_usable("no_picture"));
}
