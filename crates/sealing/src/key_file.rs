use std::fmt::Write as _;
use std::fs::Permissions;
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use vedette_core::{CameraId, KeyId, SealedLogin, SealedPassword};
use zeroize::Zeroizing;

use crate::endpoint::Endpoint;
use crate::key::{PublicKey, SecretKey};
use crate::password::{OpenError, Password};

/// The beginning of a line with a key.
const SECRET: &str = "vedette-secret-key:";
const PUBLIC: &str = "vedette-public-key:";
/// Most bytes of a key file that are read.
const LARGEST: u64 = 65_536;

/// Why a file with keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    /// The system refuses.
    #[error("the key file `{}` cannot be read or written; `vedette key new --out FILE` makes one, which its owner alone may read", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The error of the system.
        source: io::Error,
    },
    /// A key lies there, and is not overwritten.
    #[error("`{}` exists, and a key is never overwritten; use the key that is there, or give another name with --out FILE", .path.display())]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// It has something else in it. Nothing of it is repeated.
    #[error("`{}` is not a file with {kind}; `vedette key new --out FILE` makes both files", .path.display())]
    Format {
        /// The file.
        path: PathBuf,
        /// The expected content.
        kind: &'static str,
    },
}

impl KeyFileError {
    fn io(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| match source.kind() {
            io::ErrorKind::AlreadyExists => Self::Exists { path: path.to_owned() },
            _ => Self::Io { path: path.to_owned(), source },
        }
    }
}

/// The file with the public key that belongs to the secret keys of a file.
#[must_use]
pub fn public_path(secret: &Path) -> PathBuf {
    let mut name = secret.as_os_str().to_owned();
    name.push(".pub");
    name.into()
}

impl PublicKey {
    /// The key in a file.
    ///
    /// # Errors
    /// When there is none.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let text = read(path)?;
        let format = || KeyFileError::Format { path: path.to_owned(), kind: "one public key" };
        let mut keys = keys(&text, PUBLIC).ok_or_else(format)?.into_iter();
        match (keys.next(), keys.next()) {
            (Some(key), None) => Self::decode(key).ok_or_else(format),
            _ => Err(format()),
        }
    }

    /// Writes it to a file, in place of what is there.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn write(&self, path: &Path) -> Result<(), KeyFileError> {
        let text = format!(
            "# Public key {}: it seals passwords of cameras, and opens none. It is no secret.\n{PUBLIC}{}\n",
            self.id(),
            self.encode()
        );
        replace(path, text.as_bytes(), 0o644).map_err(KeyFileError::io(path))
    }
}

/// The secret keys of a machine, newest first: while a site changes its key, it has the one before as well.
#[derive(Debug, Clone)]
pub struct KeyRing(Vec<SecretKey>);

impl KeyRing {
    /// Makes a key in a new file, which its owner alone may read, and its public key beside it.
    ///
    /// # Errors
    /// When one of the files exists, or the system refuses.
    pub fn create(path: &Path) -> Result<Self, KeyFileError> {
        let ring = Self(vec![SecretKey::generate()]);
        let public = public_path(path);
        if public.exists() {
            return Err(KeyFileError::io(&public)(io::ErrorKind::AlreadyExists.into()));
        }
        let written = || -> io::Result<()> {
            let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?;
            file.write_all(ring.to_text().as_bytes())?;
            file.sync_all()
        };
        written().map_err(KeyFileError::io(path))?;
        ring.newest().public().write(&public)?;
        Ok(ring)
    }

    /// The keys in a file.
    ///
    /// # Errors
    /// When there are none.
    pub fn read(path: &Path) -> Result<Self, KeyFileError> {
        let text = read(path)?;
        let format = || KeyFileError::Format { path: path.to_owned(), kind: "secret keys" };
        let keys: Option<Vec<SecretKey>> =
            keys(&text, SECRET).ok_or_else(format)?.into_iter().map(SecretKey::decode).collect();
        keys.filter(|keys| !keys.is_empty()).map(Self).ok_or_else(format)
    }

    /// The same file with a new key in front of the others. The file is replaced as a whole; the public key beside it is not changed.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn with_new_key(self, path: &Path) -> Result<Self, KeyFileError> {
        let ring = Self([SecretKey::generate()].into_iter().chain(self.0).collect());
        replace(path, ring.to_text().as_bytes(), 0o600).map_err(KeyFileError::io(path))?;
        Ok(ring)
    }

    /// The key with which passwords are sealed now.
    #[must_use]
    pub fn newest(&self) -> &SecretKey {
        self.0.first().expect("a ring has a key")
    }

    /// Whether the key of this id is in it.
    #[must_use]
    pub fn has(&self, key: KeyId) -> bool {
        self.0.iter().any(|own| own.public().id() == key)
    }

    /// The ids of the others.
    pub fn older(&self) -> impl Iterator<Item = KeyId> {
        self.0.iter().skip(1).map(|key| key.public().id())
    }

    /// Opens the password of a camera that is called at an endpoint.
    ///
    /// # Errors
    /// When it cannot be opened, or is not for this camera at this endpoint.
    pub fn open(&self, sealed: &SealedPassword, camera: &CameraId, endpoint: &Endpoint) -> Result<Password, OpenError> {
        let key = sealed.key();
        let own = self.0.iter().find(|own| own.public().id() == key).ok_or(OpenError::NoKey { key })?;
        own.open(sealed, camera, endpoint)
    }

    /// The login sealed with the newest key; none when it is already.
    ///
    /// # Errors
    /// When its password cannot be opened.
    pub fn reseal(
        &self,
        login: &SealedLogin,
        camera: &CameraId,
        endpoint: &Endpoint,
    ) -> Option<Result<SealedLogin, OpenError>> {
        let (key, newest) = (login.password.key(), self.newest().public());
        if key == newest.id() {
            return None;
        }
        let sealed = self.open(&login.password, camera, endpoint).and_then(|password| {
            let password = newest.seal(camera, endpoint, &password).map_err(|_| OpenError::Damaged { key })?;
            Ok(SealedLogin { user: login.user.clone(), password })
        });
        Some(sealed)
    }

    fn to_text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(512 * self.0.len()));
        for key in &self.0 {
            let id = key.public().id();
            let _ = writeln!(
                text,
                "# Secret key {id}: whoever has it can open the passwords of cameras that are sealed with it; without it they are \
                 lost. Keep a copy where only you have access.\n{SECRET}{}",
                *key.encode()
            );
        }
        text
    }
}

