use std::path::{Path, PathBuf};

use crate::manifest::ManifestError;

/// Why the store has no usable file.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A manifest is wrong.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// There is no manifest of that name.
    #[error("`{name}` is {}; known are {}", nowhere(folder.as_deref()), known.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// The directory of further manifests, when there is one.
        folder: Option<PathBuf>,
        /// The names there are.
        known: Vec<String>,
    },
    /// A manifest names another model than its folder does.
    #[error("the manifest in folder `{folder}` has name = `{name}`; make them the same")]
    Misnamed {
        /// The folder.
        folder: String,
        /// The name in the manifest.
        name: String,
    },
    /// The file is not in the cache.
    #[error("`{name}` is missing: there is no `{path}`; run `{fix}`")]
    Missing {
        /// The model or runtime.
        name: String,
        /// Where the file would be.
        path: PathBuf,
        /// The command that brings it.
        fix: String,
    },
    /// The file is another one.
    #[error("`{path}` is not the file of `{name}`: its SHA-256 is {found}, expected {expected}; run `{fix}`")]
    Checksum {
        /// The model or runtime.
        name: String,
        /// The file.
        path: PathBuf,
        /// What the manifest says.
        expected: String,
        /// What the file has.
        found: String,
        /// The command that brings the right one.
        fix: String,
    },
    /// There is no build of the runtime for this machine.
    #[error(
        "there is no `{name}` for {os} on {arch}, only for {}; install ONNX Runtime yourself and configure its library",
        known.join(", ")
    )]
    NoBuild {
        /// The runtime.
        name: String,
        /// This machine's system.
        os: String,
        /// This machine's processor.
        arch: String,
        /// The builds there are.
        known: Vec<String>,
    },
    /// The system refused.
    #[error("cannot {action} `{path}`: {error}")]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

fn nowhere(folder: Option<&Path>) -> String {
    match folder {
        Some(folder) => format!("neither inside the program nor in `{}`", folder.display()),
        None => "not inside the program, and no directory of further manifests is named (`detect.models`, --models or \
                 VEDETTE_MODELS)"
            .to_owned(),
    }
}

impl StoreError {
    pub(super) fn io(action: &'static str, path: &Path, error: std::io::Error) -> Self {
        Self::Io { action, path: path.to_owned(), error }
    }
}

/// Why a file could not be brought into the cache.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// As in the store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A program is not installed.
    #[error("`{program}` is needed and does not start: {error}; install {package} (Debian package name)")]
    NoTool {
        /// The program.
        program: String,
        /// The Debian package that has it.
        package: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
    /// A program failed.
    #[error("`{command}` failed ({status}): {said}{}", advice.map(|text| format!("; {text}")).unwrap_or_default())]
    Tool {
        /// What was run.
        command: String,
        /// How it ended.
        status: String,
        /// The end of what it wrote.
        said: String,
        /// The way out, when it is known.
        advice: Option<&'static str>,
    },
    /// The registry gave another package than the manifest names.
    #[error(
        "package `{package}` has SHA-256 {found}, expected {expected}; it was not used. Check the manifest and the registry"
    )]
    Package {
        /// Name and version.
        package: String,
        /// What the manifest says.
        expected: String,
        /// What came.
        found: String,
    },
    /// The package is damaged or lacks a member.
    #[error("`{path}` cannot be unpacked: {reason}")]
    Archive {
        /// The package.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// What was unpacked, converted or brought is not the file that the manifest names.
    #[error("`{path}` is not the file of model `{model}`: its SHA-256 is {found}, expected {expected}")]
    Made {
        /// The model.
        model: String,
        /// The file.
        path: PathBuf,
        /// What the manifest says.
        expected: String,
        /// What the file has.
        found: String,
    },
    /// No package carries the model.
    #[error("no package carries model `{model}`; get it ({hint}), then run `vedette models import {model} FILE`")]
    Bring {
        /// The model.
        model: String,
        /// Where to get it.
        hint: String,
    },
}
