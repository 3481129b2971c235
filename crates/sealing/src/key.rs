use std::fmt;

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD as BASE64;
use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable, Kem, OpModeR, OpModeS, Serializable, single_shot_open, single_shot_seal};
use sha2::{Digest, Sha256};
use vedette_core::{CameraId, KeyId, SealedPassword, SealedTextError};
use zeroize::Zeroizing;

use crate::endpoint::Endpoint;
use crate::password::{OpenError, Password};

type Suite = X25519HkdfSha256;

/// Separates these texts from anything else that is sealed with such keys.
const PURPOSE: &[u8] = b"vedette camera password v1";
/// Bytes of the encapsulated key, in front of what is encrypted.
const ENCAPSULATED: usize = 32;

/// The key that seals. It is no secret.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    id: KeyId,
    key: <Suite as Kem>::PublicKey,
}

/// The key that opens. It prints as its id, and its memory is wiped.
#[derive(Clone)]
pub struct SecretKey {
    public: PublicKey,
    key: <Suite as Kem>::PrivateKey,
}

impl PublicKey {
    fn new(key: <Suite as Kem>::PublicKey) -> Self {
        let hash = Sha256::digest(key.to_bytes());
        let mut id = [0; 6];
        id.copy_from_slice(&hash[..6]);
        Self { id: KeyId::from_bytes(id), key }
    }

    /// Its id.
    #[must_use]
    pub const fn id(&self) -> KeyId {
        self.id
    }

    /// Seals a password for a camera at an endpoint. The same password gives another text each time.
    ///
    /// # Errors
    /// When the key or the sealed text is out of its bounds, as after a fault of the memory.
    pub fn seal(
        &self,
        camera: &CameraId,
        endpoint: &Endpoint,
        password: &Password,
    ) -> Result<SealedPassword, SealedTextError> {
        let bound = password.bound_to(camera, endpoint);
        let sealed = single_shot_seal::<ChaCha20Poly1305, HkdfSha256, Suite>(
            &OpModeS::Base,
            &self.key,
            PURPOSE,
            &bound,
            self.id.to_string().as_bytes(),
        );
        let (encapsulated, encrypted) = sealed.map_err(|_| SealedTextError::Format)?;
        let sealed = [encapsulated.to_bytes().as_slice(), &encrypted].concat();
        SealedPassword::new(self.id, BASE64.encode(sealed))
    }

    pub(crate) fn encode(&self) -> String {
        BASE64.encode(self.key.to_bytes())
    }

    pub(crate) fn decode(text: &str) -> Option<Self> {
        let key = <Suite as Kem>::PublicKey::from_bytes(&BASE64.decode(text).ok()?).ok()?;
        Some(Self::new(key))
    }
}

impl SecretKey {
    /// A new key.
    #[must_use]
    pub fn generate() -> Self {
        let (key, public) = Suite::gen_keypair();
        Self { public: PublicKey::new(public), key }
    }

    /// The key that seals for this one.
    #[must_use]
    pub const fn public(&self) -> &PublicKey {
        &self.public
    }

    pub(crate) fn open(
        &self,
        sealed: &SealedPassword,
        camera: &CameraId,
        endpoint: &Endpoint,
    ) -> Result<Password, OpenError> {
        let key = sealed.key();
        let damaged = OpenError::Damaged { key };
        let Ok(bytes) = BASE64.decode(sealed.sealed()) else { return Err(damaged) };
        let Some((encapsulated, encrypted)) = bytes.split_at_checked(ENCAPSULATED) else { return Err(damaged) };
        let Ok(encapsulated) = <Suite as Kem>::EncappedKey::from_bytes(encapsulated) else { return Err(damaged) };
        let opened = single_shot_open::<ChaCha20Poly1305, HkdfSha256, Suite>(
            &OpModeR::Base,
            &self.key,
            &encapsulated,
            PURPOSE,
            encrypted,
            key.to_string().as_bytes(),
        );
        match opened.map(Zeroizing::new) {
            Ok(bound) => Password::of_bound(&bound, camera, endpoint, key),
            Err(_) => Err(damaged),
        }
    }

    pub(crate) fn encode(&self) -> Zeroizing<String> {
        Zeroizing::new(BASE64.encode(self.key.to_bytes()))
    }

    pub(crate) fn decode(text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(BASE64.decode(text).ok()?);
        let key = <Suite as Kem>::PrivateKey::from_bytes(&bytes).ok()?;
        Some(Self { public: PublicKey::new(Suite::sk_to_pk(&key)), key })
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.id)
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey({})", self.public.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::new(Zeroizing::new(text.to_owned())).unwrap()
    }

    fn gate() -> (CameraId, Endpoint) {
        ("gate".parse().unwrap(), Endpoint::of("rtsp://192.0.2.10/live").unwrap())
    }

    #[test]
    fn a_password_opens_for_its_camera_and_endpoint_only_and_with_its_key_only() {
        let (key, (camera, endpoint)) = (SecretKey::generate(), gate());
        let sealed = key.public().seal(&camera, &endpoint, &password("g:h\u{e4}!")).unwrap();
        assert_eq!(sealed.key(), key.public().id());
        assert_eq!(key.open(&sealed, &camera, &endpoint).unwrap().reveal(), "g:h\u{e4}!");
        let again = key.public().seal(&camera, &endpoint, &password("g:h\u{e4}!")).unwrap();
        assert_ne!(again, sealed);
        let yard = "yard".parse().unwrap();
        assert_eq!(key.open(&sealed, &yard, &endpoint), Err(OpenError::OtherCamera { sealed_for: camera.clone() }));
        for address in ["rtsp://192.0.2.66/live", "rtsp://192.0.2.10:8554/live"] {
            let called = Endpoint::of(address).unwrap();
            assert_eq!(key.open(&sealed, &camera, &called), Err(OpenError::OtherEndpoint { called: called.clone() }));
        }
        // Under the id of a key that did not seal it.
        let other = SecretKey::generate();
        let named = SealedPassword::new(other.public().id(), sealed.sealed().to_owned()).unwrap();
        assert_eq!(other.open(&named, &camera, &endpoint), Err(OpenError::Damaged { key: other.public().id() }));
    }

    #[test]
    fn the_length_of_the_sealed_text_does_not_tell_that_of_the_password() {
        let (key, (camera, endpoint)) = (SecretKey::generate(), gate());
        let length = |text: &str| key.public().seal(&camera, &endpoint, &password(text)).unwrap().sealed().len();
        assert_eq!(length("a"), length("a password of usual length"));
        let longest = "x".repeat(512);
        let sealed = key.public().seal(&camera, &endpoint, &password(&longest)).unwrap();
        assert_eq!(key.open(&sealed, &camera, &endpoint).unwrap().reveal(), longest);
    }

    proptest::proptest! {
        #[test]
        fn a_damaged_text_is_refused(at in 0_usize..200, with in "[A-Za-z0-9_-]{0,3}") {
            let (key, (camera, endpoint)) = (SecretKey::generate(), gate());
            let sealed = key.public().seal(&camera, &endpoint, &password("geheim")).unwrap();
            let at = at % sealed.sealed().len();
            let text = format!("{}{with}{}", &sealed.sealed()[..at], &sealed.sealed()[at + 1..]);
            let changed = SealedPassword::new(sealed.key(), text).unwrap();
            proptest::prop_assume!(changed != sealed);
            let opened = key.open(&changed, &camera, &endpoint);
            proptest::prop_assert_eq!(opened, Err(OpenError::Damaged { key: sealed.key() }));
        }
    }
}
