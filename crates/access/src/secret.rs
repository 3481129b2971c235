use std::fmt;
use std::str::FromStr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

const BYTES: usize = 32;

/// The use of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SecretKind {
    /// A session: the value of the cookie.
    Session,
    /// A token of a machine: `Authorization: Bearer ...`.
    Token,
}

impl SecretKind {
    /// The beginning of its text, by which scanners of repositories and logs find it.
    const fn prefix(self) -> &'static str {
        match self {
            Self::Session => "vds_",
            Self::Token => "vdt_",
        }
    }
}

/// 256 random bits that name a session or a token to the one who has them. Only the hash is stored.
#[derive(Clone)]
pub struct Secret(Zeroizing<String>);

/// The SHA-256 of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct SecretHash([u8; 32]);

impl Secret {
    /// A new secret.
    ///
    /// # Panics
    /// When the system has no random numbers.
    #[must_use]
    pub fn random(kind: SecretKind) -> Self {
        let mut bytes = Zeroizing::new([0; BYTES]);
        getrandom::fill(&mut *bytes).expect("the system has random numbers");
        Self(Zeroizing::new(format!("{}{}", kind.prefix(), URL_SAFE_NO_PAD.encode(*bytes))))
    }

    /// A secret from outside; none if its form is wrong.
    #[must_use]
    pub fn read(kind: SecretKind, text: &str) -> Option<Self> {
        let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text.strip_prefix(kind.prefix())?).ok()?);
        (bytes.len() == BYTES).then(|| Self(Zeroizing::new(text.to_owned())))
    }

    /// Its text, for the one it is made for.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Its hash.
    #[must_use]
    pub fn hash(&self) -> SecretHash {
        SecretHash(Sha256::digest(self.0.as_bytes()).into())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(..)")
    }
}

impl SecretHash {
    /// The public id of the session or token: the beginning of its hash, 16 hexadecimal digits.
    #[must_use]
    pub fn id(&self) -> String {
        self.to_string()[..16].to_owned()
    }
}

/// 64 hexadecimal digits.
impl fmt::Display for SecretHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl FromStr for SecretHash {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        crate::chain_hash::hex(text).map(Self).ok_or("not 64 hexadecimal digits")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_reads_back_as_its_own_kind_only() {
        let token = Secret::random(SecretKind::Token);
        let read = Secret::read(SecretKind::Token, token.reveal()).unwrap();
        assert_eq!(read.hash(), token.hash());
        assert_eq!(token.hash().to_string().parse(), Ok(token.hash()));
        assert!(Secret::read(SecretKind::Session, token.reveal()).is_none());
        assert_ne!(Secret::random(SecretKind::Token).hash(), token.hash());
        for bad in ["", "vdt_", "vdt_AAAA", &format!("{}A", token.reveal()), &token.reveal()[4..]] {
            assert!(Secret::read(SecretKind::Token, bad).is_none(), "{bad}");
        }
        assert_eq!(format!("{token:?}"), "Secret(..)");
    }
}
