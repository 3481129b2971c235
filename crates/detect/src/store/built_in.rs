//! Built-in files: the manifests, the description of ONNX Runtime, and the converters with their requirements.

use std::path::Path;

use super::error::StoreError;
use super::files;

macro_rules! shipped {
    ($($path:literal),* $(,)?) => {
        &[$(($path, include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/", $path)))),*]
    };
}

/// Path below `models` and content.
const FILES: &[(&str, &str)] = shipped![
    "nanodet-g/manifest.toml",
    "nanodet-g-416x320/manifest.toml",
    "nanodet-g-640x480/manifest.toml",
    "yolox-nano/manifest.toml",
    "onnxruntime/runtime.toml",
    "nanodet/convert.py",
    "nanodet/tfjs_graph.py",
    "nanodet/requirements.txt",
];

/// The content of `name/file`.
pub(super) fn text(name: &str, file: &str) -> Option<&'static str> {
    let (_, text) = FILES.iter().find(|(path, _)| path.split_once('/') == Some((name, file)))?;
    Some(text)
}

/// The names that have such a file.
pub(super) fn names(file: &str) -> impl Iterator<Item = &'static str> {
    FILES.iter().filter_map(|(path, _)| path.split_once('/')).filter(move |(_, of)| *of == file).map(|(name, _)| name)
}

/// Writes everything below `folder`, for Python to read.
pub(super) fn write(folder: &Path) -> Result<(), StoreError> {
    for (path, text) in FILES {
        let path = folder.join(path);
        files::create_folder(path.parent().unwrap_or(folder))?;
        std::fs::write(&path, text).map_err(|error| StoreError::io("write", &path, error))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whatever_the_folder_of_models_has_for_a_program_is_inside() {
        let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models"));
        let mut seen = 0;
        for model in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_dir())
        {
            for file in std::fs::read_dir(&model).unwrap().map(|entry| entry.unwrap().path()) {
                let [model, name] = [&model, &file].map(|path| path.file_name().unwrap().to_str().unwrap());
                if file.is_dir() || name.starts_with("test_") {
                    continue;
                }
                let inside = text(model, name).unwrap_or_else(|| panic!("{model}/{name} is not inside"));
                assert_eq!(inside, std::fs::read_to_string(&file).unwrap());
                seen += 1;
            }
        }
        assert_eq!(seen, FILES.len());
    }
}
