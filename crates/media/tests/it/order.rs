//! Streams whose pictures are decoded in another order than they are shown in, with every kind of picture at which decoding can
//! start: nothing is lost, order and times are right.

use std::path::Path;
use std::time::Duration;

use vedette_core::{Codec, Timestamp, VideoChunk};
use vedette_media::{
    DecodedFrame, Decoder, DecoderSettings, IntakeEvent, IntakeSettings, IntakeSource, Keep, Marks, SnapshotSettings,
    snapshot,
};
use vedette_rtsp::testing::{End, Script, Server};

use crate::common::{encode_shown, file, next, run_to_end, start};

struct Case {
    name: &'static str,
    codec: Codec,
    fps: i64,
    /// Chunks of at most this duration.
    chunk_ms: u64,
    encoder: &'static str,
    mux: &'static str,
    /// Whether groups of pictures refer to those before them.
    open: bool,
}

const FRAMES: usize = 40;

const X264: &str = "x264enc b-adapt=false key-int-max=10 speed-preset=ultrafast option-string=scenecut=0";
const X265: &str = "x265enc key-int-max=10 speed-preset=ultrafast option-string=scenecut=0:log-level=none";

const CASES: [Case; 13] = [
    Case {
        name: "b-frames",
        codec: Codec::H264,
        fps: 25,
        chunk_ms: 500,
        encoder: "bframes=2",
        mux: "mp4mux",
        open: false,
    },
    Case {
        name: "b-frames, short chunks",
        codec: Codec::H264,
        fps: 10,
        chunk_ms: 100,
        encoder: "bframes=3",
        mux: "matroskamux",
        open: false,
    },
    Case {
        name: "pyramid",
        codec: Codec::H264,
        fps: 25,
        chunk_ms: 100,
        encoder: "bframes=3 b-pyramid=true",
        mux: "mpegtsmux",
        open: false,
    },
    Case {
        name: "open",
        codec: Codec::H264,
        fps: 25,
        chunk_ms: 100,
        encoder: ":open-gop=1 bframes=3",
        mux: "mp4mux",
        open: true,
    },
    Case {
        name: "open, pyramid",
        codec: Codec::H264,
        fps: 25,
        chunk_ms: 500,
        encoder: ":open-gop=1:ref=3:b-pyramid=strict bframes=3",
        mux: "matroskamux",
        open: true,
    },
    Case {
        name: "open, no pyramid",
        codec: Codec::H264,
        fps: 25,
        chunk_ms: 100,
        encoder: ":open-gop=1:ref=3:b-pyramid=none bframes=3",
        mux: "mpegtsmux",
        open: true,
    },
    Case {
        name: "open, interlaced",
        codec: Codec::H264,
        fps: 25,
        chunk_ms: 200,
        encoder: ":open-gop=1:ref=3 bframes=2 interlaced=true",
        mux: "mp4mux",
        open: true,
    },
    Case {
        name: "intra refresh",
        codec: Codec::H264,
        fps: 25,
        chunk_ms: 200,
        encoder: "intra-refresh=true bframes=0",
        mux: "matroskamux",
        open: true,
    },
    Case {
        name: "intra refresh, references",
        codec: Codec::H264,
        fps: 25,
        chunk_ms: 100,
        encoder: ":ref=4 intra-refresh=true bframes=0",
        mux: "mp4mux",
        open: true,
    },
    Case {
        name: "h265 closed",
        codec: Codec::H265,
        fps: 10,
        chunk_ms: 500,
        encoder: ":open-gop=0:bframes=3",
        mux: "mp4mux",
        open: false,
    },
    Case {
        name: "h265 open",
        codec: Codec::H265,
        fps: 25,
        chunk_ms: 500,
        encoder: ":open-gop=1:bframes=3",
        mux: "mp4mux",
        open: true,
    },
    Case {
        name: "h265 open, short chunks",
        codec: Codec::H265,
        fps: 10,
        chunk_ms: 100,
        encoder: ":open-gop=1:bframes=4:b-pyramid=1",
        mux: "matroskamux",
        open: true,
    },
    Case {
        name: "h265 cra",
        codec: Codec::H265,
        fps: 25,
        chunk_ms: 100,
        encoder: ":open-gop=1:bframes=0",
        mux: "mpegtsmux",
        open: true,
    },
];

