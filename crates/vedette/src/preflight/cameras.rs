//! Cameras that this process reads: recordings and passwords.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use vedette_core::{Camera, CameraSource};
use vedette_media::{Recording, RefusalReason, inspect};

use super::{AT_MOST, Ask, Finding, Level, PATIENCE, PreflightRule};
use crate::roles::Role;

/// Recordings inspected concurrently.
const SIDE_BY_SIDE: usize = 4;

pub(super) async fn look(ask: &Ask<'_>) -> Vec<Finding> {
    let needs_media = ask.has(Role::Ingest) || ask.has(Role::Detect);
    if needs_media && let Some(Err(error)) = super::apart(vedette_media::init).await {
        let rule = PreflightRule::NoMedia { reason: error.to_string() };
        return vec![ask.settings(Level::Mistake, "ingest, detect", "", rule)];
    }
    if !ask.has(Role::Ingest) {
        return Vec::new();
    }
    recordings(ask).await
}

/// The cameras read by this process, each with its number in the file.
pub(super) fn own<'a>(ask: &'a Ask<'_>) -> impl Iterator<Item = (usize, &'a Camera)> {
    let share = ask.reading.config.settings.ingest.share;
    let cameras = ask.reading.config.cameras.iter().enumerate();
    cameras.filter(move |(_, camera)| camera.enabled && share.holds(&camera.id))
}

async fn recordings(ask: &Ask<'_>) -> Vec<Finding> {
    let mut cameras: BTreeMap<PathBuf, Vec<usize>> = BTreeMap::new();
    for (index, camera) in own(ask) {
        if let Some(CameraSource::File { path, .. }) = &camera.source
            && ask.reading.is_camera_sound(index, "source")
        {
            cameras.entry(path.into()).or_default().push(index);
        }
    }
    let turns = Arc::new(Semaphore::new(SIDE_BY_SIDE));
    let mut looking = JoinSet::new();
    for path in cameras.keys().cloned() {
        let turns = turns.clone();
        looking.spawn(async move {
            let turn = turns.acquire_owned().await;
            let at = path.clone();
            let seen = tokio::task::spawn_blocking(move || {
                let _turn = turn;
                look_at(&at)
            });
            (path, seen.await.ok())
        });
    }
    let mut seen = BTreeMap::new();
    let all = async {
        while let Some(Ok((path, looked))) = looking.join_next().await {
            seen.insert(path, looked);
        }
    };
    let in_time = tokio::time::timeout(AT_MOST, all).await.is_ok();
    let mut found = Vec::new();
    for (path, indices) in &cameras {
        let verdict = match seen.remove(path).flatten() {
            Some(outcome) => verdict(path, outcome),
            None if in_time => continue,
            None => Some((Level::Note, PreflightRule::RecordingNotRead)),
        };
        let Some((level, rule)) = verdict else { continue };
        for index in indices {
            let file = &ask.reading.config.settings.site.cameras;
            let at = ask.reading.camera_paths.get(*index).map_or("camera", String::as_str);
            found.push(Finding::new(level, file, &format!("{at}.source.path"), path.display(), rule.clone()));
        }
    }
    found
}

/// Result of an inspection: the system's error, or intake's finding.
type Looked = Result<Result<Recording, RefusalReason>, std::io::Error>;

fn look_at(path: &Path) -> Looked {
    let file = std::fs::metadata(path)?;
    if file.is_dir() {
        return Err(std::io::ErrorKind::IsADirectory.into());
    }
    if file.is_file() {
        // Of a pipe it would not return.
        std::fs::File::open(path)?;
    }
    Ok(inspect(path, PATIENCE))
}

fn verdict(path: &Path, looked: Looked) -> Option<(Level, PreflightRule)> {
    let path = quoted(path);
    match looked {
        Err(error) => Some((Level::Camera, PreflightRule::RecordingMissing { reason: error.to_string() })),
        Ok(Err(reason @ RefusalReason::NotVideo { .. })) => {
            Some((Level::Camera, PreflightRule::NotVideo { reason: reason.to_string() }))
        }
        Ok(Err(RefusalReason::UnsupportedCodec { codec, .. })) => {
            let reason = format!("it contains video in {codec}");
            Some((Level::Camera, PreflightRule::Transcode { reason, path }))
        }
        Ok(Err(reason)) => Some((Level::Camera, PreflightRule::Transcode { reason: reason.to_string(), path })),
        Ok(Ok(_)) => None,
    }
}

/// Quoted for a shell.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |c: char| c.is_alphanumeric() || "/._-+=@:,".contains(c);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}
