use std::sync::Arc;
use std::time::Duration;

use vedette_core::Codec;

use super::guard::Guard;
use super::live::Live;

/// What a camera plays, and how it misbehaves. Times and counts are per connection.
#[derive(Debug, Clone)]
pub struct Script {
    /// The codec of the pictures.
    pub codec: Codec,
    /// The pictures: access units in Annex B format, or JPEG files.
    pub units: Vec<Vec<u8>>,
    /// Where pictures come from instead, with their times; the description is of the first unit.
    pub live: Option<Arc<dyn Live>>,
    /// The picture at which it begins.
    pub first_unit: usize,
    /// The picture at which it goes on behind the last one, with [`End::Repeat`].
    pub again: usize,
    /// Time between two pictures.
    pub pace: Duration,
    /// Each picture is sent later by up to this.
    pub jitter: Duration,
    /// Behind each Nth picture it sends nothing for so long; its RTP time goes on.
    pub stall: Option<(usize, Duration)>,
    /// Ticks of RTP time between two pictures.
    pub ticks: u32,
    /// Ticks by which each picture is shown later; fewer than pictures: over and over.
    pub delays: Vec<u32>,
    /// RTP time of the first picture.
    pub first_time: u32,
    /// Number of the first packet.
    pub first_sequence: u16,
    /// Most bytes of a packet's payload.
    pub payload: usize,
    /// Small NAL units share a packet (STAP-A, AP).
    pub aggregates: bool,
    /// Packets with the marker bit.
    pub markers: Markers,
    /// What comes behind the last picture.
    pub end: End,
    /// Sender reports.
    pub reports: Option<Reports>,
    /// A NAL unit of an undefined type before each Nth picture.
    pub undefined_every: Option<usize>,
    /// A fragment without begin before each Nth picture.
    pub broken_every: Option<usize>,
    /// The first packet of each Nth picture is lost.
    pub lost_every: Option<usize>,
    /// Neighbouring packets change places (in UDP).
    pub swaps: bool,
    /// The RTP time jumps at a picture, by ticks.
    pub jump: Option<(usize, i64)>,
    /// JPEG packets tell size 0.
    pub hides_size: bool,
    /// The JPEG header comes as a header extension.
    pub header_extension: bool,
    /// The description has the parameter sets of the first picture.
    pub describes_sets: bool,
    /// Parameter sets are left out of the pictures.
    pub strips_sets: bool,
    /// Lines added to the description of the video.
    pub attributes: Vec<String>,
    /// Media before and behind the video.
    pub other_media: bool,
    /// A description instead of all that.
    pub description: Option<String>,
    /// `Content-Type` of the description.
    pub content_type: String,
    /// `Content-Base` of the description.
    pub content_base: Option<String>,
    /// The video's `control`.
    pub control: String,
    /// The line end of answers.
    pub line_end: &'static str,
    /// Answers have a `CSeq`.
    pub numbers: bool,
    /// Header names are in lower case.
    pub lower_case: bool,
    /// The `Session` header of answers.
    pub session: String,
    /// What it takes for a session's timeout, if it enforces one.
    pub session_timeout: Option<Duration>,
    /// The transports that it serves.
    pub transports: Transports,
    /// Who may see the pictures.
    pub guard: Option<Guard>,
    /// Exceptions; the first that fits is applied.
    pub rules: Vec<Rule>,
}

impl Script {
    /// A camera that does everything right: 25 pictures a second, over and over.
    #[must_use]
    pub fn new(codec: Codec, units: Vec<Vec<u8>>) -> Self {
        Self {
            codec,
            units,
            live: None,
            first_unit: 0,
            again: 0,
            pace: Duration::from_millis(40),
            jitter: Duration::ZERO,
            stall: None,
            ticks: 3600,
            delays: Vec::new(),
            first_time: 1000,
            first_sequence: 1,
            payload: 1400,
            aggregates: false,
            markers: Markers::Last,
            end: End::Repeat,
            reports: None,
            undefined_every: None,
            broken_every: None,
            lost_every: None,
            swaps: false,
            jump: None,
            hides_size: false,
            header_extension: false,
            describes_sets: true,
            strips_sets: false,
            attributes: Vec::new(),
            other_media: false,
            description: None,
            content_type: "application/sdp".to_owned(),
            content_base: None,
            control: "track1".to_owned(),
            line_end: "\r\n",
            numbers: true,
            lower_case: false,
            session: "4711;timeout=60".to_owned(),
            session_timeout: None,
            transports: Transports::Both,
            guard: None,
            rules: Vec::new(),
        }
    }

    /// With an exception for a method.
    #[must_use]
    pub fn with(mut self, method: &'static str, misdeed: Misdeed) -> Self {
        self.rules.push(Rule { method, times: usize::MAX, misdeed });
        self
    }
}

/// Packets with the marker bit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Markers {
    /// The last of a picture.
    Last,
    /// None.
    Never,
    /// The last of each NAL unit.
    EachUnit,
}

/// What comes behind the last picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// The one at [`Script::again`]; numbers and times go on.
    Repeat,
    /// Nothing.
    Silence,
    /// The end of the connection.
    Close,
    /// RTCP's farewell, then nothing.
    Bye,
    /// Packets that are none, for ever.
    Garbage,
}

/// Sender reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Reports {
    /// One before each Nth picture.
    pub every: usize,
    /// NTP time of the first picture; later ones as the pace says.
    pub ntp: u64,
    /// Seconds by which they are off, in turn; empty: none are.
    pub errors: &'static [i64],
}

/// The transports that a camera serves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transports {
    /// RTP within TCP and in UDP.
    Both,
    /// Within TCP; 461 otherwise.
    Tcp,
    /// In UDP; 461 otherwise.
    Udp,
}

/// An exception.
#[derive(Debug, Clone)]
pub struct Rule {
    /// The method of the requests that it is for.
    pub method: &'static str,
    /// How often it is applied.
    pub times: usize,
    /// What is done instead of the right thing.
    pub misdeed: Misdeed,
}

/// What is done instead of the right thing.
#[derive(Debug, Clone)]
pub enum Misdeed {
    /// A status with headers.
    Status(u16, Vec<(&'static str, String)>),
    /// These bytes.
    Bytes(Vec<u8>),
    /// These bytes, over and over.
    Endless(Vec<u8>),
    /// The right answer, one byte each time.
    Slowly(Duration),
    /// No answer.
    Silence,
    /// The end of the connection.
    Close,
}
