//! Whether other users of the machine can read the data: encoded video, pictures and alerts.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use vedette_stages::StoreSetting;
use vedette_topics::BusKind;

use super::{Ask, Finding, Level, PreflightRule};
use crate::roles::Role;

/// What this version creates is the owner's only; directories and files of others, or of earlier versions, may be open.
pub(super) fn look(ask: &Ask<'_>) -> Vec<Finding> {
    let settings = &ask.reading.config.settings;
    let bus = (settings.bus.kind == BusKind::Embedded).then_some(("bus.directory", settings.bus.directory.as_path()));
    let store = match &settings.console.store {
        StoreSetting::File(path) if ask.has(Role::Console) => Some(("console.store", path.as_path())),
        _ => None,
    };
    let places = bus.into_iter().chain(store).filter(|(setting, _)| ask.reading.is_sound(setting));
    places
        .filter_map(|(setting, path)| {
            let mode = open_mode(path)?;
            let path = path.display().to_string();
            Some(ask.settings(Level::Warning, setting, &path, PreflightRule::OpenToOthers { mode, path: path.clone() }))
        })
        .collect()
}

/// The permissions, in octal, when group or others have any.
pub(super) fn open_mode(path: &Path) -> Option<String> {
    let mode = path.metadata().ok()?.mode() & 0o777;
    (mode & 0o077 != 0).then(|| format!("{mode:o}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn permissions_of_group_and_others_are_told() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (mode, expected) in [(0o600, None), (0o700, None), (0o640, Some("640")), (0o604, Some("604"))] {
            file.as_file().set_permissions(std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(open_mode(file.path()).as_deref(), expected);
        }
        assert_eq!(open_mode(Path::new("/nowhere/at/all")), None);
    }
}
