mod input;
mod source;

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use vedette_core::{ModelRef, ObjectClass, Score};

use crate::output::OutputSpec;

pub use input::{ColourOrder, InputSpec, Resize};
pub use source::{Convert, ModelFile, Source};

/// A model's identity, origin, input and output: `models/<name>/manifest.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Its name, also that of its folder.
    pub name: String,
    /// Its version; changes whenever the result for the same picture may change.
    pub version: String,
    /// SPDX licence expression of the model.
    pub licence: String,
    /// Origin of the package with the model.
    pub source: Source,
    /// Conversion of the package's member to the model file; none when it is that file.
    pub convert: Option<Convert>,
    /// The model file.
    pub file: ModelFile,
    /// The model's input.
    pub input: InputSpec,
    /// The model's output.
    pub output: OutputSpec,
    /// The product's class for the model's class number, ascending by number; classes not listed are dropped.
    pub classes: Vec<(usize, ObjectClass)>,
    /// Candidates with a lower score are not published.
    pub floor_score: Score,
    /// Of two boxes of one class that overlap by more than this (intersection over union), the better one is kept.
    pub nms_iou: f32,
    /// The folder of the manifest, to which paths in it are relative; none for a built-in one.
    pub folder: Option<PathBuf>,
}

/// Validation errors of a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be read.
    #[error("cannot read `{path}`: {error}")]
    Read {
        /// Its path.
        path: PathBuf,
        /// The operating system's error.
        error: std::io::Error,
    },
    /// It is not TOML, lacks a key or has an unknown one.
    #[error("`{path}` is not a model manifest: {reason}")]
    Syntax {
        /// Its path.
        path: PathBuf,
        /// Position and cause.
        reason: String,
    },
    /// Its values break rules.
    #[error("`{path}` breaks {} rule(s): {}", problems.len(), problems.join("; "))]
    Invalid {
        /// Its path.
        path: PathBuf,
        /// Each broken rule, with key, value and remedy.
        problems: Vec<String>,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    version: String,
    licence: String,
    source: Source,
    convert: Option<Convert>,
    file: ModelFile,
    input: InputSpec,
    output: OutputSpec,
    classes: BTreeMap<String, ObjectClass>,
    floor_score: Score,
    nms_iou: f32,
}

impl Manifest {
    /// Reads and validates the manifest in file `path`.
    ///
    /// # Errors
    /// When it cannot be read or is invalid; all broken rules are named at once.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ManifestError> {
        let path = path.as_ref();
        let text =
            std::fs::read_to_string(path).map_err(|error| ManifestError::Read { path: path.to_owned(), error })?;
        Self::parse(&text, path)
    }

    /// Validates the manifest `text` from file `path`.
    ///
    /// # Errors
    /// As [`Manifest::load`].
    pub fn parse(text: &str, path: &Path) -> Result<Self, ManifestError> {
        let written: Written = toml::from_str(text)
            .map_err(|error| ManifestError::Syntax { path: path.to_owned(), reason: error.to_string() })?;
        let mut problems = written.problems();
        let mut classes = Vec::with_capacity(written.classes.len());
        for (key, class) in &written.classes {
            match key.parse::<usize>() {
                Ok(index) if index < written.output.classes() => classes.push((index, *class)),
                _ => problems.push(format!(
                    "classes.{key}: give a class number below output.classes = {}",
                    written.output.classes()
                )),
            }
        }
        classes.sort_unstable_by_key(|(index, _)| *index);
        if !problems.is_empty() {
            return Err(ManifestError::Invalid { path: path.to_owned(), problems });
        }
        let Written { name, version, licence, source, convert, file, input, output, floor_score, nms_iou, .. } =
            written;
        let folder = Some(path.parent().map(Path::to_owned).unwrap_or_default());
        Ok(Self { name, version, licence, source, convert, file, input, output, classes, floor_score, nms_iou, folder })
    }

    /// Name and version, as published with each frame's detections.
    #[must_use]
    pub fn model_ref(&self) -> ModelRef {
        ModelRef { name: self.name.clone(), version: self.version.clone() }
    }
}

impl fmt::Display for Manifest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} ({}x{}, {})", self.name, self.version, self.input.width, self.input.height, self.licence)
    }
}

/// Whether `text` is a SHA-256 in lower-case hex.
pub(crate) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether `text` is a plain file name without any path.
pub(crate) fn is_file_name(text: &str) -> bool {
    !text.is_empty() && !text.starts_with(['.', '-']) && !text.contains(['/', '\\', '\0'])
}

