//! RTP and RTCP packets in their time.

use std::sync::Arc;
use std::time::Duration;

use super::live::Taken;
use super::packets::{Payload, kind, nal_units, payloads};
use super::script::{End, Reports, Script};
use vedette_core::Codec;

const SOURCE: u32 = 0xabcd;

/// What is sent at one time.
#[derive(Debug)]
pub(super) enum Burst {
    /// Packets; those with `true` are RTCP.
    Packets(Vec<(bool, Vec<u8>)>),
    Silence,
    Close,
}

#[derive(Debug)]
pub(super) struct Player {
    script: Arc<Script>,
    sequence: u16,
    next: usize,
    sent: usize,
    /// The time that stalls took.
    stalled: Duration,
    said_bye: bool,
}

impl Player {
    pub(super) fn new(script: Arc<Script>) -> Self {
        let (sequence, next) = (script.first_sequence, script.first_unit);
        Self { script, sequence, next, sent: 0, stalled: Duration::ZERO, said_bye: false }
    }

    pub(super) fn next(&mut self) -> Burst {
        let script = self.script.clone();
        if let Some(live) = &script.live {
            return live.take().map_or(Burst::Close, |taken| self.taken(&taken));
        }
        if self.next >= script.units.len() {
            match script.end {
                End::Repeat => self.next = script.again,
                End::Silence => return Burst::Silence,
                End::Close => return Burst::Close,
                End::Bye if self.said_bye => return Burst::Silence,
                End::Bye => {
                    self.said_bye = true;
                    let bye = [&[0x81, 203, 0, 1][..], &SOURCE.to_be_bytes()].concat();
                    return Burst::Packets(vec![(true, bye)]);
                }
                End::Garbage => return Burst::Packets(vec![(false, vec![1, 2, 3])]),
            }
        }
        let Some(unit) = script.units.get(self.next) else { return Burst::Silence };
        let time = self.time();
        let mut packets = Vec::new();
        let every = |each: Option<usize>| each.is_some_and(|each| self.sent % each == each - 1);
        let (undefined, broken, lost) =
            (every(script.undefined_every), every(script.broken_every), every(script.lost_every));
        if script.reports.is_some_and(|reports| self.sent.is_multiple_of(reports.every)) {
            packets.push((true, self.report(time)));
        }
        if undefined {
            packets.push((false, self.packet(time, &Payload { data: vec![0x7e, 1, 2, 3], ..Payload::default() })));
        }
        if broken {
            let data = if script.codec == Codec::H265 { vec![0x62, 1, 1, 9] } else { vec![0x7c, 1, 9] };
            packets.push((false, self.packet(time, &Payload { data, ..Payload::default() })));
        }
        let delay = script.delays.get(self.next % script.delays.len().max(1)).copied().unwrap_or(0);
        for (index, payload) in payloads(&script, unit).iter().enumerate() {
            let packet = self.packet(time.wrapping_add(delay), payload);
            if !(lost && index == 0) {
                packets.push((false, packet));
            }
        }
        if script.swaps {
            packets.chunks_exact_mut(2).for_each(|pair| pair.swap(0, 1));
        }
        self.next += 1;
        self.sent += 1;
        Burst::Packets(packets)
    }

    fn taken(&mut self, taken: &Taken) -> Burst {
        let script = self.script.clone();
        let mut packets: Vec<_> = taken.report.map(|ntp| (true, report(ntp, taken.time))).into_iter().collect();
        packets.extend(payloads(&script, &taken.unit).iter().map(|payload| (false, self.packet(taken.time, payload))));
        Burst::Packets(packets)
    }

    /// How long to wait behind a burst.
    pub(super) fn pause(&mut self) -> Duration {
        let stall = self
            .script
            .stall
            .filter(|(every, _)| self.sent.is_multiple_of(*every))
            .map_or(Duration::ZERO, |(_, time)| time);
        self.stalled += stall;
        self.script.pace + stall
    }

    fn time(&self) -> u32 {
        let script = &self.script;
        let jump = script.jump.filter(|(at, _)| self.sent >= *at).map_or(0, |(_, ticks)| ticks as u32);
        let stalled = (self.stalled.as_millis() * 90) as u32;
        let ticks = (self.sent as u32).wrapping_mul(script.ticks).wrapping_add(stalled);
        script.first_time.wrapping_add(ticks).wrapping_add(jump)
    }

