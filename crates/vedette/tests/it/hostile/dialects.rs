//! Cameras that speak another RTSP or RTP than others.

use vedette_core::Codec;
use vedette_rtsp::testing::{End, Guard, Markers, Misdeed, Scheme, Script, Server, Transports, nal_units};

use super::row::{Outcome, Row, annex_b, kind, script};
use crate::encoding::{H264, JPEG, encode};

/// The password that the product is told.
const PASSWORD: &str = "geheim";

pub(super) fn rows(elsewhere: &Server) -> Vec<Row> {
    let units = encode(H264, 20);
    let plain = script(Codec::H264, units.clone());
    let redirected = Misdeed::Status(302, vec![("Location", elsewhere.url().to_string())]);
    let mut rows = vec![
        Row::analysed("plain", plain.clone()).shown(&[(320, 240)]),
        Row::analysed("redirects", plain.clone().with("DESCRIBE", redirected)),
        Row::analysed("other-media", Script { other_media: true, ..plain.clone() }),
    ];
    rows.extend(described(&plain));
    rows.extend(guarded(&plain));
    rows.extend(packed(&plain));
    rows.extend(ending(&plain));
    rows.extend(refusing(&plain));
    rows.extend(unusable(&plain, &units));
    let jpeg = script(Codec::Jpeg, encode(JPEG, 5));
    rows.extend([
        Row::analysed("jpeg", jpeg.clone()),
        Row::analysed("jpeg-with-header", Script { hides_size: true, header_extension: true, ..jpeg.clone() }),
        Row::lost("jpeg-without-size", Script { hides_size: true, ..jpeg }, "picture_size"),
    ]);
    rows
}

/// Odd descriptions.
fn described(plain: &Script) -> Vec<Row> {
    let with_type = |content_type: &str| Script { content_type: content_type.to_owned(), ..plain.clone() };
    let with_base = |base: &str| Script { content_base: Some(base.to_owned()), ..plain.clone() };
    let fmtp = "v=0\r\nm=video 0 RTP/AVP 96\r\na=rtpmap:96 H264/90000\r\na=fmtp:96 sprop-parameter-sets=\r\na=control:track1\r\n";
    vec![
        Row::analysed("content-type-with-charset", with_type("application/sdp; charset=utf-8")),
        Row::analysed("content-type-in-capitals", with_type("Application/SDP;version=\"1\"")),
        // A camera behind address translation tells the address that it has itself.
        Row::analysed("content-base-elsewhere", with_base("rtsp://192.0.2.1:8554/stream1/")),
        Row::analysed("content-base-relative", with_base("/live/")),
        Row::analysed("content-base-garbage", with_base("::no address::")),
        Row::analysed("sets-in-sdp-only", Script { strips_sets: true, ..plain.clone() }),
        Row::analysed("sets-in-band-only", Script { describes_sets: false, ..plain.clone() }),
        Row::analysed("sets-described-empty", Script { description: Some(fmtp.to_owned()), ..plain.clone() }),
    ]
}

/// Logins.
fn guarded(plain: &Script) -> Vec<Row> {
    let asks = |guard| Script { guard: Some(guard), ..plain.clone() };
    let guard = |schemes: &[Scheme]| Guard::new(PASSWORD, schemes);
    let both = [Scheme::Sha256, Scheme::Md5];
    vec![
        Row::analysed("login-basic", asks(guard(&[Scheme::Basic]))),
        Row::analysed("login-old-digest", asks(guard(&[Scheme::Old]))),
        Row::analysed("login-sha256-only", asks(guard(&[Scheme::Sha256]))),
        Row::analysed("login-of-both-kinds", asks(guard(&[Scheme::Basic, Scheme::Md5]))),
        Row::analysed("nonce-a-request", asks(Guard { one_time: true, ..guard(&both) })),
        Row::lost("wrong-password", asks(Guard::new("another", &both)), "unauthorized"),
    ]
}