/// The texts of the keys in a file; none when there is anything else. Empty lines and comments are left out.
fn keys<'a>(text: &'a str, kind: &str) -> Option<Vec<&'a str>> {
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| line.strip_prefix(kind)).collect()
}

fn read(path: &Path) -> Result<Zeroizing<String>, KeyFileError> {
    let text = || -> io::Result<Zeroizing<String>> {
        // Before it is opened: a pipe would wait for a writer.
        if !std::fs::metadata(path)?.is_file() {
            return Err(io::ErrorKind::InvalidInput.into());
        }
        let file = std::fs::File::open(path)?;
        let mut text = Zeroizing::new(String::with_capacity(4_096));
        file.take(LARGEST).read_to_string(&mut text)?;
        Ok(text)
    };
    text().map_err(KeyFileError::io(path))
}

/// Replaces a file as a whole: a crash leaves the old one or the new one.
fn replace(path: &Path, text: &[u8], mode: u32) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(mode)).tempfile_in(folder)?;
    file.write_all(text)?;
    // Whatever the umask.
    file.as_file().set_permissions(Permissions::from_mode(mode))?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_written_once_and_read_again_and_an_older_key_still_opens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.key");
        let made = KeyRing::create(&path).unwrap();
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(&public_path(&path))), (0o600, 0o644));
        let public = PublicKey::read(&public_path(&path)).unwrap();
        assert_eq!(&public, made.newest().public());
        let before = std::fs::read(&path).unwrap();
        assert!(
            matches!(KeyRing::create(&path), Err(KeyFileError::Exists { path: kept }) if kept == public_path(&path))
        );
        std::fs::rename(public_path(&path), folder.path().join("away")).unwrap();
        assert!(matches!(KeyRing::create(&path), Err(KeyFileError::Exists { path: kept }) if kept == path));
        assert_eq!(std::fs::read(&path).unwrap(), before);

        let (camera, endpoint) = ("gate".parse().unwrap(), Endpoint::of("rtsp://h/live").unwrap());
        let password = Password::new(Zeroizing::new("geheim".to_owned())).unwrap();
        let sealed = public.seal(&camera, &endpoint, &password).unwrap();
        let ring = KeyRing::read(&path).unwrap().with_new_key(&path).unwrap();
        assert_eq!((mode(&path), ring.older().collect::<Vec<_>>()), (0o600, vec![public.id()]));
        let ring = KeyRing::read(&path).unwrap();
        assert_ne!(ring.newest().public().id(), public.id());
        assert_eq!(ring.open(&sealed, &camera, &endpoint), Ok(password));
        let foreign = SecretKey::generate().public().clone();
        let lost = foreign.seal(&camera, &endpoint, &Password::new(Zeroizing::new("x".to_owned())).unwrap()).unwrap();
        assert_eq!(ring.open(&lost, &camera, &endpoint), Err(OpenError::NoKey { key: foreign.id() }));
        assert!(!format!("{ring:?}").contains(&*ring.newest().encode()));
    }

    #[test]
    fn other_files_are_refused_and_not_repeated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("site.key");
        KeyRing::create(&path).unwrap();
        let own = std::fs::read_to_string(&path).unwrap();
        for text in ["", "# nothing", "GEHEIM", "vedette-secret-key:GEHEIM", &format!("{own}GEHEIM")] {
            std::fs::write(&path, text).unwrap();
            for error in [KeyRing::read(&path).unwrap_err(), PublicKey::read(&path).unwrap_err()] {
                assert!(!format!("{error:?} {error}").contains("GEHEIM"), "{error}");
            }
        }
        std::fs::write(&path, own).unwrap();
        assert!(PublicKey::read(&path).is_err() && KeyRing::read(&public_path(&path)).is_err());
        assert!(KeyRing::read(folder.path()).is_err());
        let pipe = folder.path().join("pipe");
        assert!(std::process::Command::new("mkfifo").arg(&pipe).status().unwrap().success());
        assert!(matches!(KeyRing::read(&pipe), Err(KeyFileError::Io { .. })));
    }
}
