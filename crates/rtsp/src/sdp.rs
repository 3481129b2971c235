//! Session descriptions (RFC 4566, RFC 6184, RFC 7798); pure.

use base64::Engine;
use base64::engine::general_purpose::GeneralPurpose;
use base64::engine::{DecodePaddingMode, GeneralPurposeConfig};
use bytes::Bytes;
use vedette_core::{Codec, FrameSize};

use crate::parameter_sets::MAX_SET;

/// Most media of a description; further ones are ignored.
const MAX_MEDIA: usize = 64;
/// Most payload types of a medium, and most parameter sets of a payload type.
const MAX_ENTRIES: usize = 32;

/// What a camera offers.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Sdp {
    pub(crate) control: Option<String>,
    pub(crate) media: Vec<Media>,
}

/// One medium.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Media {
    /// `video`, `audio`, `application`...
    pub(crate) kind: String,
    pub(crate) control: Option<String>,
    /// RTP without encryption.
    plain_rtp: bool,
    payload_types: Vec<u8>,
    encodings: Vec<(u8, String, u32)>,
    parameters: Vec<(u8, String)>,
    size: Option<FrameSize>,
    frame_rate: Option<f64>,
}

/// The video of a medium.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Video {
    pub(crate) payload_type: u8,
    pub(crate) codec: Codec,
    /// The codec as the camera names it.
    pub(crate) encoding: String,
    /// Ticks a second of RTP time.
    pub(crate) clock_rate: u32,
    /// Parameter sets without start code.
    pub(crate) sets: Vec<Bytes>,
    /// H.265 packets carry decoding order numbers.
    pub(crate) has_order_numbers: bool,
    /// The size outside of parameter sets.
    pub(crate) size: Option<FrameSize>,
    /// Frames a second.
    pub(crate) frame_rate: Option<f64>,
}

/// Reads a description; lines that are no part of one are skipped.
pub(crate) fn read(text: &str) -> Sdp {
    let mut sdp = Sdp::default();
    for line in text.trim_start_matches('\u{feff}').lines().map(str::trim) {
        let Some((kind, value)) = line.split_once('=') else { continue };
        let value = value.trim();
        match kind.trim() {
            "m" if sdp.media.len() == MAX_MEDIA => break,
            "m" => sdp.media.push(medium(value)),
            "a" => {
                let (name, value) = value.split_once(':').unwrap_or((value, ""));
                let (name, value) = (name.trim().to_ascii_lowercase(), value.trim());
                match sdp.media.last_mut() {
                    Some(media) => attribute(media, &name, value),
                    None if name == "control" => sdp.control = Some(value.to_owned()),
                    None => {}
                }
            }
            _ => {}
        }
    }
    sdp
}

/// `video 0 RTP/AVP 96 97`
fn medium(value: &str) -> Media {
    let mut words = value.split_ascii_whitespace();
    let kind = words.next().unwrap_or_default().to_ascii_lowercase();
    let protocol = words.nth(1).unwrap_or_default().to_ascii_uppercase();
    let payload_types = words.filter_map(|word| word.parse().ok()).take(MAX_ENTRIES).collect();
    Media { kind, plain_rtp: protocol.starts_with("RTP/AVP"), payload_types, ..Media::default() }
}