impl Case {
    /// Whether it takes several frames to recover from a start.
    fn refreshes(&self) -> bool {
        self.encoder.contains("intra-refresh")
    }

    fn write(&self, path: &Path) {
        let (encoder, glue) = self.encoder();
        let parser = if self.codec == Codec::H265 { "h265parse" } else { "h264parse" };
        run_to_end(&format!(
            "videotestsrc num-buffers={FRAMES} pattern=ball ! video/x-raw,format=I420,width=160,height=120,framerate={}/1 \
             ! {encoder}{glue}{} ! {parser} ! {} ! filesink location={}",
            self.fps,
            self.encoder,
            self.mux,
            path.display()
        ));
    }

    async fn chunks(&self, path: &Path) -> Vec<VideoChunk> {
        let chunk_max_duration = Duration::from_millis(self.chunk_ms);
        let settings = IntakeSettings { chunk_max_duration, ..IntakeSettings::default() };
        let (mut events, _stop) = start(file(path), settings);
        let mut chunks = Vec::new();
        while let Some(event) = next(&mut events).await {
            match event {
                IntakeEvent::Chunk(chunk) => chunks.push(chunk),
                IntakeEvent::Connected { .. } | IntakeEvent::Ended => {}
                other => panic!("{}: {other:?}", self.name),
            }
        }
        chunks
    }

    /// Its units, and by how many frames each is shown after it comes.
    fn encode(&self) -> (Vec<Vec<u8>>, Vec<u32>) {
        let (encoder, glue) = self.encoder();
        let stream = match self.codec {
            Codec::H265 => "h265parse config-interval=-1 ! video/x-h265,stream-format=byte-stream,alignment=au",
            _ => "h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au",
        };
        let source =
            "videotestsrc num-buffers=60 pattern=ball ! video/x-raw,format=I420,width=160,height=120,framerate=25/1";
        let (units, delays) = encode_shown(source, &format!("{encoder}{glue}{} ! {stream}", self.encoder));
        (units.iter().map(|unit| unit.to_vec()).collect(), delays)
    }

    /// The first unit behind another that begins a group of pictures: parameter sets come with it.
    fn start_behind(&self, unit: usize, units: &[Vec<u8>]) -> usize {
        let kind = |byte: u8| if self.codec == Codec::H265 { byte >> 1 == 33 } else { byte & 0x1f == 7 };
        let begins = |unit: &Vec<u8>| unit.windows(4).any(|w| w[..3] == [0, 0, 1] && kind(w[3]));
        unit + 1 + units[unit + 1..].iter().position(begins).expect(self.name)
    }

    /// Decodes what a camera plays from a unit on. Behind a group in the middle of the stream, which may lack what it refers to, every
    /// frame is there and sound, and all are in the order in which they are shown.
    async fn follow(&self, units: &[Vec<u8>], delays: &[u32], first_unit: usize) {
        let name = self.name;
        let script = Script {
            first_unit,
            delays: delays.iter().map(|frames| frames * 3600).collect(),
            end: End::Silence,
            ..Script::new(self.codec, units.to_vec())
        };
        let server = Server::start(script).await;
        let settings = IntakeSettings {
            chunk_max_duration: Duration::from_millis(self.chunk_ms),
            timeout: Duration::from_secs(60),
            ..IntakeSettings::default()
        };
        let (mut events, _stop) = start(IntakeSource::Rtsp { url: server.url(), credentials: None }, settings);
        let mut decoder = Decoder::new(self.codec, DecoderSettings::default());
        let (mut came, mut frames, mut epoch) = (0, Vec::new(), None);
        while came < units.len() - first_unit {
            let IntakeEvent::Chunk(chunk) = next(&mut events).await.unwrap() else { continue };
            came += chunk.units.len();
            assert_eq!(*epoch.get_or_insert(chunk.epoch), chunk.epoch, "{name} from {first_unit}: one session");
            let decoded = decoder.decode(&chunk);
            frames.extend(decoded.unwrap_or_else(|error| panic!("{name} from {first_unit}, {}: {error}", chunk.gop)));
        }
        frames.extend(decoder.finish().unwrap());
        let unit = |frame: &DecodedFrame| first_unit + frame.sequence as usize;
        let shown = frames.iter().map(|frame| unit(frame) + delays[unit(frame)] as usize);
        assert!(shown.is_sorted_by(|a, b| a < b), "{name} from {first_unit}");
        assert!(frames.is_sorted_by(|a, b| a.captured < b.captured), "{name} from {first_unit}");
        let whole = if first_unit == 0 { 0 } else { self.start_behind(first_unit, units) };
        frames.retain(|frame| unit(frame) >= whole && !frame.corrupt);
        assert_eq!(frames.len(), units.len() - whole, "{name} from {first_unit}");
    }

