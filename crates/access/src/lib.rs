//! Access: accounts with roles in areas, sessions and tokens as secrets, delays against guessing, and the hash chain of the audit log.
//!
//! *In:* names, passwords, secrets, times. *Out:* callers with the areas in which they have a permission, hashes, audit rows.
//! *Must not know:* HTTP, the database, settings, clocks.
//!
//! A [`Caller`] sends requests. It has grants: roles, each within areas. A route needs a [`Permission`]; [`Caller::areas`]
//! says where the caller has it, and every query takes these areas as a condition.

mod account;
mod area;
mod audit;
mod caller;
mod chain;
mod chain_hash;
mod guesses;
mod name;
mod password;
mod permission;
mod role;
mod rules;
mod secret;

pub use account::{Account, Login, Session, Token};
pub use area::{Area, Areas};
pub use audit::{AuditEntry, AuditRow, Outcome};
pub use caller::{Caller, Via, Who};
pub use chain::{Broken, ChainCheck, ChainHead};
pub use chain_hash::ChainHash;
pub use guesses::{Guesses, Waits};
pub use name::Name;
pub use password::{NewPassword, PasswordHash};
pub use permission::Permission;
pub use role::{Grant, Grants, Role};
/// The rules of accounts and grants, each with its code and texts.
#[must_use]
pub const fn violations() -> &'static [vedette_core::ViolationInfo] {
    rules::AccessRule::ALL
}
pub use secret::{Secret, SecretHash, SecretKind};
