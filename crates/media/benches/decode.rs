//! Frames per second of the decoder against a bare GStreamer pipeline with the same elements, in one run.

use std::hint::black_box;
use std::time::Duration;

use bytes::Bytes;
use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app::{AppSink, AppSrc};
use vedette_core::{AccessUnit, CameraId, Codec, Display, FrameSize, Span, Timestamp, VideoChunk};
use vedette_media::{Decoder, DecoderSettings, OutputSize};

const FRAMES: usize = 100;

fn units(width: u32, height: u32) -> Vec<Bytes> {
    let text = format!(
        "videotestsrc num-buffers={FRAMES} pattern=ball ! video/x-raw,format=I420,width={width},height={height},framerate=25/1 \
         ! x264enc bframes=0 key-int-max=25 bitrate=4000 speed-preset=veryfast tune=zerolatency \
         ! h264parse config-interval=-1 ! video/x-h264,stream-format=byte-stream,alignment=au ! appsink name=out sync=false"
    );
    let pipeline = gst::parse::launch(&text).expect("it parses").downcast::<gst::Pipeline>().expect("a pipeline");
    let sink = pipeline.by_name("out").expect("it is there").downcast::<AppSink>().expect("an appsink");
    pipeline.set_state(gst::State::Playing).expect("it plays");
    let mut units = Vec::new();
    while let Ok(sample) = sink.pull_sample() {
        let buffer = sample.buffer().expect("a buffer");
        units.push(Bytes::copy_from_slice(&buffer.map_readable().expect("it is readable")));
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
    units
}

/// Parts of 5 frames, which is 200 ms.
fn chunks(units: &[Bytes], frame: FrameSize) -> Vec<VideoChunk> {
    let parts = units.chunks(5).enumerate().map(|(index, data)| VideoChunk {
        camera: CameraId::new("bench").expect("an id"),
        epoch: 1,
        codec: Codec::H264,
        frame,
        display: Display::default(),
        gop: index as u64 / 5,
        part: index as u32 % 5,
        last: index % 5 == 4,
        continues: false,
        first_sequence: index as u64 * 5,
        clock_drift: false,
        units: data
            .iter()
            .enumerate()
            .map(|(unit, data)| AccessUnit {
                data: data.clone(),
                captured: Timestamp::default() + Span::from_millis(40 * (index * 5 + unit) as i64),
                key: index % 5 == 0 && unit == 0,
            })
            .collect(),
    });
    parts.collect()
}

fn bare(units: &[Bytes], size: FrameSize) -> usize {
    let FrameSize { width, height } = size;
    let text = format!(
        "appsrc name=in format=time caps=video/x-h264,stream-format=byte-stream,alignment=au \
         ! avdec_h264 max-threads=1 ! videoscale ! videoconvert ! video/x-raw,format=RGB,width={width},height={height} \
         ! appsink name=out sync=false max-buffers=4"
    );
    let pipeline = gst::parse::launch(&text).expect("it parses").downcast::<gst::Pipeline>().expect("a pipeline");
    let source = pipeline.by_name("in").expect("it is there").downcast::<AppSrc>().expect("an appsrc");
    let sink = pipeline.by_name("out").expect("it is there").downcast::<AppSink>().expect("an appsink");
    pipeline.set_state(gst::State::Playing).expect("it plays");
    for (index, unit) in units.iter().enumerate() {
        let mut buffer = gst::Buffer::from_slice(unit.clone());
        buffer.get_mut().expect("nobody else has it").set_pts(gst::ClockTime::from_mseconds(40 * index as u64));
        source.push_buffer(buffer).expect("it is taken");
    }
    source.end_of_stream().expect("it is taken");
    let mut frames = 0;
    while let Ok(sample) = sink.pull_sample() {
        black_box(sample);
        frames += 1;
    }
    pipeline.set_state(gst::State::Null).expect("it stops");
    frames
}

fn decode(criterion: &mut Criterion) {
    vedette_media::init().expect("GStreamer is there");
    for (name, frame) in
        [("360p", FrameSize { width: 640, height: 360 }), ("1080p", FrameSize { width: 1920, height: 1080 })]
    {
        let units = units(frame.width, frame.height);
        let chunks = chunks(&units, frame);
        for (kind, output) in [("native", OutputSize::Native), ("416", OutputSize::Fit { width: 416, height: 416 })] {
            let mut group = criterion.benchmark_group(format!("decode/{name}/{kind}"));
            group.throughput(Throughput::Elements(FRAMES as u64)).sample_size(10).warm_up_time(Duration::from_secs(1));
            let settings = DecoderSettings { output, ..DecoderSettings::default() };
            group.bench_function("decoder", |bencher| {
                bencher.iter(|| {
                    let mut decoder = Decoder::new(Codec::H264, settings.clone());
                    let frames = chunks.iter().map(|chunk| decoder.decode(chunk).expect("it is sound").len());
                    assert_eq!(frames.sum::<usize>(), FRAMES);
                });
            });
            group.bench_function("bare_gstreamer", |bencher| {
                bencher.iter(|| assert_eq!(bare(&units, output.of(frame)), FRAMES));
            });
        }
    }
}

criterion_group!(benches, decode);
criterion_main!(benches);
