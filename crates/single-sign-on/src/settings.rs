use std::collections::BTreeMap;
use std::net::IpAddr;

use url::{Host, Url};
use vedette_access::Grants;
use zeroize::Zeroizing;

use crate::claims::ClaimPath;

/// Settings of the relying party.
#[derive(Clone)]
pub struct Settings {
    /// The provider's issuer identifier, exactly as it stands in its tokens: with or without a final slash.
    pub issuer: String,
    /// The client's id at the provider.
    pub client: String,
    /// The client's secret there.
    pub secret: Zeroizing<String>,
    /// Scopes besides `openid`.
    pub scopes: Vec<String>,
    /// The claim with the name of the account.
    pub name: ClaimPath,
    /// The claim with the groups.
    pub groups: ClaimPath,
    /// The grants of each group.
    pub grants: BTreeMap<String, Grants>,
    /// Certificates of authorities that are trusted besides those of the system, PEM.
    pub authorities: Option<Vec<u8>>,
    /// The address that the provider sends browsers to with its answer.
    pub answer_at: Url,
    /// The address that it sends them to after a logout.
    pub after_logout: Url,
    /// The provider's name for people.
    pub label: String,
}

/// The secret is left out.
impl std::fmt::Debug for Settings {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Settings").field("issuer", &self.issuer).field("client", &self.client).finish_non_exhaustive()
    }
}

/// Why settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The issuer is no address, or one without TLS.
    #[error("the issuer `{0}` is no https address; http is for a provider on this machine only")]
    Issuer(String),
    /// The certificates cannot be read.
    #[error("the certificates of the authorities cannot be used: {0}")]
    Authorities(String),
    /// The system does not let it make connections.
    #[error("no connections can be made: {0}")]
    Client(String),
}

/// Whether an address is one of TLS, or of this machine.
#[must_use]
pub fn is_secure(url: &Url) -> bool {
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(Host::Ipv4(address)) => IpAddr::V4(address).is_loopback(),
        Some(Host::Ipv6(address)) => IpAddr::V6(address).to_canonical().is_loopback(),
        None => return false,
    };
    url.scheme() == "https" || url.scheme() == "http" && is_loopback
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_tls_only_this_machine_is_asked() {
        for (text, secure) in [
            ("https://id.example/realms/a", true),
            ("http://127.0.0.1:8080/", true),
            ("http://[::1]:8080/", true),
            ("http://localhost", true),
            ("http://id.example", false),
            ("http://localhost.example", false),
            ("ftp://localhost", false),
            ("http://10.0.0.1", false),
        ] {
            assert_eq!(is_secure(&text.parse().unwrap()), secure, "{text}");
        }
    }
}
