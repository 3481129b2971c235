//! The site's key: its files, and whether it opens the sealed passwords of the cameras that this process reads.

use std::path::{Path, PathBuf};

use vedette_core::Camera;
use vedette_runtime::report;
use vedette_sealing::{Endpoint, KeyRing, PublicKey};

use super::privacy::open_mode;
use super::{Ask, Finding, Level, PreflightRule, cameras};
use crate::roles::Role;

const PUBLIC: &str = "site.public_key";
const SECRET: &str = "ingest.key_file";

pub(super) fn look(ask: &Ask<'_>) -> Vec<Finding> {
    let settings = &ask.reading.config.settings;
    let (public_file, key_file) = (settings.site.public_key.as_deref(), settings.ingest.key_file.as_deref());
    let mut found: Vec<Finding> = Vec::new();
    for path in secret_files(public_file, key_file) {
        found.extend(privacy(ask, &path));
    }
    let unusable = |path: &str, file: &Path, error| {
        ask.settings(Level::Mistake, path, file.display(), PreflightRule::KeyFile { reason: report(&error) })
    };
    let public = public_file.filter(|_| ask.reading.is_sound(PUBLIC)).and_then(|file| {
        match PublicKey::read(file) {
            Ok(key) => Some((file, key)),
            // Only the console needs it to run.
            Err(error) => {
                found.extend(ask.has(Role::Console).then(|| unusable(PUBLIC, file, error)));
                None
            }
        }
    });
    if !ask.has(Role::Ingest) {
        return found;
    }
    let ring = key_file.filter(|_| ask.reading.is_sound(SECRET)).and_then(|file| {
        // Cameras without a sealed password run all the same.
        let level = |finding: Finding| Finding { level: Level::Camera, ..finding };
        let read = KeyRing::read(file).map_err(|error| found.push(level(unusable(SECRET, file, error))));
        Some((file, read.ok()?))
    });
    if let (Some((file, public)), Some((secret, ring))) = (&public, &ring)
        && !ring.has(public.id())
    {
        let rule = PreflightRule::OtherKey { public: public.id().to_string(), path: secret.display().to_string() };
        found.push(ask.settings(Level::Warning, PUBLIC, file.display(), rule));
    }
    // Of a file that cannot be read, each camera would say the same.
    if ring.is_some() || key_file.is_none() {
        found.extend(passwords(ask, ring.as_ref().map(|(_, ring)| ring)));
    }
    found
}

/// Where a secret key may lie on this machine: where the settings say, and beside the public key.
fn secret_files(public: Option<&Path>, key: Option<&Path>) -> Vec<PathBuf> {
    let beside =
        public.filter(|path| path.extension().is_some_and(|it| it == "pub")).map(|path| path.with_extension(""));
    let mut files: Vec<PathBuf> = key.map(Path::to_owned).into_iter().chain(beside).collect();
    files.retain(|file| file.is_file());
    files.dedup();
    files
}

fn privacy(ask: &Ask<'_>, path: &Path) -> Vec<Finding> {
    let warn = |rule| ask.settings(Level::Warning, SECRET, path.display(), rule);
    let open = open_mode(path).map(|mode| {
        let path = path.display().to_string();
        warn(PreflightRule::OpenKey { mode, path })
    });
    let astray = (!ask.has(Role::Ingest)).then(|| warn(PreflightRule::KeyAstray));
    open.into_iter().chain(astray).collect()
}

/// The cameras whose password cannot be opened here.
fn passwords(ask: &Ask<'_>, ring: Option<&KeyRing>) -> Vec<Finding> {
    let file = &ask.reading.config.settings.site.cameras;
    let found = cameras::own(ask).filter(|(index, _)| ask.reading.is_camera_sound(*index, "source"));
    let found = found.filter_map(|(index, camera)| {
        let rule = refusal(ask, camera, ring)?;
        let at = ask.reading.camera_paths.get(index).map_or("camera", String::as_str);
        Some(Finding::new(Level::Camera, file, &format!("{at}.source.login"), "", rule))
    });
    found.collect()
}

fn refusal(ask: &Ask<'_>, camera: &Camera, ring: Option<&KeyRing>) -> Option<PreflightRule> {
    let (url, login) = (camera.url()?, camera.login()?);
    let Some(ring) = ring else { return Some(PreflightRule::NoKeyFile { key: login.password.key().to_string() }) };
    let whole = ask.reading.config.settings.ingest.addresses.get(&camera.id);
    let endpoint = Endpoint::of(whole.map_or(url, String::as_str))?;
    let error = ring.open(&login.password, &camera.id, &endpoint).err()?;
    Some(PreflightRule::Unopened { reason: error.to_string() })
}
