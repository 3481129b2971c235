//! The real runtime and the real model. What they need is fetched first:
//! `vedette models fetch onnxruntime nanodet-g nanodet-g-416x320`, or the example `fetch` of this crate.

use std::path::{Path, PathBuf};

use vedette_core::{Detection, FrameSize, ObjectClass, PixelBox};
use vedette_detect::output::{OutputSpec, Yolox};
use vedette_detect::{
    DetectError, Detector, DetectorSettings, Provider, Runtime, RuntimeError, RuntimeSettings, default_cache_dir,
};

use crate::support::{self, detector, frame, keen_detector, library, model, noise, runtime};

const VTEST: FrameSize = FrameSize { width: 768, height: 576 };

/// People in frames of `vtest.avi` of OpenCV's examples, marked by hand: left, top, right, bottom.
const WALKERS: [(usize, &[[f32; 4]]); 2] = [
    (0, &[[640.0, 243.0, 685.0, 322.0], [500.0, 158.0, 530.0, 233.0], [253.0, 220.0, 282.0, 308.0]]),
    (
        100,
        &[
            [377.0, 178.0, 409.0, 256.0],
            [589.0, 156.0, 618.0, 235.0],
            [494.0, 149.0, 521.0, 220.0],
            [347.0, 199.0, 380.0, 274.0],
            [514.0, 153.0, 541.0, 221.0],
            [223.0, 61.0, 237.0, 95.0],
        ],
    ),
];

/// The campus recording: the one that the environment names, else the demo's in the cache.
fn recording() -> PathBuf {
    let named = std::env::var_os("VEDETTE_TEST_VIDEO").map(PathBuf::from);
    let path = named.unwrap_or_else(|| default_cache_dir().unwrap().join("demo/vtest.mp4"));
    assert!(path.is_file(), "{} is missing: `make test` fetches it", path.display());
    path
}

fn finds_walkers(mut detector: Detector, video: &Path) {
    let size = detector.input().fit(VTEST);
    for (index, walkers) in WALKERS {
        let found = &detector.detect_batch(&[frame(video, index, size, VTEST)]).unwrap()[0];
        assert!(found.windows(2).all(|pair| pair[0].score >= pair[1].score));
        for &[left, top, right, bottom] in walkers {
            let walker = PixelBox::new(left, top, right - left, bottom - top);
            let seen = |one: &&Detection| one.class == ObjectClass::Person && one.bbox.iou(&walker) >= 0.5;
            let best = found.iter().find(seen).map(|one| (one.score.get(), one.bbox.iou(&walker)));
            let least = if walker.height < 50.0 { 0.2 } else { 0.5 };
            assert!(best.is_some_and(|(score, _)| score >= least), "frame {index}: {walker:?} seen as {best:?}");
        }
        let people = found.iter().filter(|one| one.class == ObjectClass::Person && one.score.get() >= 0.5).count();
        assert!(people <= walkers.len() + 1, "frame {index}: {people} people");
    }
}

#[test]
fn nanodet_finds_the_walkers() {
    let video = recording();
    for name in ["nanodet-g", "nanodet-g-416x320", "nanodet-g-640x480"] {
        finds_walkers(detector(name), &video);
    }
}

#[test]
#[ignore = "needs a model that the user brings: set VEDETTE_TEST_YOLOX to yolox_nano.onnx, run with --ignored"]
fn yolox_finds_the_walkers() {
    let file = std::env::var_os("VEDETTE_TEST_YOLOX").expect("VEDETTE_TEST_YOLOX names yolox_nano.onnx");
    let video = recording();
    let manifest = support::store().manifest("yolox-nano").unwrap();
    let settings = DetectorSettings::default();
    let detector = Detector::open(&runtime(&[Provider::Cpu]), &manifest, file, settings).unwrap();
    assert_eq!(detector.batch_size(), 1);
    finds_walkers(detector, &video);
}

