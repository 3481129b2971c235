use std::path::{Path, PathBuf};
use std::process::Command;

use super::error::{FetchError, StoreError};
use super::progress::Progress;
use super::{built_in, files, tool};
use crate::manifest::{Convert, Manifest};

/// Runs the converter of a manifest in a Python environment of its own. Built-in files are written to `scratch`
/// first, for Python to read.
pub(super) fn run(
    cache: &Path,
    manifest: &Manifest,
    convert: &Convert,
    [source, target]: [&Path; 2],
    scratch: &Path,
    progress: &dyn Progress,
) -> Result<(), FetchError> {
    let folder = match &manifest.folder {
        Some(folder) => folder.clone(),
        None => {
            let shipped = scratch.join("shipped");
            built_in::write(&shipped)?;
            shipped.join(&manifest.name)
        }
    };
    let requirements = absolute(&folder.join(&convert.requirements))?;
    let script = absolute(&folder.join(&convert.script))?;
    let python = environment(cache, &requirements, progress)?;
    progress.step("converting the model");
    // Isolated from the user's Python settings; no byte code is written beside the script.
    tool::run(Command::new(python).args(["-E", "-s", "-B"]).arg(script).arg(source).arg(target), "python3", |_| None)
}

fn absolute(path: &Path) -> Result<PathBuf, StoreError> {
    path.canonicalize().map_err(|error| StoreError::io("read", path, error))
}

/// The Python of an environment with exactly these requirements; created once per content of the file.
fn environment(cache: &Path, requirements: &Path, progress: &dyn Progress) -> Result<PathBuf, FetchError> {
    let hash = files::sha256(requirements)?;
    let folder = absolute(cache)?.join("venvs");
    let kept = folder.join(hash.get(..12).unwrap_or(&hash));
    let python = kept.join("bin/python");
    if python.exists() {
        return Ok(python);
    }
    files::create_folder(&folder)?;
    let scratch = files::scratch(&folder)?;
    let made = scratch.path().join("venv");
    progress.step("making a Python environment for the converter");
    tool::run(Command::new("python3").args(["-m", "venv"]).arg(&made), "python3", venv_advice)?;
    let mut pip = Command::new(made.join("bin/python"));
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input"]);
    pip.args(["--no-deps", "--only-binary=:all:", "--requirement"]).arg(requirements);
    tool::run(&mut pip, "python3-venv", |_| None)?;
    // Environments are relocatable. Another process may have been faster: its environment is as good.
    match std::fs::rename(&made, &kept) {
        Err(_) if python.exists() => Ok(python),
        Err(error) => Err(StoreError::io("create", &kept, error).into()),
        Ok(()) => Ok(python),
    }
}

fn venv_advice(said: &str) -> Option<&'static str> {
    let lacks = said.contains("ensurepip") || said.contains("No module named venv");
    lacks.then_some("install python3-venv (Debian package name)")
}
