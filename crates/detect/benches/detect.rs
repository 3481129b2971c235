//! Overhead of detection over the bare model: `detect_batch` against a bare run of the same session on the same tensor, for batches
//! of 1, 4 and 8, one thread, on the CPU. The figure is their ratio.
//!
//! The pictures are a frame of the recording in VEDETTE_TEST_VIDEO, or noise without one.

#![allow(missing_docs, clippy::unwrap_used, reason = "a bench; criterion's macros document nothing")]

#[path = "../tests/it/support.rs"]
mod support;

use std::hint::black_box;
use std::path::Path;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use ort::session::Session;
use ort::session::builder::GraphOptimizationLevel;
use ort::value::TensorRef;
use support::{detector, frame, model, noise, runtime};
use vedette_core::FrameSize;
use vedette_detect::{InputImage, Provider};

const VTEST: FrameSize = FrameSize { width: 768, height: 576 };

fn bare(path: &Path, size: FrameSize) -> Session {
    Session::builder(runtime(&[Provider::Cpu]).environment())
        .unwrap()
        .with_optimization_level(GraphOptimizationLevel::All)
        .unwrap()
        .with_intra_threads(1)
        .unwrap()
        .with_dimension_override("height", i64::from(size.height))
        .unwrap()
        .with_dimension_override("width", i64::from(size.width))
        .unwrap()
        .with_execution_providers([ort::ep::CPU::default().with_arena_allocator(true).build()])
        .unwrap()
        .commit_from_file(path)
        .unwrap()
}

fn picture(size: FrameSize, fit: FrameSize) -> InputImage {
    match std::env::var_os("VEDETTE_TEST_VIDEO") {
        Some(video) => frame(Path::new(&video), 100, fit, VTEST),
        None => noise(size, 1),
    }
}

/// The tensor in the model's format: blue, green, red, normalised; zero outside the picture.
fn tensor(image: &InputImage, size: FrameSize, batch: usize) -> Vec<f32> {
    let (mean, std) = ([103.53, 116.28, 123.675], [57.375, 57.12, 58.395]);
    let area = (size.width * size.height) as usize;
    let mut one = vec![0.0; 3 * area];
    for (at, pixel) in image.data.chunks_exact(3).enumerate() {
        let (x, y) = (at % image.width as usize, at / image.width as usize);
        for plane in 0..3 {
            one[plane * area + y * size.width as usize + x] = (f32::from(pixel[2 - plane]) - mean[plane]) / std[plane];
        }
    }
    one.repeat(batch)
}

fn detection(c: &mut Criterion) {
    for name in ["nanodet-g-416x320", "nanodet-g", "nanodet-g-640x480"] {
        let mut group = c.benchmark_group(name);
        group.sample_size(20);
        let mut detector = detector(name);
        let size = detector.input_size();
        let image = picture(size, detector.input().fit(VTEST));
        let mut session = bare(&model(name).1, size);
        for batch in [1, 4, 8] {
            group.throughput(Throughput::Elements(batch as u64));
            let images = vec![image.clone(); batch];
            group.bench_function(BenchmarkId::new("detect_batch", batch), |b| {
                b.iter(|| black_box(detector.detect_batch(&images).unwrap()));
            });
            let numbers = tensor(&image, size, batch);
            let shape = [batch, 3, size.height as usize, size.width as usize];
            group.bench_function(BenchmarkId::new("bare", batch), |b| {
                b.iter(|| {
                    let input = TensorRef::from_array_view((shape, numbers.as_slice())).unwrap();
                    black_box(session.run(ort::inputs!["images" => input]).unwrap());
                });
            });
        }
        group.finish();
    }
}

criterion_group!(benches, detection);
criterion_main!(benches);