#[test]
fn a_batch_answers_as_its_pictures_do_alone() {
    let mut detector = keen_detector("nanodet-g-416x320");
    let size = detector.input_size();
    let images: Vec<_> = (1..=11).map(|seed| noise(size, seed)).collect();
    let together = detector.detect_batch(&images).unwrap();
    assert_eq!(together.len(), images.len());
    assert!(together.iter().all(|found| !found.is_empty()), "the pictures show nothing to compare");
    for (image, among_others) in images.iter().zip(&together) {
        let alone = &detector.detect_batch(std::slice::from_ref(image)).unwrap()[0];
        assert_eq!(alone.len(), among_others.len());
        for (a, b) in alone.iter().zip(among_others) {
            assert_eq!(a.class, b.class);
            assert!((a.score.get() - b.score.get()).abs() < 1e-3 && a.bbox.iou(&b.bbox) > 0.99, "{a:?} {b:?}");
        }
    }
    assert!(detector.detect_batch(&[]).unwrap().is_empty());
}

#[test]
fn a_picture_that_does_not_fit_is_refused_before_anything_runs() {
    let mut detector = detector("nanodet-g-416x320");
    let size = FrameSize { width: 640, height: 480 };
    let error = detector.detect_batch(&[noise(detector.input_size(), 1), noise(size, 2)]).unwrap_err();
    assert!(matches!(error, DetectError::Image { width: 640, .. }), "{error}");
}

#[test]
fn a_provider_that_cannot_start_says_why_and_the_next_is_taken() {
    let (manifest, path) = model("nanodet-g");
    let open =
        |providers: &[Provider]| Detector::open(&runtime(providers), &manifest, &path, DetectorSettings::default());
    let detector = open(&[]).unwrap();
    let report = detector.report();
    assert_eq!(report.chosen, Provider::Cpu);
    assert_eq!(detector.model_ref().name, "nanodet-g");
    let refused: Vec<_> = report.refused.iter().map(|one| one.provider).collect();
    assert_eq!(refused, [Provider::TensorRt, Provider::Cuda, Provider::OpenVino]);
    assert!(report.refused.iter().all(|one| !one.reason.is_empty()));
    let error = open(&[Provider::Cuda]).unwrap_err().to_string();
    assert!(error.contains("`nanodet-g`: cuda: "), "{error}");
}

#[test]
fn a_model_that_does_not_fit_its_manifest_is_refused() {
    let (manifest, path) = model("nanodet-g");
    let open = |manifest| {
        let runtime = runtime(&[Provider::Cpu]);
        Detector::open(&runtime, manifest, &path, DetectorSettings::default()).unwrap_err().to_string()
    };
    let mut other = manifest.clone();
    other.input.name = "pictures".to_owned();
    assert!(open(&other).contains("its input is `images`, the manifest says `pictures`"));
    let mut other = manifest.clone();
    other.output = OutputSpec::Yolox(Yolox { strides: vec![8, 16, 32], classes: 80, name: "output".to_owned() });
    assert!(open(&other).contains("no output `output` but cls_8"), "{}", open(&other));
    let mut other = manifest.clone();
    if let OutputSpec::Nanodet(nanodet) = &mut other.output {
        nanodet.reg_max = 7;
    }
    assert!(open(&other).contains("has shape [1, 2704, 44] instead of [1, 2704, 32]"), "{}", open(&other));
}

#[test]
fn a_file_that_is_no_model_is_an_error() {
    let (manifest, _) = model("nanodet-g");
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(&file, b"no model at all").unwrap();
    let error = Detector::open(&runtime(&[Provider::Cpu]), &manifest, &file, DetectorSettings::default()).unwrap_err();
    assert!(matches!(error, DetectError::NoProvider { .. }), "{error}");
}

#[test]
fn one_process_has_one_runtime() {
    let _loaded = runtime(&[]);
    let other = RuntimeSettings { library: Some("/elsewhere/libonnxruntime.so".into()), ..Default::default() };
    let error = Runtime::load(&other).unwrap_err();
    assert!(matches!(&error, RuntimeError::OtherLibrary { loaded, .. } if *loaded == library()), "{error}");
}
