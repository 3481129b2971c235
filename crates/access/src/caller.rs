use std::fmt;

use crate::area::Areas;
use crate::name::{LOCAL, Name};
use crate::permission::Permission;
use crate::role::Grants;
use crate::secret::SecretHash;

/// Whoever sends a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// A program of this machine, while there are no accounts.
    Local,
    /// A person with an account.
    Account(Name),
    /// A machine with a token.
    Token(Name),
}

/// How a caller is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Via {
    /// By its address: it is on this machine.
    Address,
    /// By a session.
    Session(SecretHash),
    /// By a token.
    Token(SecretHash),
}

/// A caller with its grants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who it is.
    pub who: Who,
    /// How it is known.
    pub via: Via,
    /// Its permissions.
    pub grants: Grants,
}

impl Caller {
    /// The caller while there are no accounts: an administrator on this machine.
    #[must_use]
    pub fn local() -> Self {
        Self { who: Who::Local, via: Via::Address, grants: Grants::administrator() }
    }

    /// Where it has a permission; none without it.
    #[must_use]
    pub fn areas(&self, permission: Permission) -> Option<Areas> {
        self.grants.areas(permission)
    }
}

/// `local`, the name of an account, or `token:` and the name of a token.
impl fmt::Display for Who {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local => f.write_str(LOCAL),
            Self::Account(name) => write!(f, "{name}"),
            Self::Token(name) => write!(f, "token:{name}"),
        }
    }
}
