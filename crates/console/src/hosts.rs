//! The names under which the console may be opened.
//!
//! A page of another site can have its name lead to this machine (DNS rebinding) and would then be of the same origin. Its requests
//! still carry the site's name in `Host`, so a name that is not known here is refused.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Most characters of a name (RFC 1035).
const LONGEST_NAME: usize = 253;

/// A host as in `Host`: an IP address, or a name in lower case without a final dot. Only the canonical notation of an address is
/// one: browsers write no other, so `127.1` and `2130706433` are refused like unknown names.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum HostName {
    Address(IpAddr),
    Name(String),
}

/// A host with its port, as in `Host` and in `console.hosts`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HostPort {
    host: HostName,
    port: Option<u16>,
}

/// Why a text is no host.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not NAME, NAME:PORT or an IP address; an IPv6 address stands in brackets")]
pub struct NotAHost;

impl FromStr for HostPort {
    type Err = NotAHost;

    fn from_str(text: &str) -> Result<Self, NotAHost> {
        let (host, port) = match text.strip_prefix('[') {
            Some(rest) => {
                let (address, port) = rest.split_once(']').ok_or(NotAHost)?;
                let address: Ipv6Addr = address.parse().map_err(|_| NotAHost)?;
                let port = if port.is_empty() { None } else { Some(port.strip_prefix(':').ok_or(NotAHost)?) };
                (HostName::Address(IpAddr::V6(address).to_canonical()), port)
            }
            None => {
                let (host, port) = text.split_once(':').map_or((text, None), |(host, port)| (host, Some(port)));
                (host_name(host)?, port)
            }
        };
        // `example:` without digits is allowed by RFC 9110 and means the default port.
        let port = port.filter(|port| !port.is_empty()).map(port_number).transpose()?;
        Ok(Self { host, port })
    }
}

fn port_number(text: &str) -> Result<u16, NotAHost> {
    let digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| digits).ok_or(NotAHost)
}

fn host_name(text: &str) -> Result<HostName, NotAHost> {
    if let Ok(address) = text.parse::<Ipv4Addr>() {
        return Ok(HostName::Address(address.into()));
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let known = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let label = |label: &str| !label.is_empty() && label.len() <= 63 && label.bytes().all(known);
    if name.len() > LONGEST_NAME || !name.split('.').all(label) {
        return Err(NotAHost);
    }
    Ok(HostName::Name(name.to_ascii_lowercase()))
}

impl HostPort {
    /// Whether it is this machine under a name that no other has.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        match &self.host {
            HostName::Address(address) => address.is_loopback(),
            // RFC 6761: these names always lead to the loopback address.
            HostName::Name(name) => name == "localhost" || name.ends_with(".localhost"),
        }
    }
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            HostName::Address(IpAddr::V6(address)) => write!(f, "[{address}]")?,
            HostName::Address(address) => address.fmt(f)?,
            HostName::Name(name) => f.write_str(name)?,
        }
        self.port.map_or(Ok(()), |port| write!(f, ":{port}"))
    }
}

/// Whether the console may be opened as `host` on a connection to `local`: by a loopback name or address, the address of the
/// connection (the one it listens on), or a name of `console.hosts`. The port does not matter: it may be forwarded.
pub(crate) fn is_allowed(host: &HostPort, local: IpAddr, configured: &[HostPort]) -> bool {
    let own = HostName::Address(local.to_canonical());
    let named = |known: &HostPort| known.host == host.host && (known.port.is_none() || known.port == host.port);
    host.is_loopback() || host.host == own || configured.iter().any(named)
}

