//! What tests on the real model share: the fetched files, and frames of a recording.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, reason = "test helpers; each file uses a part")]

use std::path::{Path, PathBuf};
use std::process::Command;

use vedette_core::{FrameSize, Score};
use vedette_detect::{
    Detector, DetectorSettings, InputImage, Manifest, ModelStore, Provider, Runtime, RuntimeSettings, default_cache_dir,
};

pub const MODELS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models");

pub fn cache() -> PathBuf {
    default_cache_dir().expect("VEDETTE_CACHE or HOME names the cache")
}

pub fn store() -> ModelStore {
    ModelStore::new(cache())
}

/// Fails with the command that brings what is missing.
pub fn library() -> PathBuf {
    store().runtime_library("onnxruntime").unwrap_or_else(|error| panic!("{error}"))
}

pub fn model(name: &str) -> (Manifest, PathBuf) {
    let path = store().verify(name).unwrap_or_else(|error| panic!("{error}"));
    (store().manifest(name).unwrap(), path)
}

pub fn runtime(providers: &[Provider]) -> Runtime {
    let settings = RuntimeSettings { library: Some(library()), providers: providers.to_vec(), intra_threads: 1 };
    Runtime::load(&settings).unwrap()
}

pub fn detector(name: &str) -> Detector {
    let (manifest, path) = model(name);
    Detector::open(&runtime(&[Provider::Cpu]), &manifest, path, DetectorSettings::default()).unwrap()
}

/// A detector that answers noise too: its floor score is a hundredth.
pub fn keen_detector(name: &str) -> Detector {
    let (mut manifest, path) = model(name);
    manifest.floor_score = Score::new(0.01).unwrap();
    Detector::open(&runtime(&[Provider::Cpu]), &manifest, path, DetectorSettings::default()).unwrap()
}

/// A picture of coloured noise in blocks, different for each seed, that fills the input.
pub fn noise(size: FrameSize, seed: u32) -> InputImage {
    let mut state = seed.wrapping_mul(2_654_435_761) | 1;
    let blocks: Vec<u8> = (0..3 * 64 * 64)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 17;
            state ^= state << 5;
            state.to_le_bytes()[1]
        })
        .collect();
    let mut data = Vec::with_capacity(3 * (size.width * size.height) as usize);
    for y in 0..size.height {
        for x in 0..size.width {
            let at = 3 * ((y / 16 % 64) * 64 + x / 16 % 64) as usize;
            data.extend_from_slice(&blocks[at..at + 3]);
        }
    }
    InputImage { data: data.into(), width: size.width, height: size.height, native: size }
}

/// Frame number `index` of the recording, scaled to `size`, decoded by `gst-launch-1.0`.
pub fn frame(video: &Path, index: usize, size: FrameSize, native: FrameSize) -> InputImage {
    let folder = tempfile::tempdir().unwrap();
    let raw = folder.path().join("frames.rgb");
    let format = format!("video/x-raw,format=RGB,width={},height={}", size.width, size.height);
    let output = Command::new("gst-launch-1.0")
        .args(["-q", "filesrc", &format!("location={}", video.display()), "!", "decodebin", "!", "videoconvert", "!"])
        .args(["videoscale", "!", &format, "!", "identity", &format!("eos-after={}", index + 2), "!", "filesink"])
        .arg(format!("location={}", raw.display()))
        .output()
        .expect("gst-launch-1.0 starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let bytes = 3 * (size.width * size.height) as usize;
    let frames = std::fs::read(&raw).unwrap();
    let data = frames[index * bytes..(index + 1) * bytes].to_vec();
    InputImage { data: data.into(), width: size.width, height: size.height, native }
}
