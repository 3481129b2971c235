//! Passwords of cameras, sealed for the site: whoever has the public key can seal one, only the holder of the secret key can open it.
//!
//! *In:* a password, the camera and the endpoint that it is for, a key. *Out:* the sealed text (`core::SealedPassword`), and back.
//! *Must not know:* the bus, HTTP, settings, which process has which key.
//!
//! Sealing is HPKE (RFC 9180) in base mode with X25519, HKDF-SHA256 and ChaCha20-Poly1305. Camera and endpoint are sealed with the
//! password and compared when it is opened: moved to another camera or address, it is refused, and by which rule can be told.

mod endpoint;
mod key;
mod key_file;
mod password;

pub use endpoint::Endpoint;
pub use key::{PublicKey, SecretKey};
pub use key_file::{KeyFileError, KeyRing, public_path};
pub use password::{OpenError, Password, PasswordError};
