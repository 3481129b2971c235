//! Logging in by OpenID Connect: a relying party for one provider.
//!
//! *In:* settings, what browsers and the provider answer, times. *Out:* the address that a browser is sent to, who has logged in with
//! which grants, whose sessions the provider ends. *Must not know:* routes, cookies, sessions, the store, clocks.
//!
//! [`Provider`] is the one entry. A login takes two steps: [`Provider::begin`] gives the address and a key that only this browser gets,
//! [`Provider::finish`] takes the key and the provider's answer. Code flow with PKCE, `state` and `nonce`; asymmetric signatures only.

mod claims;
mod directory;
mod error;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz_targets;
mod http;
mod id_token;
mod jws;
mod keys;
mod logout_token;
mod pending;
mod provider;
mod replays;
mod return_to;
mod settings;

pub use claims::ClaimPath;
pub use error::SignOnError;
pub use logout_token::Ended;
pub use provider::{Answer, Begun, Login, Provider};
pub use return_to::ReturnTo;
pub use settings::{Settings, SettingsError, is_secure};
