//! Reads a file of the configuration, whatever it turns out to be.

use std::fs::File;
use std::io::Read;
use std::path::Path;

use super::{ConfigRule, Mistake};

/// More than a file with 100,000 cameras has.
const MOST_BYTES: u64 = 128 << 20;

/// The file's text, or the error that it cannot be read.
pub(super) fn read(path: &Path, mistakes: &mut Vec<Mistake>) -> Option<String> {
    let outcome = bytes_of(path).and_then(|bytes| String::from_utf8(bytes).map_err(|error| not_utf8(&error)));
    match outcome {
        Ok(text) => Some(text),
        Err(rule) => {
            mistakes.push(Mistake::new(path.display(), "the file", "", rule));
            None
        }
    }
}

fn bytes_of(path: &Path) -> Result<Vec<u8>, ConfigRule> {
    let unreadable = |error: std::io::Error| ConfigRule::Unreadable { reason: error.to_string() };
    // Asked before it is opened: opening a pipe waits for its other end.
    let found = path.metadata().map_err(unreadable)?;
    if found.is_dir() {
        return Err(unreadable(std::io::ErrorKind::IsADirectory.into()));
    }
    if !found.is_file() {
        return Err(ConfigRule::NoFile);
    }
    let mut bytes = Vec::new();
    File::open(path).and_then(|file| file.take(MOST_BYTES + 1).read_to_end(&mut bytes)).map_err(unreadable)?;
    if bytes.len() as u64 > MOST_BYTES {
        return Err(ConfigRule::TooLarge { most_mb: (MOST_BYTES >> 20) as f64 });
    }
    Ok(bytes)
}

/// Names the encoding that it seems to have.
fn not_utf8(error: &std::string::FromUtf8Error) -> ConfigRule {
    let bytes = error.as_bytes();
    let sound = error.utf8_error().valid_up_to();
    let line = 1 + bytes[..sound].iter().filter(|byte| **byte == b'\n').count();
    let looks_like = match bytes {
        [0xff, 0xfe, ..] | [0xfe, 0xff, ..] => "UTF-16",
        _ if bytes.contains(&0) => "a binary file, or UTF-16",
        _ if is_gb_18030(&bytes[sound..]) => "GB 18030 (GBK)",
        _ => "an encoding of one byte a letter",
    };
    ConfigRule::Encoding { line: line as f64, looks_like: looks_like.to_owned() }
}

/// Whether the bytes are sequences of GB 18030: of one, two or four bytes.
fn is_gb_18030(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    loop {
        rest = match rest {
            [] => return true,
            [0..=0x7f, rest @ ..] => rest,
            [0x81..=0xfe, 0x30..=0x39, 0x81..=0xfe, 0x30..=0x39, rest @ ..] => rest,
            [0x81..=0xfe, 0x40..=0x7e | 0x80..=0xfe, rest @ ..] => rest,
            _ => return false,
        };
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by it")]

    use super::*;

    fn refused(path: &Path) -> String {
        let mut mistakes = Vec::new();
        assert_eq!(read(path, &mut mistakes), None);
        mistakes.remove(0).to_string()
    }

    #[test]
    fn what_is_no_text_is_refused_without_reading_all_of_it() {
        let folder = tempfile::tempdir().unwrap();
        assert!(refused(Path::new("/dev/zero")).contains("file.not-a-file"));
        assert!(refused(folder.path()).contains("directory"));
        assert!(refused(&folder.path().join("none")).contains("No such file"));
        let pipe = folder.path().join("pipe");
        rustix::fs::mkfifoat(rustix::fs::CWD, &pipe, rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR).unwrap();
        assert!(refused(&pipe).contains("file.not-a-file"));
        let huge = folder.path().join("huge");
        File::create(&huge).unwrap().set_len(1 << 40).unwrap();
        assert!(refused(&huge).contains("128 MiB"));
    }

    #[test]
    fn another_encoding_is_named_with_the_line() {
        let file = tempfile::NamedTempFile::new().unwrap();
        for (bytes, says) in [
            (&b"a = 1\nname = \"\xc4\xcf\xcd\xb7\xce\xf7\xc3\xc5\"\n"[..], "line 2: it may be GB 18030"),
            (b"\xff\xfea\0=\0", "UTF-16"),
            (b"name = \"caf\xe9\"", "one byte a letter"),
        ] {
            std::fs::write(file.path(), bytes).unwrap();
            let refused = refused(file.path());
            assert!(refused.contains(says), "{refused}");
        }
    }
}
