//! The address of a client behind a proxy. Only a proxy of `console.trusted_proxies` is believed: anybody can write the headers.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;

use axum::http::{HeaderMap, HeaderName, header};
use ipnet::IpNet;

use crate::hosts::{HostPort, NotAHost};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// The address or the network of a proxy: `192.0.2.7`, `10.0.0.0/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ProxyNetwork(IpNet);

/// Why a text is no network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("it is not an IP address or a network such as 10.0.0.0/8")]
pub struct NotANetwork;

impl FromStr for ProxyNetwork {
    type Err = NotANetwork;

    fn from_str(text: &str) -> Result<Self, NotANetwork> {
        let address = || text.parse().ok().map(|address: IpAddr| IpNet::from(address.to_canonical()));
        address().or_else(|| text.parse().ok()).map(Self).ok_or(NotANetwork)
    }
}

/// Whether `address` is that of a trusted proxy.
pub(crate) fn is_trusted(address: IpAddr, proxies: &[ProxyNetwork]) -> bool {
    proxies.iter().any(|network| network.0.contains(&address.to_canonical()))
}

/// The client of a request that came from `peer`: the last address that is not a trusted proxy's. What cannot be read ends the
/// search at the proxy that wrote it. Where `X-Forwarded-For` and `Forwarded` disagree, one of them is the client's own, and
/// neither is believed.
pub(crate) fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[ProxyNetwork]) -> IpAddr {
    let peer = peer.to_canonical();
    if !is_trusted(peer, proxies) {
        return peer;
    }
    let walk = |hops: Vec<Option<IpAddr>>| {
        let mut client = peer;
        for hop in hops.into_iter().rev() {
            let Some(hop) = hop else { break };
            client = hop;
            if !is_trusted(hop, proxies) {
                break;
            }
        }
        client
    };
    let plain = list(headers, &FORWARDED_FOR).map(|hops| walk(hops.iter().map(|hop| address(hop)).collect()));
    let standard = forwarded(headers, "for").map(|hops| walk(hops.iter().map(|hop| address(hop)).collect()));
    match (plain, standard) {
        (Some(one), Some(other)) if one != other => peer,
        (one, other) => one.or(other).unwrap_or(peer),
    }
}

/// The hosts that trusted proxies say were asked for; none where the proxy of `peer` is not trusted or says nothing.
pub(crate) fn forwarded_hosts(
    peer: IpAddr,
    headers: &HeaderMap,
    proxies: &[ProxyNetwork],
) -> Result<Vec<HostPort>, NotAHost> {
    if !is_trusted(peer, proxies) {
        return Ok(Vec::new());
    }
    let plain = list(headers, &FORWARDED_HOST).unwrap_or_default();
    let standard = forwarded(headers, "host").unwrap_or_default();
    plain.iter().chain(&standard).filter(|host| !host.is_empty()).map(|host| host.parse()).collect()
}

