//! The passwords in a camera file, sealed again in their places: the rest of the file stays as it was written.

use std::io::Write as _;
use std::path::Path;

use anyhow::{Context, ensure};
use vedette_core::Camera;
use vedette_sealing::KeyRing;
use vedette_stages::Resealing;

use crate::config::Config;
use crate::terminal::tell_line;

/// Seals the passwords of the configuration's camera file with the newest key. The file is replaced as a whole, or not at all.
pub(super) fn reseal(config: &Config, keys: &KeyRing) -> anyhow::Result<Resealing> {
    let mut resealing = Resealing::default();
    config.cameras.iter().for_each(|camera| resealing.add(camera, None, keys));
    if resealing.cameras.is_empty() {
        return Ok(resealing);
    }
    let file = &config.settings.site.cameras;
    let mut text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
    let sealed = |camera: &Camera| camera.login().map(|login| login.password.to_text());
    for proposed in &resealing.cameras {
        let before = config.cameras.iter().find(|camera| camera.id == proposed.id).and_then(sealed).unwrap_or_default();
        let after = proposed.content.as_ref().and_then(sealed).unwrap_or_default();
        ensure!(
            !before.is_empty() && text.contains(&before),
            "the sealed password of camera {} does not stand in {} as one plain text; write it as `vedette camera seal` prints it",
            proposed.id,
            file.display()
        );
        text = text.replace(&before, &after);
    }
    replace(file, &text).with_context(|| format!("writing {}; nothing in it has changed", file.display()))?;
    tell_line!(
        "{}: {} passwords replaced; take the file over where it is kept",
        file.display(),
        resealing.cameras.len()
    );
    Ok(resealing)
}

/// With the permissions that it had, and through a link to where it lies.
fn replace(file: &Path, text: &str) -> std::io::Result<()> {
    let file = file.canonicalize()?;
    let permissions = file.metadata()?.permissions();
    let mut new = tempfile::NamedTempFile::new_in(file.parent().unwrap_or(Path::new(".")))?;
    new.write_all(text.as_bytes())?;
    new.as_file().set_permissions(permissions)?;
    new.as_file().sync_all()?;
    new.persist(&file).map_err(|error| error.error)?;
    Ok(())
}