    fn packet(&mut self, time: u32, payload: &Payload) -> Vec<u8> {
        let payload_type = if self.script.codec == Codec::Jpeg { 26 } else { 96 };
        let mut packet = vec![
            if payload.extension.is_some() { 0x90 } else { 0x80 },
            if payload.marker { 0x80 | payload_type } else { payload_type },
        ];
        packet.extend(self.sequence.to_be_bytes());
        packet.extend(time.to_be_bytes());
        packet.extend(SOURCE.to_be_bytes());
        if let Some((profile, data)) = &payload.extension {
            packet.extend(profile.to_be_bytes());
            packet.extend(((data.len() / 4) as u16).to_be_bytes());
            packet.extend_from_slice(data);
        }
        packet.extend_from_slice(&payload.data);
        self.sequence = self.sequence.wrapping_add(1);
        packet
    }

    fn report(&self, time: u32) -> Vec<u8> {
        let since = self.script.pace.as_nanos() * self.sent as u128 + self.stalled.as_nanos();
        let Reports { every, ntp: start, errors } = self.script.reports.unwrap_or_default();
        let error = errors.get(self.sent / every.max(1) % errors.len().max(1)).copied().unwrap_or(0);
        let ntp = start.wrapping_add(((since << 32) / 1_000_000_000) as u64).wrapping_add((error << 32) as u64);
        report(ntp, time)
    }
}

/// A sender report: at this RTP time the camera's clock shows `ntp`.
fn report(ntp: u64, time: u32) -> Vec<u8> {
    let mut report = vec![0x80, 200, 0, 6];
    report.extend(SOURCE.to_be_bytes());
    report.extend(ntp.to_be_bytes());
    report.extend(time.to_be_bytes());
    report.extend([0; 8]);
    report
}

/// The description of what a script plays.
pub(super) fn description(script: &Script) -> String {
    if let Some(text) = &script.description {
        return text.clone();
    }
    let mut lines = vec!["v=0", "o=- 1 1 IN IP4 0.0.0.0", "s=camera", "t=0 0", "a=control:*"]
        .into_iter()
        .map(str::to_owned)
        .collect::<Vec<_>>();
    if script.other_media {
        lines.extend(["m=audio 0 RTP/AVP 8", "a=control:track9"].map(str::to_owned));
    }
    if script.codec == Codec::Jpeg {
        lines.push("m=video 0 RTP/AVP 26".to_owned());
    } else {
        let name = if script.codec == Codec::H264 { "H264" } else { "H265" };
        lines.extend(["m=video 0 RTP/AVP 96".to_owned(), format!("a=rtpmap:96 {name}/90000")]);
        lines.extend(parameter_sets(script));
    }
    lines.push(format!("a=control:{}", script.control));
    lines.extend(script.attributes.iter().cloned());
    if script.other_media {
        let metadata = ["m=application 0 RTP/AVP 107", "a=rtpmap:107 vnd.onvif.metadata/90000", "a=control:track8"];
        lines.extend(metadata.map(str::to_owned));
    }
    lines.join("\r\n") + "\r\n"
}

fn parameter_sets(script: &Script) -> Option<String> {
    use base64::Engine;
    let first = script.units.first().filter(|_| script.describes_sets)?;
    let of = |kinds: std::ops::RangeInclusive<u8>| {
        let nals = nal_units(first).into_iter().filter(|nal| kinds.contains(&kind(script.codec, nal)));
        let texts: Vec<_> = nals.map(|nal| base64::engine::general_purpose::STANDARD.encode(nal)).collect();
        texts.join(",")
    };
    match script.codec {
        Codec::H264 => Some(format!("a=fmtp:96 packetization-mode=1;sprop-parameter-sets={}", of(7..=8))),
        Codec::H265 => {
            Some(format!("a=fmtp:96 sprop-vps={};sprop-sps={};sprop-pps={}", of(32..=32), of(33..=33), of(34..=34)))
        }
        Codec::Jpeg => None,
    }
}