impl Written {
    fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        let mut require = |holds: bool, problem: String| {
            if !holds {
                problems.push(problem);
            }
        };
        require(is_file_name(&self.name), format!("name = `{}`: give a plain name", self.name));
        require(!self.version.is_empty(), "version: give one".to_owned());
        require(is_file_name(&self.file.name), format!("file.name = `{}`: give a plain name", self.file.name));
        require(is_sha256(&self.file.sha256), "file.sha256: give 64 lower-case hex digits".to_owned());
        self.source.check(&mut require);
        self.output.check(&mut require);
        self.input.check(self.output.strides(), &mut require);
        require(!self.classes.is_empty(), "classes: map at least one".to_owned());
        require(self.floor_score.get() > 0.0, "floor_score = 0: give more than 0".to_owned());
        require(
            self.nms_iou > 0.0 && self.nms_iou <= 1.0,
            format!("nms_iou = {}: give more than 0, at most 1", self.nms_iou),
        );
        problems
    }
}

#[cfg(test)]
mod tests {
    use vedette_core::FrameSize;

    use super::*;

    const TEXT: &str = r#"
name = "test"
version = "1"
licence = "Apache-2.0"
floor_score = 0.1
nms_iou = 0.6
[source]
kind = "file"
hint = "ask for it"
[file]
name = "test.onnx"
sha256 = "0000000000000000000000000000000000000000000000000000000000000000"
[input]
name = "images"
width = 416
height = 320
colours = "bgr"
resize = "letterbox"
[output]
kind = "yolox"
strides = [8, 16, 32]
classes = 80
name = "output"
[classes]
0 = "person"
16 = "animal"
2 = "car"
"#;

    fn parse(text: &str) -> Result<Manifest, ManifestError> {
        Manifest::parse(text, Path::new("models/test/manifest.toml"))
    }

    #[test]
    fn a_manifest_is_read_with_its_defaults() {
        let manifest = parse(TEXT).unwrap();
        assert_eq!(manifest.classes, [(0, ObjectClass::Person), (2, ObjectClass::Car), (16, ObjectClass::Animal)]);
        assert_eq!(manifest.input.std, [1.0; 3]);
        assert!(!manifest.input.dynamic_batch);
        assert_eq!(manifest.folder.as_deref(), Some(Path::new("models/test")));
    }

    #[test]
    fn every_broken_rule_is_named_at_once() {
        let text = TEXT
            .replace("width = 416", "width = 417")
            .replace("16 = \"animal\"", "80 = \"animal\"")
            .replace("nms_iou = 0.6", "nms_iou = 1.5")
            .replace("test.onnx", "../test.onnx");
        let error = parse(&text).unwrap_err().to_string();
        for part in ["input.width = 417", "classes.80", "nms_iou = 1.5", "file.name", "multiple of the stride 32"] {
            assert!(error.contains(part), "{part} in {error}");
        }
    }

    #[test]
    fn unknown_keys_and_classes_are_refused() {
        for (from, to) in [("hint", "hnit"), ("colours", "colors"), ("\"car\"", "\"wolf\""), ("nms_iou", "nms")] {
            assert!(matches!(parse(&TEXT.replace(from, to)), Err(ManifestError::Syntax { .. })), "{to}");
        }
    }

    #[test]
    fn an_output_is_read_by_its_kind_and_an_unknown_one_is_told_which_there_are() {
        let output = parse(TEXT).unwrap().output;
        assert_eq!((output.name(), output.classes(), output.strides()), ("yolox", 80, [8, 16, 32].as_slice()));
        let reason = |from: &str, to: &str| parse(&TEXT.replace(from, to)).unwrap_err().to_string();
        let unknown = reason("\"yolox\"", "\"yolo\"");
        assert!(unknown.contains("unknown variant `yolo`, expected `nanodet` or `yolox`"), "{unknown}");
        let other = reason("kind = \"yolox\"", "kind = \"yolox\"\nreg_max = 7");
        assert!(other.contains("unknown field `reg_max`, expected one of `strides`, `classes`, `name`"), "{other}");
        let lacking = reason("strides = [8, 16, 32]\n", "");
        assert!(lacking.contains("missing field `strides`"), "{lacking}");
    }

    #[test]
    fn the_checks_of_a_kind_are_among_the_broken_rules() {
        let nanodet = "kind = \"nanodet\"\nscores = [\"a\"]\nreg_max = 0\ndistances = []";
        let text = TEXT
            .replace("kind = \"yolox\"", nanodet)
            .replace("name = \"output\"", "")
            .replace("classes = 80", "classes = 0");
        let error = parse(&text).unwrap_err().to_string();
        let told = "output.classes: give 1 to 65536; output.reg_max = 0: give 1 to 64; output.scores: name one output a stride; \
                    output.distances: name one output a stride; classes.0: give a class number below output.classes = 0";
        assert!(error.contains(told), "{error}");
    }

    #[test]
    fn fit_keeps_the_shape_of_the_frame_unless_stretched() {
        let mut input = parse(TEXT).unwrap().input;
        assert_eq!(input.fit(FrameSize { width: 768, height: 576 }), FrameSize { width: 416, height: 312 });
        assert_eq!(input.fit(FrameSize { width: 100, height: 4000 }), FrameSize { width: 8, height: 320 });
        input.resize = Resize::Stretch;
        assert_eq!(input.fit(FrameSize { width: 768, height: 576 }), FrameSize { width: 416, height: 320 });
    }
}