/// Odd packets.
fn packed(plain: &Script) -> Vec<Row> {
    vec![
        Row::analysed("udp-only", Script { transports: Transports::Udp, ..plain.clone() }),
        Row::analysed("udp-out-of-order", Script { transports: Transports::Udp, swaps: true, ..plain.clone() }),
        Row::analysed("undefined-nal", Script { undefined_every: Some(5), ..plain.clone() }),
        Row::analysed("broken-nal", Script { broken_every: Some(15), ..plain.clone() }),
        Row::analysed("no-markers", Script { markers: Markers::Never, aggregates: true, ..plain.clone() }),
        Row::analysed("marker-a-nal", Script { markers: Markers::EachUnit, ..plain.clone() }),
        Row::analysed("numbers-wrap", Script { first_sequence: 65_520, ..plain.clone() }),
    ]
}

/// Streams that end.
fn ending(plain: &Script) -> Vec<Row> {
    let ends = |end| Script { end, ..plain.clone() };
    vec![
        Row::analysed("says-goodbye", ends(End::Bye)),
        Row::analysed("closes", ends(End::Close)),
        Row::new("password-changes", ends(End::Close), Outcome::AnalysedThenLost("unauthorized"))
            .then(Script { guard: Some(Guard::new("another", &[Scheme::Md5])), ..plain.clone() }),
        Row::new("falls-silent", ends(End::Silence), Outcome::Returns("no_data")),
        Row::new("sends-garbage", ends(End::Garbage), Outcome::Returns("no_usable_picture")),
    ]
}

/// Cameras that give nothing.
fn refusing(plain: &Script) -> Vec<Row> {
    let does = |method, misdeed| plain.clone().with(method, misdeed);
    let says = |method, status| does(method, Misdeed::Status(status, vec![]));
    let elsewhere = vec![("Location", "rtsps://192.0.2.1/live".to_owned())];
    let huge = b"RTSP/1.0 200 OK\r\nContent-Length: 4000000000\r\n\r\n".to_vec();
    vec![
        Row::lost("no-such-stream", says("DESCRIBE", 404), "not_found"),
        Row::lost("error-503", says("DESCRIBE", 503), "refused"),
        Row::lost("redirects-into-nowhere", does("DESCRIBE", Misdeed::Status(301, elsewhere)), "redirected"),
        Row::lost("no-transport", says("SETUP", 461), "transport"),
        Row::lost("no-bandwidth", says("SETUP", 453), "refused"),
        Row::lost("does-not-play", says("PLAY", 500), "refused"),
        Row::lost("huge-answer", does("DESCRIBE", Misdeed::Bytes(huge)), "protocol"),
        Row::lost("endless-headers", does("DESCRIBE", Misdeed::Endless(b"X-Header: 1\r\n".to_vec())), "protocol"),
        Row::lost("never-answers", does("DESCRIBE", Misdeed::Silence), "no_data"),
        Row::lost("hangs-up", does("DESCRIBE", Misdeed::Close), "stream_ended"),
    ]
}

/// Pictures that cannot be decoded, by all signs.
fn unusable(plain: &Script, units: &[Vec<u8>]) -> Vec<Row> {
    let of_kinds = |unit: &[u8], kinds: &[u8]| -> Vec<Vec<u8>> {
        nal_units(unit).into_iter().filter(|nal| kinds.contains(&kind(Codec::H264, nal))).map(<[u8]>::to_vec).collect()
    };
    let sets = of_kinds(&units[0], &[7, 8]);
    let deltas: Vec<Vec<u8>> = units.iter().filter(|unit| of_kinds(unit, &[5]).is_empty()).cloned().collect();
    let first = annex_b(sets.iter().map(Vec::as_slice).chain(nal_units(&deltas[0])));
    let without_key = [vec![first], deltas[1..].to_vec()].concat();
    let without_sets = Script { strips_sets: true, describes_sets: false, ..plain.clone() };
    let sets_only = vec![annex_b(sets.iter().map(Vec::as_slice))];
    vec![
        Row::lost("no-key-frame", script(Codec::H264, without_key), "no_key_frame"),
        Row::lost("no-parameter-sets", without_sets, "no_parameter_sets"),
        Row::lost("no-pictures", script(Codec::H264, sets_only), "no_usable_picture"),
    ]
}
