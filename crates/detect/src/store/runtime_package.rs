use std::env::consts::{ARCH, OS};
use std::path::Path;

use serde::Deserialize;

use super::error::StoreError;
use crate::manifest::{ManifestError, is_file_name, is_sha256};

/// A runtime library and its origin: `models/<name>/runtime.toml`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimePackage {
    /// Its name, also that of its folder.
    pub name: String,
    /// SPDX licence expression.
    pub licence: String,
    /// Name in the Python package index.
    pub package: String,
    /// Exact version.
    pub version: String,
    /// One build per platform.
    pub builds: Vec<RuntimeBuild>,
}

/// A runtime library for one platform.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuntimeBuild {
    /// System, as `linux`.
    pub os: String,
    /// Processor, as `x86_64`.
    pub arch: String,
    /// Python version of the wheel; the library itself needs none.
    pub python: String,
    /// Platform tag of the wheel.
    pub platform: String,
    /// SHA-256 of the wheel, 64 hex digits.
    pub sha256: String,
    /// The library's path in the wheel.
    pub library: String,
    /// SHA-256 of the library, 64 hex digits.
    pub library_sha256: String,
}

impl RuntimeBuild {
    /// The library's file name.
    #[must_use]
    pub fn library_name(&self) -> &str {
        self.library.rsplit('/').next().unwrap_or(&self.library)
    }
}

impl RuntimePackage {
    /// Reads and validates the description in file `path`.
    ///
    /// # Errors
    /// When it cannot be read or is invalid.
    pub fn load(path: &Path) -> Result<Self, ManifestError> {
        let text =
            std::fs::read_to_string(path).map_err(|error| ManifestError::Read { path: path.to_owned(), error })?;
        Self::parse(&text, path)
    }

    /// Validates the description `text` from file `path`.
    ///
    /// # Errors
    /// When it is invalid.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ManifestError> {
        let package: Self = toml::from_str(text)
            .map_err(|error| ManifestError::Syntax { path: path.to_owned(), reason: error.to_string() })?;
        let mut problems = Vec::new();
        for name in [&package.name, &package.package, &package.version] {
            if !is_file_name(name) {
                problems.push(format!("`{name}`: give a plain name"));
            }
        }
        for build in &package.builds {
            let arch = &build.arch;
            if !is_sha256(&build.sha256) || !is_sha256(&build.library_sha256) {
                problems.push(format!("builds ({arch}): give checksums of 64 lower-case hex digits"));
            }
            if !is_file_name(build.library_name()) || !is_file_name(arch) {
                problems.push(format!("builds ({arch}): library ends in a plain file name, arch is one"));
            }
        }
        if problems.is_empty() { Ok(package) } else { Err(ManifestError::Invalid { path: path.to_owned(), problems }) }
    }

    /// The build for this machine.
    ///
    /// # Errors
    /// When there is none.
    pub fn build_for_this_machine(&self) -> Result<&RuntimeBuild, StoreError> {
        self.builds.iter().find(|build| build.os == OS && build.arch == ARCH).ok_or_else(|| StoreError::NoBuild {
            name: self.name.clone(),
            os: OS.to_owned(),
            arch: ARCH.to_owned(),
            known: self.builds.iter().map(|build| format!("{} on {}", build.os, build.arch)).collect(),
        })
    }
}