/// Whether `origin` (the header `Origin`) is a page of this console: one opened as `host`, or under a name of `console.hosts`. The
/// scheme does not matter: TLS may end in a proxy.
pub(crate) fn is_own_origin(origin: &str, opened_as: &[HostPort], configured: &[HostPort]) -> bool {
    let (authority, default) = match origin.split_once("://") {
        Some(("https", authority)) => (authority, 443),
        Some(("http", authority)) => (authority, 80),
        _ => return false,
    };
    let Ok(origin) = authority.parse::<HostPort>() else { return false };
    let port = |it: &HostPort| it.port.unwrap_or(default);
    opened_as.iter().chain(configured).any(|own| own.host == origin.host && port(own) == port(&origin))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCAL: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7));

    fn hosts(texts: &[&str]) -> Vec<HostPort> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn loopback_the_own_address_and_configured_names_are_allowed() {
        let configured = hosts(&["Vedette.example", "desk.example:8443", "198.51.100.4"]);
        for text in [
            "localhost",
            "LOCALHOST:8080",
            "localhost.",
            "localhost.:8080",
            "page.localhost:8080",
            "localhost:",
            "127.0.0.1:8080",
            "127.9.9.9",
            "[::1]:8080",
            "[0:0::1]",
            "[::ffff:127.0.0.1]:8080",
            "192.0.2.7:8080",
            "[::ffff:192.0.2.7]",
            "vedette.example",
            "VEDETTE.example.:8080",
            "desk.example:8443",
            "198.51.100.4:1",
        ] {
            assert!(is_allowed(&text.parse().unwrap(), LOCAL, &configured), "{text}");
        }
        for text in [
            "attacker.example",
            "127.0.0.1.nip.io",
            "localhost.attacker.example",
            "notlocalhost",
            "localhost-",
            "vedette.example.attacker.example",
            "a.vedette.example",
            "desk.example",
            "desk.example:8444",
            "0.0.0.0:8080",
            "[::]:8080",
            "[::ffff:192.0.2.8]",
            "192.0.2.8",
            "2130706433",
            "0x7f000001",
            "0177.0.0.1",
            "127.1",
        ] {
            assert!(!is_allowed(&text.parse().unwrap(), LOCAL, &configured), "{text}");
        }
    }

    #[test]
    fn what_is_no_host_is_none() {
        for text in [
            "",
            ".",
            "..",
            "localhost..",
            ".localhost",
            "127.0.0.1..",
            "a..b",
            "user@localhost",
            "user:secret@localhost",
            "localhost:port",
            "localhost:+80",
            "localhost:99999",
            "localhost:80:80",
            "localhost/",
            "http://localhost",
            "local host",
            "127.0.0.1\u{0}",
            "::1",
            "[::1",
            "[::1]8080",
            "[fe80::1%eth0]",
            "[127.0.0.1]",
            "%6cocalhost",
            "löcalhost",
            "localhost,attacker.example",
        ] {
            assert_eq!(text.parse::<HostPort>(), Err(NotAHost), "{text:?}");
        }
        assert_eq!("a".repeat(300).parse::<HostPort>(), Err(NotAHost));
    }

    #[test]
    fn an_origin_is_compared_with_its_port() {
        let opened = hosts(&["vedette.example"]);
        let configured = hosts(&["desk.example:8443"]);
        for origin in ["http://vedette.example", "https://vedette.example", "https://desk.example:8443"] {
            assert!(is_own_origin(origin, &opened, &configured), "{origin}");
        }
        for origin in [
            "null",
            "",
            "https://vedette.example:8443",
            "https://desk.example",
            "https://attacker.example",
            "ftp://vedette.example",
            "vedette.example",
            "https://vedette.example.attacker.example",
            "https://attacker.example@vedette.example",
        ] {
            assert!(!is_own_origin(origin, &opened, &configured), "{origin}");
        }
        assert!(is_own_origin("http://127.0.0.1:8080", &hosts(&["127.0.0.1:8080"]), &[]));
        assert!(!is_own_origin("http://localhost:3000", &hosts(&["localhost:8080"]), &[]));
        assert!(is_own_origin("https://vedette.example", &hosts(&["vedette.example:443"]), &[]));
    }
}
