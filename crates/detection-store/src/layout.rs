//! Names of folders and files: `gate.camera/2026-12-02T07.detections`, and beside it `2026-12-02T07-412.tracks`.

use std::path::{Path, PathBuf};

use vedette_core::CameraId;

use crate::error::{FileError, at};
use crate::hour::Hour;

const CAMERA: &str = ".camera";
const DETECTIONS: &str = ".detections";
pub(crate) const TRACKS: &str = ".tracks";

/// The folder of a camera. With its ending no id is a name with a meaning, such as `..`.
pub(crate) fn camera(directory: &Path, camera: &CameraId) -> PathBuf {
    directory.join(format!("{camera}{CAMERA}"))
}

/// The file with an hour's detections.
pub(crate) fn detections(folder: &Path, hour: Hour) -> PathBuf {
    folder.join(format!("{hour}{DETECTIONS}"))
}

/// The file with the tracks of segments of an hour that begin with that number.
pub(crate) fn tracks(folder: &Path, hour: Hour, first: u64) -> PathBuf {
    folder.join(format!("{hour}-{first}{TRACKS}"))
}

/// The hour of a file of either kind.
pub(crate) fn hour_of(name: &str) -> Option<Hour> {
    match name.strip_suffix(TRACKS) {
        Some(name) => Hour::parse(name.rsplit_once('-')?.0),
        None => Hour::parse(name.strip_suffix(DETECTIONS)?),
    }
}

/// The cameras with a folder, by id.
pub(crate) fn cameras(directory: &Path) -> Result<Vec<CameraId>, FileError> {
    let names = names(directory)?;
    let mut cameras: Vec<CameraId> =
        names.iter().filter_map(|name| CameraId::new(name.strip_suffix(CAMERA)?).ok()).collect();
    cameras.sort();
    Ok(cameras)
}

/// The hours with detections of a camera, with their files, by time.
pub(crate) fn hours(folder: &Path) -> Result<Vec<(Hour, PathBuf)>, FileError> {
    let names = names(folder)?;
    let hours = names.iter().filter_map(|name| Some((Hour::parse(name.strip_suffix(DETECTIONS)?)?, folder.join(name))));
    let mut hours: Vec<(Hour, PathBuf)> = hours.collect();
    hours.sort();
    Ok(hours)
}

/// The names in a folder; none in one that does not exist.
pub(crate) fn names(folder: &Path) -> Result<Vec<String>, FileError> {
    let entries = match std::fs::read_dir(folder) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(at("listing", folder))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        let entry = entry.map_err(at("listing", folder))?;
        names.extend(entry.file_name().into_string().ok());
    }
    Ok(names)
}