fn attribute(media: &mut Media, name: &str, value: &str) {
    let numbered = || {
        let (number, rest) = value.split_once(|c: char| c.is_whitespace())?;
        Some((number.parse::<u8>().ok()?, rest.trim()))
    };
    match name {
        "control" => media.control = Some(value.to_owned()),
        "rtpmap" if media.encodings.len() < MAX_ENTRIES => {
            let Some((number, encoding)) = numbered() else { return };
            let mut parts = encoding.split('/').map(str::trim);
            let name = parts.next().unwrap_or_default().to_ascii_lowercase();
            let rate = parts.next().and_then(|rate| rate.parse().ok()).filter(|rate| *rate > 0);
            media.encodings.push((number, name, rate.unwrap_or(90_000)));
        }
        "fmtp" if media.parameters.len() < MAX_ENTRIES => {
            media.parameters.extend(numbered().map(|(number, parameters)| (number, parameters.to_owned())));
        }
        "framerate" => media.frame_rate = value.parse().ok().filter(|rate: &f64| rate.is_finite() && *rate > 0.0),
        // `a=x-dimensions:1920,1080`, `a=framesize:96 1920-1080`
        "x-dimensions" | "framesize" => {
            let mut numbers = value.split(|c: char| !c.is_ascii_digit()).filter(|digits| !digits.is_empty());
            if name == "framesize" {
                numbers.next();
            }
            let mut side = || numbers.next()?.parse().ok().filter(|side| (1..=65_535).contains(side));
            if let (Some(width), Some(height)) = (side(), side()) {
                media.size = Some(FrameSize { width, height });
            }
        }
        _ => {}
    }
}

impl Media {
    /// Its kind and first encoding, such as `audio (pcma)`, of plain words.
    pub(crate) fn name(&self) -> String {
        match self.encodings.first() {
            Some((_, encoding, _)) => format!("{} ({})", plain(&self.kind), plain(encoding)),
            None => plain(&self.kind),
        }
    }

    /// The first supported video; otherwise the name of an encoding that is not.
    pub(crate) fn video(&self) -> Result<Video, String> {
        if !self.plain_rtp {
            return Err("encrypted or without RTP".to_owned());
        }
        let mut unsupported = None;
        for payload_type in &self.payload_types {
            let known = self.encodings.iter().find(|(number, ..)| number == payload_type);
            let (name, clock_rate) = match known {
                Some((_, name, clock_rate)) => (name.as_str(), *clock_rate),
                None if *payload_type == 26 => ("jpeg", 90_000),
                None => continue,
            };
            let codec = match name {
                "h264" => Codec::H264,
                "h265" | "hevc" => Codec::H265,
                "jpeg" | "mjpeg" => Codec::Jpeg,
                _ => {
                    unsupported.get_or_insert_with(|| plain(name));
                    continue;
                }
            };
            let parameters = self.parameters.iter().filter(|(number, _)| number == payload_type);
            let parameters: Vec<_> = parameters.flat_map(|(_, text)| text.split(';')).filter_map(parameter).collect();
            let has_order_numbers = codec == Codec::H265
                && parameters.iter().any(|(name, value)| {
                    name == "sprop-max-don-diff" && value.parse::<u32>().is_ok_and(|most| most > 0)
                });
            return Ok(Video {
                payload_type: *payload_type,
                codec,
                encoding: name.to_owned(),
                clock_rate,
                sets: sets(codec, &parameters),
                has_order_numbers,
                size: self.size,
                frame_rate: self.frame_rate,
            });
        }
        Err(unsupported.unwrap_or_else(|| "unknown".to_owned()))
    }
}

/// A name that is shown, of nothing but the characters of a plain word.
fn plain(name: &str) -> String {
    name.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_' | '/')).take(40).collect()
}

fn parameter(text: &str) -> Option<(String, &str)> {
    let (name, value) = text.split_once('=')?;
    Some((name.trim().to_ascii_lowercase(), value.trim().trim_matches('"')))
}

fn sets(codec: Codec, parameters: &[(String, &str)]) -> Vec<Bytes> {
    let names: &[&str] = match codec {
        Codec::H264 => &["sprop-parameter-sets"],
        Codec::H265 => &["sprop-vps", "sprop-sps", "sprop-pps"],
        Codec::Jpeg => &[],
    };
    let config = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    let decoder = GeneralPurpose::new(&base64::alphabet::STANDARD, config);
    let texts = names.iter().flat_map(|name| parameters.iter().filter(move |(known, _)| known == name));
    texts
        .flat_map(|(_, value)| value.split(','))
        .filter_map(|text| decoder.decode(text.trim()).ok())
        // Some cameras leave the start code in.
        .map(|set| without_start_code(set.into()))
        .filter(|set| (2..=MAX_SET).contains(&set.len()))
        .take(MAX_ENTRIES)
        .collect()
}

