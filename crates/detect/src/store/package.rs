use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::{FetchError, StoreError};
use super::progress::Progress;
use super::{files, tool};

/// The registry client for a package. Its registry is its own configuration.
#[derive(Debug, Clone)]
pub(super) enum Registry {
    /// `npm pack`.
    Npm,
    /// `pip download` of a wheel for this machine.
    PypiPure,
    /// `pip download` of a wheel for a given Python and platform, independent of the Python installed here.
    PypiFor {
        /// As `3.11`.
        python: String,
        /// As `manylinux_2_28_x86_64`.
        platform: String,
    },
}

/// A package of exact version and content.
#[derive(Debug, Clone)]
pub(super) struct Package {
    pub(super) registry: Registry,
    pub(super) name: String,
    pub(super) version: String,
    pub(super) sha256: String,
}

impl Package {
    /// The package's file in the cache, downloaded if missing, with its checksum verified.
    pub(super) fn fetch(&self, cache: &Path, progress: &dyn Progress) -> Result<PathBuf, FetchError> {
        let kept = cache.join("packages").join(self.file_name());
        if kept.is_file() && files::sha256(&kept)? == self.sha256 {
            return Ok(kept);
        }
        let scratch = files::scratch(cache)?;
        progress.step(&format!("fetching package {} {}", self.name, self.version));
        tool::run(&mut self.command(scratch.path()), self.client_package(), advice)?;
        let came = only_file(scratch.path())?;
        let found = files::sha256(&came)?;
        if found != self.sha256 {
            return Err(FetchError::Package {
                package: format!("{} {}", self.name, self.version),
                expected: self.sha256.clone(),
                found,
            });
        }
        files::copy_into(&came, &kept)?;
        Ok(kept)
    }

    /// The file name of the package in the cache.
    fn file_name(&self) -> String {
        let name = self.name.trim_start_matches('@').replace('/', "-");
        match &self.registry {
            Registry::Npm => format!("{name}-{}.tgz", self.version),
            Registry::PypiPure => format!("{name}-{}.whl", self.version),
            Registry::PypiFor { python, platform } => format!("{name}-{}-{python}-{platform}.whl", self.version),
        }
    }

    fn client_package(&self) -> &'static str {
        match self.registry {
            Registry::Npm => "npm",
            Registry::PypiPure | Registry::PypiFor { .. } => "python3-pip",
        }
    }

    /// The client's command; it runs in the target folder, so that no project's settings apply.
    fn command(&self, folder: &Path) -> Command {
        let mut command;
        match &self.registry {
            Registry::Npm => {
                command = Command::new("npm");
                command.args(["pack", "--silent", "--ignore-scripts", "--"]);
                command.arg(format!("{}@{}", self.name, self.version));
            }
            Registry::PypiPure | Registry::PypiFor { .. } => {
                command = Command::new("python3");
                command.args(["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-input"]);
                command.args(["--no-deps", "--only-binary=:all:", "--dest", "."]);
                if let Registry::PypiFor { python, platform } = &self.registry {
                    command.args(["--python-version", python, "--platform", platform]);
                }
                command.arg("--").arg(format!("{}=={}", self.name, self.version));
            }
        }
        command.current_dir(folder);
        command
    }
}

fn advice(said: &str) -> Option<&'static str> {
    said.contains("No module named pip").then_some("install python3-pip (Debian package name)")
}

fn only_file(folder: &Path) -> Result<PathBuf, FetchError> {
    let read = |error| StoreError::io("read", folder, error);
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(read)? {
        found.push(entry.map_err(read)?.path());
    }
    match <[PathBuf; 1]>::try_from(found) {
        Ok([file]) => Ok(file),
        Err(found) => Err(FetchError::Archive {
            path: folder.to_owned(),
            reason: format!("the client left {} files instead of one", found.len()),
        }),
    }
}
