//! Whether a directory could be written to, or created, without trying.

use std::path::Path;

use rustix::fs::{Access, access};

/// Why `directory` is not writable; none when it is, or could be created.
pub(super) fn refusal(directory: &Path) -> Option<String> {
    let there = directory.ancestors().find(|path| path.symlink_metadata().is_ok() || path.as_os_str().is_empty())?;
    let there = if there.as_os_str().is_empty() { Path::new(".") } else { there };
    if !there.is_dir() {
        return Some(format!("{} is not a directory", there.display()));
    }
    let error = access(there, Access::WRITE_OK | Access::EXEC_OK).err()?;
    Some(format!("nothing can be written into {}: {error}", there.display()))
}

/// Why the file cannot be written; none when it could, or could be created.
pub(super) fn file_refusal(file: &Path) -> Option<String> {
    if file.is_dir() {
        return Some(format!("{} is a directory", file.display()));
    }
    if file.exists()
        && let Err(error) = access(file, Access::READ_OK | Access::WRITE_OK)
    {
        return Some(format!("{} cannot be written: {error}", file.display()));
    }
    file.parent().and_then(refusal)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by it")]

    use super::*;

    #[test]
    fn a_directory_that_could_be_made_is_fine_and_is_not_made() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("data/bus");
        assert_eq!(refusal(&deep), None);
        assert!(!folder.path().join("data").exists());
        std::fs::write(folder.path().join("data"), "").unwrap();
        assert!(refusal(&deep).unwrap().contains("data is not a directory"));
        assert!(file_refusal(folder.path()).unwrap().contains("is a directory"));
        assert!(refusal(Path::new("/proc/self")).unwrap().contains("nothing can be written"));
    }
}