fn without_start_code(set: Bytes) -> Bytes {
    let zeros = set.iter().take_while(|byte| **byte == 0).count();
    if zeros >= 2 && set.get(zeros) == Some(&1) { set.slice(zeros + 1..) } else { set }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn video_is_found_beside_other_media() {
        let sdp = read(
            "v=0\r\ns=x\r\na=control:rtsp://h/x\r\nm=audio 0 RTP/AVP 8\r\na=control:track2\r\n\
             m=application/tp-link 0 RTP/AVP smart/1/90000\r\na=rtpmap:95 tp-link/90000\r\n\
             m=video 0 RTP/AVP 97 96\r\nb=AS:5000\r\na=rtpmap:97 MP4V-ES/90000\r\na=rtpmap:96 h264/90000/1\r\n\
             a=fmtp:96 profile-level-id=420029; packetization-mode=1; Sprop-Parameter-Sets=Z0IAKQ,aM44gA==\r\n\
             a=framesize:96 1920-1080\r\na=framerate:12.5\r\na=control:track1\r\n",
        );
        let kinds: Vec<_> = sdp.media.iter().map(|media| media.kind.as_str()).collect();
        assert_eq!(
            (kinds, sdp.control.as_deref()),
            (vec!["audio", "application/tp-link", "video"], Some("rtsp://h/x"))
        );
        let video = sdp.media[2].video().unwrap();
        assert_eq!((video.payload_type, video.codec, video.clock_rate), (96, Codec::H264, 90_000));
        assert_eq!(video.sets, [&[0x67, 0x42, 0, 0x29][..], &[0x68, 0xce, 0x38, 0x80]]);
        assert_eq!((video.size, video.frame_rate), (Some(FrameSize { width: 1920, height: 1080 }), Some(12.5)));
        assert_eq!(sdp.media[2].control.as_deref(), Some("track1"));
    }

    #[test]
    fn odd_descriptions_are_read() {
        let video = |text: &str| read(text).media[0].video();
        let jpeg = video("m=video 0 RTP/AVP 26\na=x-dimensions: 2592 , 1944").unwrap();
        assert_eq!((jpeg.codec, jpeg.size), (Codec::Jpeg, Some(FrameSize { width: 2592, height: 1944 })));
        let hevc = video(
            "\u{feff}m=video 0 RTP/AVPF 98 \n a=rtpmap:98 HEVC/90000\na=fmtp:98 sprop-vps=AAAAAUABDA==;sprop-sps=;sprop-pps=!!;sprop-max-don-diff=2",
        )
        .unwrap();
        assert_eq!(hevc.sets, [&[0x40, 1, 0x0c][..]]);
        assert!(hevc.has_order_numbers && hevc.codec == Codec::H265);
        assert_eq!(video("m=video 0 RTP/AVP 96\na=rtpmap:96 VP8/90000"), Err("vp8".into()));
        assert_eq!(video("m=video 0 RTP/SAVP 96\na=rtpmap:96 H264/90000").unwrap_err(), "encrypted or without RTP");
        assert_eq!(video("m=video 0 RTP/AVP 96\na=rtpmap:96 H264/0").unwrap().clock_rate, 90_000);
        assert_eq!(video("m=video"), Err("encrypted or without RTP".into()));
    }

    #[test]
    fn a_hundred_thousand_media_are_cut_off() {
        assert_eq!(read(&"m=video 0 RTP/AVP 96\r\n".repeat(100_000)).media.len(), MAX_MEDIA);
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "([ma]=(video|rtpmap:|fmtp:96 sprop-vps=|framesize:)?.{0,20}\n){0,8}|.{0,80}") {
            for media in read(&text).media {
                let _ = media.video();
            }
        }
    }
}