    fn encoder(&self) -> (&'static str, &'static str) {
        // What begins with a colon goes on with the encoder's own options.
        let glue = if self.encoder.starts_with(':') { "" } else { " " };
        (if self.codec == Codec::H265 { X265 } else { X264 }, glue)
    }

    fn check(&self, chunks: &[VideoChunk]) {
        let name = self.name;
        let units: Vec<_> = chunks.iter().flat_map(|chunk| &chunk.units).collect();
        assert_eq!(units.len(), FRAMES, "{name}");
        let frames = decode(self.codec, chunks);
        let mut times: Vec<_> = units.iter().map(|unit| unit.captured).collect();
        times.sort_unstable();
        assert_eq!(frames.iter().map(|frame| frame.captured).collect::<Vec<_>>(), times, "{name}");
        let spacing = times.windows(2).map(|pair| pair[1].since(pair[0]).as_micros());
        spacing.for_each(|step| assert!((step - 1_000_000 / self.fps).abs() <= 1_100, "{name}: {step}"));
        let mut numbers: Vec<_> = frames.iter().map(|frame| frame.sequence).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, (0..FRAMES as u64).collect::<Vec<_>>(), "{name}");
        assert!(frames.iter().all(|frame| !frame.corrupt), "{name}");
        let continues: Vec<_> = chunks.iter().filter(|chunk| chunk.part == 0).map(|chunk| chunk.continues).collect();
        assert!(continues.len() >= 3 && !continues[0], "{name}: {continues:?}");
        assert!(continues[1..].iter().all(|continues| *continues == self.open), "{name}: {continues:?}");
        assert!(chunks.last().unwrap().last, "{name}");
        self.check_from_the_middle(chunks, &frames);
        self.check_key_frames(chunks, &frames);
    }

    /// A decoder that starts one group earlier has the same pictures as one that came from the beginning; so has a snapshot.
    fn check_from_the_middle(&self, chunks: &[VideoChunk], all: &[DecodedFrame]) {
        let name = self.name;
        let starts: Vec<usize> = (0..chunks.len()).filter(|index| chunks[*index].part == 0).collect();
        let wanted = &chunks[starts[2]..starts.get(3).copied().unwrap_or(chunks.len())];
        let later = decode(self.codec, &chunks[starts[1]..]);
        for unit in wanted[0].first_sequence..wanted.last().unwrap().first_sequence {
            let of = |frames: &[DecodedFrame]| frames.iter().find(|frame| frame.sequence == unit).cloned();
            let (frame, expected) = (of(&later).expect(name), of(all).unwrap());
            assert!(frame.image == expected.image, "{name}: frame {unit}");
            assert!(!frame.corrupt, "{name}: frame {unit}");
        }
        if !self.refreshes() {
            let key = later.iter().find(|frame| frame.key).unwrap().captured;
            for frame in later.iter().filter(|frame| frame.captured >= key) {
                let expected = all.iter().find(|other| other.sequence == frame.sequence).unwrap();
                assert!(frame.image == expected.image && !frame.corrupt, "{name}: frame {}", frame.sequence);
            }
            // Of H.265 the codec library does not tell all damage.
            if self.codec == Codec::H264 {
                self.check_damage(&chunks[starts[1]..], key);
            }
        }
        let leading = wanted[0].first_sequence + 1;
        let settings = SnapshotSettings { jpeg_quality: 95, ..SnapshotSettings::default() };
        let shown = snapshot(chunks, leading, &Marks::default(), &settings).unwrap();
        let shown = image::load_from_memory(&shown.jpeg).unwrap().to_rgb8();
        let expected = all.iter().find(|frame| frame.sequence == leading).unwrap();
        let off: u64 = shown.iter().zip(&expected.image.data).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
        assert!(off / (shown.len() as u64) < 4, "{name}: snapshot of {leading}");
    }

    /// Damage behind the key frame `key` with which decoding begins is told, although references to what was before are not.
    fn check_damage(&self, chunks: &[VideoChunk], key: Timestamp) {
        let mut chunks = chunks.to_vec();
        let gop = chunks[0].gop;
        let units = chunks.iter_mut().filter(|chunk| chunk.gop == gop).flat_map(|chunk| &mut chunk.units);
        let unit = units.filter(|unit| unit.captured > key).max_by_key(|unit| unit.data.len()).unwrap();
        unit.data.truncate(unit.data.len() / 2);
        let mut decoder = Decoder::new(self.codec, DecoderSettings::default());
        let told = chunks.iter().any(|chunk| match decoder.decode(chunk) {
            Ok(frames) => frames.iter().any(|frame| frame.captured >= key && frame.corrupt),
            Err(_) => true,
        });
        assert!(told, "{}", self.name);
    }

    /// The key frames alone are the same pictures, unless the stream takes more than one to recover.
    fn check_key_frames(&self, chunks: &[VideoChunk], all: &[DecodedFrame]) {
        let name = self.name;
        let settings = DecoderSettings { keep: Keep::KeyFrames, ..DecoderSettings::default() };
        let mut decoder = Decoder::new(self.codec, settings);
        let mut frames: Vec<_> = chunks.iter().flat_map(|chunk| decoder.decode(chunk).expect(name)).collect();
        frames.extend(decoder.finish().expect(name));
        let keys: Vec<_> = all.iter().filter(|frame| frame.key).map(|frame| frame.sequence).collect();
        assert_eq!(frames.iter().map(|frame| frame.sequence).collect::<Vec<_>>(), keys, "{name}");
        for frame in frames.iter().filter(|_| !self.refreshes()) {
            let expected = all.iter().find(|other| other.sequence == frame.sequence).unwrap();
            assert!(frame.image == expected.image && !frame.corrupt, "{name}: key frame {}", frame.sequence);
        }
    }
}

fn decode(codec: Codec, chunks: &[VideoChunk]) -> Vec<DecodedFrame> {
    let mut decoder = Decoder::new(codec, DecoderSettings::default());
    chunks
        .iter()
        .flat_map(|chunk| decoder.decode(chunk).unwrap_or_else(|error| panic!("{error}: {} {}", chunk.gop, chunk.part)))
        .collect()
}

#[tokio::test]
async fn no_frame_is_lost_and_all_come_as_they_are_shown() {
    let directory = tempfile::tempdir().unwrap();
    let playing = CASES.iter().enumerate().map(|(index, case)| {
        let path = directory.path().join(format!("{index}.video"));
        case.write(&path);
        async move { (case, case.chunks(&path).await) }
    });
    for (case, chunks) in futures::future::join_all(playing).await {
        case.check(&chunks);
    }
}

/// The same from a camera, which is joined at its begin, and at its second group of pictures.
#[tokio::test]
async fn cameras_with_every_kind_of_picture_are_followed() {
    let following = CASES.iter().map(|case| async move {
        let (units, delays) = case.encode();
        for first_unit in [0, case.start_behind(0, &units)] {
            case.follow(&units, &delays, first_unit).await;
        }
    });
    futures::future::join_all(following).await;
}
