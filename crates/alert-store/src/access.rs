//! Accounts of people with their sessions, and tokens of machines.

mod accounts;
mod columns;
mod sessions;
mod tokens;

pub use accounts::{AccountChange, ProviderLogin};
pub(crate) use columns::HAS_ACCOUNTS;
