use std::fmt;

use vedette_core::{CameraId, KeyId};
use zeroize::Zeroizing;

use crate::endpoint::Endpoint;

/// Most bytes of a password.
const LONGEST: usize = 512;
/// The clear text is padded to a multiple of this length, so that the length of the sealed text does not tell that of the password.
const BLOCK: usize = 64;
/// The padding; no password has it.
const PADDING: u8 = 0;

/// A password in clear. It prints as `Password(..)`, and its memory is wiped.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Zeroizing<String>);

/// Why a text cannot be the password of a camera.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PasswordError {
    /// It has no characters.
    #[error("the password is empty; give that of the camera's user")]
    Empty,
    /// It has too many.
    #[error("the password has more than {LONGEST} bytes; give that of the camera's user")]
    Long,
    /// Line breaks and the like, which no camera takes.
    #[error("the password has control characters or line breaks; give it as one line")]
    Control,
}

impl Password {
    /// Validates a password: 1 to 512 bytes without control characters.
    ///
    /// # Errors
    /// When it breaks that rule.
    pub fn new(text: Zeroizing<String>) -> Result<Self, PasswordError> {
        match text.as_str() {
            "" => Err(PasswordError::Empty),
            text if text.len() > LONGEST => Err(PasswordError::Long),
            text if text.chars().any(char::is_control) => Err(PasswordError::Control),
            _ => Ok(Self(text)),
        }
    }

    /// The text, for the one who logs in.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The clear text that is sealed: camera, endpoint and password, a line each, and padding.
    pub(crate) fn bound_to(&self, camera: &CameraId, endpoint: &Endpoint) -> Zeroizing<Vec<u8>> {
        let parts = [camera.as_str(), endpoint.as_str(), self.reveal()];
        let length = parts.iter().map(|part| part.len()).sum::<usize>() + 2;
        // With its whole capacity at once: a vector that grows leaves copies behind.
        let mut bound = Zeroizing::new(Vec::with_capacity(length.next_multiple_of(BLOCK)));
        for (index, part) in parts.into_iter().enumerate() {
            if index > 0 {
                bound.push(b'\n');
            }
            bound.extend_from_slice(part.as_bytes());
        }
        bound.resize(length.next_multiple_of(BLOCK), PADDING);
        bound
    }

    /// The password in a clear text, if it is for this camera at this endpoint.
    pub(crate) fn of_bound(
        bound: &[u8],
        camera: &CameraId,
        endpoint: &Endpoint,
        key: KeyId,
    ) -> Result<Self, OpenError> {
        let end = bound.iter().rposition(|byte| *byte != PADDING).map_or(0, |last| last + 1);
        let text = std::str::from_utf8(&bound[..end]).map_err(|_| OpenError::Damaged { key })?;
        let mut parts = text.splitn(3, '\n');
        let (Some(of), Some(at), Some(password)) = (parts.next(), parts.next(), parts.next()) else {
            return Err(OpenError::Damaged { key });
        };
        if of != camera.as_str() {
            // Whoever seals decides what stands there.
            let of = CameraId::new(of).map_err(|_| OpenError::Damaged { key })?;
            return Err(OpenError::OtherCamera { sealed_for: of });
        }
        if at != endpoint.as_str() {
            return Err(OpenError::OtherEndpoint { called: endpoint.clone() });
        }
        Self::new(Zeroizing::new(password.to_owned())).map_err(|_| OpenError::Damaged { key })
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(..)")
    }
}

/// Why a sealed password cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// No key of this machine opens it.
    #[error(
        "its password is sealed with key {key}, which this machine does not have; put that key into `ingest.key_file`, or seal the password \
         again"
    )]
    NoKey {
        /// The key.
        key: KeyId,
    },
    /// It was altered or cut.
    #[error("its password, sealed with key {key}, is damaged; seal it again")]
    Damaged {
        /// The key.
        key: KeyId,
    },
    /// It belongs to another camera.
    #[error(
        "its password is sealed for camera {sealed_for}, and a sealed password is valid for one camera only; seal it for this one"
    )]
    OtherCamera {
        /// That camera.
        sealed_for: CameraId,
    },
    /// It is for another address.
    #[error(
        "its password is sealed for another host or port than {called}, and a sealed password is sent only where it is sealed for; correct \
         the address, or seal the password for it"
    )]
    OtherEndpoint {
        /// The endpoint of the camera's address.
        called: Endpoint,
    },
}
