//! `Transport` and `Session` headers (RFC 2326, 12.37 and 12.39); pure.

use std::net::IpAddr;
use std::time::Duration;

/// The time after which a camera that names none ends a session that nobody keeps alive.
const SESSION_TIMEOUT: Duration = Duration::from_secs(60);
/// Most characters of a session's id.
const MAX_SESSION: usize = 512;

/// What a camera says about the transport.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Agreed {
    /// Channels of RTP and RTCP.
    pub(crate) channels: Option<(u8, u8)>,
    /// Its port for RTCP.
    pub(crate) rtcp_port: Option<u16>,
    /// The address that it sends from.
    pub(crate) source: Option<IpAddr>,
    /// It names UDP only.
    pub(crate) is_udp: bool,
}

/// Reads the first transport of a header.
pub(crate) fn agreed(header: &str) -> Agreed {
    let first = header.split(',').next().unwrap_or_default();
    let mut agreed = Agreed::default();
    let mut is_tcp = false;
    for (index, part) in first.split(';').map(str::trim).enumerate() {
        let (name, value) = part.split_once('=').map_or((part, ""), |(name, value)| (name.trim(), value.trim()));
        match name.to_ascii_lowercase().as_str() {
            protocol if index == 0 => is_tcp = protocol.ends_with("/tcp"),
            "interleaved" => agreed.channels = pair(value),
            "server_port" => agreed.rtcp_port = pair(value).map(|(_, rtcp)| rtcp),
            "source" => agreed.source = value.trim_matches(['[', ']', '"']).parse().ok(),
            _ => {}
        }
    }
    agreed.is_udp = !is_tcp && agreed.channels.is_none() && agreed.rtcp_port.is_some();
    agreed
}

/// `4-5`, or `4` for 4 and the next.
fn pair<T: std::str::FromStr + Copy + TryFrom<u32> + Into<u32>>(text: &str) -> Option<(T, T)> {
    let (first, second) = text.split_once('-').unwrap_or((text, ""));
    let first: T = first.trim().parse().ok()?;
    let next = || T::try_from(first.into() + 1).ok();
    Some((first, second.trim().parse().ok().or_else(next)?))
}

/// The id of a session, and the time after which the camera ends it unless it is kept alive.
pub(crate) fn session(header: &str) -> Option<(String, Duration)> {
    let mut parts = header.split(';').map(str::trim);
    let id: String = parts.next()?.chars().filter(char::is_ascii_graphic).take(MAX_SESSION).collect();
    let timeout = parts
        .filter_map(|part| part.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("timeout"))
        .and_then(|(_, seconds)| seconds.trim().parse().ok())
        .filter(|seconds| *seconds > 0)
        .map_or(SESSION_TIMEOUT, Duration::from_secs);
    (!id.is_empty()).then_some((id, timeout))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn transports_are_read() {
        let tcp = agreed("RTP/AVP/TCP; unicast; Interleaved=4-5 ;ssrc=ABCD");
        assert_eq!((tcp.channels, tcp.is_udp), (Some((4, 5)), false));
        assert_eq!(agreed("RTP/AVP/TCP;unicast;interleaved=2").channels, Some((2, 3)));
        assert!(!agreed("RTP/AVP/TCP;unicast").is_udp && agreed("").channels.is_none());
        let udp = agreed("RTP/AVP;unicast;client_port=5000-5001;server_port=6000-6001;source=192.0.2.7");
        assert_eq!((udp.rtcp_port, udp.source, udp.is_udp), (Some(6001), "192.0.2.7".parse().ok(), true));
    }

    #[test]
    fn sessions_are_read() {
        let seconds = |header| session(header).map(|(id, timeout)| (id, timeout.as_secs()));
        assert_eq!(seconds("4711"), Some(("4711".into(), 60)));
        assert_eq!(seconds(" 4711 ; Timeout = 20"), Some(("4711".into(), 20)));
        assert_eq!(seconds("a;timeout=0"), Some(("a".into(), 60)));
        assert_eq!(seconds(";timeout=5"), None);
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "((interleaved|server_port|source|timeout)?[=;,0-9a-f-]){0,20}|.{0,60}") {
            let _ = (agreed(&text), session(&text));
        }
    }
}
