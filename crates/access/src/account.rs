use vedette_core::Timestamp;

use crate::name::Name;
use crate::password::PasswordHash;
use crate::role::Grants;
use crate::secret::SecretHash;

/// How a person logs in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Login {
    /// By a password that is stored here.
    Password(PasswordHash),
    /// By an `OpenID` Connect provider.
    Provider {
        /// The provider's issuer identifier.
        issuer: String,
        /// The person's identifier there.
        subject: String,
    },
}

/// An account of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: Name,
    /// How the person logs in.
    pub login: Login,
    /// Its grants; those of a provider's account are as of the last login.
    pub grants: Grants,
    /// Whether it may log in.
    pub enabled: bool,
    /// When it was made.
    pub made: Timestamp,
    /// When grants, password or `enabled` last changed: sessions that began before end with a change of password.
    pub changed: Timestamp,
}

/// A session of a person. The secret itself is known to the browser only.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// The hash of its secret.
    pub hash: SecretHash,
    /// The account.
    pub account: Name,
    /// When it began.
    pub began: Timestamp,
    /// When it was last used, to the minute.
    pub used: Timestamp,
    /// When it ends, however much it is used.
    pub ends: Timestamp,
    /// The network address from which it began.
    pub peer: String,
    /// The provider's session id, by which the provider ends it.
    pub provider_session: Option<String>,
    /// The provider's proof of the login, for a logout at the provider.
    pub id_token: Option<String>,
}

/// A token of a machine. The secret itself is shown once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Its name.
    pub name: Name,
    /// The hash of its secret.
    pub hash: SecretHash,
    /// Its grants.
    pub grants: Grants,
    /// Who made it.
    pub maker: String,
    /// When it was made.
    pub made: Timestamp,
    /// When it expires.
    pub expires: Timestamp,
    /// When it was last used, to the minute.
    pub used: Option<Timestamp>,
}
