use std::path::{Path, PathBuf};

use crate::manifest::ManifestError;

/// Why the store has no usable file.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A manifest is invalid.
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    /// There is no manifest of that name.
    #[error("`{name}` is {}; known are {}", nowhere(folder.as_deref()), known.join(", "))]
    Unknown {
        /// The name.
        name: String,
        /// The directory of further manifests, when there is one.
        folder: Option<PathBuf>,
        /// The known names.
        known: Vec<String>,
    },
    /// A manifest's model name differs from its folder's.
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
        /// The command that downloads it.
        fix: String,
    },
    /// The file has another checksum.
    #[error("`{path}` is not the file of `{name}`: its SHA-256 is {found}, expected {expected}; run `{fix}`")]
    Checksum {
        /// The model or runtime.
        name: String,
        /// The file.
        path: PathBuf,
        /// The checksum in the manifest.
        expected: String,
        /// The checksum of the file.
        found: String,
        /// The command that downloads the right one.
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
        /// The available builds.
        known: Vec<String>,
    },
    /// The operating system refused.
    #[error("cannot {action} `{path}`: {error}")]
    Io {
        /// The attempted action.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's error.
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

/// Why a file could not be added to the cache.
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
        /// The Debian package that contains it.
        package: &'static str,
        /// The operating system's error.
        error: std::io::Error,
    },
    /// A program failed.
    #[error("`{command}` failed ({status}): {said}{}", advice.map(|text| format!("; {text}")).unwrap_or_default())]
    Tool {
        /// The command.
        command: String,
        /// Its exit status.
        status: String,
        /// The end of its output.
        said: String,
        /// The remedy, if known.
        advice: Option<&'static str>,
    },
    /// The registry returned another package than the manifest names.
    #[error(
        "package `{package}` has SHA-256 {found}, expected {expected}; it was not used. Check the manifest and the registry"
    )]
    Package {
        /// Name and version.
        package: String,
        /// The checksum in the manifest.
        expected: String,
        /// The checksum of the package.
        found: String,
    },
    /// The package is damaged or lacks a member.
    #[error("`{path}` cannot be unpacked: {reason}")]
    Archive {
        /// The package.
        path: PathBuf,
        /// The cause.
        reason: String,
    },
    /// The unpacked, converted or provided file is not the one that the manifest names.
    #[error("`{path}` is not the file of model `{model}`: its SHA-256 is {found}, expected {expected}")]
    Made {
        /// The model.
        model: String,
        /// The file.
        path: PathBuf,
        /// The checksum in the manifest.
        expected: String,
        /// The checksum of the file.
        found: String,
    },
    /// No package contains the model.
    #[error("no package contains model `{model}`; get it ({hint}), then run `vedette models import {model} FILE`")]
    Bring {
        /// The model.
        model: String,
        /// Where to get it.
        hint: String,
    },
}
