use super::*;

const REAL: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../models");
/// SHA-256 of `model`.
const MODEL_SHA256: &str = "9372c470eeadd5ecd9c3c74c2b3cb633f8e2f2fad799250a0f70d652b6b825e4";

/// A store in which the user's file for a model is the wrong one.
fn store() -> (tempfile::TempDir, ModelStore) {
    let folder = tempfile::tempdir().unwrap();
    let models = folder.path().join("models");
    std::fs::create_dir_all(models.join("yolox-nano")).unwrap();
    let text = std::fs::read_to_string(Path::new(REAL).join("yolox-nano/manifest.toml")).unwrap();
    let real = ModelStore::new("/nowhere").manifest("yolox-nano").unwrap().file.sha256;
    std::fs::write(models.join("yolox-nano/manifest.toml"), text.replace(&real, MODEL_SHA256)).unwrap();
    let store = ModelStore::new(folder.path().join("cache")).with_folder(models);
    (folder, store)
}

#[test]
fn the_manifests_of_the_product_are_right() {
    let store = ModelStore::new("/nowhere");
    let entries = store.list().unwrap();
    let names: Vec<_> = entries.iter().map(|entry| entry.manifest.name.as_str()).collect();
    assert_eq!(names, ["nanodet-g", "nanodet-g-416x320", "nanodet-g-640x480", "yolox-nano"]);
    assert!(entries.iter().all(|entry| !entry.present));
    assert_eq!(entries[0].path, entries[1].path, "the sizes share one file");
    assert_eq!(store.runtime("onnxruntime").unwrap().name, "onnxruntime");
}

#[test]
fn a_name_that_is_not_known_comes_with_those_that_are() {
    let error = ModelStore::new("/nowhere").verify("nanodet-x").unwrap_err().to_string();
    assert!(error.contains("`nanodet-x`") && error.contains("nanodet-g, nanodet-g-416x320"), "{error}");
    let error = ModelStore::new("/nowhere").fetch("nanodet-x", &Silent).unwrap_err().to_string();
    assert!(error.contains("yolox-nano, onnxruntime"), "{error}");
}

#[test]
fn a_missing_model_comes_with_the_command_that_brings_it() {
    let error = ModelStore::new("/nowhere").verify("nanodet-g").unwrap_err().to_string();
    assert!(error.contains("vedette models fetch nanodet-g"), "{error}");
    let (_folder, store) = store();
    let error = store.verify("yolox-nano").unwrap_err().to_string();
    assert!(error.contains("vedette models import yolox-nano FILE"), "{error}");
    assert!(matches!(store.fetch("yolox-nano", &Silent), Err(FetchError::Bring { .. })));
}

#[test]
fn a_file_is_taken_in_only_with_the_right_checksum() {
    let (folder, store) = store();
    let file = folder.path().join("brought.onnx");
    std::fs::write(&file, b"another").unwrap();
    let error = store.import("yolox-nano", &file).unwrap_err();
    assert!(matches!(error, FetchError::Made { .. }), "{error}");
    let present = || store.list().unwrap().into_iter().filter(|entry| entry.present).map(|entry| entry.manifest.name);
    assert_eq!(present().count(), 0);
    std::fs::write(&file, b"model").unwrap();
    let path = store.import("yolox-nano", &file).unwrap();
    assert_eq!(store.verify("yolox-nano").unwrap(), path);
    assert_eq!(store.fetch("yolox-nano", &Silent).unwrap(), path);
    assert_eq!(present().collect::<Vec<_>>(), ["yolox-nano"]);
}

#[test]
fn a_folder_adds_manifests_and_takes_the_place_of_those_of_the_same_name() {
    let (folder, store) = store();
    let models = folder.path().join("models");
    let text = std::fs::read_to_string(models.join("yolox-nano/manifest.toml")).unwrap();
    std::fs::create_dir(models.join("mine")).unwrap();
    std::fs::write(models.join("mine/manifest.toml"), text.replace("\"yolox-nano\"", "\"mine\"")).unwrap();
    let names: Vec<_> = store.list().unwrap().into_iter().map(|entry| entry.manifest.name).collect();
    assert_eq!(names, ["mine", "nanodet-g", "nanodet-g-416x320", "nanodet-g-640x480", "yolox-nano"]);
    assert_eq!(store.manifest("yolox-nano").unwrap().file.sha256, MODEL_SHA256);
    assert_eq!(store.manifest("nanodet-g").unwrap().folder, None);
    let error = store.verify("mine").unwrap_err().to_string();
    assert!(error.contains(&format!("vedette models import mine FILE --models {}", models.display())), "{error}");
    let error = ModelStore::new("/nowhere").with_folder("/no/folder").list().unwrap_err().to_string();
    assert!(error.contains("/no/folder"), "{error}");
}

#[test]
fn what_the_converter_needs_is_written_for_it() {
    let folder = tempfile::tempdir().unwrap();
    built_in::write(folder.path()).unwrap();
    for entry in ModelStore::new("/nowhere").list().unwrap() {
        let Some(convert) = entry.manifest.convert else { continue };
        for path in [convert.script, convert.requirements] {
            assert!(folder.path().join(&entry.manifest.name).join(&path).is_file(), "{}", path.display());
        }
    }
    assert!(folder.path().join("nanodet/tfjs_graph.py").is_file(), "the converter imports it");
}

#[test]
fn a_file_that_changed_is_named_with_both_checksums() {
    let (folder, store) = store();
    let file = folder.path().join("brought.onnx");
    std::fs::write(&file, b"model").unwrap();
    let path = store.import("yolox-nano", file).unwrap();
    std::fs::write(&path, b"damaged").unwrap();
    let error = store.verify("yolox-nano").unwrap_err().to_string();
    assert!(error.contains(MODEL_SHA256) && error.contains(&*path.to_string_lossy()), "{error}");
}

#[test]
fn a_package_that_is_not_the_named_one_is_not_used() {
    // Kept under the package's name but with other content: it is fetched again, here by a client that cannot start.
    let folder = tempfile::tempdir().unwrap();
    let package = Package {
        registry: Registry::Npm,
        name: "/no such package/".to_owned(),
        version: "1".to_owned(),
        sha256: MODEL_SHA256.to_owned(),
    };
    let kept = folder.path().join("packages/-no such package--1.tgz");
    files::create_folder(kept.parent().unwrap()).unwrap();
    std::fs::write(&kept, b"another").unwrap();
    assert!(package.fetch(folder.path(), &Silent).is_err());
    std::fs::write(&kept, b"model").unwrap();
    assert_eq!(package.fetch(folder.path(), &Silent).unwrap(), kept);
}