/// The entries of a header with a list, in order; none without the header.
fn list(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<String>> {
    let lines = lines(headers, name)?;
    Some(lines.iter().flat_map(|line| line.split(',')).map(|entry| entry.trim().to_owned()).collect())
}

fn lines(headers: &HeaderMap, name: &HeaderName) -> Option<Vec<String>> {
    let text = |value: &axum::http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let lines: Vec<_> = headers.get_all(name).iter().map(text).collect();
    (!lines.is_empty()).then_some(lines)
}

/// The values of one parameter of `Forwarded` (RFC 7239), one for each hop; an empty one where a hop lacks it.
fn forwarded(headers: &HeaderMap, parameter: &str) -> Option<Vec<String>> {
    let lines = lines(headers, &header::FORWARDED)?;
    let hops = lines.iter().flat_map(|line| split_unquoted(line, ','));
    let values = hops.map(|hop| {
        let pairs = split_unquoted(&hop, ';');
        let pair = pairs.iter().filter_map(|pair| pair.split_once('='));
        let mut named = pair.filter(|(name, _)| name.trim().eq_ignore_ascii_case(parameter));
        named.next().map(|(_, value)| unquoted(value.trim())).unwrap_or_default()
    });
    Some(values.collect())
}

/// The parts of a text between separators that do not stand in quotes.
fn split_unquoted(text: &str, separator: char) -> Vec<String> {
    let mut parts = vec![String::new()];
    let (mut quoted, mut escaped) = (false, false);
    for c in text.chars() {
        if c == separator && !quoted {
            parts.push(String::new());
            continue;
        }
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
    }
    parts
}

fn unquoted(text: &str) -> String {
    let inner = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
    inner.map_or_else(|| text.to_owned(), |inner| inner.replace("\\\"", "\"").replace("\\\\", "\\"))
}

/// An address with or without a port; none of `unknown` and of obfuscated names.
fn address(text: &str) -> Option<IpAddr> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let with_port = || text.parse().ok().map(|address: SocketAddr| address.ip());
    bare.parse().ok().or_else(with_port).map(|address: IpAddr| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs.iter().map(|(name, value)| (HeaderName::from_static(name), value.parse().unwrap())).collect()
    }

    #[test]
    fn a_trusted_proxy_names_the_client_and_nobody_else_does() {
        let proxies: Vec<ProxyNetwork> = ["127.0.0.1", "10.0.0.0/8", "fd00::/8"].map(|it| it.parse().unwrap()).into();
        let of = |peer: &str, pairs: &[(&'static str, &str)]| {
            client(peer.parse().unwrap(), &headers(pairs), &proxies).to_string()
        };
        let plain = "x-forwarded-for";
        for (peer, pairs, expected) in [
            ("127.0.0.1", &[][..], "127.0.0.1"),
            ("127.0.0.1", &[(plain, "198.51.100.4")], "198.51.100.4"),
            ("::ffff:127.0.0.1", &[(plain, "198.51.100.4:4711")], "198.51.100.4"),
            ("198.51.100.9", &[(plain, "198.51.100.4")], "198.51.100.9"),
            // The client wrote the first two itself.
            ("127.0.0.1", &[(plain, "203.0.113.1, 10.9.9.9, 198.51.100.4, 10.0.0.3")], "198.51.100.4"),
            ("127.0.0.1", &[(plain, "203.0.113.1"), (plain, "198.51.100.4")], "198.51.100.4"),
            ("127.0.0.1", &[(plain, "10.0.0.4, 10.0.0.3")], "10.0.0.4"),
            ("127.0.0.1", &[(plain, "198.51.100.4, garbage")], "127.0.0.1"),
            ("127.0.0.1", &[(plain, "garbage, 10.0.0.3")], "10.0.0.3"),
            ("127.0.0.1", &[(plain, "")], "127.0.0.1"),
            ("127.0.0.1", &[("forwarded", "for=198.51.100.4")], "198.51.100.4"),
            ("fd00::1", &[("forwarded", r#"proto=https;For="[2001:db8::17]:4711", for=10.0.0.1"#)], "2001:db8::17"),
            ("127.0.0.1", &[("forwarded", r#"for="a, for=203.0.113.1", for=198.51.100.4;by=_x"#)], "198.51.100.4"),
            ("127.0.0.1", &[("forwarded", "for=unknown")], "127.0.0.1"),
            ("127.0.0.1", &[("forwarded", "for=203.0.113.1"), (plain, "198.51.100.4")], "127.0.0.1"),
            ("127.0.0.1", &[("forwarded", "for=198.51.100.4"), (plain, "198.51.100.4")], "198.51.100.4"),
        ] {
            assert_eq!(of(peer, pairs), expected, "{peer} {pairs:?}");
        }
    }

    #[test]
    fn a_trusted_proxy_says_which_host_was_asked_for() {
        let proxies = ["127.0.0.1".parse().unwrap()];
        let of = |peer: &str, pairs: &[(&'static str, &str)]| {
            let hosts = forwarded_hosts(peer.parse().unwrap(), &headers(pairs), &proxies);
            hosts.map(|hosts| hosts.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        let plain = ("x-forwarded-host", "Vedette.example, desk.example:8443");
        assert_eq!(of("127.0.0.1", &[plain]).unwrap(), ["vedette.example", "desk.example:8443"]);
        assert!(of("127.0.0.2", &[plain]).unwrap().is_empty());
        let standard = ("forwarded", r#"for=192.0.2.1;host="vedette.example:8443", for=10.0.0.1"#);
        assert_eq!(of("127.0.0.1", &[standard]).unwrap(), ["vedette.example:8443"]);
        assert!(of("127.0.0.1", &[("x-forwarded-host", "a b")]).is_err());
    }

    #[test]
    fn a_network_is_an_address_or_a_prefix() {
        for text in ["", "localhost", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/8/8", "*"] {
            assert_eq!(text.parse::<ProxyNetwork>(), Err(NotANetwork), "{text}");
        }
        assert!(is_trusted("10.1.2.3".parse().unwrap(), &["10.9.9.9/8".parse().unwrap()]));
        assert!(is_trusted("::ffff:10.1.2.3".parse().unwrap(), &["10.1.2.3".parse().unwrap()]));
    }
}
