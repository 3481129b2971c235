use std::fmt;

use argon2::password_hash::phc::PasswordHash as Phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use vedette_core::Violation;
use zeroize::Zeroizing;

use crate::name::Name;
use crate::rules::AccessRule;

/// Fewest characters of a password.
const SHORTEST: usize = 12;
/// Most bytes; hashing a long one takes longer.
const LONGEST: usize = 256;
/// Memory in KiB, passes and lanes of a hash (OWASP, argon2id at 19 MiB).
const COST: (u32, u32, u32) = (19 * 1024, 2, 1);

/// A password that may be set: 12 characters at least, 256 bytes at most.
#[derive(Clone)]
pub struct NewPassword(Zeroizing<String>);

impl NewPassword {
    /// Validates a password for an account.
    ///
    /// # Errors
    /// The rule it breaks.
    pub fn new(text: Zeroizing<String>, account: &Name) -> Result<Self, Violation> {
        if text.chars().count() < SHORTEST {
            return Err(AccessRule::PasswordShort { least: SHORTEST }.into());
        }
        if text.len() > LONGEST {
            return Err(AccessRule::PasswordLong { most: LONGEST }.into());
        }
        if text.eq_ignore_ascii_case(account.as_str()) {
            return Err(AccessRule::PasswordName.into());
        }
        Ok(Self(text))
    }
}

impl fmt::Debug for NewPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("NewPassword(..)")
    }
}

/// The hash of a password (argon2id), as a text that names its cost and salt. It takes tens of milliseconds and 19 MiB of memory: call
/// it off the async threads.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Hashes a password with a salt of its own.
    ///
    /// # Panics
    /// Never: the cost is valid, and the system has random numbers.
    #[must_use]
    pub fn of(password: &NewPassword) -> Self {
        let hash = argon2().hash_password(password.0.as_bytes()).expect("valid cost, and a source of random numbers");
        Self(hash.to_string())
    }

    /// A stored hash.
    #[must_use]
    pub const fn stored(text: String) -> Self {
        Self(text)
    }

    /// Its text, to be stored.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a password has this hash; one that is too long has none.
    #[must_use]
    pub fn is_of(&self, password: &str) -> bool {
        // One that is too long, or a hash that is none, takes as long as any other.
        let Some(hash) = Phc::new(&self.0).ok().filter(|_| password.len() <= LONGEST) else {
            Self::pretend(password);
            return false;
        };
        argon2().verify_password(password.as_bytes(), &hash).is_ok()
    }

    /// Takes as long as [`PasswordHash::is_of`], for a name that has no account: how long an answer takes does not tell which names
    /// there are.
    pub fn pretend(password: &str) {
        let password = &password.as_bytes()[..password.len().min(LONGEST)];
        let _ = argon2().hash_password_with_salt(password, b"no such account!");
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

fn argon2() -> Argon2<'static> {
    let (memory, passes, lanes) = COST;
    let params = Params::new(memory, passes, lanes, None).expect("a valid cost");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Result<NewPassword, Violation> {
        NewPassword::new(Zeroizing::new(text.to_owned()), &Name::new("anna.of.the.east").unwrap())
    }

    #[test]
    fn what_is_too_long_or_no_hash_is_wrong() {
        let hash = PasswordHash::of(&password("correct horse battery").unwrap());
        assert!(hash.is_of("correct horse battery"));
        assert!(!hash.is_of(&"ü".repeat(LONGEST)) && !hash.is_of(""));
        assert!(!PasswordHash::stored("none".into()).is_of("correct horse battery"));
    }

    #[test]
    fn only_the_password_has_its_hash() {
        let hash = PasswordHash::of(&password("correct horse battery").unwrap());
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", hash.as_str());
        let stored = PasswordHash::stored(hash.as_str().to_owned());
        assert!(stored.is_of("correct horse battery"));
        for wrong in ["", "correct horse batterx", "Correct horse battery", &"x".repeat(300)] {
            assert!(!stored.is_of(wrong));
        }
        assert!(!PasswordHash::stored("plain".into()).is_of("plain"));
        let again = PasswordHash::of(&password("correct horse battery").unwrap());
        assert_ne!(hash, again, "each has a salt of its own");
        PasswordHash::pretend(&"ü".repeat(200));
    }

    #[test]
    fn weak_passwords_are_refused() {
        for (text, code) in [
            ("elevenchars", "access.password-short"),
            ("Anna.of.the.East", "access.password-name"),
            (&"x".repeat(257), "access.password-long"),
        ] {
            assert_eq!(password(text).unwrap_err().code, code, "{text}");
        }
        assert_eq!(format!("{:?}", password("十二个汉字作为一个口令吧").unwrap()), "NewPassword(..)");
    }
}
