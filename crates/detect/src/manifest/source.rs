use std::path::PathBuf;

use serde::Deserialize;

use super::{is_file_name, is_sha256};

/// Origin of a model's package.
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
    /// A file that the user provides.
    File {
        /// Where to find it.
        hint: String,
    },
}

impl Source {
    /// Checks the keys.
    pub(super) fn check(&self, require: &mut impl FnMut(bool, String)) {
        let (Self::Npm { package, version, sha256, members } | Self::Pypi { package, version, sha256, members }) = self
        else {
            return;
        };
        require(!package.starts_with('-') && !package.is_empty(), "source.package: give a name".to_owned());
        require(!version.is_empty(), "source.version: give an exact one".to_owned());
        require(is_sha256(sha256), "source.sha256: give 64 lower-case hex digits".to_owned());
        require(!members.is_empty(), "source.members: name at least one".to_owned());
        require(
            members.iter().all(|member| member.rsplit('/').next().is_some_and(is_file_name)),
            "source.members: each ends in a plain file name".to_owned(),
        );
    }
}

/// A Python script of the product that produces the model file from the package's first member.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Convert {
    /// The script, called as `script SOURCE TARGET`; relative to the manifest.
    pub script: PathBuf,
    /// Its requirements, with exact versions; relative to the manifest.
    pub requirements: PathBuf,
}

/// The model file in the cache.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ModelFile {
    /// Its name, without folder.
    pub name: String,
    /// Its SHA-256, 64 hex digits.
    pub sha256: String,
}
